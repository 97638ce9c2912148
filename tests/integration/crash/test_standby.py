"""Four equal processes on one ledger: one runs, the next takes over, and nothing runs twice."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from task_scheduler import CommandTask, TaskScheduler, offers
from tests.integration.crash import census
from tests.integration.crash.lives import PATIENCE_SECONDS, Life
from tests.integration.crash.standby import Standbys

SEED = os.environ.get("CRASH_SEED", "ci")


def test_each_of_2000_runs_happens_once_though_the_holder_is_killed_twice(tmp_path: Path) -> None:
    report = Standbys(tmp_path, SEED, count=2_000, kills=2).run()

    assert not report.violations, "\n".join(report.violations[:30])
    assert (report.runs, len(report.take_overs)) == (2_000, 2)
    # Within a second where the machine is not busy; scripts/crash --standby tells how fast.
    assert max(report.take_overs) < 5
    assert report.refusal.startswith("3: ")
    assert "extra" in report.refusal
    assert "Start every process with the same program" in report.refusal


def test_who_only_adds_a_task_lets_a_standby_succeed_the_dead_holder_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(offers, "_HEIR_SECONDS", PATIENCE_SECONDS)
    options = {
        "storage": str(tmp_path / "scheduler.db"),
        "logging": {"log_dir": str(tmp_path / "logs"), "console": False},
    }
    holder = Life(
        "standby_program", [str(tmp_path), "1", "0", "0"], witness_folder=tmp_path, mark="-"
    )
    standby, adder = TaskScheduler({}, **options), TaskScheduler({}, **options)
    try:
        assert holder.wait_running(PATIENCE_SECONDS)
        standby.start()
        holder.end()
        is_added = threading.Event()

        def add() -> None:
            adder.add_task(CommandTask("c", command=["true"]))
            is_added.set()

        threading.Thread(target=add).start()

        assert is_added.wait(PATIENCE_SECONDS)
        assert standby.get_task_status()["scheduler"]["state"] == "running"
        assert adder.get_task_status()["scheduler"]["state"] == "stopped"
    finally:
        holder.process.kill()
        standby.stop()
        adder.stop()
    assert census.wait_for(lambda: standby.holder() is None, PATIENCE_SECONDS)
