"""The vigil over one runtime: its fault board, its watchdog, and what that one asks.

Responsible for: joining them while there is an engine's thread, and keeping the board between two
holdings. Decides nothing about faults.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from task_scheduler.control import ControlServer
from task_scheduler.core.faults import FaultKind, Trouble
from task_scheduler.core.model import SECOND, Microseconds
from task_scheduler.core.ports import Clock
from task_scheduler.engine_loop import EngineLoop
from task_scheduler.event_stream import EventStream
from task_scheduler.fault_board import FaultBoard
from task_scheduler.holding import Holding
from task_scheduler.i18n import preload
from task_scheduler.watchdog import Probe, Watchdog, Work

__all__ = ["Vigil"]

_STANDSTILL: Microseconds = 60 * SECOND
"""An idle engine looks at the clocks three times as often."""
_OF_PARTS = frozenset({FaultKind.SOCKET_FAILED, FaultKind.LAUNCH_FAILED, FaultKind.OUTPUT_FAILED})


class Vigil:
    """Watch the engine of one process."""

    def __init__(self, clock: Clock, stream: EventStream) -> None:
        self._clock = clock
        self._stream = stream
        self.board = FaultBoard(clock, stream.tell)
        self.is_close = False
        """Whether it never rests: the process is ours, and a standstill of it is to be told."""
        self._probes: list[tuple[frozenset[FaultKind], Probe]] = []
        self._watchdog: Watchdog | None = None
        self._watched: tuple[threading.Thread, EngineLoop] | None = None

    def add_probe(self, kind: FaultKind, look: Callable[[], Trouble | None]) -> None:
        """Ask at every look, in the watchdog's thread, whether there is such a trouble."""

        def probe() -> list[Trouble]:
            found = look()
            return [] if found is None else [found]

        self._probes.append((frozenset({kind}), probe))

    def new_loop(self, chores: list[Callable[[], None]]) -> EngineLoop:
        """Return a loop whose failures stand on this board."""
        return EngineLoop(self._clock, self._stream.tell, chores, board=self.board)

    def problems(self) -> list[dict[str, Any]]:
        """Return what keeps the scheduler in this process from its work, as plain values."""
        return self.board.problems()

    def stuck_seconds(self) -> float:
        """Return for how long the engine has been at one tick; 0 while it sleeps."""
        watchdog = self._watchdog
        return 0.0 if watchdog is None else watchdog.stuck_seconds()

    def is_turning(self) -> bool:
        """Whether the engine's thread gets on; a store that fails is no standstill."""
        if self._watched is None:
            return False
        thread, loop = self._watched
        return thread.is_alive() and self._clock.boottime() - loop.turned_at < _STANDSTILL

    def start(
        self,
        thread: threading.Thread,
        loop: EngineLoop,
        held: Callable[[], tuple[Holding | None, ControlServer | None]],
    ) -> None:
        """Watch over an engine's thread and what it holds, from now on."""
        preload("errors", "faults", "logs", "runtime", "supervision")
        stream = self._stream
        stream.engine = thread
        self._watched = (thread, loop)

        def work() -> Work | None:
            since, listener = loop.busy_since, stream.listening
            return None if since is None else Work(thread, since, listener)

        def look() -> list[Trouble]:
            holding, server = held()
            if holding is None:
                return []
            if not holding.is_in_place():
                loop.doubt()
            why = server.mend() if server is not None else ""
            where = str(holding.options.files.socket)
            unheard = [Trouble(FaultKind.SOCKET_FAILED, where, why)] if why else []
            return [*unheard, *holding.troubles()]

        own = (_OF_PARTS, look)
        self._watchdog = Watchdog(
            clock=self._clock,
            board=self.board,
            work=work,
            probes=[own, *self._probes],
            rest_seconds=lambda: 0.0 if self.is_close else loop.rest_seconds(),
        )
        self.board.on_fault = self._watchdog.wake
        loop.on_signal = self._watchdog.rouse
        self._watchdog.start()

    def close(self) -> None:
        """Watch no more."""
        self._watched = None
        if self._watchdog is not None:
            self._watchdog.close()
            self._watchdog = None
