"""Times and lengths as insights write them: in the machine's zone, and in round figures.

Responsible for: texts that are the same in every language.
"""

from __future__ import annotations

from task_scheduler.core.model import Microseconds
from task_scheduler.schedules.instants import datetime_at
from task_scheduler.schedules.zones import local_zone

__all__ = ["clock_time", "day_text", "seconds_text"]

_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400


def clock_time(moment: Microseconds) -> str:
    """Return the time of day of a moment, ``02:00:00``."""
    return f"{datetime_at(moment, local_zone().tz):%H:%M:%S}"


def day_text(moment: Microseconds) -> str:
    """Return the day of a moment, ``2026-11-24``."""
    return f"{datetime_at(moment, local_zone().tz):%Y-%m-%d}"


def seconds_text(seconds: float) -> str:
    """Return a length in two figures and one unit, as ``3.2 s``, ``12 min`` and ``5.5 h``."""
    if seconds < 1:
        return f"{seconds * 1_000:.0f} ms"
    for length, unit in ((_DAY, "d"), (_HOUR, "h"), (_MINUTE, "min")):
        if seconds >= 2 * length:
            return (
                f"{seconds / length:.2g} {unit}"
                if seconds < 100 * length
                else f"{seconds / length:.0f} {unit}"
            )
    return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"
