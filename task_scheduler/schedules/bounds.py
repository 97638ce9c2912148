"""Bounds: the instants of a rule from a start to an end, and no more than some number of them.

Responsible for: `start_at`, `end_at` and `max_runs`. The n-th instant is found by counting over
stretches of time, never by a walk from the first, so that it is the same after every restart.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from task_scheduler.schedules.instants import DAY, EARLIEST, LATEST
from task_scheduler.schedules.occurrences import Occurrences
from task_scheduler.schedules.zones import Zone

__all__ = ["BoundedOccurrences", "LimitedOccurrences"]

_KEPT_ANCHORS = 8


@dataclass(frozen=True, slots=True)
class BoundedOccurrences:
    """The instants of a rule from `start_at` to `end_at`, both included."""

    inner: Occurrences
    start_at: int = EARLIEST
    end_at: int = LATEST

    def first(self, added_at: int) -> int | None:
        """Return the first instant within the bounds."""
        found = self.inner.first(added_at)
        if found is not None and found < self.start_at:
            found = self.inner.next_after(self.start_at - 1, added_at)
        return self._bounded(found)

    def next_after(self, moment: int, anchor: int) -> int | None:
        """Return the smallest instant after `moment` within the bounds."""
        return self._bounded(self.inner.next_after(max(moment, self.start_at - 1), anchor))

    def last_until(self, moment: int, after: int, anchor: int) -> int | None:
        """Return the greatest instant in ``(after, moment]`` within the bounds."""
        moment, after = min(moment, self.end_at), max(after, self.start_at - 1)
        return self.inner.last_until(moment, after, anchor) if after < moment else None

    def count_between(self, after: int, until: int, anchor: int) -> int | None:
        """Return how many of them lie in ``(after, until]``."""
        until, after = min(until, self.end_at), max(after, self.start_at - 1)
        return self.inner.count_between(after, until, anchor) if after < until else 0

    def _bounded(self, found: int | None) -> int | None:
        return found if found is not None and found <= self.end_at else None


@dataclass(frozen=True, slots=True)
class LimitedOccurrences:
    """The first `max_runs` instants of a rule, counted from its first one."""

    inner: Occurrences
    max_runs: int
    zone: Zone
    """That of the rule: where its rules are read anew, the last instant is another."""
    _ends: dict[tuple[int, int], int | None] = field(
        default_factory=dict, compare=False, repr=False
    )

    def first(self, added_at: int) -> int | None:
        """Return the first instant; there is always room for it."""
        return self.inner.first(added_at)

    def next_after(self, moment: int, anchor: int) -> int | None:
        """Return the smallest instant after `moment`, up to the last one that is left."""
        found = self.inner.next_after(moment, anchor)
        end = self._end(anchor)
        return found if found is not None and end is not None and found <= end else None

    def last_until(self, moment: int, after: int, anchor: int) -> int | None:
        """Return the greatest instant in ``(after, moment]``, up to the last one that is left."""
        end = self._end(anchor)
        if end is None or end <= after:
            return None
        return self.inner.last_until(min(moment, end), after, anchor)

    def count_between(self, after: int, until: int, anchor: int) -> int | None:
        """Return how many of them lie in ``(after, until]``."""
        end = self._end(anchor)
        if end is None or end <= after:
            return 0
        return self.inner.count_between(after, min(until, end), anchor)

    def _end(self, anchor: int) -> int | None:
        """Return the last instant of the limited ones; None: the rule has none at all."""
        key = (anchor, self.zone.edition)
        if key in self._ends:
            return self._ends[key]
        if len(self._ends) >= _KEPT_ANCHORS:
            self._ends.clear()
        end = self._ends[key] = self._nth(anchor)
        return end

    def _nth(self, anchor: int) -> int | None:
        position = self.inner.first(anchor)
        if position is None:
            return None
        # Instants before the anchor do not count: a rule's first one stands for them.
        left, stretch = self.max_runs - 1, DAY
        while left and position < LATEST:
            until = min(position + stretch, LATEST)
            count = self.inner.count_between(position, until, anchor)
            if count is None or count > left:
                stretch = max(1, stretch // 2)
            elif count == left:
                return self.inner.last_until(until, position, anchor)
            else:
                position, left, stretch = until, left - count, stretch * 2
        return position if not left else LATEST
