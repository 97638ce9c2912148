"""The HTTP endpoint of the metrics: one thread, few clients, and none of them for long.

Responsible for: sockets. Whoever is slow, silent or hostile costs a seat for some seconds and a few
kilobytes, and never the engine: nothing here waits for a client, or holds a lock that it wants.

A rendering is at most a second old and shared by all who ask meanwhile, so that no number of
requests makes more than one rendering a second.
"""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import os
import selectors
import socket
import weakref
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from task_scheduler.core.model import SECOND, Microseconds
from task_scheduler.core.ports import Clock
from task_scheduler.observe.metrics_request import (
    LONGEST,
    Answer,
    answer_to,
    is_whole,
    refusal,
)

__all__ = ["SEATS", "MetricsServer"]

SEATS = 16
"""Clients at a time; another one takes the place of the oldest that has not asked yet."""

_ASK: Microseconds = 5 * SECOND
"""How long a client may take to send its request."""
_TAKE: Microseconds = 20 * SECOND
"""How long it may take to receive the answer."""
_FRESH: Microseconds = SECOND
_CHUNK = 262_144
_PATIENCE_AT_SPENT: Microseconds = SECOND // 5


@dataclass(slots=True, eq=False)
class _Client:
    """One connection."""

    connection: socket.socket
    deadline: Microseconds
    request: bytearray = field(default_factory=bytearray)
    rest: list[memoryview] = field(default_factory=list)
    """What is still to be sent; empty while it asks."""
    result: str = "cut"
    """How its request ends, as it is counted."""


class MetricsServer:
    """Answer requests in a loop that calls `serve`; only `stir` may come from another thread."""

    def __init__(
        self,
        address: tuple[str, int],
        render: Callable[[], bytes],
        *,
        clock: Clock,
        token: str | None = None,
    ) -> None:
        """Listen; raises OSError where that cannot be."""
        self.results: Counter[str] = Counter(ok=0, refused=0, cut=0, failed=0)
        self._render = render
        self._clock = clock
        self._token = token
        self._clients: dict[socket.socket, _Client] = {}
        self._body = b""
        self._rendered_at: Microseconds | None = None
        self._deaf_until: Microseconds | None = None
        """Since the system has no descriptors left: whoever waits is heard then."""
        self._listener = _listening(address)
        self.address: tuple[str, int] = self._listener.getsockname()[:2]
        self._is_loopback = ipaddress.ip_address(self.address[0]).is_loopback
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._stirred, self._stirring = socket.socketpair()
        for end in (self._stirred, self._stirring):
            end.setblocking(False)
        self._selector.register(self._stirred, selectors.EVENT_READ)
        _servers.add(self)

    def stir(self) -> None:
        """Let a `serve` that waits in another thread return."""
        with contextlib.suppress(OSError):
            self._stirring.send(b"\0")

    def serve(self, limit: Microseconds) -> None:
        """Do what there is to do, waiting for it at most so long."""
        now = self._clock.boottime()
        known = [client.deadline for client in self._clients.values()]
        if self._deaf_until is not None:
            known.append(self._deaf_until)
        wait = min([limit, *(deadline - now for deadline in known)])
        for key, _ in self._selector.select(max(0, wait) / SECOND):
            ready = key.fileobj
            assert isinstance(ready, socket.socket)
            client = self._clients.get(ready)
            try:
                if client is not None:
                    self._advance(client)
                elif ready is self._listener:
                    self._accept()
                elif ready is self._stirred:
                    self._stirred.recv(_CHUNK)
            except OSError:
                if client is not None:
                    self._end(client)
        self._cut_late()

    def close(self) -> None:
        """Let everybody go."""
        for client in list(self._clients.values()):
            self._end(client)
        self._selector.close()
        self._shut()

    def _shut(self) -> None:
        """Close the sockets of this process, and nothing that a parent process shares."""
        _servers.discard(self)
        own = (self._listener, self._stirred, self._stirring, *self._clients)
        for held in own:
            held.close()

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except BlockingIOError:
            return
        except OSError as error:
            if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
                # It would be readable again at once: look elsewhere for a moment.
                self._selector.unregister(self._listener)
                self._deaf_until = self._clock.boottime() + _PATIENCE_AT_SPENT
            return
        connection.setblocking(False)
        if len(self._clients) >= SEATS:
            asking = [client for client in self._clients.values() if not client.rest]
            if not asking:
                self.results["refused"] += 1
                connection.close()
                return
            self._end(asking[0])
        self._clients[connection] = _Client(connection, self._clock.boottime() + _ASK)
        self._selector.register(connection, selectors.EVENT_READ)

    def _advance(self, client: _Client) -> None:
        """Go on with one client as far as that needs no waiting; raises OSError."""
        if client.rest:
            self._send(client)
            return
        data = client.connection.recv(LONGEST)
        client.request += data
        if is_whole(client.request):
            self._begin(client, self._answer_to(bytes(client.request)))
        elif not data:
            self._end(client)
        elif len(client.request) >= LONGEST:
            self._begin(client, refusal(431))

    def _answer_to(self, request: bytes) -> Answer:
        try:
            return answer_to(request, self._fresh, is_loopback=self._is_loopback, token=self._token)
        except Exception:  # fence: request
            return refusal(500)

    def _fresh(self) -> bytes:
        now = self._clock.boottime()
        if self._rendered_at is None or now - self._rendered_at >= _FRESH:
            self._body = self._render()
            # From the end on: one that takes long must not become all that this thread does.
            self._rendered_at = self._clock.boottime()
        return self._body

    def _begin(self, client: _Client, answer: Answer) -> None:
        client.result = {200: "ok", 500: "failed"}.get(answer.status, "refused")
        client.rest = [memoryview(part) for part in (answer.head, answer.body) if part]
        client.deadline = self._clock.boottime() + _TAKE
        self._selector.modify(client.connection, selectors.EVENT_WRITE)
        self._send(client)

    def _send(self, client: _Client) -> None:
        while client.rest:
            part = client.rest[0]
            try:
                sent = client.connection.send(part[:_CHUNK])
            except BlockingIOError:
                return
            client.rest[0] = part[sent:]
            if not client.rest[0]:
                del client.rest[0]
        with contextlib.suppress(OSError):
            client.connection.shutdown(socket.SHUT_WR)
        self._end(client, client.result)

    def _cut_late(self) -> None:
        now = self._clock.boottime()
        for client in [c for c in self._clients.values() if c.deadline <= now]:
            self._end(client)
        if self._deaf_until is not None and self._deaf_until <= now:
            self._deaf_until = None
            self._selector.register(self._listener, selectors.EVENT_READ)

    def _end(self, client: _Client, result: str = "cut") -> None:
        if self._clients.pop(client.connection, None) is None:
            return
        self.results[result] += 1
        with contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(client.connection)
        client.connection.close()


_servers: weakref.WeakSet[MetricsServer] = weakref.WeakSet()


def _shut_in_child() -> None:
    # A child that lives on would keep the address from whoever comes after its parent.
    for server in list(_servers):
        server._shut()  # noqa: SLF001  its own module


os.register_at_fork(after_in_child=_shut_in_child)


def _listening(address: tuple[str, int]) -> socket.socket:
    host, port = address
    family, kind, protocol, _, place = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    listener = socket.socket(family, kind, protocol)
    try:
        # The one before may have ended a moment ago.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(place)
        listener.listen(SEATS)
        listener.setblocking(False)
    except OSError:
        listener.close()
        raise
    return listener
