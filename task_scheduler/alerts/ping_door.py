"""The ping door: an HTTP server at which what runs elsewhere says how it is.

Responsible for: its thread, its limits, and an answer to every request in a few seconds. A ping is
answered with 200 once it is durable; what cannot be taken is answered with 503, so that the client
tries again. What a ping means is decided elsewhere.

Whoever reaches the port may be hostile, or slow: a request has ten seconds, a small head and a
small body, one connection carries one request, and when too many are open the oldest is cut off.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus

import h11

from task_scheduler.alerts.ping_request import ping_of
from task_scheduler.alerts.rules import AlertPlan
from task_scheduler.core.faults import FaultKind, Trouble
from task_scheduler.errors import TaskSchedulerError

__all__ = ["PingDoor", "Take"]

Take = Callable[[str, str, str | None], None]
"""Takes a ping durably: whose it is, its kind, and what it says; raises what refuses it."""

_SECONDS = 10.0
"""What a client has for its whole request."""
_TAKE_SECONDS = 8.0
"""How long is waited for the ledger."""
_RETRY_SECONDS = 5.0
"""Between two tries to get the port."""
_MOST_OPEN = 256
_HEAD_BYTES = 8_192
_CHUNK_BYTES = 16_384
_TEXT_BYTES = 10_000
"""What is kept of a body: as much as Healthchecks keeps."""
_BODY_BYTES = 1 << 20
"""What is read of one, so that its sender gets to the answer."""
_TAKERS = 4
_ALLOWED = ("GET", "HEAD", "POST")


@dataclass(slots=True)
class _Heard:
    """A request as it comes in."""

    method: str = ""
    target: str = ""
    body: bytearray = field(default_factory=bytearray)


class PingDoor:
    """Serve while a plan has a door; its thread begins with `start`."""

    def __init__(self, *, plan: Callable[[], AlertPlan], take: Take) -> None:
        self._plan = plan
        self._take = take
        self._loop: asyncio.AbstractEventLoop | None = None
        self._changed = asyncio.Event()
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None
        self._open: dict[asyncio.Task[None], None] = {}
        """The connections, the oldest first."""
        self._takers = ThreadPoolExecutor(_TAKERS, "task-scheduler-ping")
        self._why = ""
        self.port = 0
        """Where it listens; 0: not yet."""

    def start(self) -> None:
        """Begin; once."""
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._work()), name="task-scheduler-ping-door", daemon=True
        )
        self._thread.start()

    def wake(self) -> None:
        """Look at the plan again: it may have another address, or none."""
        loop = self._loop
        if loop is not None:
            with suppress(RuntimeError):  # it has ended
                loop.call_soon_threadsafe(self._changed.set)

    def close(self, timeout_seconds: float) -> None:
        """Serve no more."""
        self._closing.set()
        self.wake()
        if self._thread is not None:
            self._thread.join(timeout_seconds)
        self._takers.shutdown(wait=False, cancel_futures=True)

    def trouble(self) -> Trouble | None:
        """Return what keeps pings from coming in, if anything does."""
        door = self._plan().door
        if door is None or not self._why:
            return None
        return Trouble(FaultKind.ALERTS_FAILED, f"ping_in {door.host}:{door.port}", self._why)

    # -- in its thread --------------------------------------------------------------------------

    async def _work(self) -> None:
        self._loop = asyncio.get_running_loop()
        while not self._closing.is_set():
            self._changed.clear()
            door = self._plan().door
            if door is None:
                await self._changed.wait()
                continue
            address = (door.host, door.port)
            try:
                server = await asyncio.start_server(self._meet, *address, limit=_CHUNK_BYTES)
            except (OSError, ValueError) as error:
                self._why = getattr(error, "strerror", None) or str(error)
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._changed.wait(), _RETRY_SECONDS)
                continue
            self._why, self.port = "", server.sockets[0].getsockname()[1]
            while not self._closing.is_set() and (now := self._plan().door) is not None:
                if (now.host, now.port) != address:
                    break
                await self._changed.wait()
                self._changed.clear()
            self.port = 0
            server.close()
        left = list(self._open)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    async def _meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the one request of a connection, in time."""
        if len(self._open) >= _MOST_OPEN:
            oldest = next(iter(self._open))
            del self._open[oldest]
            oldest.cancel()
        task = asyncio.current_task()
        assert task is not None
        self._open[task] = None
        try:
            async with asyncio.timeout(_SECONDS):
                await self._answer(h11.Connection(h11.SERVER, _HEAD_BYTES), reader, writer)
        except (TimeoutError, OSError, h11.RemoteProtocolError, asyncio.CancelledError):
            pass  # slow, gone, nonsense even in its end, or one too many
        finally:
            self._open.pop(task, None)
            writer.close()

    async def _answer(
        self, http: h11.Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        heard = _Heard()
        try:
            is_whole = await _hear(http, reader, writer, heard)
        except h11.RemoteProtocolError as error:
            status = error.error_status_hint
        else:
            if not is_whole:
                return
            status = await self._taken(heard)
        text = b"OK" if status == HTTPStatus.OK else HTTPStatus(status).phrase.lower().encode()
        head = (
            f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\nConnection: close\r\n"
            f"Content-Type: text/plain\r\nContent-Length: {len(text)}\r\n"
        )
        if status == HTTPStatus.METHOD_NOT_ALLOWED:
            head += f"Allow: {', '.join(_ALLOWED)}\r\n"
        writer.write(f"{head}\r\n".encode() + (b"" if heard.method == "HEAD" else text))
        await writer.drain()

    async def _taken(self, heard: _Heard) -> int:
        """Take a ping; return the status of the answer."""
        if heard.method not in _ALLOWED:
            return HTTPStatus.METHOD_NOT_ALLOWED
        asked, door = ping_of(heard.target), self._plan().door
        check_id = None if asked is None or door is None else door.checks.get(asked.digest)
        if asked is None or check_id is None:
            return HTTPStatus.NOT_FOUND
        body = heard.body.decode("utf-8", "replace").replace("\0", "\ufffd").strip()
        text = "\n".join(part for part in (asked.text, body) if part) or None
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(_TAKE_SECONDS):
                await loop.run_in_executor(self._takers, self._take, check_id, asked.kind, text)
        except (TimeoutError, TaskSchedulerError, RuntimeError):
            return HTTPStatus.SERVICE_UNAVAILABLE
        return HTTPStatus.OK


async def _hear(
    http: h11.Connection,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    heard: _Heard,
) -> bool:
    """Read a request, of a long body the beginning; False where the client went away before.

    Raises h11.RemoteProtocolError for what is no request, or has too long a head.
    """
    read, is_greeted = 0, False
    while True:
        event = http.next_event()
        if event is h11.NEED_DATA:
            if http.they_are_waiting_for_100_continue and not is_greeted:
                writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
                is_greeted = True
            http.receive_data(await reader.read(_CHUNK_BYTES))
        elif isinstance(event, h11.Request):
            heard.method, heard.target = event.method.decode(), event.target.decode("latin-1")
        elif isinstance(event, h11.Data):
            read += len(event.data)
            heard.body += event.data[: max(0, _TEXT_BYTES - len(heard.body))]
            if read > _BODY_BYTES:
                return True
        else:
            return isinstance(event, h11.EndOfMessage)
