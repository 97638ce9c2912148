"""Day sets: days of the calendar as bits of one integer, built and combined without a search.

Responsible for: the days of months, weeks and years that a recurrence may name, from 1969 to 2201,
a year beyond the planned range on both sides because local times reach over its ends. Bit n stands
for the n-th day after 1969-01-01, so that "both" is ``&``, "either" is ``|``, the next day is the
lowest bit of a shift and a count is a number of bits: each a few microseconds over 85,098 days.
Knows neither times of day nor time zones.
"""

from __future__ import annotations

import functools
from calendar import isleap, monthrange
from collections.abc import Callable, Iterable
from datetime import date
from typing import NamedTuple

__all__ = [
    "DAY_COUNT",
    "FIRST_DAY",
    "Span",
    "every_day",
    "every_week",
    "in_months",
    "month_spans",
    "on_days",
    "on_month_days",
    "on_phases",
    "on_week_numbers",
    "on_weekdays",
    "on_weekdays_of_month",
    "on_weekdays_of_year",
    "on_year_days",
    "spans_each",
    "week_number",
    "week_spans",
    "year_spans",
]

_EPOCH_DAY = date(1970, 1, 1).toordinal()
_FIRST_YEAR = 1969
_LAST_YEAR = 2201

FIRST_DAY = date(_FIRST_YEAR, 1, 1).toordinal() - _EPOCH_DAY
"""The day of bit 0, counted from 1970-01-01."""
DAY_COUNT = date(_LAST_YEAR, 12, 31).toordinal() - _EPOCH_DAY - FIRST_DAY + 1
_FIRST_WEEKDAY = date(_FIRST_YEAR, 1, 1).weekday()

_NO, _YES = b"0", b"1"


class Span(NamedTuple):
    """A stretch of days: a year, a month or a week."""

    number: int
    """Consecutive: the year, the months since year 0, the weeks since 1970-01-01's."""
    begin: int
    """The bit of its first day."""
    end: int
    """The bit after its last day."""


@functools.cache
def year_spans() -> tuple[Span, ...]:
    """Return every year; number is the year."""
    return tuple(
        Span(year, _bit(year, 1, 1), _bit(year, 12, 31) + 1)
        for year in range(_FIRST_YEAR, _LAST_YEAR + 1)
    )


@functools.cache
def month_spans() -> tuple[Span, ...]:
    """Return every month; number is ``12 * year + month - 1``."""
    spans = []
    begin = 0
    for number in range(12 * _FIRST_YEAR, 12 * _LAST_YEAR + 12):
        end = begin + monthrange(number // 12, number % 12 + 1)[1]
        spans.append(Span(number, begin, end))
        begin = end
    return tuple(spans)


@functools.cache
def week_spans(week_start: int) -> tuple[Span, ...]:
    """Return every week that begins on a weekday, Monday 0; number as that of `week_number`."""
    begin = (week_start - _FIRST_WEEKDAY) % 7 - 7
    first = week_number(begin + FIRST_DAY, week_start)
    return tuple(
        Span(first + index, max(start, 0), min(start + 7, DAY_COUNT))
        for index, start in enumerate(range(begin, DAY_COUNT, 7))
        if start + 7 > 0
    )


def week_number(day: int, week_start: int) -> int:
    """Return the number of the week that a day since 1970-01-01 (a Thursday) lies in."""
    return (day + 3 - week_start) // 7


@functools.lru_cache(maxsize=64)
def in_months(months: tuple[int, ...]) -> int:
    """Return the days of these months, 1 to 12."""
    return _of_months(lambda number, _, days: (number % 12 + 1 in months,) * days)


@functools.lru_cache(maxsize=64)
def on_month_days(days: tuple[int, ...]) -> int:
    """Return the days of these numbers in their month; -1 is the last."""
    return _of_months(
        lambda _, __, length: [
            day in days or day - length - 1 in days for day in range(1, length + 1)
        ]
    )


@functools.lru_cache(maxsize=128)
def on_weekdays(weekdays: tuple[int, ...]) -> int:
    """Return the days on these weekdays, Monday 0."""
    week = _flags((_FIRST_WEEKDAY + day) % 7 in weekdays for day in range(7))
    return _bits(week * (DAY_COUNT // 7 + 1))


@functools.lru_cache(maxsize=64)
def on_weekdays_of_month(ordinals: tuple[tuple[int, int], ...]) -> int:
    """Return the n-th of a weekday in every month, from pairs ``(n, weekday)``; -1 is the last."""
    return _of_months(lambda _, weekday, length: _ordinal_days(ordinals, weekday, length))


@functools.lru_cache(maxsize=64)
def on_weekdays_of_year(ordinals: tuple[tuple[int, int], ...]) -> int:
    """Return the n-th of a weekday in every year, from pairs ``(n, weekday)``; -1 is the last."""
    return _of_years(lambda weekday, length: _ordinal_days(ordinals, weekday, length))


@functools.lru_cache(maxsize=64)
def on_year_days(days: tuple[int, ...]) -> int:
    """Return the days of these numbers in their year; -1 is 31 December."""
    return _of_years(
        lambda _, length: [day in days or day - length - 1 in days for day in range(1, length + 1)]
    )


@functools.lru_cache(maxsize=64)
def on_week_numbers(weeks: tuple[int, ...], week_start: int) -> int:
    """Return the days of the weeks of these numbers; -1 is the last of a year.

    A week belongs to the year that has at least four of its days (ISO 8601, where it begins on
    Monday), so that the first and the last days of a year may lie in a week of another one.
    """
    flags = bytearray(_NO * DAY_COUNT)
    for year in range(_FIRST_YEAR - 1, _LAST_YEAR + 2):
        first = _first_week(year, week_start)
        count = (_first_week(year + 1, week_start) - first) // 7
        for week in weeks:
            begin = first + 7 * (week - 1 if week > 0 else count + week)
            if abs(week) <= count:
                for bit in range(max(begin, 0), min(begin + 7, DAY_COUNT)):
                    flags[bit : bit + 1] = _YES
    return _bits(bytes(flags))


def _first_week(year: int, week_start: int) -> int:
    """Return the bit of the first day of a year's week 1; negative before 1969."""
    fourth = _bit(year, 1, 4)
    return fourth - (_FIRST_WEEKDAY + fourth - week_start) % 7


def on_days(bits: Iterable[int]) -> int:
    """Return the days of these bits."""
    flags = bytearray(_NO * DAY_COUNT)
    for bit in bits:
        flags[bit : bit + 1] = _YES
    return _bits(bytes(flags))


def on_phases(phases: Iterable[int], cycle: int) -> int:
    """Return the days that leave one of these remainders, counted from 1970-01-01."""
    if cycle >= DAY_COUNT:
        bits = ((phase - FIRST_DAY) % cycle for phase in phases)
        return on_days(bit for bit in bits if bit < DAY_COUNT)
    flags = bytearray(_NO * cycle)
    for phase in phases:
        bit = (phase - FIRST_DAY) % cycle
        flags[bit : bit + 1] = _YES
    return _bits(bytes(flags) * (DAY_COUNT // cycle + 1))


@functools.lru_cache(maxsize=64)
def every_day(day: int, interval: int) -> int:
    """Return every `interval`-th day, before and after `day`, counted from 1970-01-01."""
    return on_phases((day,), interval)


@functools.lru_cache(maxsize=64)
def every_week(day: int, interval: int, week_start: int) -> int:
    """Return the days of every `interval`-th week, before and after the one that has `day`."""
    first = FIRST_DAY - (_FIRST_WEEKDAY - week_start) % 7
    weeks = (DAY_COUNT + 13) // 7
    number = week_number(day, week_start) - week_number(first, week_start)
    flags = b"".join(
        (_YES if (week - number) % interval == 0 else _NO) * 7 for week in range(weeks)
    )
    return _bits(flags[FIRST_DAY - first :])


def spans_each(spans: tuple[Span, ...], number: int, interval: int) -> int:
    """Return the days of every `interval`-th span, before and after the one of `number`."""
    return _bits(
        b"".join(
            (_YES if (span.number - number) % interval == 0 else _NO) * (span.end - span.begin)
            for span in spans
        )
    )


def _ordinal_days(ordinals: tuple[tuple[int, int], ...], first: int, length: int) -> Iterable[bool]:
    """Say of each day of a month or year, the first on weekday `first`, whether it is named."""
    for day in range(length):
        weekday = (first + day) % 7
        from_start, from_end = day // 7 + 1, -((length - 1 - day) // 7 + 1)
        yield (from_start, weekday) in ordinals or (from_end, weekday) in ordinals


def _of_months(chosen: Callable[[int, int, int], Iterable[bool]]) -> int:
    """Return the chosen days of every month, asked for its number, first weekday and length."""
    known: dict[tuple[int, int, int], bytes] = {}
    parts = []
    for span in month_spans():
        key = (span.number % 12, (_FIRST_WEEKDAY + span.begin) % 7, span.end - span.begin)
        if key not in known:
            known[key] = _flags(chosen(*key))
        parts.append(known[key])
    return _bits(b"".join(parts))


def _of_years(chosen: Callable[[int, int], Iterable[bool]]) -> int:
    """Return the chosen days of every year, asked for its first weekday and length."""
    known: dict[tuple[int, int], bytes] = {}
    parts = []
    for span in year_spans():
        key = ((_FIRST_WEEKDAY + span.begin) % 7, 365 + isleap(span.number))
        if key not in known:
            known[key] = _flags(chosen(*key))
        parts.append(known[key])
    return _bits(b"".join(parts))


def _bit(year: int, month: int, day: int) -> int:
    return date(year, month, day).toordinal() - _EPOCH_DAY - FIRST_DAY


def _flags(chosen: Iterable[bool]) -> bytes:
    return b"".join(_YES if is_chosen else _NO for is_chosen in chosen)


def _bits(flags: bytes) -> int:
    """Return the integer of one ASCII digit a day: in base 2 Python reads it in linear time."""
    return int(flags[DAY_COUNT - 1 :: -1] or _NO, 2)
