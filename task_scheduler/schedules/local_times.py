"""Local times: sets of seconds on the wall clock, and what becomes of them in a time zone.

Responsible for: the port of such a set, sets made of days and times of day, and their instants
through the periods of a zone with the two policies of `schedules.cron_occurrences` for the places
where clocks are changed. Local times are whole seconds since 1970-01-01 00:00 on the wall clock.
Knows nothing of how a user writes a rule.
"""

from __future__ import annotations

import functools
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Protocol

from task_scheduler.schedules.day_sets import DAY_COUNT, FIRST_DAY
from task_scheduler.schedules.instants import EARLIEST, LATEST, SECOND
from task_scheduler.schedules.zones import Period, Zone

__all__ = [
    "DAY_SECONDS",
    "BoundedTimes",
    "CycleTimes",
    "DayTimes",
    "DisjointTimes",
    "GridTimes",
    "LocalOccurrences",
    "LocalTimes",
    "NamedTimes",
]

DAY_SECONDS = 86_400

_FIRST_SECOND = EARLIEST // SECOND
_LAST_SECOND = LATEST // SECOND
_REACH = 3 * DAY_SECONDS
"""More than local time can lie away from UTC and be set back by, together."""


class LocalTimes(Protocol):
    """A set of local times."""

    def at_or_after(self, local: int) -> int | None:
        """Return the first one at or after `local`."""
        ...

    def at_or_before(self, local: int) -> int | None:
        """Return the last one at or before `local`."""
        ...

    def count_before(self, local: int) -> int:
        """Return the number of those before `local`, from any fixed place on."""
        ...


@dataclass(frozen=True, slots=True)
class DayTimes:
    """Times of day on some days: every one of `times` on every one of `days`.

    `days` is a set of `schedules.day_sets`, `times` are sorted seconds of the day, at least one.
    """

    days: int
    times: Sequence[int]

    def at_or_after(self, local: int) -> int | None:
        """Return the first one at or after `local`."""
        day, time = divmod(local, DAY_SECONDS)
        bit = day - FIRST_DAY
        if bit < 0:
            bit, time = 0, 0
        rest = self.days >> bit
        if rest & 1 and time <= self.times[-1]:
            return (bit + FIRST_DAY) * DAY_SECONDS + self.times[bisect_left(self.times, time)]
        rest &= -2
        if not rest:
            return None
        bit += (rest & -rest).bit_length() - 1
        return (bit + FIRST_DAY) * DAY_SECONDS + self.times[0]

    def at_or_before(self, local: int) -> int | None:
        """Return the last one at or before `local`."""
        day, time = divmod(local, DAY_SECONDS)
        bit = day - FIRST_DAY
        if bit < 0:
            return None
        if self.days >> bit & 1 and time >= self.times[0]:
            return day * DAY_SECONDS + self.times[bisect_right(self.times, time) - 1]
        bit = (self.days & _ones(bit)).bit_length() - 1
        return None if bit < 0 else (bit + FIRST_DAY) * DAY_SECONDS + self.times[-1]

    def count_before(self, local: int) -> int:
        """Return the number of those before `local`, from 1969 on."""
        day, time = divmod(local, DAY_SECONDS)
        bit = day - FIRST_DAY
        if bit < 0:
            return 0
        count = (self.days & _ones(bit)).bit_count() * len(self.times)
        return count + bisect_left(self.times, time) if self.days >> bit & 1 else count


@dataclass(frozen=True)
class CycleTimes:
    """Times of day that repeat after `cycle` days, on some days.

    `times` has those of a day by its remainder, counted from 1970-01-01, and `days` only days
    whose remainder has any.
    """

    days: int
    cycle: int
    times: Mapping[int, Sequence[int]]

    def at_or_after(self, local: int) -> int | None:
        """Return the first one at or after `local`."""
        day, time = divmod(local, DAY_SECONDS)
        bit = day - FIRST_DAY
        if bit < 0:
            bit, time = 0, 0
        rest = self.days >> bit
        if rest & 1:
            times = self._times_on(bit)
            if time <= times[-1]:
                return (bit + FIRST_DAY) * DAY_SECONDS + times[bisect_left(times, time)]
        rest &= -2
        if not rest:
            return None
        bit += (rest & -rest).bit_length() - 1
        return (bit + FIRST_DAY) * DAY_SECONDS + self._times_on(bit)[0]

    def at_or_before(self, local: int) -> int | None:
        """Return the last one at or before `local`."""
        day, time = divmod(local, DAY_SECONDS)
        bit = day - FIRST_DAY
        if bit < 0:
            return None
        if self.days >> bit & 1:
            times = self._times_on(bit)
            if time >= times[0]:
                return day * DAY_SECONDS + times[bisect_right(times, time) - 1]
        bit = (self.days & _ones(bit)).bit_length() - 1
        return None if bit < 0 else (bit + FIRST_DAY) * DAY_SECONDS + self._times_on(bit)[-1]

    def count_before(self, local: int) -> int:
        """Return the number of those before `local`, from 1969 on."""
        day, time = divmod(local, DAY_SECONDS)
        bit = day - FIRST_DAY
        if not 0 <= bit < DAY_COUNT:
            return self._counts[0 if bit < 0 else DAY_COUNT]
        today = bisect_left(self._times_on(bit), time) if self.days >> bit & 1 else 0
        return self._counts[bit] + today

    def _times_on(self, bit: int) -> Sequence[int]:
        return self.times[(bit + FIRST_DAY) % self.cycle]

    @functools.cached_property
    def _counts(self) -> array[int]:
        """The number of times before each day; 30 ms and 0.7 MB, at the first count."""
        numbers = {phase: len(times) for phase, times in self.times.items()}
        on_days = (
            numbers[(bit + FIRST_DAY) % self.cycle] if is_named == "1" else 0
            for bit, is_named in enumerate(f"{self.days:0{DAY_COUNT}b}"[::-1])
        )
        return array("Q", accumulate(on_days, initial=0))


@dataclass(frozen=True, slots=True)
class DisjointTimes:
    """Several sets that have no time in common."""

    parts: tuple[LocalTimes, ...]

    def at_or_after(self, local: int) -> int | None:
        """Return the first one at or after `local`."""
        found = [part.at_or_after(local) for part in self.parts]
        return min((one for one in found if one is not None), default=None)

    def at_or_before(self, local: int) -> int | None:
        """Return the last one at or before `local`."""
        found = [part.at_or_before(local) for part in self.parts]
        return max((one for one in found if one is not None), default=None)

    def count_before(self, local: int) -> int:
        """Return the number of those before `local`."""
        return sum(part.count_before(local) for part in self.parts)


@dataclass(frozen=True, slots=True)
class GridTimes:
    """Some seconds after every `step`-th second, before and after `base`, without an end.

    `offsets` are sorted, not negative and less than `step`; at least one.
    """

    base: int
    step: int
    offsets: tuple[int, ...]

    def at_or_after(self, local: int) -> int | None:
        """Return the first one at or after `local`."""
        turn, rest = divmod(local - self.base, self.step)
        if rest > self.offsets[-1]:
            return self.base + (turn + 1) * self.step + self.offsets[0]
        return self.base + turn * self.step + self.offsets[bisect_left(self.offsets, rest)]

    def at_or_before(self, local: int) -> int | None:
        """Return the last one at or before `local`."""
        turn, rest = divmod(local - self.base, self.step)
        if rest < self.offsets[0]:
            return self.base + (turn - 1) * self.step + self.offsets[-1]
        return self.base + turn * self.step + self.offsets[bisect_right(self.offsets, rest) - 1]

    def count_before(self, local: int) -> int:
        """Return the number of those from `base` to `local`; negative before it."""
        turn, rest = divmod(local - self.base, self.step)
        return turn * len(self.offsets) + bisect_left(self.offsets, rest)


@dataclass(frozen=True, slots=True)
class NamedTimes:
    """Local times that were given one by one, sorted."""

    times: tuple[int, ...]

    def at_or_after(self, local: int) -> int | None:
        """Return the first one at or after `local`."""
        index = bisect_left(self.times, local)
        return self.times[index] if index < len(self.times) else None

    def at_or_before(self, local: int) -> int | None:
        """Return the last one at or before `local`."""
        index = bisect_right(self.times, local)
        return self.times[index - 1] if index else None

    def count_before(self, local: int) -> int:
        """Return the number of those before `local`."""
        return bisect_left(self.times, local)


@dataclass(frozen=True, slots=True)
class BoundedTimes:
    """The times of a set from `start` to `end`, both included, but for some."""

    times: LocalTimes
    start: int
    end: int
    excluded: tuple[int, ...] = ()
    """Sorted; each is one of `times` between `start` and `end`, so that it is counted rightly."""

    def at_or_after(self, local: int) -> int | None:
        """Return the first one at or after `local`, in at most one step an excluded time."""
        found = self.times.at_or_after(max(local, self.start))
        while found is not None and self._is_excluded(found):
            found = self.times.at_or_after(found + 1)
        return found if found is not None and found <= self.end else None

    def at_or_before(self, local: int) -> int | None:
        """Return the last one at or before `local`, in at most one step an excluded time."""
        found = self.times.at_or_before(min(local, self.end))
        while found is not None and self._is_excluded(found):
            found = self.times.at_or_before(found - 1)
        return found if found is not None and found >= self.start else None

    def count_before(self, local: int) -> int:
        """Return the number of those before `local`."""
        local = min(max(local, self.start), self.end + 1)
        return self.times.count_before(local) - bisect_left(self.excluded, local)

    def _is_excluded(self, local: int) -> bool:
        index = bisect_left(self.excluded, local)
        return index < len(self.excluded) and self.excluded[index] == local


@dataclass(frozen=True, slots=True)
class LocalOccurrences:
    """The instants of local times in a zone, up to the second `last`."""

    times: LocalTimes
    zone: Zone
    is_run_after_gap: bool
    is_twice_in_fold: bool
    last: int = _LAST_SECOND

    def first(self, added_at: int) -> int | None:
        """Return the first instant at or after `added_at`."""
        return self.next_after(added_at - 1, added_at)

    def next_after(self, moment: int, anchor: int) -> int | None:  # noqa: ARG002  the port's
        """Return the smallest instant after `moment`."""
        second = max(moment // SECOND + 1, _FIRST_SECOND)
        while second <= self.last:
            period = self.zone.period_at(second)
            if second == period.start and self._runs_at_start(period):
                return second * SECOND
            local = self.times.at_or_after(self._local(second, period))
            if local is not None and local < period.end + period.offset:
                second = local - period.offset
                return second * SECOND if second <= self.last else None
            if period.end <= second + _REACH:
                # So soon after, clocks set back can lead to local times before the searched ones.
                second = period.end
            elif local is None:
                return None
            else:
                second = max(period.end, local - _REACH)
        return None

    def last_until(self, moment: int, after: int, anchor: int) -> int | None:  # noqa: ARG002
        """Return the greatest instant in ``(after, moment]``."""
        second = min(moment // SECOND, self.last)
        earliest = max(after // SECOND + 1, _FIRST_SECOND)
        while second >= earliest:
            period = self.zone.period_at(second)
            local = self.times.at_or_before(second + period.offset)
            if local is not None and local >= self._begin(period):
                second = local - period.offset
                return second * SECOND if second >= earliest else None
            if period.start >= earliest and self._runs_at_start(period):
                return period.start * SECOND
            if period.start >= second - _REACH:
                second = period.start - 1
            elif local is None:
                return None
            else:
                second = min(period.start - 1, local + _REACH)
        return None

    def count_between(self, after: int, until: int, anchor: int) -> int | None:  # noqa: ARG002
        """Return how many instants lie in ``(after, until]``.

        The local times from the first to the last second, less those in gaps, plus those that come
        twice: asked about where clocks are changed, and nowhere else.
        """
        second = max(after // SECOND + 1, _FIRST_SECOND)
        stop = min(until // SECOND, self.last) + 1
        if second >= stop:
            return 0
        period = self.zone.period_at(second)
        count = -self.times.count_before(self._local(second, period))
        if second == period.start and self._runs_at_start(period):
            count += self._extra_at_start(period)
        while period.end < stop:
            end = period.end
            following = self.zone.period_at(end)
            if following.start == end and following.before != following.offset:
                began, ended = self._begin(following), end + period.offset
                count += self._count_in(began, ended) - self._count_in(ended, began)
                if self._runs_at_start(following):
                    count += self._extra_at_start(following)
            period = following
        return count + self.times.count_before(self._local(stop, period))

    def _local(self, second: int, period: Period) -> int:
        """Return the local time of a second, or the first one after it that counts."""
        return max(second + period.offset, self._begin(period))

    def _begin(self, period: Period) -> int:
        """Return the first local time of a period that counts: past its fold where one is."""
        if self.is_twice_in_fold or period.before <= period.offset:
            return period.start + period.offset
        return period.start + period.before

    def _runs_at_start(self, period: Period) -> bool:
        """Whether an instant comes of the gap that lies before a period."""
        if not self.is_run_after_gap or period.before >= period.offset:
            return False
        skipped = self.times.at_or_after(period.start + period.before)
        return skipped is not None and skipped < period.start + period.offset

    def _extra_at_start(self, period: Period) -> int:
        """Return 1, or 0 where the end of the gap is one of the local times anyway."""
        own = period.start + period.offset
        return 0 if self.times.at_or_after(own) == own else 1

    def _count_in(self, begin: int, end: int) -> int:
        found = self.times.at_or_after(begin)
        if found is None or found >= end:
            return 0
        return self.times.count_before(end) - self.times.count_before(begin)


def _ones(bit: int) -> int:
    return (1 << min(bit, DAY_COUNT)) - 1
