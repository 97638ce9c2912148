"""Rolling: what becomes of instants on excluded days, moved to a business day.

Responsible for: ``roll="next"`` and ``roll="previous"``. A day of the rule's zone that is blocked
from its beginning to its end is excluded, any other is a business day. An instant of an excluded
day moves to the same local time of the next or the previous business day. One that is blocked there
too, by a window, is left out, as is one without a business day within a year. Instants that land on
the same moment are one.

The instants of a business day are so those of its source days: itself, and the excluded days in a
row before or after it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from task_scheduler.schedules.exclusion import Exclusion
from task_scheduler.schedules.instants import DAY, EARLIEST, LATEST, SECOND
from task_scheduler.schedules.occurrences import Occurrences
from task_scheduler.schedules.zones import Zone

__all__ = ["RolledOccurrences"]

_REACH_DAYS = 366
_COUNTED_STEPS = 1_000
_SEARCH_STEPS = 10_000
_KEPT_DAYS = 4_000
_LOOK_BACK = 3 * 86_400
"""More seconds than any local time lies away from UTC."""


class _Sources(NamedTuple):
    """The first and the last day whose instants a business day has."""

    first: int
    last: int


@dataclass(frozen=True, slots=True)
class RolledOccurrences:
    """The instants of a rule, those of excluded days moved to business days."""

    inner: Occurrences
    exclusion: Exclusion
    is_forward: bool
    _days: dict[tuple[int, int], bool] = field(default_factory=dict, compare=False, repr=False)

    def first(self, added_at: int) -> int | None:
        """Return the first instant at or after `added_at`, or of a rule's own earlier one."""
        found = self.inner.first(added_at)
        if found is None:
            return None
        return self.next_after(min(found, added_at) - 1, added_at)

    def next_after(self, moment: int, anchor: int) -> int | None:
        """Return the smallest instant after `moment`."""
        if moment >= LATEST:
            return None
        moment = max(moment, EARLIEST - 1)
        day = self._day_of(moment)
        for _ in range(_SEARCH_STEPS):
            if not self._is_business(day):
                free = self.exclusion.free_from(self._begin(day) // SECOND)
                if free is None:
                    return None
                day = self._day_of(free * SECOND)
                continue
            found = self._least_on(day, moment, anchor)
            if found is not None:
                return found if found <= LATEST else None
            found = self.inner.next_after(self._begin(self._sources(day).last + 1) - 1, anchor)
            if found is None:
                return None
            day = self._target_of(found)
        return None

    def last_until(self, moment: int, after: int, anchor: int) -> int | None:
        """Return the greatest instant in ``(after, moment]``."""
        if moment < EARLIEST:
            return None
        moment = min(moment, LATEST)
        day = self._day_of(moment)
        earliest = after - (_REACH_DAYS + 3) * DAY
        for _ in range(_SEARCH_STEPS):
            if self._begin(day + 1) <= after:
                return None
            if not self._is_business(day):
                free = self.exclusion.free_until(self._begin(day + 1) // SECOND - 1)
                if free is None:
                    return None
                day = self._day_of(free * SECOND)
                continue
            found = self._greatest_on(day, moment, anchor)
            if found is not None:
                return found if found > after else None
            begin = self._begin(self._sources(day).first)
            found = self.inner.last_until(begin - 1, earliest, anchor)
            if found is None:
                return None
            day = self._target_of(found)
        return None

    def count_between(self, after: int, until: int, anchor: int) -> int | None:
        """Return how many lie in ``(after, until]``; None where they are more than a thousand."""
        count = 0
        found = self.next_after(after, anchor)
        while found is not None and found <= until:
            count += 1
            if count > _COUNTED_STEPS:
                return None
            found = self.next_after(found, anchor)
        return count

    def _least_on(self, day: int, moment: int, anchor: int) -> int | None:
        """Return the smallest instant of a business day that lies after `moment`."""
        sources = self._sources(day)
        found = [
            self._next_from(source, day, moment, anchor)
            for source in range(sources.first, sources.last + 1)
        ]
        return min((one for one in found if one is not None), default=None)

    def _greatest_on(self, day: int, moment: int, anchor: int) -> int | None:
        """Return the greatest instant of a business day that lies at or before `moment`."""
        sources = self._sources(day)
        found = [
            self._last_from(source, day, moment, anchor)
            for source in range(sources.first, sources.last + 1)
        ]
        return max((one for one in found if one is not None), default=None)

    def _next_from(self, source: int, day: int, moment: int, anchor: int) -> int | None:
        """Return the smallest instant after `moment` that comes from `source` to `day`."""
        end = self._begin(source + 1)
        time = max(_local(moment, self.exclusion.zone) - day * DAY, -1)
        begin = _instant_of(source * DAY + min(time + 1, DAY), self.exclusion.zone)
        if source == day:
            begin = max(moment + 1, self._begin(day))
        found = self.inner.next_after(begin - 1, anchor)
        while found is not None and found < end:
            moved = found if source == day else self._moved(found, source, day)
            free = self.exclusion.free_from(moved // SECOND)
            if moved > moment and free == moved // SECOND:
                return moved
            # Behind a window of this day it goes on with the same local time of the source.
            skipped = 0 if free is None else free * SECOND - moved
            found = self.inner.next_after(max(found, found + skipped - 1), anchor)
        return None

    def _last_from(self, source: int, day: int, moment: int, anchor: int) -> int | None:
        """Return the greatest instant at or before `moment` that comes from `source` to `day`."""
        begin = self._begin(source)
        time = _local(moment, self.exclusion.zone) - day * DAY
        end = _instant_of(source * DAY + min(max(time + 1, 0), DAY), self.exclusion.zone) - 1
        if source == day:
            end = min(moment, self._begin(day + 1) - 1)
        found = self.inner.last_until(end, begin - 1, anchor)
        while found is not None:
            moved = found if source == day else self._moved(found, source, day)
            free = self.exclusion.free_until(moved // SECOND)
            if moved <= moment and free == moved // SECOND:
                return moved
            skipped = 0 if free is None else moved - (free * SECOND + SECOND)
            found = self.inner.last_until(min(found - 1, found - skipped), begin - 1, anchor)
        return None

    def _moved(self, instant: int, source: int, day: int) -> int:
        """Return the instant of the same local time on another day."""
        zone = self.exclusion.zone
        return _instant_of(_local(instant, zone) + (day - source) * DAY, zone)

    def _sources(self, day: int) -> _Sources:
        step = -1 if self.is_forward else 1
        reached = day
        while abs(reached - day) < _REACH_DAYS and not self._is_business(reached + step):
            reached += step
        return _Sources(min(day, reached), max(day, reached))

    def _target_of(self, instant: int) -> int:
        """Return the day that an instant lands on; its own where no business day is in reach."""
        day = self._day_of(instant)
        if self.is_forward:
            free = self.exclusion.free_from(self._begin(day) // SECOND)
        else:
            free = self.exclusion.free_until(self._begin(day + 1) // SECOND - 1)
        target = day if free is None else self._day_of(free * SECOND)
        return target if abs(target - day) <= _REACH_DAYS else day

    def _is_business(self, day: int) -> bool:
        """Whether any second of a local day is not blocked; a day that is skipped has none."""
        key = (day, self.exclusion.zone.edition)
        known = self._days.get(key)
        if known is None:
            if len(self._days) >= _KEPT_DAYS:
                self._days.clear()
            end = self._begin(day + 1) // SECOND
            free = self.exclusion.free_from(self._begin(day) // SECOND, end)
            known = self._days[key] = free is not None
        return known

    def _begin(self, day: int) -> int:
        """Return the first instant of a local day."""
        return _instant_of(day * DAY, self.exclusion.zone)

    def _day_of(self, instant: int) -> int:
        return _local(instant, self.exclusion.zone) // DAY


def _local(instant: int, zone: Zone) -> int:
    """Return the local time of an instant, in microseconds since 1970-01-01 on the wall clock."""
    return instant + zone.period_at(instant // SECOND).offset * SECOND


def _instant_of(local: int, zone: Zone) -> int:
    """Return the first instant of a local time; of one that is skipped, the end of the gap."""
    second = local // SECOND
    period = zone.period_at(second - _LOOK_BACK)
    while second - period.offset >= period.end:
        period = zone.period_at(period.end)
    if second - period.offset < period.start:
        return period.start * SECOND
    return local - period.offset * SECOND
