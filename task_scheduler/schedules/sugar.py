"""Days and times in one text: ``mon,fri 08:00`` and ``1,15,last 08:00,20:00``.

Responsible for: telling the days from the times of weekly and monthly rules. What they are is the
business of `times_of_day`.
"""

from __future__ import annotations

import re

from task_scheduler.errors import ScheduleError
from task_scheduler.schedules.times_of_day import read_month_days

__all__ = ["month_days_of", "nth_weekdays_of", "split"]

_DAYS_AND_TIMES = re.compile(r"\s*([^:]*?[^:\s,])[\s,]+([0-9]{1,2}:[0-9:,\s]*)")
_SHOWN_LENGTH = 80


def split(text: str, name: str) -> tuple[str, str]:
    """Return the days and the times of ``mon, fri 08:00, 20:00``; raises ScheduleError."""
    match = _DAYS_AND_TIMES.fullmatch(text)
    if match is None:
        raise ScheduleError("schedules.bad_days_and_times", name=name, value=text[:_SHOWN_LENGTH])
    return match[1], ",".join(match[2].replace(",", " ").split())


def month_days_of(text: str) -> tuple[int, ...]:
    """Return the days of ``1,15,last``, the last one as -1; raises ScheduleError."""
    return read_month_days(text)[0]


def nth_weekdays_of(text: str) -> tuple[tuple[int, int], ...]:
    """Return pairs of an ordinal and a weekday of ``first mon,last fri``; raises ScheduleError."""
    return read_month_days(text)[1]
