"""Calendar times: which seconds of the calendar match a set of masks.

Responsible for: the next, the last and the number of matching local times, in a calendar without
time zones. Local times are whole seconds since 1970-01-01 00:00 on the wall clock. Knows neither
the text that the masks come from nor what happens when clocks are changed. Cron expressions and
calendar events (`on_calendar`) are both such sets.

Every search is bounded by the years from 1969 to 2201: years, months, days and times of day are
found by the lowest or highest bit of a mask, and a month's days in a table (`cron_days`). The
longest walk is over the 40 years between two 29ths of February on one weekday.
"""

from __future__ import annotations

import functools
from calendar import monthrange
from datetime import date
from itertools import accumulate

from task_scheduler.schedules.cron_days import DayTable, shape_of

__all__ = ["ALL_MONTHS", "ALL_YEARS", "CronTimes"]

DAY_SECONDS = 86_400

_EPOCH_DAY = date(1970, 1, 1).toordinal()
_FIRST_YEAR = 1969
_LAST_YEAR = 2201
"""A year beyond the planned range on both sides: local times reach over its ends."""
_FIRST_DAY = date(_FIRST_YEAR, 1, 1).toordinal() - _EPOCH_DAY
_LAST_DAY = date(_LAST_YEAR, 12, 31).toordinal() - _EPOCH_DAY
_MONTHS = (_LAST_YEAR - _FIRST_YEAR + 1) * 12

ALL_MONTHS = (2 << 12) - 2
ALL_YEARS = (2 << _LAST_YEAR) - (1 << _FIRST_YEAR)


class CronTimes:
    """The local times that match a set of masks; bit n of a mask stands for the value n.

    The month that was last searched is remembered: the next question is mostly about the same one.
    """

    __slots__ = (
        "_counted_days",
        "_days",
        "_first_in_day",
        "_first_in_hour",
        "_first_second",
        "_hours",
        "_last_in_day",
        "_last_in_hour",
        "_last_second",
        "_minutes",
        "_months",
        "_per_day",
        "_per_hour",
        "_per_minute",
        "_seconds",
        "_seen",
        "_years",
    )

    def __init__(
        self,
        *,
        seconds: int,
        minutes: int,
        hours: int,
        days: DayTable,
        months: int = ALL_MONTHS,
        years: int = ALL_YEARS,
    ) -> None:
        self._seconds, self._minutes, self._hours, self._days = seconds, minutes, hours, days
        # From here on bit 0 is January, and the first year of the table.
        self._months = (months & ALL_MONTHS) >> 1
        self._years = (years & ALL_YEARS) >> _FIRST_YEAR
        self._per_minute = seconds.bit_count()
        self._per_hour = self._per_minute * minutes.bit_count()
        self._per_day = self._per_hour * hours.bit_count()
        self._first_second = _lowest(seconds)
        self._first_in_hour = _lowest(minutes) * 60 + self._first_second
        self._first_in_day = _lowest(hours) * 3600 + self._first_in_hour
        self._last_second = _highest(seconds)
        self._last_in_hour = _highest(minutes) * 60 + self._last_second
        self._last_in_day = _highest(hours) * 3600 + self._last_in_hour
        self._seen = (0, 0, 0)
        self._counted_days: tuple[int, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether no day of all the years matches."""
        return self._month_at_or_after(0) is None

    def at_or_after(self, local: int) -> int | None:
        """Return the first matching local time at or after `local`."""
        day, time = divmod(local, DAY_SECONDS)
        first, end, mask = self._seen
        if not first <= day < end:
            if day > _LAST_DAY:
                return None
            if day < _FIRST_DAY:
                day, time = _FIRST_DAY, 0
            first, end, mask = self._see(_month_index(day))
        rest = mask >> (day - first + 1)
        if rest & 1:
            found = self._time_at_or_after(time)
            if found >= 0:
                return day * DAY_SECONDS + found
            rest ^= 1
        if rest:
            return (day + (rest & -rest).bit_length() - 1) * DAY_SECONDS + self._first_in_day
        if end > _LAST_DAY:
            return None
        index = self._month_at_or_after(_month_index(end))
        if index is None:
            return None
        first, _, mask = self._see(index)
        return (first + _lowest(mask) - 1) * DAY_SECONDS + self._first_in_day

    def at_or_before(self, local: int) -> int | None:
        """Return the last matching local time at or before `local`."""
        day, time = divmod(local, DAY_SECONDS)
        first, end, mask = self._seen
        if not first <= day < end:
            if day < _FIRST_DAY:
                return None
            if day > _LAST_DAY:
                day, time = _LAST_DAY, DAY_SECONDS - 1
            first, end, mask = self._see(_month_index(day))
        number = day - first + 1
        if mask >> number & 1:
            found = self._time_at_or_before(time)
            if found >= 0:
                return day * DAY_SECONDS + found
        rest = mask & ((1 << number) - 1)
        if not rest:
            index = self._month_at_or_before(_month_index(first) - 1)
            if index is None:
                return None
            first, _, rest = self._see(index)
        return (first + _highest(rest) - 1) * DAY_SECONDS + self._last_in_day

    def count_before(self, local: int) -> int:
        """Return the number of matching local times before `local`, from 1969 on."""
        if not self._counted_days:
            # The matching days before each month of the table, and at the end their number.
            counts = (self._days_in(index).bit_count() for index in range(_MONTHS))
            self._counted_days = tuple(accumulate(counts, initial=0))
        day, time = divmod(local, DAY_SECONDS)
        if day < _FIRST_DAY:
            return 0
        if day > _LAST_DAY:
            return self._counted_days[-1] * self._per_day
        index = _month_index(day)
        mask = self._days_in(index)
        number = day - _first_days()[index] + 1
        days = self._counted_days[index] + (mask & ((1 << number) - 1)).bit_count()
        today = self._count_times_before(time) if mask >> number & 1 else 0
        return days * self._per_day + today

    def _see(self, index: int) -> tuple[int, int, int]:
        """Return a month's first day, the first day after it, and the mask of its matching days."""
        # One assignment of one tuple: another thread sees the old month or the new one.
        firsts = _first_days()
        self._seen = seen = (firsts[index], firsts[index + 1], self._days_in(index))
        return seen

    def _days_in(self, index: int) -> int:
        year, month = divmod(index, 12)
        if not (self._months >> month & 1 and self._years >> year & 1):
            return 0
        return self._days[_shapes()[index]]

    def _month_at_or_after(self, index: int) -> int | None:
        """Return the first month with a matching day, from a month of the table on."""
        shapes, days = _shapes(), self._days
        year, month = divmod(index, 12)
        while True:
            rest = self._months >> month if self._years >> year & 1 else 0
            while rest:
                month += _lowest(rest)
                if days[shapes[year * 12 + month]]:
                    return year * 12 + month
                month += 1
                rest = self._months >> month
            later = self._years >> (year + 1)
            if not later:
                return None
            year += 1 + _lowest(later)
            month = 0

    def _month_at_or_before(self, index: int) -> int | None:
        """Return the last month with a matching day, down from a month of the table."""
        shapes, days = _shapes(), self._days
        year, month = divmod(index, 12)
        while True:
            if year < 0:
                return None
            rest = self._months & ((2 << month) - 1) if self._years >> year & 1 else 0
            while rest:
                month = _highest(rest)
                if days[shapes[year * 12 + month]]:
                    return year * 12 + month
                rest ^= 1 << month
            year = _highest(self._years & ((1 << year) - 1))
            month = 11

    def _time_at_or_after(self, time: int) -> int:
        """Return the first matching time of a day, at or after one; -1 where there is none."""
        minute, second = divmod(time, 60)
        hour, minute = divmod(minute, 60)
        hours = self._hours >> hour
        if hours & 1:
            minutes = self._minutes >> minute
            if minutes & 1:
                seconds = self._seconds >> second
                if seconds:
                    return time + (seconds & -seconds).bit_length() - 1
                minutes ^= 1
            if minutes:
                minute += (minutes & -minutes).bit_length() - 1
                return hour * 3600 + minute * 60 + self._first_second
            hours ^= 1
        if not hours:
            return -1
        return (hour + (hours & -hours).bit_length() - 1) * 3600 + self._first_in_hour

    def _time_at_or_before(self, time: int) -> int:
        """Return the last matching time of a day, at or before one; -1 where there is none."""
        hour, minute, second = time // 3600, time // 60 % 60, time % 60
        if self._hours >> hour & 1:
            earlier = self._seconds & ((2 << second) - 1)
            if self._minutes >> minute & 1 and earlier:
                return time - second + _highest(earlier)
            earlier = self._minutes & ((1 << minute) - 1)
            if earlier:
                return hour * 3600 + _highest(earlier) * 60 + self._last_second
        earlier = self._hours & ((1 << hour) - 1)
        return _highest(earlier) * 3600 + self._last_in_hour if earlier else -1

    def _count_times_before(self, time: int) -> int:
        hour, minute, second = time // 3600, time // 60 % 60, time % 60
        count = (self._hours & ((1 << hour) - 1)).bit_count() * self._per_hour
        if self._hours >> hour & 1:
            count += (self._minutes & ((1 << minute) - 1)).bit_count() * self._per_minute
            if self._minutes >> minute & 1:
                count += (self._seconds & ((1 << second) - 1)).bit_count()
        return count


def _month_index(day: int) -> int:
    found = date.fromordinal(day + _EPOCH_DAY)
    return (found.year - _FIRST_YEAR) * 12 + found.month - 1


@functools.cache
def _first_days() -> tuple[int, ...]:
    """Return the first day of every month of the table, and the day after the last, from 1970."""
    starts = (date(_FIRST_YEAR + month // 12, month % 12 + 1, 1) for month in range(_MONTHS))
    return (*(start.toordinal() - _EPOCH_DAY for start in starts), _LAST_DAY + 1)


@functools.cache
def _shapes() -> bytes:
    """Return the shape of every month of the table; 3 ms, at the first use of a calendar rule."""
    shapes = []
    for month in range(_MONTHS):
        first, length = monthrange(_FIRST_YEAR + month // 12, month % 12 + 1)
        shapes.append(shape_of((first + 1) % 7, length))
    return bytes(shapes)


def _lowest(mask: int) -> int:
    return (mask & -mask).bit_length() - 1


def _highest(mask: int) -> int:
    return mask.bit_length() - 1
