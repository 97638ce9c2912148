"""Times of day: daily, weekly and monthly rules, as people say them.

Responsible for: reading ``"08:00"``, ``["mon", "fri"]`` and ``"last"``, and the instants of such
times in a zone. Clocks that are changed are treated as with cron: without a choice, each time runs
once in every day, at the end of the gap where it was skipped.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from datetime import time

from task_scheduler.errors import ScheduleError
from task_scheduler.i18n import translate
from task_scheduler.schedules.day_sets import (
    every_day,
    on_month_days,
    on_weekdays,
    on_weekdays_of_month,
)
from task_scheduler.schedules.local_times import DayTimes, LocalOccurrences
from task_scheduler.schedules.zones import Zone

__all__ = ["daily", "monthly", "read_month_days", "read_times", "read_weekdays", "weekly"]

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_GROUPS = {"weekdays": (0, 1, 2, 3, 4), "weekend": (5, 6)}
_ORDINALS = {"first": 1, "second": 2, "third": 3, "fourth": 4, "last": -1}
_SHORT = 3
_MOST_TIMES = 1_440
_SHOWN_LENGTH = 80

OneOrMore = str | int | time | Iterable[str | int | time]


def daily(
    at: OneOrMore, *, zone: Zone, gap: str | None = None, fold: str | None = None
) -> LocalOccurrences:
    """Return every day at one or several times; raises ScheduleError for what is no time."""
    return _occurrences(every_day(0, 1), at, zone, gap=gap, fold=fold)


def weekly(
    on: OneOrMore, at: OneOrMore, *, zone: Zone, gap: str | None = None, fold: str | None = None
) -> LocalOccurrences:
    """Return the weekdays `on` at one or several times."""
    return _occurrences(on_weekdays(read_weekdays(on)), at, zone, gap=gap, fold=fold)


def monthly(
    on: OneOrMore, at: OneOrMore, *, zone: Zone, gap: str | None = None, fold: str | None = None
) -> LocalOccurrences:
    """Return the days `on` of every month at one or several times.

    A month without such a day, as a 31st, is left out; ``"last"`` is in every month.
    """
    days, ordinals = read_month_days(on)
    named = (on_month_days(days) if days else 0) | (
        on_weekdays_of_month(ordinals) if ordinals else 0
    )
    return _occurrences(named, at, zone, gap=gap, fold=fold)


def read_times(at: OneOrMore) -> tuple[int, ...]:
    """Return seconds of the day, sorted, from ``"08:00"``, ``"8:00:30"``, times or a list."""
    return tuple(sorted({_time(one) for one in _items("at", at)}))


def read_weekdays(on: OneOrMore) -> tuple[int, ...]:
    """Return weekdays, Monday 0, from names as ``"mon"``, ``"Friday"``, ``"mon-fri"``."""
    found: set[int] = set()
    for one in _items("on", on):
        name = one.strip().lower() if isinstance(one, str) else ""
        first, dash, last = (piece.strip() for piece in name.partition("-"))
        if name in _GROUPS:
            found.update(_GROUPS[name])
        elif dash:
            begin, end = _weekday(first, one), _weekday(last, one)
            found.update((begin + step) % 7 for step in range((end - begin) % 7 + 1))
        else:
            found.add(_weekday(name, one))
    return tuple(sorted(found))


def read_month_days(on: OneOrMore) -> tuple[tuple[int, ...], tuple[tuple[int, int], ...]]:
    """Return days of the month (-1 the last) and pairs of an ordinal and a weekday.

    From 1 to 31, -1 to -31, ``"last"``, and ``"first mon"`` to ``"fourth mon"``, ``"last fri"``.
    """
    days: set[int] = set()
    ordinals: set[tuple[int, int]] = set()
    for one in _items("on", on):
        words = one.lower().split() if isinstance(one, str) else []
        if isinstance(one, int) and not isinstance(one, bool) and 1 <= abs(one) <= 31:
            days.add(one)
        elif words == ["last"]:
            days.add(-1)
        elif len(words) == 2 and words[0] in _ORDINALS:
            ordinals.add((_ORDINALS[words[0]], _weekday(words[1], one)))
        elif len(words) == 1 and re.fullmatch(r"-?\d{1,2}", words[0], re.ASCII):
            days.update(read_month_days(int(words[0]))[0])
        else:
            raise ScheduleError("schedules.no_month_day", value=_shown(one))
    return tuple(sorted(days)), tuple(sorted(ordinals))


def _occurrences(
    days: int, at: OneOrMore, zone: Zone, *, gap: str | None, fold: str | None
) -> LocalOccurrences:
    return LocalOccurrences(
        DayTimes(days, read_times(at)),
        zone,
        is_run_after_gap=gap != "skip",
        is_twice_in_fold=fold == "twice",
    )


def _items(name: str, given: OneOrMore) -> list[str | int | time]:
    """Return what was given as a list: one thing alone, several, or a text with commas."""
    if isinstance(given, str):
        items: list[str | int | time] = list(given.split(","))
    elif isinstance(given, (int, time)):
        items = [given]
    elif isinstance(given, Iterable):
        items = list(given)
    else:
        raise ScheduleError("schedules.no_times", name=name, value=_shown(given))
    if not 1 <= len(items) <= _MOST_TIMES:
        raise ScheduleError("schedules.no_times", name=name, value=_shown(given))
    return items


def _time(given: object) -> int:
    if isinstance(given, time) and given.tzinfo is None and not given.microsecond:
        return given.hour * 3600 + given.minute * 60 + given.second
    text = given.strip() if isinstance(given, str) else ""
    match = re.fullmatch(r"(\d{1,2}):(\d{2})(?::(\d{2}))?", text, re.ASCII)
    if match is not None:
        hour, minute, second = (int(part or 0) for part in match.groups())
        if hour < 24 and minute < 60 and second < 60:
            return hour * 3600 + minute * 60 + second
    raise ScheduleError("schedules.no_time", value=_shown(given))


def _weekday(name: str, given: object) -> int:
    for number, weekday in enumerate(WEEKDAYS):
        if len(name) >= _SHORT and weekday.startswith(name):
            return number
    near = difflib.get_close_matches(name[:_SHOWN_LENGTH], WEEKDAYS, n=1)
    raise ScheduleError(
        "schedules.no_weekday",
        value=_shown(given),
        hint=translate("schedules.did_you_mean", name=near[0]) if near else "",
    )


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN_LENGTH else f"{text[:_SHOWN_LENGTH]}..."
