"""Changing what is scheduled: add, edit, pause, resume, remove, run and cancel."""

from __future__ import annotations

import os
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from task_scheduler import (
    BaseTask,
    DefinitionError,
    FunctionTask,
    ScheduleError,
    ScheduleRule,
    ScheduleType,
    ScriptTask,
    TaskNotFoundError,
    current_run,
)
from tests.integration.facade import work
from tests.integration.facade.bench import Bench, eventually, is_alive, ran, settled

HOURLY = ScheduleRule(ScheduleType.INTERVAL, seconds=3600)


def nothing() -> None:
    """Succeed."""


def test_an_edit_keeps_history_and_place_in_time(bench: Bench) -> None:
    scheduler = bench.running()
    scheduler.add_task(FunctionTask("t", "old", func=nothing), every=3600)
    before = ran(scheduler, "t")

    scheduler.add_task(FunctionTask("t", "new", func=nothing, max_retries=7), every=3600)

    after = scheduler.get_task_status("t")
    assert (after["name"], after["policies"]["max_retries"]) == ("new", 7)
    assert after["run_count"] == 1
    assert after["next_run_time"] == before["next_run_time"]
    assert after["added_at"] == before["added_at"]
    assert [run["state"] for run in scheduler.view.runs("t")] == ["succeeded"]


def test_the_next_run_after_an_edit_runs_the_new_code(bench: Bench) -> None:
    scheduler = bench.running()
    seen: list[str] = []
    scheduler.add_task(FunctionTask("t", func=seen.append, args=("old",)), every=0.1)
    ran(scheduler, "t", 2)

    scheduler.add_task(FunctionTask("t", func=seen.append, args=("new",)), every=0.1)
    count = len(seen)

    eventually("the new one runs", lambda: len(seen) > count + 2)
    assert set(seen[count + 1 :]) == {"new"}


def test_a_refused_edit_leaves_rule_and_code_as_they_were(bench: Bench) -> None:
    scheduler = bench.running()
    seen: list[str] = []
    scheduler.add_task(FunctionTask("t", func=seen.append, args=("old",)), every=0.1)

    class Other(BaseTask):
        def execute(self) -> bool:
            return True

    with pytest.raises(DefinitionError):
        scheduler.add_task(Other("t"), every=1)

    count = len(seen)
    eventually("the old one goes on", lambda: len(seen) > count + 2)


def test_many_tasks_are_added_all_or_none(bench: Bench) -> None:
    scheduler = bench.running()
    scheduler.add_task(FunctionTask("taken", func=nothing))

    class Other(BaseTask):
        def execute(self) -> bool:
            return True

    with pytest.raises(DefinitionError, match="taken"):
        scheduler.add_tasks([(FunctionTask("one", func=nothing), HOURLY), (Other("taken"), HOURLY)])
    assert set(scheduler.get_task_status()["tasks"]) == {"taken"}

    scheduler.add_tasks(
        [(FunctionTask("one", func=nothing), HOURLY), (FunctionTask("two", func=nothing), None)]
    )
    assert set(scheduler.get_task_status()["tasks"]) == {"one", "two", "taken"}
    ran(scheduler, "one")


def test_a_function_is_added_by_its_decorator_and_stays_a_function(bench: Bench) -> None:
    scheduler = bench.running()

    @scheduler.task(every="1h", max_retries=2, name="溶解氧")
    def oxygen() -> float:
        return 6.5

    assert oxygen() == 6.5
    status = ran(scheduler, "oxygen")
    assert (status["name"], status["policies"]["max_retries"]) == ("溶解氧", 2)


@pytest.mark.parametrize(
    "options",
    [
        {"every": 1, "cron": "* * * * *", "schedule_rule": HOURLY},
        {"every": 1, "schedule_rule": HOURLY},
        {"cron": "61 * * * *"},
        {"cron": "not cron"},
        {"at": "yesterday"},
        {"every": 1, "timezone": "Asia/Atlantis"},
        {"schedule_rule": "hourly"},
    ],
    ids=str,
)
def test_a_schedule_that_cannot_be_is_refused(bench: Bench, options: dict[str, object]) -> None:
    scheduler = bench.scheduler()

    with pytest.raises(ScheduleError):
        scheduler.add_task(FunctionTask("t", func=nothing), **options)  # type: ignore[arg-type]

    assert scheduler.get_task_status()["total_tasks"] == 0


def test_a_task_with_several_rules_runs_at_their_union(bench: Bench) -> None:
    scheduler = bench.running()
    start = datetime.now() + timedelta(seconds=0.3)
    rules = [
        ScheduleRule(ScheduleType.ONCE, run_at=start),
        ScheduleRule(ScheduleType.ONCE, run_at=start + timedelta(seconds=0.2)),
        ScheduleRule(ScheduleType.ONCE, run_at=start),
    ]

    scheduler.add_task(FunctionTask("t", func=nothing), rules)

    assert ran(scheduler, "t", 2)["status"] == "finished"
    moments = [datetime.fromisoformat(run["scheduled_at"]) for run in scheduler.view.runs("t")]
    assert moments == [rules[1].run_at.astimezone(), start.astimezone()]


def test_a_paused_task_starts_nothing_and_the_pause_is_accounted_for(bench: Bench) -> None:
    scheduler = bench.running()
    scheduler.add_task(FunctionTask("t", func=nothing), every=0.1)
    ran(scheduler, "t")

    scheduler.pause_task("t", "winter")
    count = scheduler.get_task_status("t")["run_count"]
    quiet = datetime.now() + timedelta(seconds=0.5)
    eventually("time passes", lambda: datetime.now() > quiet)
    paused = scheduler.get_task_status("t")
    assert paused["status"] == "paused"
    # One that was running when the pause came may still end.
    assert paused["run_count"] <= count + 1

    scheduler.resume_task("t")

    ran(scheduler, "t", paused["run_count"] + 2)
    skips = [skip for skip in scheduler.view.skips("t") if skip["reason"] == "paused"]
    assert sum(skip["count"] for skip in skips) >= 3


def test_a_paused_task_still_runs_on_request(bench: Bench) -> None:
    scheduler = bench.running()
    scheduler.add_task(FunctionTask("t", func=nothing), every=3600)
    ran(scheduler, "t")
    scheduler.pause_task("t")

    assert settled(scheduler, scheduler.run_task("t"))["state"] == "succeeded"


def test_a_removed_task_keeps_its_history_and_its_id_may_be_used_anew(bench: Bench) -> None:
    scheduler = bench.running()
    scheduler.add_task(FunctionTask("t", func=nothing), every=3600)
    ran(scheduler, "t")

    scheduler.remove_task("t")

    with pytest.raises(TaskNotFoundError):
        scheduler.get_task_status("t")
    assert len(scheduler.view.runs("t")) == 1

    class Other(BaseTask):
        def execute(self) -> bool:
            return True

    scheduler.add_task(Other("t"), every=3600)
    assert scheduler.get_task_status("t")["kind"] == "custom"


def test_a_request_with_the_same_id_is_the_same_run(bench: Bench) -> None:
    scheduler = bench.running()
    scheduler.add_task(FunctionTask("t", func=nothing))

    first = scheduler.run_task("t", request_id="order-66")
    settled(scheduler, first)
    again = scheduler.run_task("t", request_id="order-66")
    other = scheduler.run_task("t", request_id="order-67")

    assert again == first != other
    settled(scheduler, other)
    assert scheduler.get_task_status("t")["run_count"] == 2


def test_a_request_before_the_start_waits_in_the_ledger(bench: Bench) -> None:
    scheduler = bench.scheduler()
    scheduler.add_task(FunctionTask("t", func=nothing))

    run_id = scheduler.run_task("t")

    assert scheduler.view.run(run_id)["state"] == "waiting"
    scheduler.start()
    assert settled(scheduler, run_id)["state"] == "succeeded"


def test_a_run_reports_its_ids_to_functions_scripts_and_loggers(bench: Bench, caplog) -> None:
    scheduler = bench.running()
    seen: list[object] = []

    def look() -> None:
        run = current_run()
        run.logger.warning("the pump hums")
        run.progress(0.5, "half way")
        seen.extend([run.task_id, run.run_id, run.attempt, run.scheduled_at.tzinfo is not None])

    scheduler.add_task(FunctionTask("f", func=look))
    run_id = scheduler.run_task("f")
    settled(scheduler, run_id)
    assert seen == ["f", run_id, 1, True]
    (record,) = [r for r in caplog.records if r.getMessage() == "the pump hums"]
    assert (record.task_id, record.run_id, record.attempt) == ("f", run_id, 1)
    assert "the pump hums" in bench.log()

    notes = bench.folder / "notes"
    script = bench.script(
        f"""
        from tests.integration.facade.work import note
        note({str(notes)!r})
        """
    )
    root = str(Path(work.__file__).parents[3])
    scheduler.add_task(ScriptTask("s", script_path=script, env={"PYTHONPATH": root}))
    run_id = scheduler.run_task("s")
    run = settled(scheduler, run_id)
    assert run["state"] == "succeeded", run
    told = notes.read_text().split()
    assert told[:3] == ["s", str(run_id), "1"]
    assert datetime.fromisoformat(told[3]) == datetime.fromisoformat(run["scheduled_at"])


def test_cancelling_a_script_ends_its_tree(bench: Bench) -> None:
    scheduler = bench.running()
    pids = bench.folder / "pids"
    script = bench.script(
        f"""
        import os, subprocess, time
        child = subprocess.Popen(["sleep", "600"])
        with open({str(pids)!r} + ".new", "w") as file:
            file.write(f"{{os.getpid()}} {{child.pid}}")
        os.rename({str(pids)!r} + ".new", {str(pids)!r})
        time.sleep(600)
        """
    )
    scheduler.add_task(ScriptTask("s", script_path=script))
    run_id = scheduler.run_task("s")
    eventually("it runs", pids.exists)

    assert scheduler.cancel_run(run_id, "wrong pond") is True

    run = settled(scheduler, run_id)
    assert (run["state"], run["error"]) == ("cancelled", "wrong pond")
    assert not any(is_alive(int(pid)) for pid in pids.read_text().split())
    assert scheduler.cancel_run(run_id) is False


def test_cancelling_a_function_asks_it_to_end(bench: Bench) -> None:
    scheduler = bench.running()
    begun = threading.Event()

    def wait() -> bool:
        begun.set()
        return not current_run().wait_cancelled(10)

    scheduler.add_task(FunctionTask("f", func=wait))
    run_id = scheduler.run_task("f")
    assert begun.wait(10)

    assert scheduler.cancel_run(run_id) is True

    assert settled(scheduler, run_id)["state"] == "cancelled"


def test_cancelling_a_run_that_waits_takes_it_back(bench: Bench) -> None:
    scheduler = bench.scheduler()
    scheduler.add_task(FunctionTask("f", func=os.abort))
    run_id = scheduler.run_task("f")

    assert scheduler.cancel_run(run_id) is True

    assert scheduler.view.run(run_id)["state"] in ("cancelled", "skipped")
    scheduler.start()
    scheduler.add_task(FunctionTask("g", func=nothing), every=0.1)
    ran(scheduler, "g", 2)


def test_the_context_manager_starts_and_stops(bench: Bench) -> None:
    with bench.scheduler() as scheduler:
        scheduler.add_task(FunctionTask("t", func=nothing), every=3600)
        ran(scheduler, "t")
        assert scheduler.get_task_status()["scheduler"]["state"] == "running"

    assert scheduler.get_task_status()["scheduler"]["state"] == "stopped"


def test_a_scheduler_may_be_started_again(bench: Bench) -> None:
    scheduler = bench.running()
    scheduler.add_task(FunctionTask("t", func=nothing), every=0.1)
    ran(scheduler, "t")
    scheduler.stop()
    scheduler.stop()
    count = scheduler.get_task_status("t")["run_count"]

    scheduler.start()
    scheduler.start()

    ran(scheduler, "t", count + 2)


def test_a_ledger_in_memory_does_all_the_same_and_leaves_no_file(
    bench: Bench, tmp_path: Path
) -> None:
    script = bench.script("print('here')")
    scheduler = bench.running(storage=":memory:")
    scheduler.add_task(FunctionTask("f", func=nothing), every=0.1)
    scheduler.add_task(ScriptTask("s", script_path=script))

    assert settled(scheduler, scheduler.run_task("s"))["state"] == "succeeded"
    ran(scheduler, "f", 3)
    folder = scheduler.files.database.parent
    scheduler.stop()

    assert scheduler.get_task_status("f")["run_count"] >= 3
    assert not scheduler.files.database.exists()
    assert not bench.state.exists()
    assert folder != tmp_path


def test_a_pause_with_an_end_ends_by_itself(bench: Bench) -> None:
    scheduler = bench.running()
    scheduler.add_task(FunctionTask("t", func=nothing), every=0.2)
    ran(scheduler, "t")

    end = datetime.now(UTC) + timedelta(seconds=0.7)
    scheduler.pause_task("t", "a short one", until=end)
    paused = scheduler.get_task_status("t")
    assert (paused["status"], paused["pause_reason"]) == ("paused", "a short one")
    assert datetime.fromisoformat(paused["paused_until"]) == end

    before = paused["run_count"]
    ran(scheduler, "t", before + 2)
    assert scheduler.get_task_status("t")["paused_at"] is None
    skips = [skip for skip in scheduler.view.skips("t") if skip["reason"] == "paused"]
    assert all(datetime.fromisoformat(skip["last"]) < end for skip in skips)
    assert sum(skip["count"] for skip in skips) in (2, 3, 4)


@pytest.mark.parametrize("moment", ["tomorrow", "", 5, "2020-01-01"])
def test_a_pause_until_no_moment_to_come_is_refused(bench: Bench, moment: Any) -> None:
    scheduler = bench.scheduler()
    scheduler.add_task(FunctionTask("t", func=nothing), every=60)

    with pytest.raises((ScheduleError, DefinitionError)):
        scheduler.pause_task("t", until=moment)

    assert scheduler.get_task_status("t")["status"] == "idle"
