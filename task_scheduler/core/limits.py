"""The bounds of a tick.

Responsible for: the numbers that keep the work of a tick, and what it takes in hand, finite.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from task_scheduler.core.model import SECOND, Microseconds

__all__ = ["EngineLimits", "Room"]


@dataclass(slots=True)
class EngineLimits:
    """The bounds of a tick. Durations in microseconds."""

    workers: int = 10
    look_ahead: Microseconds = 100_000
    batch: int = 2_000
    """Entries planned, and runs claimed, in one tick."""
    work_ahead: Microseconds = 50_000
    """Claims in memory beyond the idle workers: as many as are worked off in this time."""
    rule_retry: Microseconds = 60 * SECOND
    """A rule that raised is asked again after this time."""
    pools: Mapping[str, int] = field(default_factory=dict)
    """The places of each pool."""


@dataclass(slots=True)
class Room:
    """What may still be taken in hand: places for any claim, some of them for processes."""

    places: int
    processes: int
    is_open_to_threads: bool = True

    def left_for(self, executor: str) -> int:
        """Return how many more claims of an executor there is room for."""
        if executor == "process":
            return max(0, min(self.places, self.processes))
        return max(0, self.places) if self.is_open_to_threads else 0

    def take(self, executor: str) -> bool:
        """Take a place; False if there is none."""
        if self.left_for(executor) <= 0:
            return False
        self.places -= 1
        self.processes -= executor == "process"
        return True
