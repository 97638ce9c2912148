"""Stories about commands: what they take back, what they leave to be told, and what they refuse."""

from __future__ import annotations

import pytest

from task_scheduler.core.events import RunSettled, RunSkipped
from task_scheduler.core.inbox import (
    AddEntries,
    CancelRun,
    PauseEntry,
    RemoveEntries,
    RequestRun,
    ResumeEntry,
    Returned,
)
from task_scheduler.core.model import (
    SECOND,
    Outcome,
    OverlapPolicy,
    SkipReason,
)
from task_scheduler.errors import (
    DefinitionError,
    RunNotFoundError,
    TaskNotFoundError,
)
from tests.unit.core.engine_bench import T0, Bench, entry

SLOTS = 65_536


@pytest.fixture
def bench() -> Bench:
    return Bench()


# -- commands -------------------------------------------------------------------------------------


def test_an_edit_takes_back_what_was_claimed_ahead(bench: Bench) -> None:
    bench.add(entry())
    bench.end(bench.start())
    bench.tick()
    bench.tick(after=9.95)
    assert len(bench.hands.gate) == 1

    bench.add(entry(seconds=25))

    assert not bench.hands.gate
    assert bench.runs("state, scheduled_at") == [("succeeded", T0)]
    assert bench.rows("SELECT next_due_at FROM progress") == [(T0 + 25 * SECOND,)]


def test_an_edit_takes_back_what_was_planned_ahead_behind_a_backlog() -> None:
    bench = Bench(workers=1)
    bench.add(entry(executor="process"))
    bench.end(bench.start())
    # No worker is left for others: what is planned behind them waits in the ledger.
    bench.add(*(entry(f"before-{n}", seconds=1000, executor="process") for n in range(2)))
    bench.tick(after=9.95)
    assert bench.runs("state, scheduled_at")[-1] == ("waiting", T0 + 10 * SECOND)
    assert T0 + 10 * SECOND not in {claim.scheduled_at for claim in bench.hands.gate.values()}

    bench.add(entry(seconds=9.96, executor="process"))

    assert T0 + 10 * SECOND not in bench.runs("scheduled_at")
    # What the new rule has before that moment is not passed over.
    query = "SELECT next_due_at FROM progress WHERE task_id = 'pump'"
    planned = {*bench.runs("scheduled_at"), *(row[0] for row in bench.rows(query))}
    assert T0 + round(9.96 * SECOND) in planned


def test_an_edit_tells_what_the_old_rule_still_owed(bench: Bench) -> None:
    bench.add(entry())
    bench.end(bench.start())
    bench.tick()
    bench.clock.wall += 35 * SECOND

    bench.add(entry(seconds=1000))

    assert bench.skips("reason, count, first_at") == [("superseded", 3, T0 + 10 * SECOND)]


def test_an_edit_of_anything_but_the_rules_keeps_the_next_moment(bench: Bench) -> None:
    bench.add(entry())
    bench.end(bench.start())
    bench.tick(after=1)

    bench.add(entry(max_retries=0))

    assert bench.rows("SELECT next_due_at, revision FROM progress") == [(T0 + 10 * SECOND, 2)]
    assert bench.skips() == []


def test_a_task_removed_and_added_in_one_tick_is_the_new_one(bench: Bench) -> None:
    bench.add(entry(priority=1))
    bench.end(bench.start())
    bench.tick(after=1)
    bench.engine.inbox.put(RemoveEntries(task_ids=["pump"]))

    bench.add(entry(priority=7))

    assert [claim.priority for claim in bench.hands.gate.values()] == [7]


def test_an_instant_that_comes_back_does_not_run_again_and_keeps_no_mark(bench: Bench) -> None:
    once = {"type": "once", "run_at": "2027-01-15T08:00:10+00:00"}
    bench.add(entry(rules=[once]))
    bench.tick(after=10)
    bench.end(bench.start())
    bench.tick(after=1)
    bench.command(RemoveEntries(task_ids=["pump"]))

    bench.add(entry(rules=[once]))

    assert bench.runs() == ["succeeded"]
    assert not bench.hands.gate
    assert bench.free_slots() == SLOTS


def test_a_pause_holds_what_waits_and_skips_what_falls_due(bench: Bench) -> None:
    bench.add(entry(overlap=OverlapPolicy.QUEUE))
    claim = bench.start()
    bench.tick(after=10)
    bench.command(PauseEntry(task_id="pump"))
    bench.end(claim)
    wake = bench.tick(after=25)
    assert wake is None, "nothing to do for a paused task"
    assert not bench.hands.gate
    assert bench.runs("state, waiting_for") == [("succeeded", None), ("waiting", "pause")]

    bench.command(ResumeEntry(task_id="pump"))

    assert bench.skips() == [("paused", 2)]
    assert len(bench.hands.gate) == 1
    assert bench.rows("SELECT next_due_at FROM progress") == [(T0 + 40 * SECOND,)]


def test_a_finished_entry_that_is_resumed_stays_finished(bench: Bench) -> None:
    once = {"type": "once", "run_at": "2027-01-15T08:00:10+00:00"}
    bench.add(entry(rules=[once]))
    bench.command(PauseEntry(task_id="pump"))
    bench.clock.wall += 20 * SECOND
    bench.command(ResumeEntry(task_id="pump"))

    bench.tick(after=60)

    assert bench.runs() == []
    assert bench.skips() == [("paused", 1)]


def test_a_removed_task_leaves_no_run_behind(bench: Bench) -> None:
    bench.add(entry(overlap=OverlapPolicy.QUEUE, max_retries=3))
    claim = bench.start()
    bench.tick(after=10)
    bench.clock.wall += 25 * SECOND
    bench.command(RemoveEntries(task_ids=["pump"]))

    bench.end(claim, Outcome.FAILED)
    bench.tick()

    assert bench.runs("state, reason") == [("failed", None), ("skipped", "removed")]
    assert bench.skips() == [("removed", 2)]
    skipped = [e for e in bench.events if isinstance(e, RunSkipped)]
    assert [(e.reason, e.count) for e in skipped][-2:] == [
        (SkipReason.REMOVED, 2),
        (SkipReason.REMOVED, 1),
    ]


def test_a_run_that_had_an_attempt_is_cancelled_and_not_skipped(bench: Bench) -> None:
    bench.add(entry(max_retries=3, retry_delay_seconds=60))
    bench.end(bench.start(), Outcome.FAILED)
    bench.tick()

    bench.command(RemoveEntries(task_ids=["pump"]))

    assert bench.runs("state, reason, attempt") == [("cancelled", "removed", 1)]
    assert isinstance(bench.events[-1], RunSettled) or any(
        isinstance(e, RunSettled) and e.outcome is Outcome.CANCELLED for e in bench.events
    )


def test_a_run_is_counted_too_that_is_cancelled_while_it_waits_for_its_next_attempt(
    bench: Bench,
) -> None:
    bench.add(entry(max_retries=3, retry_delay_seconds=3600, overlap=OverlapPolicy.REPLACE))
    bench.end(bench.start(), Outcome.FAILED)
    bench.tick()

    bench.tick(after=10)  # its successor takes its place
    bench.end(bench.start(), Outcome.FAILED)
    bench.tick()
    (second,) = [run_id for run_id, state in bench.runs("run_id, state") if state == "waiting"]
    bench.command(CancelRun(run_id=second))

    assert bench.runs("state") == ["cancelled", "cancelled"]
    assert bench.rows("SELECT run_count, success_count, failure_count FROM progress") == [(2, 0, 0)]


def test_a_cancel_of_a_claim_that_is_being_handed_back_is_kept(bench: Bench) -> None:
    bench.add(entry())
    (claim,) = bench.hands.gate.values()
    bench.hands.gate.clear()
    assert bench.command(CancelRun(run_id=claim.run_id))

    bench.engine.inbox.put(Returned(claim))
    bench.tick()

    assert bench.runs("state, attempt") == [("cancelled", 0)]
    assert not bench.hands.gate


def test_a_cancelled_retry_lets_the_queue_go_on(bench: Bench) -> None:
    bench.add(entry(overlap=OverlapPolicy.QUEUE, retry_delay_seconds=3600))
    claim = bench.start()
    bench.tick(after=10)
    bench.end(claim, Outcome.FAILED)
    bench.tick()
    assert not bench.hands.gate

    bench.command(CancelRun(run_id=claim.run_id))

    assert len(bench.hands.gate) == 1


@pytest.mark.parametrize(
    ("overlap", "limit"),
    [(OverlapPolicy.SKIP, 0), (OverlapPolicy.QUEUE, 1), (OverlapPolicy.ALLOW, 1)],
)
def test_a_run_that_is_still_to_come_keeps_no_request_out(
    bench: Bench, overlap: OverlapPolicy, limit: int
) -> None:
    bench.add(entry(overlap=overlap, overlap_limit=limit))
    bench.end(bench.start())
    bench.tick()
    bench.tick(after=9.95)
    assert [c.due_at for c in bench.hands.gate.values()] == [T0 + 10 * SECOND], "claimed ahead"

    asked = bench.command(RequestRun(task_id="pump", request_id="now"))
    bench.start(asked)
    bench.tick(after=0.05)

    assert bench.runs("state, origin")[:2] == [("succeeded", "schedule"), ("running", "manual")]
    if overlap is OverlapPolicy.QUEUE:
        assert bench.runs("state, waiting_for")[2:] == [("waiting", "overlap")]
    else:
        assert bench.skips("reason, first_at, blocker_run_id") == [
            ("overlap", T0 + 10 * SECOND, asked)
        ]


def test_a_run_on_request_obeys_the_overlap_and_comes_once_for_one_request(bench: Bench) -> None:
    bench.add(entry())
    bench.start()
    skipped = bench.command(RequestRun(task_id="pump", request_id="a"))
    again = bench.command(RequestRun(task_id="pump", request_id="a"))

    assert skipped == again
    assert bench.runs("state, reason") == [("running", None), ("skipped", "overlap")]
    assert bench.rows("SELECT skip_count FROM progress") == [(1,)]


def test_commands_that_cannot_be_followed_are_refused_and_change_nothing(bench: Bench) -> None:
    bench.add(entry())
    before = list(bench.ledger._connection.iterdump())
    other_kind = entry()
    object.__setattr__(other_kind, "kind", "script")

    with pytest.raises(TaskNotFoundError, match="pump"):
        bench.command(PauseEntry(task_id="pumb"))
    with pytest.raises(TaskNotFoundError):
        bench.command(RemoveEntries(task_ids=["pump", "nobody"]))
    with pytest.raises(RunNotFoundError):
        bench.command(CancelRun(run_id=99))
    with pytest.raises(DefinitionError):
        bench.command(AddEntries(entries=[entry("lamp"), other_kind]))

    assert list(bench.ledger._connection.iterdump()) == before
