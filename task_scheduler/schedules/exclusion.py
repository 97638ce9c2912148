"""Exclusion: the instants of a rule without those that calendars leave out.

Responsible for: the stretches of time that the calendars of a rule block, found as they are asked
about, and the instants outside them. Local times are those of the rule's zone: an instant is
blocked where the clock on the wall then shows a blocked time, the first time and the second.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field

from task_scheduler.schedules.calendars.named_calendar import Calendar, Interval, merged
from task_scheduler.schedules.instants import EARLIEST, LATEST, SECOND
from task_scheduler.schedules.occurrences import Occurrences
from task_scheduler.schedules.zones import Zone

__all__ = ["ExcludedOccurrences", "Exclusion"]

_BLOCK_BITS = 23
"""Calendars are read in blocks of 2**23 seconds, about 97 days, at their first use."""
_KEPT_BLOCKS = 1_000
"""All there are in the planned years."""
_SEARCH_STEPS = 10_000
"""How many blocked instants or stretches in a row are passed before a search gives up."""
_COUNTED_STRETCHES = 5_000
_COUNTED_SECONDS = 40 * 366 * 86_400

_FIRST_SECOND = EARLIEST // SECOND
_LAST_SECOND = LATEST // SECOND


@dataclass(frozen=True, slots=True)
class Exclusion:
    """What is blocked: all that `excluded` covers, and what none of `included` covers."""

    zone: Zone
    excluded: tuple[Calendar, ...] = ()
    included: tuple[Calendar, ...] = ()
    _blocks: dict[int, tuple[list[int], list[int]]] = field(
        default_factory=dict, compare=False, repr=False
    )
    _editions: list[int] = field(default_factory=list, compare=False, repr=False)

    def free_from(self, second: int, end: int = _LAST_SECOND + 1) -> int | None:
        """Return the first second from `second` to before `end` that is not blocked."""
        second = max(second, _FIRST_SECOND)
        while second < end:
            begins, ends = self._block(second >> _BLOCK_BITS)
            index = bisect_right(begins, second) - 1
            if index < 0 or second >= ends[index]:
                return second
            second = ends[index]
        return None

    def free_until(self, second: int) -> int | None:
        """Return the last second at or before `second` that is not blocked."""
        second = min(second, _LAST_SECOND)
        while second >= _FIRST_SECOND:
            begins, ends = self._block(second >> _BLOCK_BITS)
            index = bisect_right(begins, second) - 1
            if index < 0 or second >= ends[index]:
                return second
            second = begins[index] - 1
        return None

    def is_free(self, instant: int) -> bool:
        """Whether an instant is not blocked."""
        second = instant // SECOND
        return self.free_from(second, second + 1) is not None

    def blocked_between(self, begin: int, end: int) -> list[Interval] | None:
        """Return what is blocked of the seconds from `begin` to before `end`; None: too much."""
        if end - begin > _COUNTED_SECONDS:
            return None
        found: list[Interval] = []
        for number in range(begin >> _BLOCK_BITS, (max(begin, end - 1) >> _BLOCK_BITS) + 1):
            begins, ends = self._block(number)
            found += [
                (max(a, begin), min(b, end))
                for a, b in zip(begins, ends, strict=True)
                if a < end and b > begin
            ]
            if len(found) > _COUNTED_STRETCHES:
                return None
        return merged(found)

    def _block(self, number: int) -> tuple[list[int], list[int]]:
        if self._editions != [self.zone.edition]:
            # The zone's rules were read anew, and local times are other instants now.
            self._blocks.clear()
            self._editions[:] = [self.zone.edition]
        block = self._blocks.get(number)
        if block is None:
            if len(self._blocks) >= _KEPT_BLOCKS:
                self._blocks.clear()
            intervals = self._intervals(number << _BLOCK_BITS, (number + 1) << _BLOCK_BITS)
            block = [begin for begin, _ in intervals], [end for _, end in intervals]
            self._blocks[number] = block
        return block

    def _intervals(self, begin: int, end: int) -> list[Interval]:
        blocked: list[Interval] = []
        for calendar in self.excluded:
            blocked += calendar.covered(begin, end, zone=self.zone, others=self.excluded)
        if self.included:
            kept: list[Interval] = []
            for calendar in self.included:
                kept += calendar.covered(begin, end, zone=self.zone, others=self.included)
            position = begin
            for kept_begin, kept_end in merged(kept):
                blocked.append((position, kept_begin))
                position = kept_end
            blocked.append((position, end))
        return merged(blocked)


@dataclass(frozen=True, slots=True)
class ExcludedOccurrences:
    """The instants of a rule that are not blocked.

    Searches are bounded: a rule of which 10,000 instants or stretches in a row are blocked has no
    more instants.
    """

    inner: Occurrences
    exclusion: Exclusion

    def first(self, added_at: int) -> int | None:
        """Return the first instant that is not blocked."""
        found = self.inner.first(added_at)
        if found is None or self.exclusion.is_free(found):
            return found
        return self.next_after(found, added_at)

    def next_after(self, moment: int, anchor: int) -> int | None:
        """Return the smallest instant after `moment` that is not blocked."""
        for _ in range(_SEARCH_STEPS):
            found = self.inner.next_after(moment, anchor)
            if found is None:
                return None
            free = self.exclusion.free_from(found // SECOND)
            if free is None or free == found // SECOND:
                return None if free is None else found
            moment = free * SECOND - 1
        return None

    def last_until(self, moment: int, after: int, anchor: int) -> int | None:
        """Return the greatest instant in ``(after, moment]`` that is not blocked."""
        for _ in range(_SEARCH_STEPS):
            found = self.inner.last_until(moment, after, anchor)
            if found is None:
                return None
            free = self.exclusion.free_until(found // SECOND)
            if free is None or free == found // SECOND:
                return None if free is None else found
            moment = free * SECOND + SECOND - 1
        return None

    def count_between(self, after: int, until: int, anchor: int) -> int | None:
        """Return how many lie in ``(after, until]``: all of them less those that are blocked."""
        after, until = max(after, EARLIEST - 1), min(until, LATEST)
        if until <= after:
            return 0
        count = self.inner.count_between(after, until, anchor)
        if not count:
            return count
        blocked = self.exclusion.blocked_between(after // SECOND, until // SECOND + 1)
        if blocked is None:
            return None
        for begin, end in blocked:
            lost = self.inner.count_between(
                max(after, begin * SECOND - 1), min(until, end * SECOND - 1), anchor
            )
            if lost is None:
                return None
            count -= lost
        return count
