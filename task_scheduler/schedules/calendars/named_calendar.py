"""`Calendar`: days and stretches of time, as a frozen value.

Responsible for: what a calendar holds, and the seconds that it covers in a time zone. Does not know
whether a rule leaves those out or keeps to them. Days are counted from 1970-01-01, local times are
seconds since 1970-01-01 00:00 on the wall clock.

What a user listed as `days` is covered. The other whole days, holidays and weekdays, are not where
they are workdays: `workdays` that were listed, and for weekdays the days that a country works to
make up for a holiday.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from task_scheduler.schedules.calendars.country import Country
from task_scheduler.schedules.instants import SECOND
from task_scheduler.schedules.occurrences import Occurrences
from task_scheduler.schedules.zones import Zone, zone_named

__all__ = ["DAY_SECONDS", "WEEKEND", "Calendar", "Repeat", "WeeklyWindow", "merged"]

DAY_SECONDS = 86_400

WEEKEND = 0b1100000
"""Saturday and Sunday in a mask of weekdays, whose bit 0 is Monday."""

_THURSDAY = 3
"""The weekday of 1970-01-01."""

Interval = tuple[int, int]
"""The first second, and the first one that no longer belongs to it."""


class WeeklyWindow(NamedTuple):
    """A stretch of some days of the week."""

    weekdays: int
    """A mask of the days on which it begins, Monday bit 0."""
    start: int
    """Seconds of that day."""
    end: int
    """More than a day's seconds where it ends on the day after."""


@dataclass(frozen=True, slots=True)
class Repeat:
    """Stretches of one length that begin at the instants of a rule."""

    occurrences: Occurrences
    seconds: int
    is_local: bool = False
    """Whether the instants stand for local times: those that they have in UTC."""


@dataclass(frozen=True, slots=True)
class Calendar:
    """Days and stretches of time; local times are those of `timezone`, else of the asking rule."""

    days: frozenset[int] = frozenset()
    workdays: frozenset[int] = frozenset()
    weekdays: int = 0
    """A mask of the days of every week, Monday bit 0."""
    countries: tuple[Country, ...] = ()
    weekly: tuple[WeeklyWindow, ...] = ()
    dated: tuple[Interval, ...] = ()
    """Of local times."""
    spans: tuple[Interval, ...] = ()
    """Of seconds since the Unix epoch."""
    repeats: tuple[Repeat, ...] = ()
    timezone: str | None = None

    def is_workday(self, day: int) -> bool:
        """Whether a day is worked whatever day of the week it is."""
        return day in self.workdays or any(country.is_workday(day) for country in self.countries)

    def covers_day(self, day: int, others: Iterable[Calendar]) -> bool:
        """Whether a whole day is covered; `others` are all the calendars of the rule."""
        if day in self.days:
            return True
        is_weekday = self.weekdays >> (day + _THURSDAY) % 7 & 1
        if is_weekday and not any(other.is_workday(day) for other in others):
            return True
        if day in self.workdays:
            return False
        return any(country.is_holiday(day) for country in self.countries)

    def covered(
        self, begin: int, end: int, *, zone: Zone, others: tuple[Calendar, ...]
    ) -> list[Interval]:
        """Return what is covered of the seconds from `begin` to before `end`, in no order.

        `others` are all the calendars of the rule, which may make a weekday a workday.
        """
        own = zone if self.timezone is None else zone_named(self.timezone)
        found = [(max(a, begin), min(b, end)) for a, b in self.spans if a < end and b > begin]
        for repeat in self.repeats:
            if not repeat.is_local:
                found += _repeated(repeat, begin, end)
        second = begin
        while second < end:
            period = own.period_at(second)
            stop = min(end, period.end)
            low, high = second + period.offset, stop + period.offset
            found += [
                (max(a, low) - period.offset, min(b, high) - period.offset)
                for a, b in self._local_intervals(low, high, others)
                if a < high and b > low
            ]
            second = stop
        return found

    def _local_intervals(
        self, low: int, high: int, others: tuple[Calendar, ...]
    ) -> Iterator[Interval]:
        """Yield the covered local times that touch those from `low` to `high`, and some beside."""
        yield from (interval for interval in self.dated if interval[0] < high and interval[1] > low)
        for repeat in self.repeats:
            if repeat.is_local:
                yield from _repeated(repeat, low, high)
        if not (self.days or self.weekdays or self.countries or self.weekly):
            return
        # From the day before: a window of its may reach over midnight.
        for day in range(low // DAY_SECONDS - 1, (high - 1) // DAY_SECONDS + 1):
            begin = day * DAY_SECONDS
            if self.covers_day(day, others):
                yield begin, begin + DAY_SECONDS
            for window in self.weekly:
                if window.weekdays >> (day + _THURSDAY) % 7 & 1:
                    yield begin + window.start, begin + window.end


def merged(intervals: list[Interval]) -> list[Interval]:
    """Return intervals in order, those that touch each other as one."""
    found: list[Interval] = []
    for begin, end in sorted(intervals):
        if found and begin <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        elif begin < end:
            found.append((begin, end))
    return found


def _repeated(repeat: Repeat, begin: int, end: int) -> Iterator[Interval]:
    after = (begin - repeat.seconds) * SECOND
    instant = repeat.occurrences.next_after(after, after)
    while instant is not None and instant < end * SECOND:
        second = instant // SECOND
        yield max(second, begin), min(second + repeat.seconds, end)
        instant = repeat.occurrences.next_after(instant, after)
