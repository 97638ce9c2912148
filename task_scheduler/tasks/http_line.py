"""The line of one HTTP request: its connections, which somebody else may cut at any moment.

Responsible for: resolving a name, connecting, and TLS, each so that `cut`, from another thread,
ends it at once, whatever it waits for; and an httpx transport over such connections. A connection
carries one request: nothing is kept for the next.

Imports httpx and is imported by what needs it, when it needs it.
"""

from __future__ import annotations

import errno
import functools
import logging
import os
import queue
import select
import socket
import ssl
import threading
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpcore
import httpx

__all__ = ["Line", "LineCutError", "transport_over"]

_RESOLVER_NAME = "task-scheduler-resolver"


_quiet = threading.local()


def _is_not_ours(_: logging.LogRecord) -> bool:
    return not getattr(_quiet, "is_wanted", False)


# At its finest level it logs the headers of answers, and a server may send back what it was sent.
logging.getLogger("httpcore.http11").addFilter(_is_not_ours)


class LineCutError(Exception):
    """The line was cut: the request was cancelled, or its time is over."""


class Line:
    """The connections of one request."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._is_cut = False
        self._sockets: list[socket.socket] = []
        self._resolved: queue.SimpleQueue[list[str] | Exception | None] = queue.SimpleQueue()

    @property
    def is_cut(self) -> bool:
        """Whether it was cut: then whatever came of the request is no answer."""
        return self._is_cut

    def cut(self) -> None:
        """End the request, from another thread: what it waits for fails now."""
        with self._guard:
            self._is_cut = True
            for sock in self._sockets:
                # One that was refused has no other end.
                with suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)
        self._resolved.put(None)

    def close(self) -> None:
        """Let go of what is still open."""
        with self._guard:
            for sock in self._sockets:
                sock.close()
            self._sockets.clear()

    def resolve(self, host: str, port: int) -> list[str]:
        """Return the addresses of a host; raises OSError, UnicodeError or LineCutError.

        The system's resolver cannot be stopped, but nobody needs to wait for it.
        """
        thread = threading.Thread(
            target=self._look_up, args=(host, port), name=_RESOLVER_NAME, daemon=True
        )
        thread.start()
        found = self._resolved.get()
        if self._is_cut or found is None:
            raise LineCutError
        if isinstance(found, Exception):
            raise found
        return found

    def _look_up(self, host: str, port: int) -> None:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            self._resolved.put(error)
        else:
            self._resolved.put([str(entry[4][0]) for entry in found])

    def connect(self, address: str, port: int) -> socket.socket:
        """Return a connection; raises OSError or LineCutError."""
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            sock.setblocking(False)
            begun = sock.connect_ex((address, port))
            if begun not in (0, errno.EINPROGRESS):
                raise OSError(begun, os.strerror(begun))
            # Only what has begun can be cut; and TLS takes the socket away, not its double.
            self._hold(sock.dup())
            poll = select.poll()
            poll.register(sock, select.POLLOUT)
            poll.poll()
            failed = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if self._is_cut:
                raise LineCutError
            if failed:
                raise OSError(failed, os.strerror(failed))
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.setblocking(True)
        except BaseException:
            sock.close()
            raise
        return sock

    def _hold(self, sock: socket.socket) -> None:
        with self._guard:
            if self._is_cut:
                sock.close()
                raise LineCutError
            self._sockets.append(sock)


def transport_over(line: Line, verify: bool | str) -> httpx.BaseTransport:
    """Return a transport whose connections `line` makes; `verify` as of `HttpTask`."""
    return _Transport(line, _context_of(verify))


class _Transport(httpx.BaseTransport):
    """Hands a request to httpcore, which knows the protocol, with connections of ours."""

    def __init__(self, line: Line, context: ssl.SSLContext) -> None:
        self._pool = httpcore.ConnectionPool(
            ssl_context=context, max_keepalive_connections=0, network_backend=_Backend(line)
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        url = request.url
        _quiet.is_wanted = True
        try:
            answer = self._pool.handle_request(
                httpcore.Request(
                    method=request.method,
                    url=httpcore.URL(
                        scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path
                    ),
                    headers=request.headers.raw,
                    content=request.read(),
                    extensions=request.extensions,
                )
            )
        except httpcore.ConnectError as error:
            raise httpx.ConnectError(str(error), request=request) from error
        finally:
            _quiet.is_wanted = False
        assert isinstance(answer.stream, Iterable)
        return httpx.Response(
            status_code=answer.status,
            headers=answer.headers,
            stream=_Body(answer.stream),
            extensions=answer.extensions,
        )

    def close(self) -> None:
        self._pool.close()


class _Body(httpx.SyncByteStream):
    def __init__(self, stream: Iterable[bytes]) -> None:
        self._stream = stream

    def __iter__(self) -> Iterator[bytes]:
        yield from self._stream

    def close(self) -> None:
        if hasattr(self._stream, "close"):
            self._stream.close()


class _Backend(httpcore.NetworkBackend):
    """Makes the connections of httpcore."""

    def __init__(self, line: Line) -> None:
        self._line = line

    def connect_tcp(self, host: str, port: int, *_: Any, **__: Any) -> httpcore.NetworkStream:
        try:
            return _Stream(self._line.connect(host, port))
        except OSError as error:
            raise httpcore.ConnectError(error.strerror or str(error)) from error


class _Stream(httpcore.NetworkStream):
    """One connection; its waits have no limit of their own, since the line can be cut."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002
        try:
            return self._socket.recv(max_bytes)
        except OSError as error:
            raise httpcore.ReadError(error.strerror or str(error)) from error

    def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002
        try:
            self._socket.sendall(buffer)
        except OSError as error:
            raise httpcore.WriteError(error.strerror or str(error)) from error

    def close(self) -> None:
        self._socket.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ARG002
    ) -> httpcore.NetworkStream:
        try:
            return _Stream(ssl_context.wrap_socket(self._socket, server_hostname=server_hostname))
        except (OSError, ValueError) as error:
            self.close()
            raise httpcore.ConnectError(_told(error)) from error

    def get_extra_info(self, info: str) -> Any:
        if info == "ssl_object":
            return self._socket if isinstance(self._socket, ssl.SSLSocket) else None
        if info == "is_readable":
            # Asked of a connection that is to be used again.
            return True
        return None


def _told(error: Exception) -> str:
    """Return what is wrong with a certificate, or with the handshake, without places in C."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"TLS: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"TLS: {(error.reason or str(error)).replace('_', ' ').lower()}"
    return f"TLS: {getattr(error, 'strerror', None) or error}"


def _context_of(verify: bool | str) -> ssl.SSLContext:
    stamp = Path(verify).stat().st_mtime_ns if isinstance(verify, str) else 0
    return _context(verify, stamp)


@functools.lru_cache(maxsize=8)
def _context(verify: bool | str, stamp: int) -> ssl.SSLContext:  # noqa: ARG001  a file anew
    """Return the trust of a request; to read all certificates takes longer than most answers."""
    if isinstance(verify, str):
        if Path(verify).is_dir():
            return ssl.create_default_context(capath=verify)
        return ssl.create_default_context(cafile=verify)
    return httpx.create_ssl_context(verify=verify)
