"""Rules end to end: those that come to an end, those of the boot, jitter."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from task_scheduler import FunctionTask
from tests.integration.facade import work
from tests.integration.facade.bench import Bench, eventually


@pytest.mark.parametrize("how", ["max_runs", "end_at"])
def test_a_task_whose_rule_has_come_to_its_end_is_finished(bench: Bench, how: str) -> None:
    scheduler = bench.running()
    bound: dict[str, Any] = {"max_runs": 3}
    if how == "end_at":
        bound = {"end_at": datetime.now(UTC) + timedelta(seconds=0.4)}
    scheduler.add_task(FunctionTask("t", func=bool, args=(1,)), every=0.1, **bound)

    eventually("is finished", lambda: scheduler.get_task_status("t")["status"] == "finished")

    status = scheduler.get_task_status("t")
    assert status["next_run_time"] is None
    assert status["run_count"] + status["skip_count"] == 3 or how == "end_at"


def test_a_task_of_the_boot_runs_once_however_often_the_scheduler_starts(bench: Bench) -> None:
    scheduler = bench.scheduler()
    scheduler.add_task(FunctionTask("t", func=work.rest), cron="@reboot")
    assert scheduler.get_task_status("t")["status"] == "idle"

    scheduler.start()
    eventually("it ran", lambda: scheduler.get_task_status("t")["run_count"] == 1)
    scheduler.stop()
    again = bench.running()
    again.add_task(FunctionTask("other", func=bool, args=(1,)), every=0.05)
    eventually("others run", lambda: again.get_task_status("other")["run_count"] >= 3)

    assert [run["key"].partition(":")[0] for run in again.view.runs("t")] == ["boot"]
    assert again.get_task_status("t")["status"] == "idle"


def test_jitter_is_seen_in_when_a_run_is_due(bench: Bench) -> None:
    scheduler = bench.running()
    scheduler.add_task(FunctionTask("t", func=bool, args=(1,)), every=0.2, jitter_seconds=0.1)

    eventually("it ran", lambda: scheduler.get_task_status("t")["run_count"] >= 4)

    runs = scheduler.view.runs("t", state="succeeded")
    delays = [
        datetime.fromisoformat(run["due_at"]) - datetime.fromisoformat(run["scheduled_at"])
        for run in runs
    ]
    assert all(timedelta(0) <= delay <= timedelta(seconds=0.1) for delay in delays)
    assert len(set(delays)) > 1
