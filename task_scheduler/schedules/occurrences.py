"""Occurrences: the instants of a rule, found by arithmetic and never by walking over them all.

Responsible for: the port that the engine plans with, the instants of intervals and one-off rules,
and the union of several rules. Knows nothing of how a user writes a rule.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from task_scheduler.schedules.instants import EARLIEST, LATEST, instant_within_range

__all__ = ["IntervalOccurrences", "NamedOccurrences", "Occurrences", "OnceOccurrences", "union"]

COUNTED_STEPS = 1_000
"""How many instants of a union are counted one by one before the count is given up."""


class Occurrences(Protocol):
    """The instants of a rule, as microseconds since the Unix epoch, in the years 1970 to 2200.

    Obligations: no clock is read, the answers follow from the arguments alone, `next_after` is
    greater than its moment, and any ``int`` may be asked about. Rules of users may raise
    ScheduleError; built-in ones never do.
    """

    def first(self, added_at: int) -> int | None:
        """Return the first instant of an entry that is added at this moment."""
        ...

    def next_after(self, moment: int, anchor: int) -> int | None:
        """Return the smallest instant after `moment`; `anchor` is when the entry was added."""
        ...

    def last_until(self, moment: int, after: int, anchor: int) -> int | None:
        """Return the greatest instant in ``(after, moment]``."""
        ...

    def count_between(self, after: int, until: int, anchor: int) -> int | None:
        """Return how many instants lie in ``(after, until]``; None where they are not countable."""
        ...


@dataclass(frozen=True, slots=True)
class IntervalOccurrences:
    """Every `period` from `start_at` on, or from the entry's own anchor where there is none.

    Anchored: the n-th instant is the anchor plus n periods, however late the ones before it ran.
    """

    period: int
    start_at: int | None = None

    def first(self, added_at: int) -> int | None:
        """Return `start_at`, or its first repetition not before `added_at`; else `added_at`."""
        if self.start_at is None:
            return instant_within_range(added_at)
        return self.next_after(added_at - 1, added_at)

    def next_after(self, moment: int, anchor: int) -> int | None:
        """Return the smallest instant after `moment`."""
        base = anchor if self.start_at is None else self.start_at
        moment = max(moment, EARLIEST - 1)
        if moment < base:
            return instant_within_range(base)
        return instant_within_range(moment + self.period - (moment - base) % self.period)

    def last_until(self, moment: int, after: int, anchor: int) -> int | None:
        """Return the greatest instant in ``(after, moment]``."""
        base = anchor if self.start_at is None else self.start_at
        moment = min(moment, LATEST)
        if moment < base:
            return None
        last = moment - (moment - base) % self.period
        return instant_within_range(last) if last > after else None

    def count_between(self, after: int, until: int, anchor: int) -> int | None:
        """Return how many instants lie in ``(after, until]``."""
        base = anchor if self.start_at is None else self.start_at
        after = max(after, EARLIEST - 1, base - 1)
        until = min(until, LATEST)
        if until <= after:
            return 0
        return (until - base) // self.period - (after - base) // self.period


@dataclass(frozen=True, slots=True)
class OnceOccurrences:
    """One instant."""

    run_at: int

    def first(self, added_at: int) -> int | None:  # noqa: ARG002  the port's argument
        """Return the instant, past or not: whether it still runs is a policy's decision."""
        return instant_within_range(self.run_at)

    def next_after(self, moment: int, anchor: int) -> int | None:  # noqa: ARG002
        """Return the instant where it lies after `moment`."""
        return instant_within_range(self.run_at) if self.run_at > moment else None

    def last_until(self, moment: int, after: int, anchor: int) -> int | None:  # noqa: ARG002
        """Return the instant where it lies in ``(after, moment]``."""
        return instant_within_range(self.run_at) if after < self.run_at <= moment else None

    def count_between(self, after: int, until: int, anchor: int) -> int | None:
        """Return 1 where the instant lies in ``(after, until]``, else 0."""
        return 0 if self.last_until(until, after, anchor) is None else 1


@dataclass(frozen=True, slots=True)
class NamedOccurrences:
    """Instants that were given one by one, sorted, each once; there may be none."""

    instants: tuple[int, ...]

    def first(self, added_at: int) -> int | None:  # noqa: ARG002  the port's argument
        """Return the first of them, past or not: whether it still runs is a policy's decision."""
        return self.instants[0] if self.instants else None

    def next_after(self, moment: int, anchor: int) -> int | None:  # noqa: ARG002
        """Return the smallest instant after `moment`."""
        index = bisect_right(self.instants, moment)
        return self.instants[index] if index < len(self.instants) else None

    def last_until(self, moment: int, after: int, anchor: int) -> int | None:  # noqa: ARG002
        """Return the greatest instant in ``(after, moment]``."""
        index = bisect_right(self.instants, moment)
        return self.instants[index - 1] if index and self.instants[index - 1] > after else None

    def count_between(self, after: int, until: int, anchor: int) -> int | None:  # noqa: ARG002
        """Return how many instants lie in ``(after, until]``."""
        return max(0, bisect_right(self.instants, until) - bisect_right(self.instants, after))


def union(parts: Sequence[Occurrences]) -> Occurrences:
    """Return the instants of all the parts together, the same instant once."""
    different = [part for index, part in enumerate(parts) if part not in parts[:index]]
    return different[0] if len(different) == 1 else _Union(tuple(different))


@dataclass(frozen=True, slots=True)
class _Union:
    """Several rules on one task."""

    parts: tuple[Occurrences, ...]

    def first(self, added_at: int) -> int | None:
        return _least([part.first(added_at) for part in self.parts])

    def next_after(self, moment: int, anchor: int) -> int | None:
        return _least([part.next_after(moment, anchor) for part in self.parts])

    def last_until(self, moment: int, after: int, anchor: int) -> int | None:
        found = [part.last_until(moment, after, anchor) for part in self.parts]
        return max((instant for instant in found if instant is not None), default=None)

    def count_between(self, after: int, until: int, anchor: int) -> int | None:
        """Return the exact count where the parts do not mix, or where it is quickly counted."""
        counts = []
        for part in self.parts:
            count = part.count_between(after, until, anchor)
            if count is None:
                return None
            counts.append(count)
        total = sum(counts)
        if total == max(counts, default=0):
            return total
        return self._counted(after, until, anchor) if total <= COUNTED_STEPS else None

    def _counted(self, after: int, until: int, anchor: int) -> int:
        count = 0
        following = self.next_after(after, anchor)
        while following is not None and following <= until:
            count += 1
            following = self.next_after(following, anchor)
        return count


def _least(found: list[int | None]) -> int | None:
    return min((instant for instant in found if instant is not None), default=None)
