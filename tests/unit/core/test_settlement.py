"""From the end of an attempt to the next state of its run."""

from __future__ import annotations

import itertools

import pytest

from task_scheduler.core.events import RetryScheduled, RunSettled, ThreadAbandoned
from task_scheduler.core.flights import Flight
from task_scheduler.core.model import (
    SECOND,
    Claim,
    Completion,
    Entry,
    OnLost,
    Outcome,
    Policies,
    RunState,
    WaitingFor,
)
from task_scheduler.core.settlement import Settlement, settle, tally

NOW = 1_000 * SECOND


def claim(*, run_id: int = 1, attempt: int = 1, task_id: str = "pump") -> Claim:
    return Claim(
        run_id=run_id,
        task_id=task_id,
        key="1",
        attempt=attempt,
        token=9,
        scheduled_at=NOW,
        due_at=NOW,
        start_by=None,
        priority=0,
        slot=0,
        executor="thread",
        timeout=None,
        clock_offset=0,
    )


def flight(policies: Policies | None = None, *, attempt: int = 1, recoveries: int = 0) -> Flight:
    entry = Entry(
        task_id="pump",
        name="Pump",
        kind="function",
        executor="thread",
        definition={},
        rules=(),
        policies=policies or Policies(),
    )
    return Flight(claim(attempt=attempt), entry, recoveries)


def done(of: Flight, outcome: Outcome, **other: object) -> Completion:
    told = {"error": None if outcome is Outcome.SUCCEEDED else "no water", **other}
    return Completion(
        run_id=of.claim.run_id,
        task_id=of.claim.task_id,
        attempt=of.claim.attempt,
        token=of.claim.token,
        outcome=outcome,
        started_at=NOW - 2 * SECOND,
        ended_at=NOW - SECOND,
        **told,  # type: ignore[arg-type]
    )


def settled(outcome: Outcome, policies: Policies | None = None, **facts: int) -> Settlement:
    of = flight(policies, **facts)
    return settle(of, done(of, outcome), NOW)


def test_every_combination_ends_or_is_tried_again_and_tells_so_once() -> None:
    for outcome, on_lost, retries, attempt, recoveries, is_running in itertools.product(
        Outcome, OnLost, (0, 2), (1, 2, 3, 5), (0, 1, 3), (False, True)
    ):
        of = flight(
            Policies(max_retries=retries, on_lost=on_lost), attempt=attempt, recoveries=recoveries
        )

        result = settle(of, done(of, outcome, is_still_running=is_running), NOW)

        told = [e for e in result.events if isinstance(e, RetryScheduled | RunSettled)]
        assert len(told) == 1
        if result.state is RunState.WAITING:
            assert outcome not in (Outcome.SUCCEEDED, Outcome.CANCELLED)
            assert result.due_at is not None
            assert result.due_at >= NOW
            assert result.waiting_for is (WaitingFor.THREAD if is_running else WaitingFor.RETRY)
            assert result.recoveries == recoveries + (outcome is Outcome.LOST)
        else:
            assert result.state == RunState(outcome)
            assert (result.due_at, result.waiting_for) == (None, None)
        assert is_running == any(isinstance(e, ThreadAbandoned) for e in result.events)


def test_a_loss_does_not_eat_into_the_retries_of_failures() -> None:
    policies = Policies(max_retries=1)

    # Attempt 1 was lost, attempt 2 is the first that fails: one retry is left.
    assert settled(Outcome.FAILED, policies, attempt=2, recoveries=1).state is RunState.WAITING
    assert settled(Outcome.FAILED, policies, attempt=3, recoveries=1).state is RunState.FAILED


def test_an_attempt_whose_entry_is_gone_ends_without_a_retry() -> None:
    of = flight(Policies(max_retries=5))
    of.entry = None

    result = settle(of, done(of, Outcome.FAILED), NOW)

    assert result.state is RunState.FAILED


@pytest.mark.parametrize("outcome", [Outcome.FAILED, Outcome.TIMED_OUT, Outcome.LOST])
def test_what_fails_after_a_cancel_was_promised_is_cancelled_and_not_tried_again(
    outcome: Outcome,
) -> None:
    of = flight(Policies(max_retries=5))
    of.cancel_reason = "no longer wanted"

    result = settle(of, done(of, outcome), NOW)

    assert result.state is RunState.CANCELLED
    assert result.attempt_row()[3] == outcome


def test_what_succeeds_although_a_cancel_was_promised_has_succeeded() -> None:
    of = flight()
    of.cancel_reason = "no longer wanted"

    assert settle(of, done(of, Outcome.SUCCEEDED), NOW).state is RunState.SUCCEEDED


def test_the_tally_sums_a_batch_for_each_task() -> None:
    batch = [
        settled(Outcome.SUCCEEDED),
        settled(Outcome.FAILED, Policies(max_retries=0)),
        settled(Outcome.CANCELLED),
        settled(Outcome.FAILED, Policies(max_retries=1)),  # tried again: no run has ended
    ]

    (row,) = tally(batch)

    assert row == [
        "pump", 3, 1, 1, 3 * SECOND, SECOND, SECOND, NOW - 2 * SECOND, "no water", 1,
    ]  # fmt: skip
