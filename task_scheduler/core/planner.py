"""From due moments to runs and skips: misfire, overlap and bounded catch-up.

Responsible for: deciding, for one entry at one moment, which occurrences become runs, which are
skipped and why, and where the cursor stands then. Pure: `now` is an argument, the answer a value.

Every occurrence up to `now` is accounted for in the answer: it is in `runs`, or in the range of
exactly one of `skips`. The work is bounded by the catch-up limit, never by how many were missed.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from task_scheduler.core.model import (
    SECOND,
    Microseconds,
    MisfirePolicy,
    OverlapPolicy,
    Policies,
    SkipReason,
    WaitingFor,
)
from task_scheduler.schedules.occurrences import Occurrences

__all__ = [
    "Admission",
    "Plan",
    "PlannedRun",
    "PlannedSkip",
    "Seats",
    "admit",
    "cursor_after_edit",
    "plan",
    "skip_until",
]


class Admission(Enum):
    """What a run that is due finds at the door of its task."""

    RUN = "run"
    QUEUE = "queue"
    SKIP = "skip"
    REPLACE = "replace"


class Seats(NamedTuple):
    """How many runs of a task live (`taken`) and how many wait for one of those (`queued`)."""

    taken: int = 0
    queued: int = 0


class PlannedRun(NamedTuple):
    """An occurrence that becomes a run, perhaps one that waits for its predecessor."""

    at: Microseconds
    waiting_for: WaitingFor | None = None


@dataclass(frozen=True, slots=True)
class PlannedSkip:
    """The occurrences from `first` to `last`, `count` of them (None: not countable)."""

    first: Microseconds
    last: Microseconds
    count: int | None
    reason: SkipReason


class Plan(NamedTuple):
    """The decision for one entry: `next_due_at` is where its cursor stands afterwards."""

    next_due_at: Microseconds | None
    runs: tuple[PlannedRun, ...] = ()
    skips: tuple[PlannedSkip, ...] = ()
    is_replacing: bool = False
    """Whether the living run is to be cancelled for the sake of the new one."""


def plan(
    occurrences: Occurrences,
    policies: Policies,
    seats: Seats,
    *,
    due_at: Microseconds,
    anchor: Microseconds,
    now: Microseconds,
) -> Plan:
    """Decide what becomes of the occurrences from `due_at` to `now`.

    A `due_at` after `now` is a look-ahead: it becomes a run only where nothing could change the
    decision until then, else the plan is empty and leaves the cursor where it is.
    """
    following = occurrences.next_after(due_at, anchor)
    if due_at > now:
        is_free = not seats.taken and not seats.queued
        if is_free and policies.is_claimed_ahead:
            return Plan(following, (PlannedRun(due_at),))
        return Plan(due_at)
    if following is None or following > now:
        is_bounded = policies.misfire is MisfirePolicy.SKIP
        if is_bounded and now - due_at > _microseconds(policies.misfire_grace_seconds):
            return Plan(following, skips=(PlannedSkip(due_at, due_at, 1, SkipReason.MISFIRE),))
        if not seats.taken and not seats.queued:
            return Plan(following, (PlannedRun(due_at),))
        return _admitted([due_at], [], policies, seats, following)
    return _catch_up(occurrences, policies, seats, due_at=due_at, anchor=anchor, now=now)


def admit(policies: Policies, seats: Seats) -> Admission:
    """Decide whether a run that is due may start beside the living runs of its task."""
    if policies.overlap is OverlapPolicy.ALLOW:
        limit = policies.overlap_limit
        return Admission.SKIP if limit and seats.taken + seats.queued >= limit else Admission.RUN
    if not seats.taken and not seats.queued:
        return Admission.RUN
    if policies.overlap is OverlapPolicy.QUEUE:
        limit = policies.overlap_limit or 1
        return Admission.QUEUE if seats.queued < limit else Admission.SKIP
    return Admission.REPLACE if policies.overlap is OverlapPolicy.REPLACE else Admission.SKIP


def skip_until(
    occurrences: Occurrences,
    reason: SkipReason,
    *,
    due_at: Microseconds,
    anchor: Microseconds,
    now: Microseconds,
) -> Plan:
    """Skip every occurrence from `due_at` to `now` for one reason (a pause, a removal)."""
    if due_at > now:
        return Plan(due_at)
    last = occurrences.last_until(now, due_at - 1, anchor) or due_at
    count = occurrences.count_between(due_at - 1, last, anchor)
    skip = PlannedSkip(due_at, last, count, reason)
    return Plan(occurrences.next_after(max(last, now), anchor), skips=(skip,))


def cursor_after_edit(
    occurrences: Occurrences,
    *,
    cursor: Microseconds,
    anchor: Microseconds,
    now: Microseconds,
) -> Microseconds | None:
    """Return the next due moment after the rules of an entry were changed.

    An edit is no misfire: moments that the new rules would have had in the past are not made up
    for, except a last one that is still to come in no other form (a one-off in the past).
    """
    following = occurrences.next_after(cursor, anchor)
    if following is None or following > now:
        return following
    later = occurrences.next_after(now, anchor)
    return following if later is None else later


def _catch_up(
    occurrences: Occurrences,
    policies: Policies,
    seats: Seats,
    *,
    due_at: Microseconds,
    anchor: Microseconds,
    now: Microseconds,
) -> Plan:
    """Decide for several occurrences that are due at once."""
    last = occurrences.last_until(now, due_at - 1, anchor) or due_at
    following = occurrences.next_after(max(last, now), anchor)

    def count(first: Microseconds, until: Microseconds) -> int | None:
        return occurrences.count_between(first - 1, until, anchor)

    def before(moment: Microseconds) -> Microseconds:
        return occurrences.last_until(moment - 1, due_at - 1, anchor) or due_at

    if policies.misfire is MisfirePolicy.RUN_ONCE:
        if last == due_at:
            return _admitted([last], [], policies, seats, following)
        older = before(last)
        skip = PlannedSkip(due_at, older, count(due_at, older), SkipReason.COALESCED)
        return _admitted([last], [skip], policies, seats, following)

    is_all = policies.misfire is MisfirePolicy.RUN_ALL
    window = policies.catch_up_window_seconds if is_all else policies.misfire_grace_seconds
    earliest = now - _microseconds(window)
    kept: list[Microseconds] = []
    moment: Microseconds = last
    while moment >= earliest and len(kept) < policies.catch_up_limit:
        kept.append(moment)
        if moment <= due_at:
            break
        moment = before(moment)
    kept.reverse()
    skips = []
    oldest_kept = kept[0] if kept else None
    if oldest_kept is None or oldest_kept > due_at:
        until = last if oldest_kept is None else before(oldest_kept)
        reason = SkipReason.CATCH_UP_LIMIT if is_all else SkipReason.MISFIRE
        skips.append(PlannedSkip(due_at, until, count(due_at, until), reason))
    return _admitted(kept, skips, policies, seats, following)


def _admitted(
    moments: list[Microseconds],
    skips: list[PlannedSkip],
    policies: Policies,
    seats: Seats,
    following: Microseconds | None,
) -> Plan:
    """Let the moments through the door one by one, oldest first."""
    runs: list[PlannedRun] = []
    is_replacing = False
    is_catching_up = len(moments) > 1 and policies.misfire is MisfirePolicy.RUN_ALL
    for moment in moments:
        admission = admit(policies, seats)
        # `run_all` asks for every missed run: behind each other where they may not overlap, which
        # is what a queue is, whatever its limit for runs that come at their own time.
        if is_catching_up and admission is not Admission.RUN:
            admission = Admission.QUEUE
        if admission is Admission.RUN:
            runs.append(PlannedRun(moment))
            seats = Seats(seats.taken + 1, seats.queued)
        elif admission is Admission.SKIP:
            first, count = moment, 1
            if skips and skips[-1].reason is SkipReason.OVERLAP:
                # Nothing came between: a seat that is taken stays so within one plan.
                before = skips.pop()
                first, count = before.first, 1 + (before.count or 0)
            skips.append(PlannedSkip(first, moment, count, SkipReason.OVERLAP))
        else:
            is_replacing = is_replacing or admission is Admission.REPLACE
            runs.append(PlannedRun(moment, WaitingFor.OVERLAP))
            seats = Seats(seats.taken, seats.queued + 1)
    return Plan(following, tuple(runs), tuple(skips), is_replacing)


def _microseconds(seconds: float) -> Microseconds:
    return round(seconds * SECOND)
