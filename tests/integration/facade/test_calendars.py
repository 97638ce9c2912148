"""Calendars that change while the scheduler runs: noticed, and never lost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from task_scheduler import FunctionTask, TaskScheduler
from tests.integration.facade.bench import eventually


@pytest.fixture
def scheduler(tmp_path: Path) -> Any:
    closed = tmp_path / "closed.json"
    closed.write_text(json.dumps({"days": []}), encoding="utf-8")
    config = {
        "calendars": {"closed": {"file": str(closed)}},
        "storage": {"path": str(tmp_path / "scheduler.db")},
        "logging": {"log_dir": str(tmp_path / "logs"), "console": False},
    }
    made = TaskScheduler(config, enable_monitoring=False)
    yield made
    made.stop(1)


def next_day(scheduler: TaskScheduler) -> str:
    moment = scheduler.get_task_status("feed")["next_run_time"]
    return str(moment)[:10]


def test_a_day_that_is_closed_while_it_runs_moves_what_was_planned(
    scheduler: TaskScheduler, tmp_path: Path
) -> None:
    scheduler.add_task(
        FunctionTask("feed", "Feed", lambda: True),
        daily="12:00",
        timezone="UTC",
        exclude=["closed"],
    )
    scheduler.start()
    planned = next_day(scheduler)

    (tmp_path / "closed.json").write_text(json.dumps({"days": [planned]}), encoding="utf-8")
    scheduler._reread_calendars()

    eventually("the day is left out", lambda: next_day(scheduler) > planned)
    assert scheduler.get_task_status("feed")["skip_count"] == 0


def test_a_calendar_that_vanishes_keeps_what_it_said_and_is_told(
    scheduler: TaskScheduler, tmp_path: Path
) -> None:
    scheduler.add_task(
        FunctionTask("feed", "Feed", lambda: True),
        daily="12:00",
        timezone="UTC",
        exclude=["closed"],
    )
    scheduler.start()
    planned = next_day(scheduler)

    (tmp_path / "closed.json").unlink()
    scheduler._reread_calendars()

    (error,) = scheduler.get_task_status()["scheduler"]["calendar_errors"]
    assert "closed.json" in error
    assert next_day(scheduler) == planned
