"""After a restart: every mark in every boot."""

from __future__ import annotations

import itertools

import pytest

from task_scheduler.core.flights import Flight
from task_scheduler.core.inbox import Returned
from task_scheduler.core.model import SECOND, Completion, Entry, Outcome, Policies, SkipReason
from task_scheduler.core.recovery import (
    Mark,
    Recovered,
    Verdict,
    claim_of_row,
    flight_of_row,
    recover_functions,
    take_over,
)
from tests.unit.core.engine_bench import Bench
from tests.unit.core.engine_bench import entry as bench_entry

NOW = 1_000 * SECOND
TOKEN = (7 << 32) + 3


def row(**other: object) -> list[object]:
    """Return a row of `claimed_runs`."""
    values: dict[str, object] = {
        "run_id": 4, "task_id": "pump", "key": "1", "scheduled_at": NOW - 9, "due_at": NOW - 5,
        "attempt": 1, "priority": 2, "executor": "thread", "recoveries": 1, "revision": 3,
        "waiting_for": None, "origin": "schedule", "token": TOKEN, "slot": 6, "state": "waiting",
        "started_at": None, "cancel_reason": None, "reason": None, "pool": None,
    }  # fmt: skip
    return list({**values, **other}.values())


def entry(policies: Policies | None = None) -> Entry:
    return Entry(
        task_id="pump",
        name="Pump",
        kind="function",
        executor="thread",
        definition={},
        rules=(),
        policies=policies or Policies(),
    )


def recovered(mark: int | None, *, is_same_boot: bool, started_at: int | None = None) -> Recovered:
    found = Recovered()
    recover_functions(
        [(Flight(claim_of_row(row(), entry()), entry()), started_at)],
        mark_of=lambda slot: mark if slot == 6 else None,
        boots={7: "this boot" if is_same_boot else "another boot"},
        boot_id="this boot",
        now=NOW,
        lost_text="lost",
        recovered=found,
    )
    return found


VERDICTS = {
    Mark.CLEAR: (Verdict.NOT_STARTED, None),
    Mark.RUNNING: (Verdict.LOST, Outcome.LOST),
    Mark.SUCCEEDED: (Verdict.ENDED, Outcome.SUCCEEDED),
    Mark.FAILED: (Verdict.ENDED, Outcome.FAILED),
    None: (Verdict.LOST, Outcome.LOST),
    77: (Verdict.LOST, Outcome.LOST),
}


@pytest.mark.parametrize(("mark", "is_same_boot"), list(itertools.product(VERDICTS, (True, False))))
def test_every_mark_in_every_boot_gives_one_verdict_and_one_fact(
    mark: int | None, is_same_boot: bool
) -> None:
    verdict, outcome = VERDICTS[mark] if is_same_boot else (Verdict.LOST, Outcome.LOST)

    found = recovered(mark, is_same_boot=is_same_boot)

    (flight,), (fact,), (event,) = found.flights, found.facts, found.events
    assert event.verdict == verdict
    if outcome is None:
        assert fact == Returned(flight.claim)
        assert not flight.is_started
    else:
        assert isinstance(fact, Completion)
        assert (fact.outcome, fact.token, fact.attempt) == (outcome, TOKEN, 2)
        assert flight.is_started
        assert (fact.error is None) == (outcome is Outcome.SUCCEEDED)


@pytest.mark.parametrize(
    ("started_at", "expected"), [(None, NOW - 5), (NOW - 2, NOW - 2), (NOW + 9, NOW)]
)
def test_a_recovered_attempt_began_when_the_ledger_says_but_never_in_the_future(
    started_at: int | None, expected: int
) -> None:
    (fact,) = recovered(Mark.RUNNING, is_same_boot=True, started_at=started_at).facts

    assert isinstance(fact, Completion)
    assert (fact.started_at, fact.ended_at) == (expected, NOW)


def test_a_claim_keeps_what_the_ledger_says_of_it() -> None:
    claim = claim_of_row(row(), entry(Policies(timeout_seconds=1.5)))

    assert (claim.run_id, claim.task_id, claim.key, claim.attempt) == (4, "pump", "1", 2)
    assert (claim.scheduled_at, claim.due_at, claim.priority) == (NOW - 9, NOW - 5, 2)
    assert (claim.token, claim.slot, claim.timeout) == (TOKEN, 6, 1_500_000)


def test_a_claim_without_a_mark_or_an_entry_is_still_a_claim() -> None:
    claim = claim_of_row(row(slot=None), None)

    assert (claim.slot, claim.timeout) == (-1, None)


def test_promises_about_an_attempt_outlive_the_process() -> None:
    flight = flight_of_row(row(cancel_reason="stop it", reason="superseded"), entry())

    assert (flight.cancel_reason, flight.skip_reason) == ("stop it", SkipReason.SUPERSEDED)
    assert (flight.recoveries, flight.origin) == (1, "schedule")


def test_an_attempt_that_does_not_show_as_running_did_not_begin_when_the_one_before_it_did() -> (
    None
):
    bench = Bench()
    bench.add(bench_entry(seconds=1e6, max_retries=1, retry_delay_seconds=50))
    bench.end(bench.start(), Outcome.FAILED)
    bench.tick()
    bench.tick(after=50)
    (claim,) = bench.hands.gate.values()
    assert claim.attempt == 2

    found = take_over(
        bench.ledger,
        boot_id="boot",
        pid=1,
        version="0",
        now=bench.clock.now(),
        fresh=(),
        gone=(),
        inspect=lambda claim, is_same_boot: ("lost", None),
        mark_of=lambda slot: None,
        lost_text="lost",
    )

    (fact,) = found.facts
    assert isinstance(fact, Completion)
    assert fact.started_at == claim.due_at
