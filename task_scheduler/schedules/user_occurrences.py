"""Occurrences of rules that users write: a method that is asked step by step.

Responsible for: asking `get_next_run_time` as its users expect, reading its answers, and bounding
the walk over missed instants. Knows nothing of what the method does.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from task_scheduler.errors import ScheduleError
from task_scheduler.schedules.instants import (
    EARLIEST,
    LATEST,
    datetime_at,
    instant_of,
    instant_within_range,
    is_within_range,
)
from task_scheduler.schedules.zones import Zone

__all__ = ["UserOccurrences", "UserRule"]

WALK_STEPS = 1_000
"""How many instants are asked for one by one before the walk jumps."""
_TAIL = 300
"""How many instants before the moment the walk lands on after a jump, about: more than the default
catch-up limit, so that the newest missed instants are real ones."""
_JUMPS = 12
"""How often the landing is corrected for a rule of uneven steps."""
_SHOWN_LENGTH = 200


class UserRule(Protocol):
    """What is asked of a user's rule."""

    def get_next_run_time(self, last_run: datetime | None = None) -> datetime | None:
        """Return the next run after `last_run`; None: no more runs."""
        ...


@dataclass(frozen=True, slots=True)
class _Walk:
    """The instants from `start` to `until` as they were answered."""

    start: int
    until: int
    instants: list[int]
    following: int | None
    """The first one after `until`."""
    hole: int | None
    """The index of the first instant behind a jump: before it, some were not asked for."""


class UserOccurrences:
    """The instants of a user's rule, which only follow from the instant before.

    So `after + 1` is taken as an instant in `last_until`, and `after + 1` or any instant as the
    start in `count_between`: the engine asks about what is due, from the due instant on. The
    answers of one walk are kept while the same stretch is asked about, so that a plan does not
    contradict itself, whatever the method does.
    """

    def __init__(self, rule: UserRule, zone: Zone, *, is_naive: bool) -> None:
        self._rule = rule
        self._zone = zone
        self._is_naive = is_naive
        self._walk: _Walk | None = None

    def first(self, added_at: int) -> int | None:  # noqa: ARG002  the method is not told
        """Return what the method answers without a last run."""
        return self._ask(None)

    def next_after(self, moment: int, anchor: int) -> int | None:  # noqa: ARG002
        """Return what the method answers to `moment` as its last run."""
        walk = self._walk
        if walk is not None and walk.start <= moment <= walk.until:
            index = bisect_right(walk.instants, moment)
            if index == walk.hole:
                return self._ask(moment)
            if index < len(walk.instants):
                return walk.instants[index]
            return walk.following
        return self._ask(moment)

    def last_until(self, moment: int, after: int, anchor: int) -> int | None:  # noqa: ARG002
        """Return the greatest known instant in ``(after, moment]``; `after + 1` is one."""
        if moment <= after:
            return None
        walk = self._walked(after + 1, moment)
        return walk.instants[bisect_right(walk.instants, moment) - 1]

    def count_between(self, after: int, until: int, anchor: int) -> int | None:  # noqa: ARG002
        """Return how many instants lie in ``(after, until]``; None where the walk was cut."""
        if until <= after:
            return 0
        walk = self._walk
        if walk is None or not walk.start <= after + 1 <= until <= walk.until:
            walk = self._walked(after + 1, until)
        begin = bisect_left(walk.instants, after + 1)
        end = bisect_right(walk.instants, until)
        hole = walk.hole
        is_cut = hole is not None and begin < hole and until > walk.instants[hole - 1]
        return None if is_cut else end - begin

    def _walked(self, start: int, until: int) -> _Walk:
        """Return the walk from the instant `start` to `until`, the kept one where it covers it."""
        walk = self._walk
        if walk is None or walk.start != start or until > walk.until:
            walk = self._walk = self._walk_from(start, until)
        return walk

    def _walk_from(self, start: int, until: int) -> _Walk:
        instants = [start]
        following = self._steps(instants, until)
        if following is None or following > until:
            return _Walk(start, until, instants, following, None)
        # Too many were missed to ask for each. The method is asked anew shortly before `until`;
        # what lies between is accounted for as one range without a count.
        hole = len(instants)
        back = (instants[-1] - start) // (hole - 1) * _TAIL
        tail, after = [following], self._ask(until)
        for _ in range(_JUMPS):
            asked = max(until - back, following)
            landed = self._ask(asked)
            if landed is None or landed > until:
                back *= 3
            else:
                found = [landed]
                next_one = self._steps(found, until)
                if next_one is not None and next_one <= until:
                    back //= 4
                    continue
                if len(found) >= len(tail):
                    tail, after = found, next_one
                if len(found) >= _TAIL // 2:
                    break
                back *= 3
            if asked == following:
                break
        return _Walk(start, until, instants + tail, after, hole)

    def _steps(self, instants: list[int], until: int) -> int | None:
        """Add the instants up to `until`, at most `WALK_STEPS`; return the one after them."""
        for _ in range(WALK_STEPS):
            following = self._ask(instants[-1])
            if following is None or following > until:
                return following
            instants.append(following)
        return self._ask(instants[-1])

    def _ask(self, last: int | None) -> int | None:
        """Call the method; raises ScheduleError where it fails or its answer makes no sense."""
        if last is not None and not is_within_range(last):
            if last > LATEST:
                return None
            last = EARLIEST
        last_run = None if last is None else datetime_at(last, self._zone.tz)
        if last_run is not None and self._is_naive:
            last_run = last_run.replace(tzinfo=None)
        name = type(self._rule).__qualname__
        found = None
        try:
            answer = self._rule.get_next_run_time(last_run)
            if isinstance(answer, datetime):
                found = self._instant_after(last, answer)
        except Exception as error:  # fence: rule
            raise ScheduleError(
                "schedules.user_rule_failed",
                rule=name,
                last_run=str(last_run),
                error=f"{type(error).__name__}: {error}"[:_SHOWN_LENGTH],
            ) from error
        if answer is not None and found is None:
            raise ScheduleError(
                "schedules.user_rule_answer",
                rule=name,
                answer=repr(answer)[:_SHOWN_LENGTH],
                type=type(answer).__name__,
            )
        if found is not None and last is not None and found <= last:
            raise ScheduleError(
                "schedules.user_rule_stuck",
                rule=name,
                answer=str(answer),
                last_run=str(last_run),
            )
        return None if found is None else instant_within_range(found)

    def _instant_after(self, last: int | None, answer: datetime) -> int:
        """Return the instant of an answer.

        Local arithmetic such as ``last_run + timedelta(minutes=5)`` loses the ``fold``: an answer
        that is no later by the first of two equal local times is meant as the second.
        """
        found = instant_of(answer, self._zone.tz)
        if last is not None and found <= last:
            return instant_of(answer.replace(fold=1), self._zone.tz)
        return found
