"""The bounds of a tick.

Responsible for: the numbers that keep the work of a tick, and what it takes in hand, finite.
"""

from __future__ import annotations

from dataclasses import dataclass

from task_scheduler.core.model import SECOND, Microseconds

__all__ = ["EngineLimits"]


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
