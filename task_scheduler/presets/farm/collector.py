"""A small server that receives what the farm sends: readings, operation logs and heartbeats.

``python -m task_scheduler.presets.farm.collector --port 0`` prints where it listens and serves
until SIGINT or SIGTERM, or with ``--until-eof`` until its standard input closes. It is meant for
the demo and for a small farm's own network.

Responsible for: HTTP. A POST under ``/api/v1/`` is stored once for each ``Idempotency-Key``, a
repeated one is answered as the first was; ``GET /`` tells what was received.
"""

from __future__ import annotations

import argparse
import hmac
import ipaddress
import json
import os
import signal
import sys
import threading
from collections.abc import Sequence
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import TCPServer
from sqlite3 import Error as DatabaseError
from typing import Any, ClassVar

from task_scheduler.i18n import translate
from task_scheduler.presets.farm.collected import KINDS, Collected, ContentError
from task_scheduler.presets.language import choose_language

__all__ = ["Collector", "main"]

_PREFIX = "/api/v1/"
_BODY_LIMIT = 4 << 20
_KEY_LIMIT = 200


class _RefusedError(Exception):
    """A request that cannot be served; the client sees status and reason."""

    def __init__(self, status: HTTPStatus, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


class Collector(ThreadingHTTPServer):
    """The server: where it listens, what it stores in, the token that it asks for."""

    daemon_threads = True

    def __init__(self, host: str, port: int, collected: Collected, token: str | None) -> None:
        super().__init__((host, port), Handler)
        self.collected = collected
        self.token = token

    def server_bind(self) -> None:
        """Bind, and do not ask a name server what this machine is called: it may be offline."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]

    @property
    def url(self) -> str:
        """Return the address under which it is reached."""
        host, port = self.server_address[:2]
        return f"http://{host!s}:{port}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a client that went away; anything else is a fault of ours, and shown."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    server: Collector
    protocol_version = "HTTP/1.1"
    server_version = "task-scheduler-collector"
    sys_version = ""
    timeout: ClassVar[float] = 30
    """Seconds after which a client that says nothing is let go."""

    def do_GET(self) -> None:
        """Tell what was received."""
        self._answer(self._summary)

    def do_POST(self) -> None:
        """Store a batch once."""
        self._answer(self._store)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  http.server's name
        """Say nothing: what was received shows under GET /, and the clients log their part."""

    def _answer(self, serve: Any) -> None:
        try:
            status, content = HTTPStatus.OK, serve()
        except _RefusedError as error:
            status, content = error.status, {"error": error.reason}
        except DatabaseError as error:
            status, content = HTTPStatus.INTERNAL_SERVER_ERROR, {"error": f"not stored: {error}"}
        body = json.dumps(content, ensure_ascii=False).encode() + b"\n"
        if status is not HTTPStatus.OK:
            # The body of a refused request may still be on its way, and would be read as the next.
            self.close_connection = True
        self.send_response(status)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def _summary(self) -> dict[str, Any]:
        self._check_token()
        if self.path != "/":
            raise _RefusedError(HTTPStatus.NOT_FOUND, f"there is no {self.path!r}; GET / tells all")
        return self.server.collected.summary()

    def _store(self) -> dict[str, Any]:
        self._check_token()
        kind = self.path.removeprefix(_PREFIX)
        if not self.path.startswith(_PREFIX) or kind not in KINDS:
            known = ", ".join(_PREFIX + name for name in KINDS)
            reason = f"there is no {self.path!r}; there are {known}"
            raise _RefusedError(HTTPStatus.NOT_FOUND, reason)
        key = self.headers.get("Idempotency-Key", "")
        if not 0 < len(key) <= _KEY_LIMIT:
            reason = f"an Idempotency-Key of 1 to {_KEY_LIMIT} characters is needed"
            raise _RefusedError(HTTPStatus.BAD_REQUEST, reason)
        try:
            count, is_new = self.server.collected.store(kind, key, self._read_json())
        except ContentError as error:
            raise _RefusedError(HTTPStatus.BAD_REQUEST, str(error)) from None
        return {"count": count, "duplicate": not is_new}

    def _check_token(self) -> None:
        if self.server.token is None:
            return
        given = self.headers.get("Authorization", "").encode("utf-8", "surrogateescape")
        if not hmac.compare_digest(given, f"Bearer {self.server.token}".encode()):
            raise _RefusedError(HTTPStatus.UNAUTHORIZED, "the bearer token is missing or wrong")

    def _read_json(self) -> Any:
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal():
            raise _RefusedError(HTTPStatus.LENGTH_REQUIRED, "a Content-Length is needed")
        if int(length) > _BODY_LIMIT:
            reason = f"at most {_BODY_LIMIT} bytes are taken at once, not {length}"
            raise _RefusedError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, reason)
        body = self.rfile.read(int(length))
        try:
            return json.loads(body, parse_constant=_refuse_constant)
        except (ValueError, RecursionError) as error:
            raise _RefusedError(HTTPStatus.BAD_REQUEST, f"not JSON: {error}") from None


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until told to stop; return the exit code."""
    choose_language(None, os.environ)
    options = _parser().parse_args(argv)
    token = os.environ.get("FARM_SERVER_TOKEN") or None
    if token is None and not _is_loopback(options.host):
        print(translate("farm.collector_needs_token", host=options.host), file=sys.stderr)
        return 2
    try:
        collected = Collected(options.database)
    except (OSError, DatabaseError) as error:
        path = str(options.database)
        print(translate("farm.cannot_store", path=path, reason=error), file=sys.stderr)
        return 1
    try:
        server = Collector(options.host, options.port, collected, token)
    except (OSError, OverflowError) as error:
        address = f"{options.host}:{options.port}"
        print(translate("farm.cannot_listen", address=address, reason=error), file=sys.stderr)
        return 1
    _serve(server, until_eof=options.until_eof)
    collected.close()
    return 0


def _serve(server: Collector, *, until_eof: bool) -> None:
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    threading.Thread(target=server.serve_forever, daemon=True).start()
    if until_eof:
        threading.Thread(target=_wait_for_eof, args=(stop,), daemon=True).start()
    print(translate("farm.collector_listens", url=server.url), flush=True)
    stop.wait()
    server.shutdown()
    server.server_close()


def _wait_for_eof(stop: threading.Event) -> None:
    """Stop when whoever started this is gone: its end of the pipe is then closed."""
    sys.stdin.buffer.read()
    stop.set()


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m task_scheduler.presets.farm.collector",
        description=translate("farm.help_collector"),
        epilog=translate("farm.help_token"),
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8430, help=translate("farm.help_port"))
    parser.add_argument("--database", type=Path, default=Path("collector.db"))
    parser.add_argument("--until-eof", action="store_true", help=translate("farm.help_eof"))
    return parser


if __name__ == "__main__":
    sys.exit(main())
