"""What `get_task_status` tells: the keys, their words, and that all of it is JSON."""

from __future__ import annotations

import json
import threading
from datetime import datetime, timedelta

from task_scheduler import FunctionTask
from tests.integration.facade.bench import Bench, eventually, ran

KEYS = {
    "status",
    "run_count",
    "success_count",
    "failure_count",
    "success_rate",
    "last_run_time",
    "next_run_time",
    "last_error",
    "last_duration_seconds",
    "average_duration_seconds",
    "max_duration_seconds",
    "p95_duration_seconds",
}


def nothing() -> None:
    """Succeed."""


def test_a_task_that_never_ran_has_every_key_and_no_rate(bench: Bench) -> None:
    scheduler = bench.scheduler()
    scheduler.add_task(FunctionTask("t", "采集", func=nothing, description="五分钟"), every="5m")

    status = scheduler.get_task_status("t")

    assert status.keys() >= KEYS
    assert (status["task_id"], status["name"], status["description"]) == ("t", "采集", "五分钟")
    assert (status["status"], status["run_count"], status["success_rate"]) == ("idle", 0, None)
    assert status["last_run_time"] is None
    assert datetime.fromisoformat(status["next_run_time"]).utcoffset() is not None


def test_counts_rate_and_durations_follow_the_runs(bench: Bench) -> None:
    scheduler = bench.running()
    answers = iter([True, False, True, True])
    scheduler.add_task(FunctionTask("t", func=lambda: next(answers)), every=0.05)

    status = ran(scheduler, "t", 4)
    scheduler.pause_task("t")

    assert status["failure_count"] >= 1
    assert status["success_rate"] == status["success_count"] / status["run_count"]
    durations = [status[f"{which}_duration_seconds"] for which in ("average", "p95", "max")]
    assert all(0 <= value < 1 for value in durations)
    assert max(durations) == durations[2]


def test_everything_of_every_task_can_be_written_as_json(bench: Bench) -> None:
    scheduler = bench.running()
    scheduler.add_task(FunctionTask("bound", func=lambda: False), every=0.1)
    scheduler.task("cron", cron="0 3 * * *", timezone="Asia/Tokyo")(nothing)
    ran(scheduler, "bound")

    status = scheduler.get_task_status()

    text = json.dumps(status, allow_nan=False, ensure_ascii=False)
    assert json.loads(text) == status
    assert status["total_tasks"] == 2
    assert status["running_tasks"] == 0
    assert status["scheduler"]["state"] == "running"
    assert status["scheduler"]["store_error"] is None


def test_a_task_is_running_paused_finished_and_idle_in_its_time(bench: Bench) -> None:
    scheduler = bench.running()
    go_on = threading.Event()

    def status() -> str:
        word: str = scheduler.get_task_status("t")["status"]
        return word

    scheduler.add_task(
        FunctionTask("t", func=lambda: go_on.wait(10)), at=datetime.now() + timedelta(seconds=0.1)
    )
    assert status() == "idle"
    eventually("it runs", lambda: status() == "running")
    assert scheduler.get_task_status()["running_tasks"] == 1
    go_on.set()
    eventually("it is over", lambda: status() == "finished")
    scheduler.add_task(FunctionTask("t", func=nothing), every=3600)
    eventually("it has a time again", lambda: status() == "idle")
    scheduler.pause_task("t", "the pond is empty")
    assert status() == "paused"
    assert scheduler.get_task_status("t")["pause_reason"] == "the pond is empty"
    assert scheduler.get_task_status("t")["next_run_time"] is None
    scheduler.resume_task("t")
    assert status() == "idle"


def test_the_last_error_stays_until_the_next_failure(bench: Bench) -> None:
    scheduler = bench.running()
    outcomes = [ValueError("pH 15"), None]

    def measure() -> None:
        outcome = outcomes.pop(0)
        if outcome is not None:
            raise outcome

    scheduler.add_task(FunctionTask("t", func=measure))
    scheduler.run_task("t")
    assert "ValueError: pH 15" in ran(scheduler, "t", 1)["last_error"]
    scheduler.run_task("t")
    status = ran(scheduler, "t", 2)
    assert (status["success_count"], status["failure_count"]) == (1, 1)
    assert "pH 15" in status["last_error"]


def test_the_status_reads_before_anything_was_written(bench: Bench) -> None:
    scheduler = bench.scheduler()

    status = scheduler.get_task_status()

    assert (status["total_tasks"], status["tasks"]) == (0, {})
    assert not bench.state.exists(), "making a scheduler writes nothing"


def test_resources_are_shown_only_while_monitoring_is_on(bench: Bench) -> None:
    on = bench.running()
    assert on.get_task_status()["scheduler"]["resources"]
    assert b"task_scheduler_" in on.metrics()
    on.stop()

    off = bench.running(enable_monitoring=False)

    assert "resources" not in off.get_task_status()["scheduler"]
    assert off.metrics() == b""
