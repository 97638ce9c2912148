"""Very many short runs at once: what a tick does of them, and whom it tells."""

from __future__ import annotations

from datetime import UTC, datetime

from task_scheduler.core.events import AttemptStarted, RunSettled
from task_scheduler.core.inbox import Started
from task_scheduler.core.limits import EngineLimits
from task_scheduler.core.model import SECOND, Outcome
from tests.unit.core.engine_bench import T0, Bench, entry

FLOOD = 9_000
HAND = 4_000
"""Two batches."""
DUE = T0 + 10 * SECOND


def once(moment: int) -> dict[str, str]:
    """Return the plain form of a single moment."""
    return {"type": "once", "run_at": datetime.fromtimestamp(moment / SECOND, UTC).isoformat()}


def flooded(count: int = FLOOD) -> Bench:
    """Return an engine with that many tasks that are due in ten seconds, just before it plans."""
    bench = Bench()
    rules = (once(DUE),)
    bench.add(*(entry(f"task-{number}", rules=rules, max_retries=0) for number in range(count)))
    assert not bench.hands.gate
    bench.clock.wall = DUE - bench.engine.limits.look_ahead
    return bench


def work_off(bench: Bench) -> int:
    """End all that is at hand at once; return how many that were."""
    claims = [bench.start(run_id) for run_id in sorted(bench.hands.gate)]
    for claim in claims:
        bench.end(claim)
    return len(claims)


def test_a_flood_is_claimed_where_it_is_inserted_and_never_beyond_two_batches() -> None:
    bench = flooded()
    wakes = [bench.tick() for _ in range(4)]
    assert len(bench.hands.gate) == HAND
    # Nothing more is to be done until those are worked off, or were to be.
    assert wakes[-1] is not None
    assert wakes[-1] > bench.clock.wall

    bench.clock.wall = DUE
    done, steps = 0, set[str]()
    while (ended := work_off(bench)) > 0:
        done += ended
        bench.tick(after=0.01)
        steps.update(bench.store.steps)

    assert done == FLOOD
    assert bench.rows("SELECT count(*) FROM runs WHERE state = 'succeeded'") == [(FLOOD,)]
    assert "claim_runs" not in steps


def test_what_workers_do_not_get_done_comes_into_the_ledger_where_priority_decides() -> None:
    bench = flooded()
    for _ in range(4):
        bench.tick()
    bench.add(entry("urgent", rules=(once(DUE + SECOND // 10),), priority=9))

    # Nothing ends: what is due waits a moment, and then in the ledger.
    for _ in range(10):
        bench.tick(after=0.2)
    assert bench.rows("SELECT count(*) FROM runs") == [(FLOOD + 1,)]
    bench.end(bench.start(min(bench.hands.gate)))
    bench.tick()

    assert bench.hands.gate[max(bench.hands.gate)].task_id == "urgent"


def test_a_backlog_of_short_runs_is_worked_off_to_the_last() -> None:
    bench = flooded()
    for _ in range(4):
        bench.tick()
    bench.tick(after=1)
    assert bench.rows("SELECT count(*) FROM runs WHERE token IS NULL")[0][0] > 0

    done = 0
    for _ in range(30):
        done += work_off(bench)
        bench.tick(after=0.01)

    assert done == FLOOD
    assert bench.rows("SELECT count(*) FROM runs WHERE state = 'succeeded'") == [(FLOOD,)]


def test_long_runs_are_not_taken_for_a_flood() -> None:
    bench = flooded(3_000)
    bench.engine._reception.usual_duration = 1.0 * SECOND
    for _ in range(2):
        bench.tick()

    assert len(bench.hands.gate) == 10
    assert bench.rows("SELECT count(*) FROM runs") == [(3_000,)]


def test_where_nobody_listens_to_successes_only_what_is_worth_a_word_is_told() -> None:
    bench = Bench()
    bench.engine._reception.is_routine_heard = lambda: False
    bench.add(*(entry(name, max_retries=0) for name in ("quick", "slow", "broken")))
    claims = {claim.task_id: claim for claim in bench.hands.gate.values()}
    bench.events.clear()
    bench.hands.gate.clear()

    slow = claims["slow"]
    bench.engine.inbox.put(Started(slow.run_id, slow.token, bench.clock.wall))
    bench.end(claims["quick"])
    bench.end(claims["broken"], Outcome.FAILED)
    bench.tick()

    told = [
        (type(event), event.task_id)
        for event in bench.events
        if isinstance(event, AttemptStarted | RunSettled)
    ]
    assert len(told) == len(bench.events)
    # How long a run goes on nobody knows when it begins; that one failed is always told whole.
    assert told == [
        (AttemptStarted, "slow"),
        (AttemptStarted, "broken"),
        (RunSettled, "broken"),
    ]
    assert bench.runs(task_id="quick") == ["succeeded"]
    assert bench.runs(task_id="slow") == ["running"]


def test_what_was_over_before_anybody_looked_is_told_from_its_beginning() -> None:
    bench = Bench()
    bench.add(entry(max_retries=0))
    (claim,) = bench.hands.gate.values()
    bench.events.clear()

    bench.end(claim)
    bench.tick()

    assert [type(event) for event in bench.events] == [AttemptStarted, RunSettled]


def test_a_success_is_recorded_the_same_alone_and_beside_a_failure() -> None:
    ledgers = []
    for others in ((), (Outcome.FAILED,)):
        bench = Bench()
        bench.add(entry("pump"), *(entry(f"other-{o}", max_retries=0) for o in others))
        claims = {claim.task_id: claim for claim in bench.hands.gate.values()}
        bench.clock.wall += SECOND
        bench.end(claims.pop("pump"))
        for claim, outcome in zip(claims.values(), others, strict=True):
            bench.end(claim, outcome)
        bench.tick()
        queries = (
            "SELECT * FROM runs WHERE task_id = 'pump'",
            "SELECT * FROM progress WHERE task_id = 'pump'",
            "SELECT a.* FROM attempts AS a JOIN runs USING (run_id) WHERE task_id = 'pump'",
        )
        ledgers.append([bench.rows(query) for query in queries])

    assert ledgers[0] == ledgers[1]
    assert ledgers[0][2]


def test_whoever_does_not_own_a_run_any_more_records_no_success_of_it() -> None:
    bench = Bench()
    bench.add(entry())
    claim = bench.start()
    bench.tick()
    row = (claim.run_id, claim.token - 1, 1, claim.due_at, claim.due_at + 1)

    assert bench.ledger.execute("succeed_attempts", rows=[row]) == 0
    assert bench.ledger.execute("succeed_runs", rows=[row]) == 0
    assert bench.runs() == ["running"]


def test_slow_ticks_look_further_ahead_and_never_too_far() -> None:
    limits = EngineLimits()
    usual = limits.look_ahead
    limits.note_tick(10_000)
    assert limits.look_ahead == usual
    limits.note_tick(100_000)
    assert limits.look_ahead == 300_000
    limits.note_tick(10 * SECOND)
    assert limits.look_ahead == SECOND // 2

    for _ in range(500):
        limits.note_tick(1_000)

    assert limits.look_ahead == usual
