"""A mail server and an HTTP receiver on loopback, as real as a client can tell."""

from __future__ import annotations

import email
import email.policy
import json
import socketserver
import threading
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar


class MailServer:
    """Takes letters over SMTP; `refuse` is said instead of taking one."""

    def __init__(self) -> None:
        self.letters: list[EmailMessage] = []
        self.refuse: str | None = None
        self.tries = 0
        server = self

        class Session(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                server.talk(self)

        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address = True
            daemon_threads = True

        self._server = Server(("127.0.0.1", 0), Session)
        self.port = int(self._server.server_address[1])
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def talk(self, session: socketserver.StreamRequestHandler) -> None:
        """Speak as much of SMTP as a letter takes."""

        def say(line: str) -> None:
            session.wfile.write(f"{line}\r\n".encode())

        self.tries += 1
        say("220 here")
        while line := session.rfile.readline().decode().strip():
            word = line.partition(" ")[0].upper()
            if word in ("EHLO", "HELO"):
                say("250-here\r\n250 SMTPUTF8")
            elif word == "DATA":
                say("354 go on")
                self._take(session, say)
            elif word == "QUIT":
                say("221 bye")
                return
            elif word == "RCPT" and self.refuse is not None:
                say(self.refuse)
            else:
                say("250 fine")

    def _take(self, session: socketserver.StreamRequestHandler, say: Any) -> None:
        lines = []
        while (line := session.rfile.readline()) not in (b".\r\n", b""):
            lines.append(line[1:] if line.startswith(b"..") else line)
        letter = email.message_from_bytes(b"".join(lines), policy=email.policy.default)
        assert isinstance(letter, EmailMessage)
        self.letters.append(letter)
        say("250 2.0.0 queued as 7")

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class Receiver:
    """Takes requests; answers `code` and `answer`."""

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []
        self.code = 200
        self.answer = b"ok"
        self.hold = threading.Event()
        self.hold.set()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize: ClassVar[int] = -1

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                receiver.requests.append(
                    {"path": self.path, "headers": dict(self.headers), "body": body}
                )
                receiver.hold.wait(30)
                self.send_response(receiver.code)
                self.send_header("Content-Length", str(len(receiver.answer)))
                self.end_headers()
                self.wfile.write(receiver.answer)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def alerts(self) -> list[dict[str, Any]]:
        """The messages that came, as JSON."""
        return [json.loads(request["body"]) for request in list(self.requests)]

    @property
    def paths(self) -> list[str]:
        return [request["path"] for request in list(self.requests)]

    def close(self) -> None:
        self.hold.set()
        self._server.shutdown()
        self._server.server_close()
