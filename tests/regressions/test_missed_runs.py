"""Section C of the list: occurrences that never came, and schedulers that stop without a word."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from task_scheduler import FunctionTask, TaskScheduler
from task_scheduler.core.model import SECOND
from task_scheduler.dispatcher import Dispatcher
from task_scheduler.errors import SchedulerStoppedError, StoreUnavailableError
from task_scheduler.stores import sqlite
from task_scheduler.stores.engine_lock import EngineLock
from task_scheduler.stores.sqlite import SqliteStore
from task_scheduler.testing import VirtualScheduler
from tests.contract.ledgers import child, ids, put
from tests.integration.facade.bench import Bench as Facade
from tests.integration.facade.bench import eventually, ran
from tests.regressions.worlds import (
    HOLDER,
    HOUR,
    began,
    command,
    gaps,
    next_process,
    planned,
    skipped,
    states,
)
from tests.unit.core.engine_bench import T0, Bench, Clock, entry

START = "2026-06-01T00:00:00+00:00"


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.fixture
def facade(tmp_path: Path) -> Iterator[Facade]:
    made = Facade(tmp_path)
    yield made
    made.close()


def nothing() -> None:
    """Succeed."""


@pytest.mark.parametrize("how", ["down", "paused"])
def test_kubernetes_42649_a_schedule_that_missed_thousands_of_times_goes_on(how: str) -> None:
    world = VirtualScheduler(start=START)
    world.add_task(command(), cron="* * * * *", timezone="UTC")
    world.run_for(seconds=30)

    if how == "down":
        world.crash(down="3d")
    else:
        world.pause_task("job")
        world.run_for(days=3)
        world.resume_task("job")
    world.run_for(minutes=10)

    missed = 3 * 24 * 60
    expected = {"down": [("coalesced", missed - 1)], "paused": [("paused", missed)]}
    assert skipped(world) == expected[how]
    assert len(world.runs("job")) == 1 + 10 + (how == "down")


def test_kubernetes_86647_a_short_deadline_loses_no_day() -> None:
    world = VirtualScheduler(start=START)
    task = command(misfire="skip", misfire_grace_seconds=0.2)
    world.add_task(task, cron="0 12 * * *", timezone="UTC")

    world.run_for(days=200)

    assert len(world.runs("job")) == 200
    assert skipped(world) == []


def test_apscheduler_292_what_waits_for_a_worker_under_load_is_late_and_not_dropped() -> None:
    world = VirtualScheduler({"scheduler": {"max_workers": 1}}, start=START)
    for number in range(30):
        world.add_task(command(f"job_{number}"), cron="0 1 * * *", timezone="UTC")
    world.script("job_*", duration="20s")

    world.run_for(hours=2)

    assert {state for n in range(30) for state in states(world, f"job_{n}")} == {"succeeded"}
    assert len(world.runs()) == 30
    assert world.skips() == []


def test_apscheduler_292_the_grace_of_the_configuration_is_obeyed_and_a_drop_is_seen() -> None:
    config = {"tasks": {"misfire": "skip", "misfire_grace_seconds": 5}}
    world = VirtualScheduler(config, start=START)
    world.add_task(command(), cron="0 * * * *", timezone="UTC")
    world.add_task(command("own", misfire="run_once"), cron="0 * * * *", timezone="UTC")
    world.run_until("2026-06-01T02:59:00+00:00")

    world.crash(down="10m")
    world.run_for(minutes=1)

    assert skipped(world) == [("misfire", 1)]
    assert len(world.runs("own")) == len(world.runs("job")) + 1 == 4


def test_apscheduler_1083_an_outage_of_the_store_during_a_job_ends_with_the_outage(
    bench: Bench,
) -> None:
    bench.add(entry(seconds=60))
    claim = bench.start()
    bench.end(claim)
    for number in range(6):
        bench.store.fails = "after" if number % 2 else "before"
        with pytest.raises(StoreUnavailableError):
            bench.tick(after=10)
        bench.engine.look_again()

    bench.tick(after=1)

    assert bench.runs() == ["succeeded", "waiting"]
    assert bench.rows("SELECT run_count FROM progress") == [(1,)]
    bench.end(bench.start())
    bench.tick()
    assert bench.runs() == ["succeeded", "succeeded"]


def test_huey_281_an_error_in_the_schedulers_own_thread_does_not_end_it(
    facade: Facade, monkeypatch: pytest.MonkeyPatch
) -> None:
    scheduler = facade.running(storage=":memory:")
    scheduler.add_task(FunctionTask("t", func=nothing), every=0.05)
    ran(scheduler, "t")
    holding = scheduler._runtime.holding
    assert holding is not None
    engine = holding.engine
    whole, failures = engine.tick, [1, 2]

    def broken() -> int | None:
        if failures:
            failures.pop()
            raise ZeroDivisionError("a bug of ours")
        return whole()

    monkeypatch.setattr(engine, "tick", broken)
    eventually("the status shows it", lambda: store_error(scheduler) is not None or not failures)
    eventually("it recovers", lambda: not failures and store_error(scheduler) is None)

    ran(scheduler, "t", scheduler.get_task_status("t")["run_count"] + 2)


def store_error(scheduler: TaskScheduler) -> str | None:
    """Return what the status tells of the ledger."""
    error: str | None = scheduler.get_task_status()["scheduler"]["store_error"]
    return error


def test_celery_7290_the_next_look_is_no_later_than_what_is_due_next(bench: Bench) -> None:
    bench.add(entry("hourly", seconds=HOUR))
    bench.end(bench.start())
    wake = bench.tick(after=1)
    assert wake is not None
    assert wake > bench.clock.wall + 3_000 * SECOND

    bench.add(entry("soon", rules=[{"type": "once", "run_at": "2027-01-15T08:00:14+00:00"}]))

    soon = bench.tick()
    assert soon is not None
    assert T0 + 13 * SECOND <= soon <= T0 + 14 * SECOND
    bench.clock.wall = soon
    bench.tick()
    assert [claim.task_id for claim in bench.hands.gate.values()] == ["soon"]


def test_celery_824_a_day_of_every_minute_under_load_has_no_hole() -> None:
    world = VirtualScheduler({"scheduler": {"max_workers": 2}}, start=START)
    world.add_task(command(), cron="* * * * *", timezone="UTC")
    world.add_task(command("slow", timeout=None), every="7m")
    world.script("job", duration=lambda run: (run.number * 7) % 50)
    world.script("slow", duration=lambda run: 200 + (run.number * 31) % 180)

    world.run_for(days=1)

    minutes = planned(world)
    assert minutes == [minutes[0] + timedelta(minutes=n) for n in range(1_441)]
    assert gaps(began(world)) == {60}


def test_celery_4777_a_ledger_cut_off_at_any_byte_opens_with_all_that_was_committed_before(
    tmp_path: Path,
) -> None:
    path = tmp_path / "scheduler.db"
    store = SqliteStore(path)
    sizes = []
    for number in range(12):
        with store.transaction():
            put(store, f"task-{number:02}")
        sizes.append(store.log_bytes)
    log = (tmp_path / "scheduler.db-wal").read_bytes()
    for cut in range(0, len(log), 5_999):
        folder = tmp_path / f"cut-{cut}"
        folder.mkdir()
        shutil.copy(path, folder / "scheduler.db")
        (folder / "scheduler.db-wal").write_bytes(log[:cut])

        again = SqliteStore(folder / "scheduler.db")

        whole = [f"task-{n:02}" for n, size in enumerate(sizes) if size <= cut]
        assert ids(again) == whole, cut
        again.close()
    store.close()


def test_redbeat_291_a_store_that_was_taken_away_is_told_and_never_taken_for_an_empty_one(
    tmp_path: Path,
) -> None:
    path = tmp_path / "scheduler.db"
    store = SqliteStore(path)
    with store.transaction():
        put(store, "pump")
    path.rename(tmp_path / "elsewhere")

    with pytest.raises(StoreUnavailableError), store.transaction():
        put(store, "lost")
    (tmp_path / "elsewhere").rename(path)

    with store.transaction():
        put(store, "feeder")
    assert ids(store) == ["feeder", "pump"]
    store.close()


@pytest.mark.parametrize("where", ["before", "after"])
def test_hermes_agent_108945_a_crash_between_planning_and_starting_loses_no_slot(
    bench: Bench, where: str
) -> None:
    bench.add(entry(seconds=60))
    bench.end(bench.start())
    bench.tick()
    for _ in range(3):
        bench.clock.wall += 60 * SECOND
        bench.store.fails = where
        with pytest.raises(StoreUnavailableError):
            bench.engine.tick()

        next_process(bench, after=timedelta(seconds=1))

        bench.end(bench.start())
        bench.tick()

    assert bench.runs("state, attempt") == [("succeeded", 1)] * 4
    assert bench.runs("scheduled_at") == [T0 + n * 60 * SECOND for n in range(4)]
    assert bench.skips() == []


def test_dkron_998_a_lock_that_was_given_back_is_free_for_every_process(tmp_path: Path) -> None:
    lock = EngineLock(tmp_path / "lock")
    assert lock.acquire()
    lock.release()

    with child(HOLDER, tmp_path / "lock") as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "True\n"
        other.kill()


def test_dkron_998_the_next_holder_goes_on_with_every_schedule(facade: Facade) -> None:
    first, second = facade.running(), facade.scheduler()
    for scheduler in (first, second):
        scheduler.add_task(FunctionTask("t", func=nothing), every=0.1)
    second.start()
    ran(first, "t")
    assert second.get_task_status()["scheduler"]["state"] == "standby"

    first.stop()

    eventually("it holds", lambda: second.get_task_status()["scheduler"]["state"] == "running")
    count = second.get_task_status("t")["run_count"]
    ran(second, "t", count + 2)


@pytest.mark.parametrize("power_cut", [False, True])
def test_mesos_chronos_219_a_restart_loses_no_job_and_needs_no_hand(power_cut: bool) -> None:
    world = VirtualScheduler(start=START)
    for number in range(50):
        world.add_task(command(f"job_{number}"), every=f"{10 + number}m")
    world.run_for(hours=1)
    before = {
        task_id: row["run_count"] for task_id, row in world.get_task_status()["tasks"].items()
    }

    world.crash(down="5m", power_cut=power_cut)
    world.run_for(hours=2)

    after = {task_id: row["run_count"] for task_id, row in world.get_task_status()["tasks"].items()}
    assert after.keys() == before.keys()
    assert all(after[task_id] > before[task_id] for task_id in before)


def test_mesos_chronos_219_what_waits_is_planned_by_the_next_process_without_being_asked(
    bench: Bench,
) -> None:
    bench.add(entry())
    bench.end(bench.start())
    bench.tick()

    next_process(bench)
    bench.tick(after=10)

    assert bench.start().scheduled_at == T0 + 10 * SECOND


def test_xxl_job_2302_a_lock_of_another_program_is_waited_out_and_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "_BUSY_SECONDS", 0.02)
    path = tmp_path / "scheduler.db"
    store = SqliteStore(path)
    foreign = sqlite3.connect(path, isolation_level=None)
    foreign.execute("BEGIN IMMEDIATE")
    for _ in range(3):
        with pytest.raises(StoreUnavailableError, match="locked"), store.transaction():
            put(store, "pump")
    foreign.execute("ROLLBACK")
    foreign.close()

    with store.transaction():
        put(store, "pump")

    assert ids(store) == ["pump"]
    store.close()


def test_rundeck_3118_the_next_process_takes_over_what_it_has_the_code_of(bench: Bench) -> None:
    bound = entry("bound")
    object.__setattr__(bound, "is_code_bound", True)
    bench.add(entry(), bound)
    for run_id in list(bench.hands.gate):
        bench.end(bench.start(run_id))
    bench.tick()

    next_process(bench)
    bench.tick(after=10)
    assert [claim.task_id for claim in bench.hands.gate.values()] == ["pump"]
    assert bench.rows("SELECT is_resolved FROM progress WHERE task_id = 'bound'") == [(0,)]

    bench.add(bound)
    bench.tick(after=1)

    assert {claim.task_id for claim in bench.hands.gate.values()} == {"bound", "pump"}


def test_airflow_13685_a_run_that_is_there_already_neither_stops_its_task_nor_the_others(
    bench: Bench,
) -> None:
    bench.add(entry(), entry("lamp"))
    for run_id in list(bench.hands.gate):
        bench.end(bench.start(run_id))
    bench.tick()
    due = T0 + 10 * SECOND
    ghost = [
        99,
        "pump",
        str(due),
        "schedule",
        "succeeded",
        due,
        due,
        *(None, 0, "thread"),
        *[None] * 3,
    ]
    bench.ledger.execute("insert_runs", rows=[ghost])
    bench.engine._run_id = 99

    bench.tick(after=10)
    assert [claim.task_id for claim in bench.hands.gate.values()] == ["lamp"]
    bench.tick(after=10)

    assert "pump" in {claim.task_id for claim in bench.hands.gate.values()}
    assert bench.runs("scheduled_at").count(due) == 1


def test_django_celery_beat_717_a_yearly_task_comes_however_often_the_program_restarts() -> None:
    world = VirtualScheduler(start="2026-02-01T00:00:00+00:00")
    world.add_task(command(), cron="0 6 1 1 *", timezone="UTC")

    for _ in range(110):
        world.run_for(days=10)
        world.crash(down="1m")

    assert [one.year for one in began(world)] == [2027, 2028, 2029]


@pytest.mark.parametrize(
    ("policies", "runs", "skips"),
    [
        ({}, 1, [("coalesced", 4)]),
        ({"misfire": "run_all"}, 5, []),
        ({"misfire": "run_all", "catch_up_limit": 2}, 2, [("catch_up_limit", 3)]),
        ({"misfire": "run_all", "catch_up_window_seconds": 3.5 * HOUR}, 4, [("catch_up_limit", 1)]),
        ({"misfire": "skip"}, 0, [("misfire", 5)]),
    ],
)
def test_cronicle_263_how_much_is_caught_up_is_a_choice_of_each_task(
    policies: dict[str, Any], runs: int, skips: list[tuple[str, int]]
) -> None:
    world = VirtualScheduler(start="2026-06-01T00:30:00+00:00")
    world.add_task(command(**policies), cron="0 * * * *", timezone="UTC")

    world.crash(down="5h")
    world.run_for(minutes=10)

    assert (len(world.runs("job")), skipped(world)) == (runs, skips)
    assert planned(world) == sorted(planned(world)), "the oldest first"


def test_procrastinate_1564_a_stop_that_comes_while_it_starts_is_heard(facade: Facade) -> None:
    for _ in range(10):
        scheduler = facade.scheduler(storage=":memory:")

        def start(scheduler: TaskScheduler = scheduler) -> None:
            # Who is stopped while he starts is told so.
            with contextlib.suppress(SchedulerStoppedError):
                scheduler.start()

        starting = threading.Thread(target=start)
        starting.start()
        scheduler.stop(1)
        starting.join(10)
        assert not starting.is_alive()
        # The stop may have come before the start, and done nothing: then this one ends it.
        scheduler.stop(1)
        assert scheduler.get_task_status()["scheduler"]["state"] == "stopped"
    closed = Dispatcher(Clock(), 1, lambda claim: None)
    closed.close()
    assert closed.take() is None, "a worker that comes after the end is sent home"


def test_procrastinate_1564_a_start_that_a_stop_overtakes_ends_with_the_reason(
    facade: Facade, monkeypatch: pytest.MonkeyPatch
) -> None:
    scheduler = facade.scheduler(storage=":memory:")
    runtime = scheduler._runtime
    stopping = threading.Thread(target=scheduler.stop, args=(0,), daemon=True)

    def activate(holding: object) -> None:
        # It is about to become the scheduler: the stop comes first.
        stopping.start()
        eventually("the stop is asked for", lambda: runtime._stop_deadline is not None)

    monkeypatch.setattr(runtime, "_activate", activate)
    errors: list[BaseException] = []

    def start() -> None:
        try:
            scheduler.start()
        except SchedulerStoppedError as error:
            errors.append(error)

    starting = threading.Thread(target=start, daemon=True)
    starting.start()
    starting.join(10)

    assert not starting.is_alive(), "it waits for ever"
    assert len(errors) == 1
    stopping.join(10)
    assert not stopping.is_alive()


def test_apscheduler_3_3_log_an_error_of_the_store_does_not_end_the_loop(
    facade: Facade, monkeypatch: pytest.MonkeyPatch
) -> None:
    scheduler = facade.running(storage=":memory:")
    scheduler.add_task(FunctionTask("t", func=nothing), every=0.05)
    ran(scheduler, "t")
    holding = scheduler._runtime.holding
    assert holding is not None
    store = holding.store
    whole, failures = store.transaction, ["locked", "full"]

    def failing() -> object:
        if failures:
            raise StoreUnavailableError(f"errors.store_{failures.pop()}", path="here")
        return whole()

    monkeypatch.setattr(store, "transaction", failing)
    eventually("it failed", lambda: not failures)

    ran(scheduler, "t", scheduler.get_task_status("t")["run_count"] + 2)
    assert store_error(scheduler) is None
