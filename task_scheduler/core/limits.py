"""The bounds of a tick.

Responsible for: the numbers that keep the work of a tick, and what it takes in hand, finite.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from task_scheduler.core.model import SECOND, Microseconds

__all__ = ["EngineLimits", "Room"]


_LEAST_AHEAD: Microseconds = 100_000
_MOST_AHEAD: Microseconds = 500_000


@dataclass(slots=True)
class EngineLimits:
    """The bounds of a tick. Durations in microseconds."""

    workers: int = 10
    look_ahead: Microseconds = _LEAST_AHEAD
    """How long before its moment a run is planned and claimed."""
    batch: int = 2_000
    """Entries planned, and runs claimed, in one tick."""
    work_ahead: Microseconds = 50_000
    """Claims in memory beyond the idle workers: as many as are worked off in this time."""
    rule_retry: Microseconds = 60 * SECOND
    """A rule that raised is asked again after this time."""
    pools: Mapping[str, int] = field(default_factory=dict)
    """The places of each pool."""
    slowest_tick: float = 0.0
    """What ticks took at most of late, in microseconds."""

    def note_tick(self, took: Microseconds) -> None:
        """Look as far ahead as some ticks take: one must not come too late for what it plans.

        Beside functions that compute all the time, or on a slow disk, they take long.
        """
        self.slowest_tick = max(float(took), 0.98 * self.slowest_tick)
        self.look_ahead = round(min(max(_LEAST_AHEAD, 3 * self.slowest_tick), _MOST_AHEAD))


@dataclass(slots=True)
class Room:
    """What may still be taken in hand: places for any claim, some of them for processes."""

    places: int
    processes: int
    is_open_to_threads: bool = True
    capacity: int = 0
    """How many places there are in all."""

    @property
    def is_ample(self) -> bool:
        """Whether a good part of all places is free."""
        return self.places * 4 >= self.capacity

    def left_for(self, executor: str) -> int:
        """Return how many more claims of an executor there is room for."""
        if executor == "process":
            return max(0, min(self.places, self.processes))
        return max(0, self.places) if self.is_open_to_threads else 0

    def take(self, executor: str) -> bool:
        """Take a place; False if there is none."""
        is_process = executor == "process"
        if self.places <= 0 or not (self.processes > 0 if is_process else self.is_open_to_threads):
            return False
        self.places -= 1
        self.processes -= is_process
        return True
