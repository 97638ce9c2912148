"""What people do by hand, through a scheduler that runs in another process."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.shell import Shell, until

PYTHON = sys.executable


CONFIG = {
    "logging": {"console": False},
    "storage": {"retention_runs": 2},
    "scheduler": {"stop_timeout_seconds": 3},
}


class Farm(Shell):
    """A folder in which commands are typed, while a scheduler runs it."""

    def ended(self, task_id: str, count: int = 1) -> list[dict[str, Any]]:
        """Wait until a task has so many runs that are over."""
        return until(
            lambda: (
                (runs := self.json("runs", task_id, "-n", "100")["runs"])
                and len(runs) >= count
                and all(run["state"] not in ("waiting", "running") for run in runs)
                and runs
            )
        )


@pytest.fixture
def farm(tmp_path: Path) -> Iterator[Farm]:
    made = Farm(tmp_path, CONFIG)
    with made.scheduler():
        yield made


def test_a_task_is_declared_changed_and_run_again_without_a_restart(farm: Farm) -> None:
    added = farm.tsk("add", "hello", "--every", "1h", "--retries", "0", "--", "sh", "-c", "exit 3")
    assert added.returncode == 0, added.stderr
    assert "every hour" in added.stderr
    (first,) = farm.ended("hello")
    assert first["state"] == "failed"

    edited = farm.tsk("edit", "hello", "--", "sh", "-c", "echo mended")
    assert edited.returncode == 0, edited.stderr
    again = farm.tsk("retry", "hello", "--watch")

    assert again.returncode == 0, again.stderr
    assert again.stdout == "mended\n"
    new, old = farm.ended("hello", 2)
    assert (new["retry_of"], new["state"]) == (old["run_id"], "succeeded")
    actions = [change["action"] for change in farm.json("audit")["changes"]]
    assert actions == ["run", "edit", "add"]


def test_a_disabled_task_stays_so_through_a_restart(farm: Farm) -> None:
    assert farm.tsk("add", "tick", "--every", "1s", "true").returncode == 0
    assert farm.tsk("disable", "tick").returncode == 0
    assert farm.tsk("down").returncode == 0

    with (farm.folder / "up2.txt").open("w") as log:
        process = farm.start("up", stdout=log, stderr=log)
    try:
        until(lambda: farm.tsk("status").returncode != 4)
        assert farm.json("show", "tick")["task"]["status"] == "paused"
        assert farm.tsk("enable", "tick").returncode == 0
        count = farm.json("show", "tick")["task"]["run_count"]
        until(lambda: farm.json("show", "tick")["task"]["run_count"] > count)
    finally:
        process.terminate()
        assert process.wait(30) == 0


def test_old_runs_go_at_once_while_the_scheduler_runs(farm: Farm) -> None:
    assert farm.tsk("add", "busy", "--timeout", "20s", "sh", "--", "-c", "echo on").returncode == 0
    for _ in range(5):
        assert farm.tsk("run", "busy", "--wait").returncode == 0

    collected = farm.json("gc", "--vacuum")

    assert (collected["runs"], collected["folders"], collected["is_vacuumed"]) == (3, 3, True)
    assert collected["free"] == 0
    assert [run["run_id"] for run in farm.json("runs")["runs"]] == [5, 4]
    assert sorted(p.name.split("-")[0] for p in farm.folder.glob(".scheduler/*.runs/*-*")) == [
        "4",
        "5",
    ]
    assert farm.tsk("run", "busy", "--wait").returncode == 0
