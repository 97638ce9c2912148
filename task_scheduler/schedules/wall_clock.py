"""The wall clock in text: times of day and days of the week, as calendars and anchors have them.

Responsible for: seconds of the day and masks of weekdays. How times and days are spelled is the
business of `times_of_day`.
"""

from __future__ import annotations

from task_scheduler.schedules.times_of_day import read_times, read_weekdays

__all__ = ["ALL_WEEKDAYS", "time_of", "times_of", "weekdays_of"]

ALL_WEEKDAYS = (1 << 7) - 1
"""A mask of the days of the week, whose bit 0 is Monday."""

_MIDNIGHT_AFTER = "24:00"
_DAY_SECONDS = 86_400


def time_of(text: str, *, may_be_midnight_after: bool = False) -> int:
    """Return the seconds of the day of ``HH:MM`` or ``HH:MM:SS``; raises ScheduleError.

    ``24:00`` is the end of the day, where that may stand.
    """
    if may_be_midnight_after and text.strip() == _MIDNIGHT_AFTER:
        return _DAY_SECONDS
    return read_times((text,))[0]


def times_of(text: str) -> tuple[int, ...]:
    """Return the seconds of ``08:00`` or ``08:00,20:30``, sorted, each once."""
    return read_times(text)


def weekdays_of(text: str) -> int:
    """Return the mask of ``mon``, ``mon-fri`` or ``tuesday,sat-sun``; raises ScheduleError."""
    return sum(1 << day for day in read_weekdays(text))
