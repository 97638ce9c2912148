"""Section B of the list: one occurrence, several runs: races, restarts, frozen owners."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from task_scheduler.core.engine import Engine
from task_scheduler.core.inbox import Returned
from task_scheduler.core.limits import EngineLimits
from task_scheduler.core.model import (
    SECOND,
    Claim,
    Completion,
    Outcome,
    OverlapPolicy,
    Policies,
    SkipReason,
    WaitingFor,
)
from task_scheduler.core.planner import Seats, plan
from task_scheduler.core.recovery import Verdict
from task_scheduler.core.retry import MAX_RECOVERIES
from task_scheduler.dispatcher import Dispatcher
from task_scheduler.executors.marks import MemoryMarks
from task_scheduler.schedules.occurrences import IntervalOccurrences
from task_scheduler.stores.engine_lock import EngineLock
from task_scheduler.testing import VirtualScheduler
from tests.contract.ledgers import child
from tests.integration.supervision.bench import Bench as Supervision
from tests.integration.supervision.bench import claim_of
from tests.integration.supervision.test_survival import start_and_kill_a_scheduler
from tests.regressions.worlds import (
    DAY,
    HOLDER,
    began,
    command,
    function,
    next_process,
    only,
    skipped,
    states,
)
from tests.unit.core.engine_bench import T0, Bench, Hands, entry


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.fixture
def supervision(tmp_path: Path) -> Iterator[Supervision]:
    made = Supervision(tmp_path)
    yield made
    made.close()


def another_engine(bench: Bench, *, epoch: int = 2) -> tuple[Engine, Hands]:
    """Let a second engine work on the ledger of the bench, as nobody should."""
    hands = Hands()
    engine = Engine(
        store=bench.ledger,
        clock=bench.clock,
        catalog=bench.bindings,
        hands=hands,
        marks=MemoryMarks(),
        emit=lambda event: None,
        limits=EngineLimits(),
    )
    engine.open(epoch=epoch, last_run_id=1_000_000)
    return engine, hands


def ended(claim: Claim, at: int) -> Completion:
    """Return what a worker tells of a claim that succeeded at once."""
    return Completion(
        run_id=claim.run_id,
        task_id=claim.task_id,
        attempt=claim.attempt,
        token=claim.token,
        outcome=Outcome.SUCCEEDED,
        started_at=at,
        ended_at=at,
    )


def test_quartz_107_two_nodes_that_see_one_trigger_make_one_run_of_it(bench: Bench) -> None:
    bench.add(entry())
    bench.end(bench.start())
    bench.tick()
    other, hands = another_engine(bench)
    other.tick()
    started: list[str] = []

    for turn in range(20):
        bench.clock.wall += 10 * SECOND
        now = bench.clock.wall
        engines = [(bench.engine, bench.hands), (other, hands)]
        for engine, holder in engines if turn % 2 else reversed(engines):
            # As it was when the other one looked: seen, taken, given back.
            bench.ledger.execute("move_cursors", rows=[["pump", None, now, now, None]])
            engine.tick()
            for claim in list(holder.gate.values()):
                started.append(claim.key)
                engine.inbox.put(ended(claim, now))
            holder.gate.clear()
            engine.tick()

    assert len(started) == len(set(started)) == 20
    assert bench.runs() == ["succeeded"] * 21


def test_bytechef_5650_a_second_node_on_one_ledger_is_refused_until_the_first_is_gone(
    tmp_path: Path,
) -> None:
    lock = tmp_path / "scheduler.lock"
    with child(HOLDER, lock) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == "True\n"
        second = EngineLock(lock)

        assert [second.acquire() for _ in range(3)] == [False] * 3
        assert not second.is_held
        first.kill()

    assert second.acquire()
    second.release()


def test_xxl_job_1886_eight_threads_that_race_for_two_thousand_starts_double_none() -> None:
    clock = _Still()
    returned: list[Claim] = []
    dispatcher = Dispatcher(clock, 8, returned.append)
    taken: list[int] = []

    def work() -> None:
        while (item := dispatcher.take()) is not None:
            taken.append(item[0].run_id)
            dispatcher.release()

    workers = [threading.Thread(target=work, daemon=True) for _ in range(8)]
    for worker in workers:
        worker.start()
    revoked = []
    for run_id in range(2_000):
        dispatcher.hand_over([(_due(run_id), entry())])
        if run_id % 3 == 0 and dispatcher.revoke(run_id):
            revoked.append(run_id)
    left = [claim.run_id for claim in dispatcher.close()]
    for worker in workers:
        worker.join(20)
        assert not worker.is_alive()

    assert sorted(taken + revoked + left) == list(range(2_000)), "each has exactly one owner"
    assert returned == []


class _Still:
    """A clock that stands."""

    def now(self) -> int:
        return T0

    def boottime(self) -> int:
        return 0


def _due(run_id: int) -> Claim:
    return Claim(
        run_id=run_id,
        task_id="pump",
        key=str(run_id),
        attempt=1,
        token=run_id,
        scheduled_at=T0,
        due_at=T0,
        start_by=None,
        priority=0,
        slot=-1,
        executor="thread",
        timeout=None,
        clock_offset=T0,
    )


def test_redbeat_127_only_the_owner_of_a_lock_can_give_it_back(tmp_path: Path) -> None:
    owner, stranger = EngineLock(tmp_path / "lock"), EngineLock(tmp_path / "lock")
    assert owner.acquire()

    stranger.release()

    assert owner.is_held
    assert not stranger.acquire()
    owner.release()


def test_oban_1488_who_was_the_holder_once_does_not_believe_so_for_ever(tmp_path: Path) -> None:
    past, present = EngineLock(tmp_path / "lock"), EngineLock(tmp_path / "lock")
    assert past.acquire()
    past.release()

    assert present.acquire()

    assert (past.is_held, present.is_held) == (False, True)
    assert not past.acquire()
    present.release()


def test_redbeat_208_a_lock_that_cannot_be_asked_for_is_not_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(descriptor: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    lock = EngineLock(tmp_path / "lock")
    monkeypatch.setattr(fcntl, "lockf", refuse)
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208  a count of names

    with pytest.raises(OSError, match="No locks available"):
        lock.acquire()

    assert not lock.is_held
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208
    monkeypatch.undo()
    assert lock.acquire()
    lock.release()


def test_river_217_a_late_resignation_does_not_end_the_next_term(tmp_path: Path) -> None:
    first, second = EngineLock(tmp_path / "lock"), EngineLock(tmp_path / "lock")
    assert first.acquire()
    first.release()
    assert second.acquire()

    first.release()

    assert second.is_held
    assert not EngineLock(tmp_path / "lock").acquire()
    second.release()


def test_db_scheduler_402_what_a_frozen_node_reports_when_it_wakes_is_fenced_off(
    bench: Bench,
) -> None:
    bench.add(entry(seconds=1000, max_retries=0))
    stale = bench.start()
    bench.tick()

    next_process(bench, after=timedelta(seconds=5))
    fresh = bench.start()
    bench.end(stale)
    bench.tick()

    row = [stale.run_id, stale.token, "failed", 1, None, None, None, 5, "no water", 0]
    assert bench.ledger.execute("settle_runs", rows=[row]) == 0
    assert bench.engine.fenced_count == 1
    assert bench.runs("state, token") == [("running", fresh.token)]
    assert fresh.token > stale.token
    bench.end(fresh)
    bench.tick()
    assert bench.rows("SELECT token, outcome FROM attempts ORDER BY token") == [
        (stale.token, "lost"),
        (fresh.token, "succeeded"),
    ]


def test_airflow_23520_a_task_that_outlives_its_scheduler_gets_no_second_copy(
    supervision: Supervision, tmp_path: Path
) -> None:
    script = "echo begun >> begun; while [ ! -e go ]; do sleep 0.02; done"
    start_and_kill_a_scheduler(tmp_path, 1, ["sh", "-c", script])
    claim = claim_of(1)

    verdict, _ = supervision.executor.inspect(claim, is_same_boot=True)
    supervision.launch(["sh", "-c", "echo begun >> begun"], claim=claim)
    (tmp_path / "go").touch()
    end = supervision.end_of(claim)

    assert verdict == Verdict.ALIVE
    assert (tmp_path / "begun").read_text() == "begun\n"
    assert end.outcome is Outcome.SUCCEEDED


def test_dkron_1569_no_run_beside_one_that_outlived_a_crash() -> None:
    world = VirtualScheduler(start="2026-06-01T00:00:00+00:00")
    world.add_task(command(overlap="skip", timeout=None), every="10m")
    world.script("job", duration="1h")
    world.run_for(minutes=5)

    world.crash(down="3m")
    world.run_for(minutes=50)
    assert len(began(world)) == 1
    assert [skip["blocker_run_id"] for skip in world.skips("job")] == [1]
    assert skipped(world) == [("overlap", 5)]

    world.run_for(minutes=3)
    assert states(world) == ["succeeded", "running"]
    assert len(world.ledger.run(1)["attempts"]) == 1


def test_actions_runner_3909_a_restart_that_leaves_the_children_has_one_end_of_each(
    supervision: Supervision, tmp_path: Path
) -> None:
    start_and_kill_a_scheduler(tmp_path, 1, ["sh", "-c", "sleep 0.2; echo x >> ran; exit 3"])
    claim = claim_of(1)
    supervision.executor.start()

    for _ in range(2):
        # Two starts in a row, as a service manager makes them.
        supervision.executor.adopt(claim)
    end = supervision.end_of(claim)

    assert (end.outcome, end.exit_code) == (Outcome.FAILED, 3)
    assert (tmp_path / "ran").read_text() == "x\n"
    assert len(supervision.completions) == supervision.release_count == 1


def test_kombu_337_neither_a_far_moment_nor_a_long_run_is_delivered_again() -> None:
    world = VirtualScheduler(start="2026-06-01T00:00:00+00:00")
    world.add_task(command("far"), at="2026-07-20T12:00:00+00:00")
    world.add_task(command("long", timeout=None), at="2026-06-01T01:00:00+00:00")
    world.script("long", duration=3 * DAY)

    for _ in range(60):
        world.run_for(days=1)
        world.crash(down="1m")

    for task_id in ("far", "long"):
        run = only(world.runs(task_id))
        assert run["state"] == "succeeded"
        assert len(world.ledger.run(run["run_id"])["attempts"]) == 1


def test_celery_9348_a_claim_that_a_shutdown_gives_back_twice_is_one_run(bench: Bench) -> None:
    bench.add(entry(seconds=1000))
    (claim,) = bench.hands.gate.values()
    bench.hands.gate.clear()

    for _ in range(3):
        bench.engine.inbox.put(Returned(claim))
    bench.tick()
    bench.engine.inbox.put(Returned(claim))
    bench.tick()

    again = bench.start()
    assert again.token > claim.token
    bench.end(again)
    bench.tick()
    assert bench.runs("state, attempt") == [("succeeded", 1)]


def test_apscheduler_160_four_web_workers_are_one_scheduler(tmp_path: Path) -> None:
    with contextlib.ExitStack() as stack:
        workers = [stack.enter_context(child(HOLDER, tmp_path / "lock")) for _ in range(4)]
        answers = [worker.stdout.readline().strip() for worker in workers if worker.stdout]
        for worker in workers:
            worker.send_signal(signal.SIGKILL)

    assert Counter(answers) == {"True": 1, "False": 3}


def test_apscheduler_959_a_claim_that_somebody_has_is_nobody_elses(bench: Bench) -> None:
    bench.add(entry(executor="process", seconds=1000))
    (claim,) = bench.hands.gate.values()
    taken = [[claim.run_id, 999, 5, "process", None]]

    assert bench.ledger.execute("claim_runs", rows=taken) == 0

    assert bench.runs("token") == [claim.token]


def test_apscheduler_5_adding_a_job_again_fires_nothing_of_the_past() -> None:
    world = VirtualScheduler(start="2026-06-01T12:00:30+00:00")
    world.add_task(command(misfire_grace_seconds=3600), cron="0 12 * * *", timezone="UTC")
    world.run_for(minutes=1)
    assert world.runs("job") == []

    world.run_until("2026-06-02T12:00:10+00:00")
    for _ in range(5):
        world.add_task(command(misfire_grace_seconds=3600), cron="0 12 * * *", timezone="UTC")
        world.run_for(seconds=5)

    assert len(world.runs("job")) == 1


def test_openclaw_2826_twenty_restarts_are_no_twenty_copies() -> None:
    world = VirtualScheduler(start="2026-06-01T00:00:00+00:00")
    world.add_task(function(timeout=None), every="1h")
    world.script("job", duration="20m")

    for _ in range(20):
        world.run_for(seconds=3)
        world.crash(down="1s")
    world.run_for(seconds=3)

    run = only(world.runs("job"))
    attempts = world.ledger.run(run["run_id"])["attempts"]
    # A poison pill may kill no more processes than that.
    assert [attempt["outcome"] for attempt in attempts] == ["lost"] * (1 + MAX_RECOVERIES)
    assert run["state"] == "lost"


def test_sidekiq_cron_81_a_minute_that_was_planned_is_not_planned_again(bench: Bench) -> None:
    bench.add(entry(seconds=60))
    bench.end(bench.start())
    bench.tick()
    other, hands = another_engine(bench)
    other.tick()
    bench.tick(after=60)
    bench.end(bench.start())
    bench.tick()
    due = T0 + 60 * SECOND
    bench.ledger.execute("move_cursors", rows=[["pump", None, due, due, None]])

    other.tick()

    assert hands.gate == {}
    assert bench.runs("scheduled_at, state") == [(T0, "succeeded"), (due, "succeeded")]


def test_temporal_11530_a_buffer_of_one_admits_one(bench: Bench) -> None:
    bench.add(entry(overlap=OverlapPolicy.QUEUE, overlap_limit=1))
    bench.start()
    for _ in range(4):
        bench.tick(after=10)

    assert bench.runs("waiting_for") == [None, "overlap"]
    assert bench.skips("reason, count") == [("overlap", 3)]

    policies = Policies(overlap=OverlapPolicy.QUEUE, overlap_limit=1, catch_up_limit=9)
    found = plan(
        IntervalOccurrences(10), policies, Seats(taken=1, queued=1), due_at=50, anchor=0, now=50
    )
    assert found.runs == ()
    assert [skip.reason for skip in found.skips] == [SkipReason.OVERLAP]
    queued = plan(IntervalOccurrences(10), policies, Seats(taken=1), due_at=50, anchor=0, now=50)
    assert [run.waiting_for for run in queued.runs] == [WaitingFor.OVERLAP]


def test_kubernetes_58748_forbid_creates_nothing_while_the_first_lives(bench: Bench) -> None:
    bench.add(entry(overlap=OverlapPolicy.SKIP))
    first = bench.start()
    for _ in range(1_000):
        bench.tick(after=10)
    assert bench.runs() == ["running"]
    assert bench.skips("reason, count, blocker_run_id") == [("overlap", 1_000, first.run_id)]

    bench.end(first)
    bench.tick()
    bench.tick(after=10)

    assert bench.runs() == ["succeeded", "waiting"]


def test_xxl_job_3_x_log_a_rule_that_cannot_be_read_any_more_fires_nothing(bench: Bench) -> None:
    bench.add(entry(), entry("lamp"))
    for run_id in list(bench.hands.gate):
        bench.end(bench.start(run_id))
    bench.tick()
    with bench.ledger.transaction():
        bench.ledger._connection.execute(
            'UPDATE entries SET rules = \'[{"type":"cron","cron":"61 * * *"}]\''
            " WHERE task_id = 'pump'"
        )
        bench.ledger._connection.execute("UPDATE progress SET revision = revision + 1")

    for _ in range(30):
        bench.tick(after=10)
        for run_id in list(bench.hands.gate):
            bench.end(bench.start(run_id))

    assert bench.runs() == ["succeeded"]
    assert len(bench.runs(task_id="lamp")) > 20
    ((error,),) = bench.rows("SELECT rule_error FROM progress WHERE task_id = 'pump'")
    assert "61" in error
