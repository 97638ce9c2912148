"""Section D of the list: runs that stay "running", recoveries that fail, retries without an end."""

from __future__ import annotations

import contextlib
import math
import os
import sqlite3
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from task_scheduler import CommandTask
from task_scheduler.core.inbox import RemoveEntries
from task_scheduler.core.model import SECOND, Outcome, OverlapPolicy
from task_scheduler.core.recovery import Verdict
from task_scheduler.errors import StoreUnavailableError
from task_scheduler.stores.engine_lock import EngineLock
from task_scheduler.supervision import attempt_folder
from task_scheduler.supervision.attempt_folder import Holder, State
from task_scheduler.supervision.process_tree import start_time
from task_scheduler.testing import VirtualScheduler
from tests.integration.facade.bench import Bench as Facade
from tests.integration.facade.bench import eventually, is_alive
from tests.integration.supervision.bench import Bench as Supervision
from tests.integration.supervision.bench import claim_of
from tests.regressions.worlds import (
    HOUR,
    command,
    function,
    next_process,
    only,
    skipped,
    states,
)
from tests.unit.core.engine_bench import T0, Bench, entry

START = "2026-06-01T00:00:00+00:00"


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.fixture
def facade(tmp_path: Path) -> Iterator[Facade]:
    made = Facade(tmp_path)
    yield made
    made.close()


@pytest.fixture
def supervision(tmp_path: Path) -> Iterator[Supervision]:
    made = Supervision(tmp_path)
    yield made
    made.close()


def test_dkron_349_a_restart_while_it_runs_blocks_no_task_that_runs_alone() -> None:
    world = VirtualScheduler(start=START)
    world.add_task(function(overlap="skip", max_retries=0, timeout=None), every="10m")
    world.script("job", duration=["1h", "1m"])
    world.run_for(minutes=5)
    assert states(world) == ["running"]

    world.crash(down="1m")
    world.run_for(minutes=15)

    assert states(world) == ["succeeded", "succeeded", "succeeded"]
    assert skipped(world) == []


@pytest.mark.parametrize(
    ("on_lost", "state", "outcomes"),
    [("at_least_once", "succeeded", ["lost", "succeeded"]), ("at_most_once", "lost", ["lost"])],
)
@pytest.mark.parametrize("make", [command, function])
def test_rundeck_2783_a_node_that_dies_leaves_nothing_running_for_ever(
    make: Any, on_lost: str, state: str, outcomes: list[str]
) -> None:
    world = VirtualScheduler(start=START)
    world.add_task(make(on_lost=on_lost, timeout=None), at="2026-06-01T01:00:00+00:00")
    world.script("job", duration=["5h", "1m"])
    world.run_until("2026-06-01T02:00:00+00:00")

    world.crash(down="10m", power_cut=True)
    world.run_for(minutes=5)

    run = only(world.runs("job"))
    assert run["state"] == state
    attempts = world.ledger.run(run["run_id"])["attempts"]
    assert [attempt["outcome"] for attempt in attempts] == outcomes
    assert world.get_task_status("job")["running_count"] == 0


def test_river_1258_five_thousand_stuck_runs_are_all_rescued_at_once(bench: Bench) -> None:
    bench.add(entry(overlap=OverlapPolicy.ALLOW, max_retries=0, seconds=10 * HOUR))
    bench.end(bench.start())
    bench.tick()
    rows = [
        [n, "pump", f"manual:{n}", "manual", "waiting", T0, T0, None, 0, "thread", n, n, None]
        for n in range(10, 5_143)
    ]
    bench.ledger.execute("insert_runs", rows=rows)

    recovered = next_process(bench)

    assert len(recovered.facts) == 5_133
    held = bench.rows("SELECT run_id FROM runs WHERE token IS NOT NULL AND token < 1000000")
    assert held == []
    assert bench.runs().count("waiting") == 5_133


def test_quartz_635_an_error_at_any_edge_leaves_no_run_stuck() -> None:
    expected, statements = lived(fails_at=0)
    assert statements > 20
    for number in range(1, statements + 1):
        found, _ = lived(fails_at=number)
        assert found == expected, f"an error at statement {number}"


def lived(fails_at: int) -> tuple[list[Any], int]:
    """Let a task fail, be tried again, succeed and be queued behind; a statement may fail once.

    Returns what the ledger says in the end, and how many statements there were.
    """
    bench = Bench()
    count = 0

    def counting(call: Any) -> Any:
        def counted(name: str, **parameters: Any) -> Any:
            nonlocal count
            count += 1
            if count == fails_at:
                raise StoreUnavailableError("errors.store_locked", path=name)
            return call(name, **parameters)

        return counted

    def tick(after: float = 0) -> None:
        bench.clock.wall += round(after * SECOND)
        try:
            bench.engine.tick()
        except StoreUnavailableError:
            bench.engine.tick()

    policies: dict[str, Any] = {
        "max_retries": 1,
        "retry_delay_seconds": 2,
        "overlap": OverlapPolicy.QUEUE,
    }
    bench.add(entry(**policies))
    bench.store.fetch = counting(bench.store.fetch)  # type: ignore[method-assign]
    bench.store.execute = counting(bench.store.execute)  # type: ignore[method-assign]
    bench.end(bench.start(), Outcome.FAILED)
    tick()
    tick(after=3)
    second = bench.start()
    tick()
    tick(after=7)
    bench.end(second)
    tick()
    bench.end(bench.start())
    tick()
    columns = "state, attempt, token, waiting_for, scheduled_at, due_at"
    attempts = bench.rows(
        "SELECT scheduled_at, attempts.attempt, outcome FROM attempts JOIN runs USING (run_id)"
        " ORDER BY 1, 2"
    )
    progress = bench.rows("SELECT run_count, success_count, skip_count, next_due_at FROM progress")
    return [bench.runs(columns), attempts, progress, bench.free_slots()], count


def test_quartz_1477_whoever_does_not_get_the_lock_does_not_go_on(tmp_path: Path) -> None:
    folder = os.fsencode(tmp_path)
    first = attempt_folder.try_lock(folder)
    assert first is not None

    assert attempt_folder.try_lock(folder) is None
    assert attempt_folder.examine(folder, bury=True) == (State.ALIVE, None)
    assert not attempt_folder.has_permit(folder), "nothing is buried under a living owner"
    assert [attempt_folder.create_permit(folder) for _ in range(3)] == [True, False, False]

    attempt_folder.unlock(first)
    assert attempt_folder.examine(folder) == (State.DEAD, None)
    holder, stranger = EngineLock(tmp_path / "lock"), EngineLock(tmp_path / "lock")
    assert (holder.acquire(), stranger.acquire()) == (True, False)
    holder.release()


def test_airflow_32289_a_recovery_that_is_repeated_records_one_loss(bench: Bench) -> None:
    bench.add(entry(seconds=1000, max_retries=1, retry_delay_seconds=1))
    bench.start()
    bench.tick()
    recovered = next_process(bench)
    (completion,) = recovered.facts

    bench.engine.inbox.put(completion)
    bench.tick()
    next_process(bench)

    assert bench.rows("SELECT attempt, outcome FROM attempts") == [(1, "lost")]
    assert bench.runs("recoveries, attempt") == [(1, 1)]
    bench.end(bench.start(), Outcome.FAILED)
    bench.tick()
    bench.tick(after=2)
    bench.end(bench.start())
    bench.tick()
    # The loss used up no retry: the failure after it still had its own.
    assert bench.runs("state, attempt, recoveries") == [("succeeded", 3, 1)]


def test_apscheduler_946_a_graceful_stop_leaves_nothing_claimed(facade: Facade) -> None:
    scheduler = facade.running(max_workers=1)
    for number in range(5):
        scheduler.add_task(CommandTask(f"c{number}", command=["sleep", "0.3"]))
    ids = [scheduler.run_task(f"c{number}") for number in range(5)]
    eventually("one runs", lambda: scheduler.view.run(ids[0])["state"] == "running")

    scheduler.stop(5)

    assert scheduler.view.run(ids[0])["state"] == "succeeded"
    assert claimed(facade) == []
    assert {scheduler.view.run(run_id)["state"] for run_id in ids[1:]} <= {"waiting", "succeeded"}


def claimed(facade: Facade) -> list[Any]:
    """Return the runs that a ledger at rest shows in somebody's hands."""
    with contextlib.closing(sqlite3.connect(facade.database)) as ledger:
        return ledger.execute("SELECT run_id FROM runs WHERE token IS NOT NULL").fetchall()


def test_cronicle_369_what_is_caught_up_and_times_out_has_no_more_tries_than_others() -> None:
    world = VirtualScheduler(start="2026-06-01T00:30:00+00:00")
    policies: dict[str, Any] = {
        "max_retries": 2,
        "retry_delay": 5,
        "timeout": 60,
        "misfire": "run_all",
    }
    world.add_task(command(**policies), cron="0 * * * *", timezone="UTC")
    world.script("job", duration=math.inf)
    world.crash(down="4h")

    world.run_for(minutes=25)

    assert states(world) == ["timed_out"] * 4
    attempts = [world.ledger.run(run["run_id"])["attempts"] for run in world.runs("job")]
    assert [len(found) for found in attempts] == [3] * 4


def test_xxl_job_2388_a_removed_task_is_tried_no_more_and_retries_have_an_end(bench: Bench) -> None:
    bench.add(
        entry(max_retries=2, retry_delay_seconds=1, seconds=1000), entry("gone", seconds=1000)
    )
    claims = {claim.task_id: claim for claim in bench.hands.gate.values()}
    for claim in claims.values():
        bench.start(claim.run_id)
    bench.tick()
    bench.command(RemoveEntries(task_ids=["gone"]))
    for claim in claims.values():
        bench.end(claim, Outcome.FAILED)
    for _ in range(9):
        bench.tick(after=2)
        for run_id in list(bench.hands.gate):
            bench.end(bench.start(run_id), Outcome.FAILED)

    assert bench.runs("state, attempt", "gone") == [("failed", 1)]
    assert bench.runs("state, attempt") == [("failed", 3)]


def test_cronicle_pid_file_a_number_that_was_given_anew_is_not_the_old_process(
    supervision: Supervision,
) -> None:
    claim = claim_of(1)
    path = supervision.executor.output_path(claim).parent
    path.mkdir(parents=True)
    stranger = subprocess.Popen(["sleep", "60"], start_new_session=True)
    try:
        folder = os.fsencode(path)
        lock = attempt_folder.try_lock(folder)
        assert lock is not None
        attempt_folder.create_permit(folder)
        earlier = start_time(stranger.pid) - 1
        attempt_folder.write_holder(lock, Holder(stranger.pid, earlier, stranger.pid, earlier))
        attempt_folder.unlock(lock)

        verdict, completion = supervision.executor.inspect(claim, is_same_boot=True)

        assert completion is not None
        assert (verdict, completion.outcome) == (Verdict.LOST, Outcome.LOST)
        assert is_alive(stranger.pid)
    finally:
        stranger.kill()
        stranger.wait()


def test_thehive_cortex_410_timeouts_come_although_every_worker_is_taken() -> None:
    world = VirtualScheduler({"scheduler": {"max_workers": 2}}, start=START)
    for task_id in ("a", "b", "c"):
        world.add_task(function(task_id, timeout=30, max_retries=0), at="2026-06-01T00:10:00Z")
    world.script("a", duration=math.inf)
    world.script("b", duration=math.inf)

    world.run_for(minutes=11)

    for task_id in ("a", "b"):
        run = only(world.runs(task_id))
        assert (run["state"], run["duration_seconds"]) == ("timed_out", 30)
    assert states(world, "c") == ["succeeded"]


def test_river_1324_a_payload_that_cannot_be_read_stops_no_recovery(bench: Bench) -> None:
    bench.add(entry("poison"), entry())
    for run_id in list(bench.hands.gate):
        bench.start(run_id)
    bench.tick()
    with bench.ledger.transaction():
        bench.ledger._connection.execute(
            'UPDATE entries SET policies = \'{"overlap":"nonsense","timeout":[]}\','
            " rules = '[{\"type\":\"sundial\"}]', definition = 'null' WHERE task_id = 'poison'"
        )

    first = next_process(bench, after=timedelta(seconds=1))
    second = next_process(bench, after=timedelta(seconds=1))

    assert {e.task_id: e.verdict for e in first.events} == {
        "poison": Verdict.LOST,
        "pump": Verdict.LOST,
    }
    assert {e.verdict for e in second.events} == {Verdict.NOT_STARTED}
    assert "pump" in {claim.task_id for claim in bench.hands.gate.values()}
    assert set(bench.rows("SELECT outcome FROM attempts")) == {("lost",)}
