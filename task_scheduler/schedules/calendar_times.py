"""Calendar times as they were asked for: which days, which times of day, before any arithmetic.

Responsible for: one shape for what cron expressions, calendar events, recurrences and sugar name,
so that all of them are told by the same sentences. Knows no language and no instants.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, field, replace

from task_scheduler.schedules.cron_expression import CronExpression
from task_scheduler.schedules.cron_fields import (
    DAY,
    HOUR,
    MINUTE,
    MONTH,
    SECOND,
    WEEKDAY,
    YEAR,
    Field,
    FieldReader,
    is_unrestricted,
)
from task_scheduler.schedules.on_calendar import CalendarExpression

__all__ = [
    "ALL_DAYS",
    "ALL_HOURS",
    "ALL_MINUTES",
    "ALL_MONTHS",
    "ALL_WEEKDAYS",
    "CalendarTimes",
    "ClockTimes",
    "Days",
    "of_cron",
    "of_on_calendar",
]

ALL_MINUTES = tuple(range(60))
ALL_HOURS = tuple(range(24))
ALL_DAYS = tuple(range(1, 32))
ALL_MONTHS = tuple(range(1, 13))
ALL_WEEKDAYS = tuple(range(7))


@dataclass(frozen=True, slots=True)
class ClockTimes:
    """Times of day: all combinations of these hours, minutes and seconds."""

    hours: tuple[int, ...] = (0,)
    minutes: tuple[int, ...] = (0,)
    seconds: tuple[int, ...] = (0,)
    listed: tuple[int, ...] = ()
    """Seconds of the day instead, where the times are no combinations."""


@dataclass(frozen=True, slots=True)
class Days:
    """Days of the calendar: those of the month, those of the week, or how the two are combined."""

    month_days: tuple[int, ...] = ()
    """1 to 31, and from the last one -1; with the two fields below none: every day of a month."""
    nearest_working: tuple[int, ...] = ()
    """The days of the month whose nearest day from Monday to Friday is meant."""
    is_last_working: bool = False
    weekdays: tuple[int, ...] = ()
    """Monday 0; with the field below none: every day of a week."""
    nth_weekdays: tuple[tuple[int, int], ...] = ()
    """Pairs of n, negative from the end of the month, and a weekday."""
    is_either: bool = False
    """Whether one of the two is enough where both are restricted."""
    months: tuple[int, ...] = ALL_MONTHS
    years: tuple[int, ...] = ()
    """None: every year."""

    @property
    def has_month_days(self) -> bool:
        """Whether days of the month are named."""
        return bool(self.month_days or self.nearest_working or self.is_last_working)

    @property
    def has_weekdays(self) -> bool:
        """Whether days of the week are named."""
        return bool(self.weekdays or self.nth_weekdays)


@dataclass(frozen=True, slots=True)
class CalendarTimes:
    """Days, and the times on each of them."""

    clock: ClockTimes = field(default_factory=ClockTimes)
    days: Days = field(default_factory=Days)


def of_cron(
    expression: CronExpression, seed: str | None, *, day_and: bool = False
) -> CalendarTimes:
    """Return what an expression names; `seed` as it was parsed with."""
    second, minute, hour, day, month, weekday, year = expression.fields
    reader = FieldReader(expression.text, seed)
    clock = ClockTimes(
        _values(reader, HOUR, hour),
        _values(reader, MINUTE, minute),
        _values(reader, SECOND, second),
    )
    years = _values(reader, YEAR, year)
    days = Days(
        months=_values(reader, MONTH, month),
        years=() if len(years) == YEAR.high - YEAR.low + 1 else years,
        is_either=not (day_and or is_unrestricted(day) or is_unrestricted(weekday)),
    )
    days = _with_weekdays(_with_month_days(days, reader, day), reader, weekday)
    return CalendarTimes(clock, _without_idle_fields(days))


def _values(reader: FieldReader, field: Field, part: str) -> tuple[int, ...]:
    return _values_of(reader.mask(field, part), field.low, field.high)


@functools.lru_cache(maxsize=1_024)
def _values_of(mask: int, low: int, high: int) -> tuple[int, ...]:
    return tuple(value for value in range(low, high + 1) if mask >> value & 1)


def _with_month_days(days: Days, reader: FieldReader, part: str) -> Days:
    """Add the field for the day of month."""
    plain, from_last, nearest = [], [], []
    is_last_working = False
    for item in part.split(","):
        if item == "LW":
            is_last_working = True
        elif item.startswith("L"):
            from_last.append(-1 - int(item[2:] or 0))
        elif item.endswith("W"):
            nearest.append(int(item[:-1]))
        else:
            plain.append(item)
    # Those that are spread are numbered within their field, so they are read together.
    numbers = _values(reader, DAY, ",".join(plain)) if plain else ()
    return replace(
        days,
        month_days=(*sorted(set(from_last)), *numbers),
        nearest_working=tuple(sorted(set(nearest))),
        is_last_working=is_last_working,
    )


def _with_weekdays(days: Days, reader: FieldReader, part: str) -> Days:
    """Add the field for the day of week."""
    plain = []
    nth = set()
    for item in part.split(","):
        name, hash_sign, number = item.partition("#")
        if hash_sign:
            nth.add((int(number), _weekday(reader, name)))
        elif item.endswith("L") and len(item) > 1:
            nth.add((-1, _weekday(reader, item[:-1])))
        else:
            plain.append(item)
    numbers = _values(reader, WEEKDAY, ",".join(plain)) if plain else ()
    weekdays = tuple(sorted({(number - 1) % 7 for number in numbers}))
    return replace(days, weekdays=weekdays, nth_weekdays=tuple(sorted(nth)))


def _weekday(reader: FieldReader, name: str) -> int:
    """Return a weekday of cron, where Sunday is 0 or 7, with Monday 0."""
    return (_values(reader, WEEKDAY, name)[0] - 1) % 7


def _without_idle_fields(days: Days) -> Days:
    """Return the same days without a field that names all there are, as ``1-31``."""
    has_all_days = set(ALL_DAYS) <= set(days.month_days)
    has_all_weekdays = days.weekdays == ALL_WEEKDAYS
    if days.is_either and (has_all_days or has_all_weekdays):
        return Days(months=days.months, years=days.years)
    if has_all_days:
        days = replace(days, month_days=(), nearest_working=(), is_last_working=False)
    if has_all_weekdays:
        days = replace(days, weekdays=(), nth_weekdays=())
    return days


def of_on_calendar(expression: CalendarExpression) -> CalendarTimes:
    """Return what a calendar event names, from its normalized form."""
    words = expression.normalized.split()
    if expression.zone is not None:
        words.pop()
    weekdays = _event_weekdays(words.pop(0)) if words[0][0].isalpha() else ()
    date, time = words
    year, month, rest = date.split("-", 1)[0], *_month_and_day(date)
    is_from_last = "~" in date
    hour, minute, second = time.split(":")
    clock = ClockTimes(_chain(hour, 0, 23), _chain(minute, 0, 59), _chain(second, 0, 59))
    month_days: tuple[int, ...] = ()
    if rest != "*":
        month_days = _from_last(rest) if is_from_last else _chain(rest, 1, 31)
    days = Days(
        month_days=month_days,
        weekdays=weekdays,
        months=_chain(month, 1, 12),
        years=() if year == "*" else _chain(year, 1970, 2199),
    )
    return CalendarTimes(clock, _without_idle_fields(days))


_EVENT_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def _event_weekdays(word: str) -> tuple[int, ...]:
    found: set[int] = set()
    for item in word.split(","):
        first, _, last = item.partition("..")
        begin = _EVENT_WEEKDAYS.index(first)
        found.update(range(begin, _EVENT_WEEKDAYS.index(last or first) + 1))
    return tuple(sorted(found))


def _month_and_day(date: str) -> tuple[str, str]:
    month_and_day = date.split("-", 1)[1]
    month, _, day = month_and_day.replace("~", "-").partition("-")
    return month, day


def _chain(text: str, low: int, high: int) -> tuple[int, ...]:
    """Return the values of ``*`` or a list of values, ``1..5``, ``1..9/2`` and ``1/2``."""
    if text == "*":
        return tuple(range(low, high + 1))
    found: set[int] = set()
    for item in text.split(","):
        span, slash, step = item.partition("/")
        first, dots, last = span.partition("..")
        end = int(last) if dots else high if slash else int(first)
        found.update(range(int(first), end + 1, int(step or 1)))
    return tuple(sorted(found))


def _from_last(text: str) -> tuple[int, ...]:
    """Return the days of a list after ``~``, where 1 is the last; repetitions go forward."""
    found: set[int] = set()
    for item in text.split(","):
        span, slash, step = item.partition("/")
        first, dots, last = span.partition("..")
        ends = [-int(first), -int(last) if dots else -1 if slash else -int(first)]
        found.update(range(min(ends), max(ends) + 1, int(step or 1)))
    return tuple(sorted(found))
