"""The planner: every combination of policies and seats, and counts of any size."""

from __future__ import annotations

import itertools

import pytest

from task_scheduler.core.model import (
    SECOND,
    MisfirePolicy,
    OverlapPolicy,
    Policies,
    SkipReason,
    WaitingFor,
)
from task_scheduler.core.planner import (
    Admission,
    Plan,
    PlannedRun,
    PlannedSkip,
    Seats,
    admit,
    cursor_after_edit,
    plan,
    skip_until,
)
from task_scheduler.schedules.occurrences import (
    IntervalOccurrences,
    Occurrences,
    OnceOccurrences,
    union,
)

T0 = 1_000_000 * SECOND
EVERY = 10 * SECOND
INTERVAL = IntervalOccurrences(EVERY)
FREE = Seats()


class Counting:
    """Count how often occurrences are asked."""

    def __init__(self, inner: Occurrences) -> None:
        self.inner = inner
        self.calls = 0

    def __getattr__(self, name: str) -> object:
        self.calls += 1
        return getattr(self.inner, name)


def planned(
    policies: Policies,
    seats: Seats = FREE,
    *,
    missed: int = 1,
    late: int = 0,
    rule: Occurrences = INTERVAL,
) -> Plan:
    """Plan at `late` after the last of `missed` occurrences that are due."""
    now = T0 + (missed - 1) * EVERY + late
    return plan(rule, policies, seats, due_at=T0, anchor=T0, now=now)


COMBINATIONS = list(
    itertools.product(
        MisfirePolicy,
        OverlapPolicy,
        (0, 1, 2),  # overlap_limit
        (Seats(0, 0), Seats(1, 0), Seats(1, 1), Seats(2, 3), Seats(0, 1)),
        (1, 2, 3, 7, 50),  # missed
        (0, 3 * SECOND),  # late
        (0.0, 15.0, 60.0),  # grace
    )
)


def test_every_occurrence_up_to_now_is_in_exactly_one_run_or_skip_range() -> None:
    for misfire, overlap, limit, seats, missed, late, grace in COMBINATIONS:
        for catch_up_limit, window in ((1, 86_400.0), (5, 86_400.0), (100, 25.0)):
            policies = Policies(
                misfire=misfire,
                overlap=overlap,
                overlap_limit=limit,
                misfire_grace_seconds=grace,
                catch_up_limit=catch_up_limit,
                catch_up_window_seconds=window,
            )

            decision = planned(policies, seats, missed=missed, late=late)

            owed = [T0 + n * EVERY for n in range(missed)]
            given = [run.at for run in decision.runs]
            for skip in decision.skips:
                inside = [at for at in owed if skip.first <= at <= skip.last]
                assert skip.count == len(inside) > 0
                assert (skip.first, skip.last) == (inside[0], inside[-1])
                given += inside
            assert sorted(given) == owed, (policies, seats, decision)
            assert decision.next_due_at == T0 + missed * EVERY
            assert len(decision.runs) <= max(catch_up_limit, 1)
            assert [run.at for run in decision.runs] == sorted(run.at for run in decision.runs)


def test_no_plan_lets_more_live_than_the_policy_allows() -> None:
    for misfire, overlap, limit, seats, missed, late, grace in COMBINATIONS:
        policies = Policies(
            misfire=misfire, overlap=overlap, overlap_limit=limit, misfire_grace_seconds=grace
        )

        decision = planned(policies, seats, missed=missed, late=late)

        starting = [run for run in decision.runs if run.waiting_for is None]
        queued = [run for run in decision.runs if run.waiting_for is WaitingFor.OVERLAP]
        is_all = misfire is MisfirePolicy.RUN_ALL
        if overlap is OverlapPolicy.ALLOW:
            room = max(0, limit - seats.taken - seats.queued) if limit else missed
            assert len(starting) <= room
        else:
            assert len(starting) <= (1 if seats == Seats(0, 0) else 0)
        if overlap is OverlapPolicy.QUEUE and not is_all:
            assert seats.queued + len(queued) <= max(limit or 1, seats.queued)
        if overlap is OverlapPolicy.SKIP and not is_all:
            assert not queued
        if overlap is not OverlapPolicy.REPLACE:
            assert not decision.is_replacing


@pytest.mark.parametrize("misfire", MisfirePolicy)
@pytest.mark.parametrize("overlap", OverlapPolicy)
def test_a_thousand_million_missed_occurrences_cost_no_more_than_the_catch_up_limit(
    misfire: MisfirePolicy, overlap: OverlapPolicy
) -> None:
    rule = Counting(IntervalOccurrences(1_000))
    policies = Policies(misfire=misfire, overlap=overlap, catch_up_limit=100)

    decision = plan(
        rule,  # type: ignore[arg-type]
        policies,
        Seats(),
        due_at=T0,
        anchor=T0,
        now=T0 + 1_000 * 10**9,
    )

    assert rule.calls < 300
    counts = [skip.count or 0 for skip in decision.skips]
    assert len(decision.runs) + sum(counts) == 10**9 + 1
    assert min(counts, default=1) > 0


def test_run_once_runs_the_newest_and_coalesces_the_older() -> None:
    decision = planned(Policies(), missed=5)

    assert decision.runs == (PlannedRun(T0 + 4 * EVERY),)
    assert decision.skips == (PlannedSkip(T0, T0 + 3 * EVERY, 4, SkipReason.COALESCED),)


def test_run_all_runs_one_after_another_where_runs_may_not_overlap() -> None:
    decision = planned(Policies(misfire=MisfirePolicy.RUN_ALL), missed=3)

    waits = [run.waiting_for for run in decision.runs]
    assert waits == [None, WaitingFor.OVERLAP, WaitingFor.OVERLAP]


def test_run_all_keeps_the_newest_within_its_limit() -> None:
    policies = Policies(misfire=MisfirePolicy.RUN_ALL, catch_up_limit=2)

    decision = planned(policies, missed=5)

    assert [run.at for run in decision.runs] == [T0 + 3 * EVERY, T0 + 4 * EVERY]
    assert decision.skips == (PlannedSkip(T0, T0 + 2 * EVERY, 3, SkipReason.CATCH_UP_LIMIT),)


def test_skip_gives_up_what_is_later_than_its_grace() -> None:
    policies = Policies(misfire=MisfirePolicy.SKIP, misfire_grace_seconds=1)

    assert planned(policies, late=SECOND).runs == (PlannedRun(T0),)
    late = planned(policies, late=SECOND + 1)
    assert late.runs == ()
    assert late.skips == (PlannedSkip(T0, T0, 1, SkipReason.MISFIRE),)


def test_occurrences_that_one_run_keeps_out_are_one_range() -> None:
    policies = Policies(
        misfire=MisfirePolicy.SKIP, misfire_grace_seconds=60, overlap=OverlapPolicy.QUEUE
    )

    decision = planned(policies, Seats(1, 0), missed=5)

    assert [run.at for run in decision.runs] == [T0]
    assert decision.skips == (PlannedSkip(T0 + EVERY, T0 + 4 * EVERY, 4, SkipReason.OVERLAP),)


def test_a_run_ahead_of_its_moment_is_planned_only_where_nothing_can_come_between() -> None:
    for overlap, seats in itertools.product(
        OverlapPolicy, (Seats(), Seats(1, 0), Seats(0, 1), Seats(2, 2))
    ):
        decision = plan(
            INTERVAL, Policies(overlap=overlap), seats, due_at=T0, anchor=T0, now=T0 - 1
        )

        if seats == Seats() and overlap is not OverlapPolicy.REPLACE:
            assert decision == Plan(T0 + EVERY, (PlannedRun(T0),))
        else:
            assert decision == Plan(T0)


def test_the_last_occurrence_leaves_no_next_one() -> None:
    decision = plan(OnceOccurrences(T0), Policies(), Seats(), due_at=T0, anchor=0, now=T0 + 5)

    assert decision == Plan(None, (PlannedRun(T0),))


@pytest.mark.parametrize(
    ("overlap", "limit", "seats", "expected"),
    [
        (OverlapPolicy.ALLOW, 0, Seats(99, 0), Admission.RUN),
        (OverlapPolicy.ALLOW, 2, Seats(1, 0), Admission.RUN),
        (OverlapPolicy.ALLOW, 2, Seats(2, 0), Admission.SKIP),
        (OverlapPolicy.ALLOW, 2, Seats(1, 1), Admission.SKIP),
        (OverlapPolicy.SKIP, 0, Seats(0, 0), Admission.RUN),
        (OverlapPolicy.SKIP, 0, Seats(1, 0), Admission.SKIP),
        (OverlapPolicy.QUEUE, 0, Seats(0, 0), Admission.RUN),
        (OverlapPolicy.QUEUE, 0, Seats(1, 0), Admission.QUEUE),
        (OverlapPolicy.QUEUE, 0, Seats(1, 1), Admission.SKIP),
        (OverlapPolicy.QUEUE, 3, Seats(1, 2), Admission.QUEUE),
        (OverlapPolicy.QUEUE, 3, Seats(1, 3), Admission.SKIP),
        # One that waits already goes first.
        (OverlapPolicy.QUEUE, 3, Seats(0, 1), Admission.QUEUE),
        (OverlapPolicy.REPLACE, 0, Seats(0, 0), Admission.RUN),
        (OverlapPolicy.REPLACE, 0, Seats(1, 0), Admission.REPLACE),
        (OverlapPolicy.REPLACE, 0, Seats(1, 1), Admission.REPLACE),
    ],
)
def test_the_door_of_a_task(
    overlap: OverlapPolicy, limit: int, seats: Seats, expected: Admission
) -> None:
    assert admit(Policies(overlap=overlap, overlap_limit=limit), seats) is expected


def test_a_pause_skips_everything_up_to_its_end_in_one_range() -> None:
    decision = skip_until(INTERVAL, SkipReason.PAUSED, due_at=T0, anchor=T0, now=T0 + 3 * EVERY + 5)

    assert decision == Plan(
        T0 + 4 * EVERY, skips=(PlannedSkip(T0, T0 + 3 * EVERY, 4, SkipReason.PAUSED),)
    )


def test_a_pause_in_which_nothing_was_due_skips_nothing() -> None:
    assert skip_until(INTERVAL, SkipReason.PAUSED, due_at=T0, anchor=T0, now=T0 - 1) == Plan(T0)


@pytest.mark.parametrize(
    ("rule", "cursor", "expected"),
    [
        (INTERVAL, T0 - EVERY, T0 + EVERY),  # not the present moment T0: an edit is no misfire
        (INTERVAL, T0, T0 + EVERY),
        (IntervalOccurrences(EVERY, T0 + 3), T0 - EVERY, T0 + 3),
        (OnceOccurrences(T0 - 5), T0 - 9, T0 - 5),  # in no other form still to come
        (OnceOccurrences(T0 - 5), T0 - 5, None),
        (OnceOccurrences(T0 + 5), T0 - 5, T0 + 5),
        (union([OnceOccurrences(T0 - 5), OnceOccurrences(T0 + 5)]), T0 - 9, T0 + 5),
    ],
)
def test_an_edit_looks_forward(rule: Occurrences, cursor: int, expected: int | None) -> None:
    assert cursor_after_edit(rule, cursor=cursor, anchor=T0 - 9 * EVERY, now=T0) == expected
