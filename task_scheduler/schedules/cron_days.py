"""Days of a month: the ways of a calendar to name them, as one mask for every shape of month.

Responsible for: numbered days, days before the last, the nearest weekday, weekdays, the n-th and
the last of a weekday, and how two such rules are joined. Knows neither the text they were written
in nor years and months: which days a month has follows from two numbers, the weekday of its first
day and its length, and there are only 28 pairs of them.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence

__all__ = [
    "DayRule",
    "DayTable",
    "both",
    "day_table",
    "days_from_last",
    "either",
    "last_of_weekday",
    "last_working_day",
    "nearest_working_day",
    "nth_of_weekday",
    "numbered_days",
    "on_weekdays",
    "shape_of",
]

DayRule = Callable[[int, int], int]
"""From the weekday of a month's first day (Sunday 0) and its length to the mask of its days; bit n
stands for the n-th day."""

DayTable = tuple[int, ...]
"""The mask of every shape of month, at the index that `shape_of` gives."""

_SUNDAY, _SATURDAY = 0, 6


def shape_of(first: int, length: int) -> int:
    """Return the index of a month in a table of days."""
    return (length - 28) * 7 + first


def day_table(rule: DayRule) -> DayTable:
    """Return the masks of a rule for the 28 shapes of months, without days that they have not."""
    shapes = [(first, length) for length in range(28, 32) for first in range(7)]
    return tuple(rule(first, length) & ((2 << length) - 2) for first, length in shapes)


def numbered_days(mask: int) -> DayRule:
    """Return the rule of the days with these numbers."""
    return lambda first, length: mask  # noqa: ARG005  the same in every month


def days_from_last(days: Sequence[int]) -> DayRule:
    """Return the rule of the days so many before the last; 0 is the last one."""
    return lambda first, length: _mask(length - day for day in days)  # noqa: ARG005


def nearest_working_day(day: int) -> DayRule:
    """Return the rule of the day from Monday to Friday that is nearest to a day, in its month."""

    def rule(first: int, length: int) -> int:
        return _mask([_nearest_working_day(day, first, length)]) if day <= length else 0

    return rule


def last_working_day(first: int, length: int) -> int:
    """Return the last day from Monday to Friday; itself a rule."""
    return _mask([_nearest_working_day(length, first, length)])


def _nearest_working_day(day: int, first: int, length: int) -> int:
    weekday = (first + day - 1) % 7
    if weekday == _SATURDAY:
        return day - 1 if day > 1 else day + 2
    if weekday == _SUNDAY:
        return day + 1 if day < length else day - 2
    return day


def on_weekdays(weekdays: int) -> DayRule:
    """Return the rule of these weekdays; bit 0 stands for Sunday, and so does bit 7."""
    folded = (weekdays | weekdays >> 7) & 0x7F
    return lambda first, length: _days_on(folded, first, length)


@functools.cache  # of 128 sets of weekdays in 28 shapes of months
def _days_on(weekdays: int, first: int, length: int) -> int:
    return _mask(day for day in range(1, length + 1) if weekdays >> (first + day - 1) % 7 & 1)


def nth_of_weekday(weekday: int, number: int) -> DayRule:
    """Return the rule of the first to fifth of a weekday in its month."""
    # length: a month has no day beyond it, and the table leaves those out.
    return lambda first, length: _mask(  # noqa: ARG005
        [(weekday - first) % 7 + 1 + 7 * (number - 1)]
    )


def last_of_weekday(weekday: int) -> DayRule:
    """Return the rule of the last of a weekday in its month."""
    return lambda first, length: _mask([length - (first + length - 1 - weekday) % 7])


def either(rules: Sequence[DayRule]) -> DayRule:
    """Return the rule of the days that any of the rules has."""

    def rule(first: int, length: int) -> int:
        mask = 0
        for part in rules:
            mask |= part(first, length)
        return mask

    return rule


def both(one: DayRule, other: DayRule) -> DayRule:
    """Return the rule of the days that two rules have in common."""
    return lambda first, length: one(first, length) & other(first, length)


def _mask(days: Iterable[int]) -> int:
    return sum(1 << day for day in days if day > 0)
