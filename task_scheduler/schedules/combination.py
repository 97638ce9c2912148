"""Combinations: the instants that several rules share, and those of one rule without another's.

Responsible for: `all_of` and `but_not` as occurrences, in a bounded number of steps. "Any of" is
`schedules.occurrences.union`. Knows nothing of what kinds of rules it combines, but that a user's
own rule cannot be asked whether a moment is one of its instants.

A step asks one part for one instant, so it costs what a part's `next_after` does, whatever the
distance. A combination that has nothing in 5,000 steps is refused when it is made; one that runs
into such a desert later raises ScheduleError, which is seen, where the answer "no more" would
end the task in silence.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from task_scheduler.errors import ScheduleError
from task_scheduler.schedules.instants import EARLIEST, LATEST
from task_scheduler.schedules.occurrences import Occurrences
from task_scheduler.schedules.user_occurrences import UserOccurrences

__all__ = ["all_of", "but_not"]

SEARCH_STEPS = 5_000
COUNT_STEPS = 2_000
"""How many steps a count may take before it is given up."""


def all_of(parts: Sequence[Occurrences]) -> Occurrences:
    """Return the instants that are in every part.

    Raises ScheduleError where there is no part, or no such instant within the bound.
    """
    _refuse_user_rules(parts)
    different = [part for index, part in enumerate(parts) if part not in parts[:index]]
    if not different:
        raise ScheduleError("schedules.combination_empty")
    if len(different) == 1:
        return different[0]
    return _proved(_AllOf(tuple(different)))


def but_not(kept: Occurrences, excluded: Occurrences) -> Occurrences:
    """Return the instants of `kept` that are not instants of `excluded`.

    Raises ScheduleError where none is left within the bound.
    """
    _refuse_user_rules((kept, excluded))
    return _proved(_ButNot(kept, excluded))


@dataclass(frozen=True, slots=True)
class _AllOf:
    """The instants in every part: the latest answer is the question to the others."""

    parts: tuple[Occurrences, ...]

    def first(self, added_at: int) -> int | None:
        return self.next_after(added_at - 1, added_at)

    def next_after(self, moment: int, anchor: int) -> int | None:
        return self._search(moment, LATEST, anchor, SEARCH_STEPS)[0]

    def last_until(self, moment: int, after: int, anchor: int) -> int | None:
        candidate, agreed = moment, 0
        for step in range(SEARCH_STEPS):
            part = self.parts[step % len(self.parts)]
            found = part.last_until(candidate, after, anchor)
            if found is None:
                return None
            agreed = agreed + 1 if found == candidate else 1
            candidate = found
            if agreed == len(self.parts):
                return candidate
        raise _sparse()

    def count_between(self, after: int, until: int, anchor: int) -> int | None:
        """Return the exact count where it takes few steps."""
        count, steps = 0, COUNT_STEPS
        moment = after
        while steps > 0:
            try:
                found, steps = self._search(moment, until, anchor, steps)
            except ScheduleError:
                return None
            if found is None:
                return count
            count += 1
            moment = found
        return None

    def _search(self, moment: int, until: int, anchor: int, steps: int) -> tuple[int | None, int]:
        """Return the first instant in ``(moment, until]`` and how many of the steps are left."""
        candidate, agreed = moment + 1, 0
        for step in range(steps):
            part = self.parts[step % len(self.parts)]
            found = part.next_after(candidate - 1, anchor)
            if found is None or found > until:
                return None, steps - step - 1
            agreed = agreed + 1 if found == candidate else 1
            candidate = found
            if agreed == len(self.parts):
                return candidate, steps - step - 1
        raise _sparse()


@dataclass(frozen=True, slots=True)
class _ButNot:
    """The instants of one rule without those of another."""

    kept: Occurrences
    excluded: Occurrences

    def first(self, added_at: int) -> int | None:
        found = self.kept.first(added_at)
        if found is None or not self._is_excluded(found, added_at):
            return found
        # A one-off in the past is first all the same; what follows it begins at `added_at`.
        return self.next_after(max(found, added_at - 1), added_at)

    def next_after(self, moment: int, anchor: int) -> int | None:
        for _ in range(SEARCH_STEPS // 2):
            found = self.kept.next_after(moment, anchor)
            if found is None or not self._is_excluded(found, anchor):
                return found
            moment = found
        raise _sparse()

    def last_until(self, moment: int, after: int, anchor: int) -> int | None:
        for _ in range(SEARCH_STEPS // 2):
            found = self.kept.last_until(moment, after, anchor)
            if found is None or not self._is_excluded(found, anchor):
                return found
            moment = found - 1
        raise _sparse()

    def count_between(self, after: int, until: int, anchor: int) -> int | None:
        """Return the count of the one less that of what both share, where both are known."""
        count = self.kept.count_between(after, until, anchor)
        shared = _AllOf((self.kept, self.excluded)).count_between(after, until, anchor)
        return None if count is None or shared is None else count - shared

    def _is_excluded(self, instant: int, anchor: int) -> bool:
        return self.excluded.next_after(instant - 1, anchor) == instant


def _proved(combined: Occurrences) -> Occurrences:
    """Return the combination where it has an instant at all."""
    if combined.next_after(EARLIEST - 1, EARLIEST) is None:
        raise ScheduleError("schedules.combination_never")
    return combined


def _refuse_user_rules(parts: Sequence[Occurrences]) -> None:
    for part in parts:
        if isinstance(part, UserOccurrences):
            raise ScheduleError("schedules.combination_user_rule")
        _refuse_user_rules(getattr(part, "parts", ()))


def _sparse() -> ScheduleError:
    return ScheduleError("schedules.combination_sparse", steps=SEARCH_STEPS)
