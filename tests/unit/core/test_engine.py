"""Stories about the engine: what one tick decides, and what it costs."""

from __future__ import annotations

import pytest

from task_scheduler.core.events import RunSkipped
from task_scheduler.core.inbox import (
    CancelRun,
    Returned,
    ThreadEnded,
)
from task_scheduler.core.model import (
    SECOND,
    MisfirePolicy,
    Outcome,
    OverlapPolicy,
    SkipReason,
)
from tests.unit.core.engine_bench import T0, Bench, entry

SLOTS = 65_536


@pytest.fixture
def bench() -> Bench:
    return Bench()


# -- the usual life -------------------------------------------------------------------------------


def test_an_interval_is_due_at_once_and_then_ahead_of_each_moment(bench: Bench) -> None:
    bench.add(entry())
    claim = bench.start()
    assert claim.due_at == T0
    bench.end(claim)

    wake = bench.tick()
    assert wake == T0 + 10 * SECOND - 100_000
    bench.clock.wall = wake
    bench.tick()

    (ahead,) = bench.hands.gate.values()
    assert (ahead.due_at, ahead.attempt) == (T0 + 10 * SECOND, 1)
    assert bench.runs() == ["succeeded", "waiting"]


def test_a_failure_is_tried_again_after_its_delay(bench: Bench) -> None:
    bench.add(entry(seconds=1000, retry_delay_seconds=5, max_retries=1))
    bench.end(bench.start(), Outcome.FAILED)
    bench.tick()
    assert bench.runs("state, waiting_for, due_at") == [("waiting", "retry", T0 + 5 * SECOND)]

    bench.tick(after=5)
    bench.end(bench.start(), Outcome.FAILED)
    bench.tick()

    assert bench.runs("state, attempt") == [("failed", 2)]
    assert bench.free_slots() == SLOTS


def test_an_idle_engine_does_nothing(bench: Bench) -> None:
    assert bench.tick() is None or bench.tick() is None
    bench.store.steps = []

    bench.tick(after=3600)

    assert bench.store.steps == []


def test_runs_wait_in_the_ledger_where_no_worker_is_free_and_the_important_go_first() -> None:
    bench = Bench(workers=1)
    bench.engine._reception.usual_duration = 1e9  # nothing is claimed ahead of the workers
    bench.add(entry("first"))
    bench.add(entry("second"), entry("third", priority=9))
    assert [c.task_id for c in bench.hands.gate.values()] == ["first"]

    bench.end(bench.start())
    bench.tick()

    assert [c.task_id for c in bench.hands.gate.values()] == ["third"]


def test_processes_in_hand_never_exceed_the_workers() -> None:
    bench = Bench(workers=2)

    bench.add(*(entry(f"script-{n}", executor="process") for n in range(9)))

    assert len(bench.hands.gate) == 2
    for run_id in list(bench.hands.gate):
        bench.end(bench.start(run_id))
    bench.tick()
    assert len(bench.hands.gate) == 2


def test_a_backlog_of_processes_does_not_keep_functions_waiting() -> None:
    bench = Bench(workers=2)
    bench.add(*(entry(f"script-{n}", executor="process", priority=9) for n in range(9)))

    bench.add(entry("pump"))

    assert "pump" in {claim.task_id for claim in bench.hands.gate.values()}


# -- overlap --------------------------------------------------------------------------------------


def test_occurrences_that_one_run_keeps_out_are_one_range_with_its_name(bench: Bench) -> None:
    bench.add(entry())
    claim = bench.start()
    for _ in range(3):
        bench.tick(after=10)

    assert bench.skips("reason, count, blocker_run_id") == [("overlap", 3, claim.run_id)]


def test_a_range_ends_where_another_occurrence_came_between(bench: Bench) -> None:
    bench.add(entry(overlap=OverlapPolicy.ALLOW, overlap_limit=2))
    bench.start()
    bench.tick(after=10)
    second = bench.start()
    bench.tick(after=10)
    bench.end(second)
    bench.tick(after=10)
    bench.start()
    bench.tick(after=10)

    assert bench.skips("first_at, last_at, count") == [
        (T0 + 20 * SECOND, T0 + 20 * SECOND, 1),
        (T0 + 40 * SECOND, T0 + 40 * SECOND, 1),
    ]


def test_a_queued_run_starts_when_its_predecessor_ends(bench: Bench) -> None:
    bench.add(entry(overlap=OverlapPolicy.QUEUE))
    claim = bench.start()
    bench.tick(after=10)
    assert bench.runs("waiting_for") == [None, "overlap"]

    bench.end(claim)
    bench.tick()

    assert len(bench.hands.gate) == 1
    assert bench.runs() == ["succeeded", "waiting"]


def test_a_new_run_replaces_the_living_one(bench: Bench) -> None:
    bench.add(entry(overlap=OverlapPolicy.REPLACE, max_retries=3))
    old = bench.start()
    bench.tick()
    bench.tick(after=10)
    assert bench.hands.cancelled == [old.run_id]
    assert not bench.hands.gate

    # It fails by itself before the cancel reaches it: all the same it is not tried again.
    bench.end(old, Outcome.FAILED)
    bench.tick()

    assert bench.runs("state, reason") == [("cancelled", "superseded"), ("waiting", None)]
    assert len(bench.hands.gate) == 1


def test_a_new_run_replaces_one_that_waits_for_its_retry(bench: Bench) -> None:
    bench.add(entry(overlap=OverlapPolicy.REPLACE, retry_delay_seconds=3600))
    bench.end(bench.start(), Outcome.FAILED)
    bench.tick()

    bench.tick(after=10)

    assert bench.runs("state, reason") == [("cancelled", "superseded"), ("waiting", None)]
    assert len(bench.hands.gate) == 1


def test_a_replaced_run_that_turns_out_not_to_have_begun_is_superseded(bench: Bench) -> None:
    bench.add(entry(overlap=OverlapPolicy.REPLACE))
    (claim,) = bench.hands.gate.values()
    bench.hands.gate.clear()  # a worker is just handing it back
    bench.tick(after=10)

    bench.engine.inbox.put(Returned(claim))
    bench.tick()

    assert bench.runs("state, reason") == [("skipped", "superseded"), ("waiting", None)]
    assert len(bench.hands.gate) == 1


# -- threads beyond their timeout -----------------------------------------------------------------


def test_neither_a_retry_nor_the_next_run_starts_beside_a_thread_that_goes_on(bench: Bench) -> None:
    bench.add(entry(max_retries=1, retry_delay_seconds=0))
    claim = bench.start()
    bench.end(claim, Outcome.TIMED_OUT, is_still_running=True)
    bench.tick()
    bench.tick(after=10)
    assert not bench.hands.gate
    assert bench.skips() == [("overlap", 1)]

    bench.engine.inbox.put(ThreadEnded(claim.run_id, "pump"))
    bench.tick()

    assert [c.attempt for c in bench.hands.gate.values()] == [2]


def test_a_cancelled_retry_does_not_free_the_seat_of_its_thread(bench: Bench) -> None:
    bench.add(entry())
    claim = bench.start()
    bench.end(claim, Outcome.TIMED_OUT, is_still_running=True)
    bench.tick()
    assert bench.command(CancelRun(run_id=claim.run_id))

    bench.tick(after=10)
    assert not bench.hands.gate
    assert bench.skips("reason, blocker_run_id") == [("overlap", claim.run_id)]
    bench.engine.inbox.put(ThreadEnded(claim.run_id, "pump"))
    bench.tick(after=10)

    assert len(bench.hands.gate) == 1


def test_a_thread_that_ends_in_the_tick_of_its_timeout_frees_its_seat(bench: Bench) -> None:
    bench.add(entry(overlap=OverlapPolicy.QUEUE, max_retries=0))
    claim = bench.start()
    bench.tick(after=10)
    bench.end(claim, Outcome.TIMED_OUT, is_still_running=True)
    bench.engine.inbox.put(ThreadEnded(claim.run_id, "pump"))

    bench.tick()

    assert bench.runs() == ["timed_out", "waiting"]
    assert len(bench.hands.gate) == 1
    assert not bench.engine.flights.overrun


def test_too_many_threads_that_go_on_stop_functions_but_not_scripts() -> None:
    bench = Bench(workers=1)
    for number in range(2):
        bench.add(entry(f"task-{number}", max_retries=0))
        bench.end(bench.start(), Outcome.TIMED_OUT, is_still_running=True)
        bench.tick()

    bench.add(entry("pump"), entry("script", executor="process"))

    assert [c.task_id for c in bench.hands.gate.values()] == ["script"]
    assert bench.runs() == ["waiting"]


# -- rules that raise -----------------------------------------------------------------------------


def test_a_rule_that_cannot_be_read_holds_back_its_entry_alone(bench: Bench) -> None:
    bench.add(entry("broken", rules=[{"type": "sundial"}]), entry())

    assert [c.task_id for c in bench.hands.gate.values()] == ["pump"]
    bench.tick(after=61)
    ((error, runs),) = bench.rows(
        "SELECT rule_error, (SELECT count(*) FROM runs WHERE task_id = 'broken')"
        " FROM progress WHERE task_id = 'broken'"
    )
    assert "sundial" in error
    assert runs == 0

    bench.add(entry("broken", seconds=1000))
    assert "broken" in {c.task_id for c in bench.hands.gate.values()}
    assert bench.rows("SELECT rule_error FROM progress WHERE rule_error IS NOT NULL") == []


# -- misfires -------------------------------------------------------------------------------------


def test_a_claim_that_came_back_too_late_expires_visibly_and_frees_its_seat(bench: Bench) -> None:
    policies = {"misfire": MisfirePolicy.SKIP, "misfire_grace_seconds": 1}
    bench.add(entry(overlap=OverlapPolicy.QUEUE, overlap_limit=5, **policies))
    (claim,) = bench.hands.gate.values()
    bench.tick(after=10)
    bench.hands.gate.clear()

    bench.engine.inbox.put(Returned(claim))
    bench.tick()

    assert bench.runs("state, reason") == [("skipped", "expired"), ("waiting", None)]
    assert len(bench.hands.gate) == 1
    assert bench.rows("SELECT skip_count FROM progress") == [(1,)]
    assert any(isinstance(e, RunSkipped) and e.reason is SkipReason.EXPIRED for e in bench.events)


# -- cost -----------------------------------------------------------------------------------------


def test_a_tick_is_a_few_steps_whatever_the_batch() -> None:
    bench = Bench(workers=1000)
    bench.engine._reception.usual_duration = 1.0
    policies = {"overlap": OverlapPolicy.REPLACE, "max_retries": 0}
    bench.add(*(entry(f"task-{n}") for n in range(900)))
    bench.add(*(entry(f"replaced-{n}", **policies) for n in range(900)))
    for run_id in sorted(bench.hands.gate):
        claim = bench.start(run_id)
        if claim.task_id.startswith("task"):
            bench.end(claim)
    bench.tick()
    bench.clock.wall += 10 * SECOND

    bench.tick()
    assert len(bench.hands.cancelled) == 900
    assert len(bench.store.steps) <= 15, bench.store.steps
    for run_id in sorted(bench.hands.gate):
        bench.end(bench.start(run_id))
    bench.tick(after=10)

    assert len(bench.store.steps) <= 15, bench.store.steps


def test_a_due_run_that_nobody_may_have_does_not_make_the_engine_spin(bench: Bench) -> None:
    bench.add(entry(max_retries=0))
    claim = bench.start()
    bench.end(claim, Outcome.TIMED_OUT, is_still_running=True)
    bench.tick()
    with bench.ledger.transaction():
        bench.ledger.execute(
            "insert_runs",
            rows=[
                [99, "pump", "x", "manual", "waiting", T0, T0, None, 0, "thread", None, None, None]
            ],
        )
    bench.engine.look_again()

    wakes = [bench.tick() for _ in range(3)]

    assert all(wake is not None and wake > bench.clock.wall for wake in wakes[1:]), wakes
