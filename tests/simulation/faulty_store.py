"""The real store, which fails when it is told to: at any statement, before or after a commit.

Responsible for: making the outcome of a transaction as uncertain as it can be, and counting where
it was cut off.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from task_scheduler.errors import StoreUnavailableError
from task_scheduler.stores.sqlite import MEMORY, SqliteStore
from tests.simulation.machine import Clock

__all__ = ["POINTS", "FaultyStore", "ProcessDies"]

POINTS = 24
"""More points than a tick or a take-over has, for most of them."""
_ERRORS = ("errors.store_locked", "errors.store_full", "errors.store_unavailable")


class ProcessDies(BaseException):
    """The scheduler's process is gone in the middle of whatever it did."""


class FaultyStore:
    """The real store, which fails when it is told to."""

    def __init__(self, store: SqliteStore, clock: Clock) -> None:
        self.store = store
        self.was_committed = False
        self.out_until = 0
        """Until when, in true time, nothing can be begun."""
        self.cuts: Counter[str] = Counter()
        """How often what was cut off: begin, a statement's name, commit, committed."""
        self._left = 0
        self._is_deadly = False
        self._clock = clock

    @property
    def is_armed(self) -> bool:
        """Whether a fault is still to come."""
        return self._left > 0

    def arm(self, points: int, *, is_deadly: bool) -> None:
        """Fail, or let the process die, at so many points from now: 1 is the next one."""
        self._left, self._is_deadly = points, is_deadly

    def disarm(self) -> None:
        """Let nothing happen after all."""
        self._left = 0

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Begin and commit; three points of failure."""
        self.was_committed = False
        if self.out_until > self._clock.time:
            raise StoreUnavailableError("errors.store_full", path=MEMORY)
        if self._left:
            self._pass("begin")
        with self.store.transaction():
            yield
            if self._left:
                self._pass("commit")
        self.was_committed = True
        if self._left:
            self._pass("committed")

    def fetch(self, name: str, /, **parameters: Any) -> Any:
        """Query; a point of failure."""
        if self._left:
            self._pass(name)
        return self.store.fetch(name, **parameters)

    def execute(self, name: str, /, **parameters: Any) -> int:
        """Change; a point of failure."""
        if self._left:
            self._pass(name)
        return self.store.execute(name, **parameters)

    def _pass(self, point: str) -> None:
        self._left -= 1
        if self._left:
            return
        self.cuts[point] += 1
        if self._is_deadly:
            raise ProcessDies
        text = _ERRORS[sum(self.cuts.values()) % len(_ERRORS)]
        raise StoreUnavailableError(text, path=MEMORY, reason="disk I/O error")
