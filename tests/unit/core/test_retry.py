"""The retry decision: every outcome, the growth of delays, and their spread."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from task_scheduler.core.model import SECOND, Backoff, OnLost, Outcome, Policies
from task_scheduler.core.retry import MAX_RECOVERIES, RetryDecision, decide_retry


def decide(policies: Policies, **facts: object) -> RetryDecision:
    """Decide about a first failed attempt of a run, unless told otherwise."""
    usual = {"attempt": 1, "outcome": Outcome.FAILED, "identity": "pump/1", "recoveries": 0}
    return decide_retry(policies, **{**usual, **facts})


@pytest.mark.parametrize("outcome", [Outcome.SUCCEEDED, Outcome.CANCELLED])
def test_what_succeeded_or_was_cancelled_is_over(outcome: Outcome) -> None:
    assert decide(Policies(), outcome=outcome) == RetryDecision(False, 0, str(outcome))


@pytest.mark.parametrize("outcome", [Outcome.FAILED, Outcome.TIMED_OUT])
def test_three_retries_mean_four_attempts(outcome: Outcome) -> None:
    decisions = [
        decide(Policies(max_retries=3), attempt=attempt, outcome=outcome).is_retried
        for attempt in (1, 2, 3, 4)
    ]

    assert decisions == [True, True, True, False]


def test_no_retries_mean_one_attempt() -> None:
    decision = decide(Policies(max_retries=0))

    assert decision == RetryDecision(False, 0, "retries_used_up")


def test_a_lost_attempt_is_started_again_at_once_even_without_retries() -> None:
    decision = decide(Policies(max_retries=0), outcome=Outcome.LOST)

    assert decision == RetryDecision(True, 0, "recovery")


def test_a_lost_attempt_of_a_task_that_may_run_at_most_once_is_over() -> None:
    policies = Policies(on_lost=OnLost.AT_MOST_ONCE, max_retries=3)

    assert decide(policies, outcome=Outcome.LOST) == RetryDecision(False, 0, "at_most_once")


def test_a_poison_pill_is_given_up_after_its_recoveries() -> None:
    decisions = [
        decide(Policies(), outcome=Outcome.LOST, recoveries=count)
        for count in range(MAX_RECOVERIES + 1)
    ]

    assert [decision.is_retried for decision in decisions] == [True, True, True, False]
    assert decisions[-1].reason == "recoveries_used_up"


def test_every_combination_of_facts_gets_a_decision() -> None:
    for outcome, on_lost, backoff, retries, attempt, recoveries in itertools.product(
        Outcome, OnLost, Backoff, (0, 1, 3), (0, 1, 2, 5), (0, 3, 4)
    ):
        policies = Policies(on_lost=on_lost, backoff=backoff, max_retries=retries)

        decision = decide(policies, outcome=outcome, attempt=attempt, recoveries=recoveries)

        assert decision.delay >= 0
        assert decision.is_retried or decision.delay == 0


def test_a_constant_delay_stays_as_it_is() -> None:
    policies = Policies(retry_delay_seconds=5, max_retries=9)

    assert {decide(policies, attempt=n).delay for n in (1, 2, 9)} == {5 * SECOND}


def test_an_exponential_delay_doubles_up_to_its_cap() -> None:
    policies = Policies(
        retry_delay_seconds=5,
        backoff=Backoff.EXPONENTIAL,
        retry_max_delay_seconds=30,
        max_retries=9,
    )

    delays = [decide(policies, attempt=n).delay // SECOND for n in (1, 2, 3, 4, 5)]

    assert delays == [5, 10, 20, 30, 30]


def test_a_huge_attempt_number_costs_nothing_and_meets_the_cap() -> None:
    policies = Policies(backoff=Backoff.EXPONENTIAL, max_retries=10**18)

    assert decide(policies, attempt=10**17).delay == 3600 * SECOND


def test_no_delay_stays_none_however_often_it_doubles() -> None:
    policies = Policies(retry_delay_seconds=0, backoff=Backoff.EXPONENTIAL, retry_jitter=1)

    assert decide(policies, attempt=3).delay == 0


def test_the_spread_is_the_same_for_the_same_attempt_and_differs_between_runs() -> None:
    policies = Policies(retry_delay_seconds=10, retry_jitter=0.5)

    first, again, other = (decide(policies, identity=name).delay for name in ("a", "a", "b"))

    assert first == again
    assert first != other


def test_the_spread_covers_its_whole_range_evenly() -> None:
    policies = Policies(retry_delay_seconds=10, retry_jitter=0.5)

    delays = [decide(policies, identity=f"run {n}").delay / SECOND for n in range(2_000)]

    assert min(delays) < 5.1
    assert max(delays) > 14.9
    assert 9.8 < sum(delays) / len(delays) < 10.2


@given(
    delay=st.floats(0, 1e9),
    cap=st.floats(0, 1e9),
    jitter=st.floats(0, 1),
    attempt=st.integers(1, 10**6),
    identity=st.text(),
)
def test_a_delay_is_never_negative_and_never_above_its_cap(
    delay: float, cap: float, jitter: float, attempt: int, identity: str
) -> None:
    policies = Policies(
        retry_delay_seconds=delay,
        retry_max_delay_seconds=cap,
        retry_jitter=jitter,
        backoff=Backoff.EXPONENTIAL,
        max_retries=10**6,
    )

    decision = decide(policies, attempt=attempt, identity=identity)

    assert 0 <= decision.delay <= round(cap * SECOND)
