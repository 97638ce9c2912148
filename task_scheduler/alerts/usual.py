"""What is usual for a task: a robust bound over its past durations.

Responsible for: the bound. The median and the median deviation from it, unlike mean and standard
deviation, are not moved by the few odd runs that are to be found.
"""

from __future__ import annotations

from collections.abc import Collection
from statistics import median

from task_scheduler.core.model import SECOND, Microseconds

__all__ = ["LEAST_RUNS", "slow_from"]

LEAST_RUNS = 10
"""Before so many runs nobody knows what is usual."""
_DEVIATIONS = 6
_NORMAL = 1.4826
"""Makes of a median deviation what a standard deviation would be, were durations normal."""
_LEAST_SHARE = 0.5
_LEAST: Microseconds = SECOND
"""What is less slower than this is nobody's concern, however steady a task is."""


def slow_from(durations: Collection[Microseconds]) -> Microseconds | None:
    """Return from which duration on a run is slow; None while too few runs are known.

    Six deviations above the median, at least half of it more, and at least a second.
    """
    if len(durations) < LEAST_RUNS:
        return None
    middle = median(durations)
    deviation = median(abs(duration - middle) for duration in durations)
    margin = max(_DEVIATIONS * _NORMAL * deviation, _LEAST_SHARE * middle, _LEAST)
    return round(middle + margin)
