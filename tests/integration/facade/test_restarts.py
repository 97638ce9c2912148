"""After a stop and a start: what the ledger remembers, and what needs its code back."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from task_scheduler import (
    CommandTask,
    DefinitionError,
    FunctionTask,
    ScheduleRule,
    ScheduleType,
    TaskScheduler,
)
from task_scheduler.stores.statements import migrations
from tests.integration.facade import work
from tests.integration.facade.bench import Bench, eventually, ran, settled


def nothing() -> None:
    """Succeed."""


@contextlib.contextmanager
def moved_back(bench: Bench, seconds: float) -> Iterator[None]:
    """Let a stopped scheduler find its ledger as if it had been stopped for so long."""
    by = round(seconds * 1_000_000)
    with contextlib.closing(sqlite3.connect(bench.database, isolation_level=None)) as ledger:
        ledger.execute(
            "UPDATE progress SET next_due_at = next_due_at - ?, plan_at = plan_at - ?,"
            " cursor = cursor - ?, anchor = anchor - ?",
            (by, by, by, by),
        )
    yield


def test_history_and_schedule_survive(bench: Bench) -> None:
    first = bench.running()
    first.add_task(CommandTask("c", command=["true"]), every=3600)
    before = ran(first, "c")
    first.stop()

    second = bench.running()

    after = second.get_task_status("c")
    assert after == before
    assert settled(second, second.run_task("c"))["state"] == "succeeded"


def test_a_closure_waits_unresolved_until_it_is_added_again(bench: Bench) -> None:
    first = bench.running()
    first.add_task(FunctionTask("closure", func=lambda: None), every=0.1)
    before = ran(first, "closure")
    first.stop()

    second = bench.running()
    neighbour = FunctionTask("neighbour", func=nothing)
    second.add_task(neighbour, every=0.1)
    ran(second, "neighbour", 4)
    status = second.get_task_status("closure")
    assert status["status"] == "unresolved"
    assert status["run_count"] <= before["run_count"] + 1
    with pytest.raises(DefinitionError, match=r"closure.*add_task"):
        second.run_task("closure")

    second.add_task(FunctionTask("closure", func=lambda: None), every=0.1)

    assert ran(second, "closure", before["run_count"] + 2)["status"] in ("idle", "running")


def test_an_importable_function_fires_by_itself(bench: Bench) -> None:
    notes = bench.folder / "notes"
    first = bench.running()
    first.add_task(FunctionTask("noted", func=work.note, args=(str(notes),)), every=0.2)
    ran(first, "noted")
    first.stop()
    notes.unlink()

    bench.running()

    eventually("it fires", notes.exists)


def test_a_function_that_cannot_be_imported_any_more_is_unresolved_and_the_rest_runs(
    bench: Bench, monkeypatch
) -> None:
    module = bench.script("def work(): pass", "pond_work.py")
    monkeypatch.syspath_prepend(bench.folder)
    first = bench.running()
    first.add_task(FunctionTask("gone", func="pond_work:work"), every=0.1)
    ran(first, "gone")
    first.stop()
    module.unlink()
    monkeypatch.delitem(__import__("sys").modules, "pond_work")

    second = bench.running()
    second.add_task(FunctionTask("neighbour", func=nothing), every=0.1)

    ran(second, "neighbour", 3)
    assert second.get_task_status("gone")["status"] == "unresolved"


def test_after_a_gap_one_run_makes_up_for_all_and_the_rest_is_one_skip(bench: Bench) -> None:
    first = bench.running()
    first.add_task(CommandTask("c", command=["true"]), every=10)
    ran(first, "c")
    first.stop()

    with moved_back(bench, 3605):
        second = bench.running()

    status = ran(second, "c", 2)
    (skip,) = second.view.skips("c")
    assert skip["reason"] == "coalesced"
    assert 355 <= skip["count"] <= 361
    assert status["skip_count"] == skip["count"]
    assert "one run makes up for all that were missed" in bench.log()


def test_after_a_gap_a_misfire_policy_of_skip_runs_nothing_of_it(bench: Bench) -> None:
    first = bench.running()
    task = CommandTask("c", command=["true"], misfire="skip", misfire_grace_seconds=1)
    first.add_task(task, every=1800)
    ran(first, "c")
    first.stop()

    with moved_back(bench, 5000):
        second = bench.running()

    (skip,) = eventually("the skip is there", lambda: second.view.skips("c"))
    assert (skip["reason"], skip["count"]) == ("misfire", 2)
    assert second.get_task_status("c")["run_count"] == 1


def test_after_a_gap_run_all_runs_every_missed_one_in_order(bench: Bench) -> None:
    first = bench.running()
    task = CommandTask("c", command=["true"], misfire="run_all")
    first.add_task(task, every=600)
    ran(first, "c")
    first.stop()

    with moved_back(bench, 3050):
        second = bench.running()

    ran(second, "c", 6)
    runs = second.view.runs("c")
    assert [run["state"] for run in runs] == ["succeeded"] * len(runs)
    moments = [run["scheduled_at"] for run in runs[:-1]]
    assert moments == sorted(set(moments), reverse=True)
    assert second.view.skips("c") == []


def test_a_request_that_was_acknowledged_survives_the_stop(bench: Bench) -> None:
    first = bench.scheduler()
    first.add_task(CommandTask("c", command=["true"]))
    run_id = first.run_task("c", request_id="r1")
    first.stop()

    second = bench.running()

    assert settled(second, run_id)["state"] == "succeeded"
    assert second.run_task("c", request_id="r1") == run_id


def test_a_rule_of_ones_own_goes_on_where_it_was(bench: Bench) -> None:
    class Tide(ScheduleRule):
        def __init__(self) -> None:
            super().__init__(ScheduleType.CRON, cron="* * * * *", timezone="UTC")

        def get_next_run_time(self, last_run: datetime | None = None) -> datetime | None:
            asked.append(last_run)
            return datetime(2026, 1, 1, tzinfo=UTC) if last_run is None else None

    asked: list[datetime | None] = []
    first = bench.running()
    first.add_task(FunctionTask("tide", func=nothing), Tide())
    ran(first, "tide")
    first.stop()

    second = bench.running()
    second.add_task(FunctionTask("tide", func=nothing), Tide())

    status = second.get_task_status("tide")
    assert (status["run_count"], status["status"]) == (1, "finished")
    assert asked.count(None) == 1


def test_the_tasks_of_the_configuration_follow_the_file(bench: Bench) -> None:
    config = bench.folder / "scheduler_config.json"
    entry = '{"type": "command", "command": ["true"], "every": "1h"}'
    storage = f'"storage": {{"path": "{bench.database}"}}, "logging": {{"console": false}}'
    config.write_text(f'{{{storage}, "entries": {{"a": {entry}, "b": {entry}}}}}')
    first = TaskScheduler(config, language="en")
    with first:
        first.add_task(CommandTask("mine", command=["true"]), every=3600)
        ran(first, "a")
        assert set(first.get_task_status()["tasks"]) == {"a", "b", "mine"}

    config.write_text(f'{{{storage}, "entries": {{"a": {entry}}}}}')
    with TaskScheduler(config, language="en") as second:
        assert set(second.get_task_status()["tasks"]) == {"a", "mine"}
        assert second.get_task_status("a")["run_count"] == 1


@pytest.mark.parametrize("by", ["days", "runs"])
def test_old_runs_go_and_the_last_failure_stays(bench: Bench, by: str) -> None:
    first = bench.running()
    answers = iter([True, False, *[True] * 20])
    first.add_task(FunctionTask("t", func=lambda: next(answers)))
    runs = [settled(first, first.run_task("t"))["run_id"] for _ in range(8)]
    first.stop()
    storage: dict[str, object] = {"path": str(bench.database)}
    if by == "days":
        storage["retention_days"] = 1
        with contextlib.closing(sqlite3.connect(bench.database, isolation_level=None)) as ledger:
            ledger.execute("UPDATE runs SET ended_at = ended_at - 2 * 86400000000")
            ledger.execute("UPDATE runs SET started_at = started_at - 2 * 86400000000")
            ledger.execute("UPDATE runs SET due_at = due_at - 2 * 86400000000")
        kept = {runs[1]}
    else:
        storage["retention_runs"] = 3
        kept = {runs[1], *runs[-3:]}

    second = bench.running(storage=storage)

    eventually("old runs are gone", lambda: {r["run_id"] for r in second.view.runs("t")} == kept)
    assert second.get_task_status("t")["run_count"] == 8, "the counts are of all that ever ran"


def test_outputs_go_with_their_runs(bench: Bench) -> None:
    first = bench.running()
    first.add_task(CommandTask("c", command=["echo", "hello"]))
    outputs = []
    for _ in range(3):
        run = settled(first, first.run_task("c"))
        outputs.append(Path(run["attempts"][0]["output_path"]))
    assert all(path.read_text() == "hello\n" for path in outputs)
    first.stop()

    bench.running(storage={"path": str(bench.database), "retention_runs": 1})

    eventually(
        "old outputs are gone", lambda: [p.exists() for p in outputs] == [False, False, True]
    )


def test_nothing_is_early(bench: Bench) -> None:
    started: list[float] = []
    scheduler = bench.running()
    at = time.time() + 0.4

    scheduler.add_task(
        FunctionTask("t", func=lambda: started.append(time.time())),
        at=datetime.fromtimestamp(at, UTC),
    )

    ran(scheduler, "t")
    assert 0 <= started[0] - at < 0.5


def test_a_ledger_of_an_older_release_is_brought_up_to_date_by_a_start(tmp_path: Path) -> None:
    path = tmp_path / "scheduler.db"
    first = migrations()[0]
    connection = sqlite3.connect(path)
    connection.executescript(f"{first[1]}\nPRAGMA user_version = {first[0]};")
    connection.close()

    with TaskScheduler({}, storage=str(path), logging={"log_dir": str(tmp_path)}) as scheduler:
        scheduler.add_task(FunctionTask("beat", "Beat", lambda: True), every=60)
        eventually("it runs", lambda: scheduler.get_task_status("beat")["run_count"] == 1)
