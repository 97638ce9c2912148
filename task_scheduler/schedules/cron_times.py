"""Cron times: which seconds of the calendar a cron expression matches, found over bit masks.

Responsible for: the next, the last and the number of matching local times, in a calendar without
time zones. Local times are whole seconds since 1970-01-01 00:00 on the wall clock. Knows neither
the text that the masks come from nor what happens when clocks are changed.

Every search is bounded by the months from 1969 to 2201: months are skipped by a table, days and
times of day by the lowest or highest bit of a mask.
"""

from __future__ import annotations

import functools
from calendar import monthrange
from datetime import date
from itertools import accumulate
from typing import NamedTuple

__all__ = ["CronTimes"]

DAY_SECONDS = 86_400

_EPOCH_DAY = date(1970, 1, 1).toordinal()
_FIRST_YEAR = 1969
_LAST_YEAR = 2201
"""A year beyond the planned range on both sides: local times reach over its ends."""
_FIRST_DAY = date(_FIRST_YEAR, 1, 1).toordinal() - _EPOCH_DAY
_LAST_DAY = date(_LAST_YEAR, 12, 31).toordinal() - _EPOCH_DAY


class _Month(NamedTuple):
    number: int
    """1 to 12."""
    first_day: int
    """Its first day, counted from 1970-01-01."""
    weekday: int
    """Of its first day, Sunday 0."""
    days: int
    """A mask of the days that it has, bit 1 for the first."""


class CronTimes:
    """The local times that match a set of masks; bit n of a mask stands for the value n."""

    def __init__(
        self,
        *,
        seconds: int,
        minutes: int,
        hours: int,
        days: int,
        months: int,
        weekdays: int,
        is_either_day: bool,
    ) -> None:
        self._seconds, self._minutes, self._hours = seconds, minutes, hours
        self._months = months
        self._days_by_weekday = tuple(
            days | _days_on(weekdays, first) if is_either_day else days & _days_on(weekdays, first)
            for first in range(7)
        )
        self._per_minute = seconds.bit_count()
        self._per_hour = self._per_minute * minutes.bit_count()
        self._per_day = self._per_hour * hours.bit_count()
        self._first_second = _lowest(seconds)
        self._first_in_hour = _lowest(minutes) * 60 + self._first_second
        self._first_in_day = _lowest(hours) * 3600 + self._first_in_hour
        self._last_second = _highest(seconds)
        self._last_in_hour = _highest(minutes) * 60 + self._last_second
        self._last_in_day = _highest(hours) * 3600 + self._last_in_hour

    def at_or_after(self, local: int) -> int | None:
        """Return the first matching local time at or after `local`."""
        day, time = divmod(local, DAY_SECONDS)
        following = self._day_at_or_after(day)
        if following != day:
            return None if following is None else following * DAY_SECONDS + self._first_in_day
        found = self._time_at_or_after(time)
        if found is not None:
            return day * DAY_SECONDS + found
        following = self._day_at_or_after(day + 1)
        return None if following is None else following * DAY_SECONDS + self._first_in_day

    def at_or_before(self, local: int) -> int | None:
        """Return the last matching local time at or before `local`."""
        day, time = divmod(local, DAY_SECONDS)
        previous = self._day_at_or_before(day)
        if previous != day:
            return None if previous is None else previous * DAY_SECONDS + self._last_in_day
        found = self._time_at_or_before(time)
        if found is not None:
            return day * DAY_SECONDS + found
        previous = self._day_at_or_before(day - 1)
        return None if previous is None else previous * DAY_SECONDS + self._last_in_day

    def count_before(self, local: int) -> int:
        """Return the number of matching local times before `local`, from 1969 on."""
        day, time = divmod(local, DAY_SECONDS)
        if day < _FIRST_DAY:
            return 0
        if day > _LAST_DAY:
            return self._matching_days[-1] * self._per_day
        index = _month_index(day)
        month = _months()[index]
        mask = self._days_in(month)
        number = day - month.first_day + 1
        days = self._matching_days[index] + (mask & ((1 << number) - 1)).bit_count()
        today = self._count_times_before(time) if mask >> number & 1 else 0
        return days * self._per_day + today

    def _days_in(self, month: _Month) -> int:
        if not self._months >> month.number & 1:
            return 0
        return self._days_by_weekday[month.weekday] & month.days

    @functools.cached_property
    def _matching_days(self) -> tuple[int, ...]:
        """The matching days before each month of the table, and at the end their number."""
        in_months = (self._days_in(month).bit_count() for month in _months())
        return tuple(accumulate(in_months, initial=0))

    def _day_at_or_after(self, day: int) -> int | None:
        if day > _LAST_DAY:
            return None
        day = max(day, _FIRST_DAY)
        months = _months()
        index = _month_index(day)
        month = months[index]
        number = day - month.first_day + 1
        mask = self._days_in(month) >> number << number
        while not mask:
            index += 1
            if index == len(months):
                return None
            month = months[index]
            mask = self._days_in(month)
        return month.first_day + _lowest(mask) - 1

    def _day_at_or_before(self, day: int) -> int | None:
        if day < _FIRST_DAY:
            return None
        day = min(day, _LAST_DAY)
        months = _months()
        index = _month_index(day)
        month = months[index]
        mask = self._days_in(month) & ((2 << (day - month.first_day + 1)) - 1)
        while not mask:
            if index == 0:
                return None
            index -= 1
            month = months[index]
            mask = self._days_in(month)
        return month.first_day + _highest(mask) - 1

    def _time_at_or_after(self, time: int) -> int | None:
        hour, minute, second = time // 3600, time // 60 % 60, time % 60
        if self._hours >> hour & 1:
            if self._minutes >> minute & 1 and self._seconds >> second:
                return time + _lowest(self._seconds >> second)
            later = self._minutes >> (minute + 1)
            if later:
                return hour * 3600 + (minute + 1 + _lowest(later)) * 60 + self._first_second
        later = self._hours >> (hour + 1)
        if not later:
            return None
        return (hour + 1 + _lowest(later)) * 3600 + self._first_in_hour

    def _time_at_or_before(self, time: int) -> int | None:
        hour, minute, second = time // 3600, time // 60 % 60, time % 60
        if self._hours >> hour & 1:
            earlier = self._seconds & ((2 << second) - 1)
            if self._minutes >> minute & 1 and earlier:
                return time - second + _highest(earlier)
            earlier = self._minutes & ((1 << minute) - 1)
            if earlier:
                return hour * 3600 + _highest(earlier) * 60 + self._last_second
        earlier = self._hours & ((1 << hour) - 1)
        return _highest(earlier) * 3600 + self._last_in_hour if earlier else None

    def _count_times_before(self, time: int) -> int:
        hour, minute, second = time // 3600, time // 60 % 60, time % 60
        count = (self._hours & ((1 << hour) - 1)).bit_count() * self._per_hour
        if self._hours >> hour & 1:
            count += (self._minutes & ((1 << minute) - 1)).bit_count() * self._per_minute
            if self._minutes >> minute & 1:
                count += (self._seconds & ((1 << second) - 1)).bit_count()
        return count


def _days_on(weekdays: int, first: int) -> int:
    """Return the mask of a month's days on these weekdays, its first day on weekday `first`."""
    return sum(1 << day for day in range(1, 32) if weekdays >> (first + day - 1) % 7 & 1)


def _month_index(day: int) -> int:
    found = date.fromordinal(day + _EPOCH_DAY)
    return (found.year - _FIRST_YEAR) * 12 + found.month - 1


@functools.cache
def _months() -> tuple[_Month, ...]:
    """Return every month that is searched; 3 ms, at the first use of a cron rule."""
    months = []
    for year in range(_FIRST_YEAR, _LAST_YEAR + 1):
        for number in range(1, 13):
            first, length = monthrange(year, number)
            first_day = date(year, number, 1).toordinal() - _EPOCH_DAY
            months.append(_Month(number, first_day, (first + 1) % 7, (2 << length) - 2))
    return tuple(months)


def _lowest(mask: int) -> int:
    return (mask & -mask).bit_length() - 1


def _highest(mask: int) -> int:
    return mask.bit_length() - 1
