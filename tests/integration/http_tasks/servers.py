"""Servers on the loopback: one that answers as it is told, and some that behave badly.

Responsible for: ports that are the system's choice, and an end that leaves no thread behind.
"""

from __future__ import annotations

import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

__all__ = [
    "Seen",
    "Server",
    "answer",
    "certificate",
    "closed_port",
    "deaf_port",
    "raw_server",
    "serving",
]

Reply = Callable[[socket.socket, "Seen"], None]


@dataclass(frozen=True, slots=True)
class Seen:
    """A request as the server saw it."""

    line: str
    headers: dict[str, str]
    body: bytes


@dataclass(slots=True)
class Server:
    """A server while it serves."""

    port: int
    scheme: str = "http"
    seen: list[Seen] = field(default_factory=list)
    broken: threading.Event = field(default_factory=threading.Event)
    """Set when the other side has closed a connection in the midst of an answer."""
    reached: threading.Event = field(default_factory=threading.Event)
    """Set when a request has arrived."""

    def url(self, path: str = "/", host: str = "127.0.0.1") -> str:
        return f"{self.scheme}://{host}:{self.port}{path}"


def answer(
    status: str = "200 OK", body: bytes = b"fine", headers: dict[str, str] | None = None
) -> Reply:
    """Return a reply with this status, body and headers."""

    def reply(connection: socket.socket, _: Seen) -> None:
        lines = {"Content-Length": str(len(body)), **(headers or {})}
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        connection.sendall(f"HTTP/1.1 {status}\r\n{head}\r\n".encode("latin-1") + body)

    return reply


@contextmanager
def serving(
    reply: Reply, *, tls: tuple[Path, Path] | None = None, family: int = socket.AF_INET
) -> Iterator[Server]:
    """Serve with one reply for every request."""
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.bind(("::1" if family == socket.AF_INET6 else "127.0.0.1", 0))
    listener.listen()
    server = Server(listener.getsockname()[1], "https" if tls else "http")
    context = None
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*tls)
    threads: list[threading.Thread] = []

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=_serve, args=(server, connection, context, reply))
            threads.append(thread)
            thread.start()

    accepting = threading.Thread(target=accept)
    accepting.start()
    try:
        yield server
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        accepting.join()
        for thread in threads:
            thread.join()


def _serve(
    server: Server, connection: socket.socket, context: ssl.SSLContext | None, reply: Reply
) -> None:
    try:
        if context is not None:
            connection = context.wrap_socket(connection, server_side=True)
        with closing(connection):
            seen = _request(connection)
            if seen is None:
                return
            server.seen.append(seen)
            server.reached.set()
            reply(connection, seen)
    except OSError:
        server.broken.set()


def _request(connection: socket.socket) -> Seen | None:
    data = b""
    while b"\r\n\r\n" not in data:
        chunk = connection.recv(65_536)
        if not chunk:
            return None
        data += chunk
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    pairs = [line.partition(": ") for line in lines]
    headers = {name.lower(): value for name, _, value in pairs}
    while len(body) < int(headers.get("content-length", "0")):
        body += connection.recv(65_536)
    return Seen(first, headers, body)


@contextmanager
def raw_server(said: bytes | None) -> Iterator[int]:
    """Give a port at which whoever connects is told this, or, for None, nothing, ever."""
    with closing(socket.socket()) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()

        def serve() -> None:
            with listener.accept()[0] as connection:
                connection.recv(65_536)
                if said is not None:
                    connection.sendall(said)
                    return
                while connection.recv(65_536):
                    pass

        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        thread.join()


@contextmanager
def deaf_port() -> Iterator[int]:
    """Give a port at which a connection is never made, and never refused."""
    with closing(socket.socket()) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        held = []
        try:
            for _ in range(8):
                # Who fills the queue of those who wait to be accepted.
                sock = socket.socket()
                sock.setblocking(False)
                sock.connect_ex(("127.0.0.1", port))
                held.append(sock)
            yield port
        finally:
            for sock in held:
                sock.close()


def closed_port() -> int:
    """Return a port at which nobody listens."""
    with closing(socket.socket()) as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
    return port


def certificate(folder: Path, host: str = "localhost") -> tuple[Path, Path]:
    """Return the files of a certificate that its own host has signed, and of its key."""
    made, key = folder / f"{host}.pem", folder / f"{host}.key"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
            *("-nodes", "-days", "2", "-subj", f"/CN={host}"),
            *("-addext", f"subjectAltName=DNS:{host}", "-keyout", key, "-out", made),
        ],
        check=True,
        capture_output=True,
    )
    return made, key


def silent(connection: socket.socket, _: Seen) -> None:
    """Answer nothing, until the other side has gone."""
    while connection.recv(1):
        pass
    raise ConnectionResetError
