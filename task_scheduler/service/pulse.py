"""The pulse: what a service manager hears of a scheduler while it runs.

Responsible for: when it is told that all is well (only while the engine turns), and how things
stand. The first comes from the thread that also hears signals, so that it speaks for that one too;
the sentence is asked of the ledger, which may take its time, and has a thread of its own.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Protocol

from task_scheduler.core.model import SECOND, Microseconds
from task_scheduler.core.ports import Clock
from task_scheduler.service.manager import ServiceManager

__all__ = ["Pulse", "Telling"]

_STATUS_SECONDS = 15.0
"""Between two looks at how things stand."""


class Telling(Protocol):
    """What is asked of a scheduler."""

    def is_turning(self) -> bool:
        """Whether the engine gets on with its work."""
        ...

    def verdict(self) -> str:
        """Return in one sentence how it stands."""
        ...


class Pulse:
    """Tell a manager, from the start of a scheduler to its end."""

    def __init__(self, manager: ServiceManager, scheduler: Telling, clock: Clock) -> None:
        self._manager = manager
        self._scheduler = scheduler
        self._clock = clock
        self._beat_at: Microseconds = 0
        self._end = threading.Event()
        self._told = ""

    @property
    def beat_seconds(self) -> float:
        """How often `beat` wants to be called: three times before the watchdog bites."""
        return self._manager.watchdog_seconds / 3 or _STATUS_SECONDS

    def begin(self) -> None:
        """Say that the scheduler works, and from now on how it stands."""
        self._told = self._scheduler.verdict() if self._manager.is_there else ""
        self._manager.ready(self._told)
        if self._manager.is_there:
            threading.Thread(
                target=self._keep_telling, name="task-scheduler-status", daemon=True
            ).start()

    def beat(self) -> None:
        """Say that all is well, if it is and somebody waits to hear it."""
        now = self._clock.boottime()
        if not self._manager.watchdog_seconds or now < self._beat_at:
            return
        if self._scheduler.is_turning():
            self._beat_at = now + round(self.beat_seconds * SECOND)
            self._manager.alive()

    def around_reload(self, reload: Callable[[], str]) -> None:
        """Read the configuration again; `reload` returns the sentence about it."""
        self._manager.reloading()
        self._told = reload()
        self._manager.ready(self._told)

    def finish(self, status: str, *, seconds: float) -> None:
        """Say that the end has begun."""
        self._end.set()
        self._manager.stopping(status, seconds=seconds)

    def _keep_telling(self) -> None:
        while not self._end.wait(_STATUS_SECONDS):
            sentence = self._scheduler.verdict()
            if sentence != self._told and not self._end.is_set():
                self._told = sentence
                self._manager.say(sentence)
