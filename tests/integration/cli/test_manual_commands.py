"""What people do by hand, through a scheduler that runs in another process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

PYTHON = sys.executable


class Farm:
    """A folder in which commands are typed, while a scheduler runs it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        config = {
            "logging": {"console": False},
            "storage": {"retention_runs": 2},
            "scheduler": {"stop_timeout_seconds": 3},
        }
        (folder / "scheduler_config.json").write_text(json.dumps(config), encoding="utf-8")
        unset = ("LC_ALL", "LC_MESSAGES", "TASK_SCHEDULER_CONFIG", "COLUMNS")
        self.environ = {n: v for n, v in os.environ.items() if n not in unset}
        self.environ |= {"LANG": "C.UTF-8", "TZ": "UTC"}

    def start(self, *arguments: str, **options: Any) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [PYTHON, "-m", "task_scheduler", *arguments],
            cwd=self.folder,
            env=self.environ,
            text=True,
            stdin=subprocess.DEVNULL,
            **options,
        )

    def tsk(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        process = self.start(*arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        out, err = process.communicate(timeout=60)
        return subprocess.CompletedProcess(arguments, process.returncode, out, err)

    def json(self, *arguments: str) -> Any:
        done = self.tsk("--json", *arguments)
        assert done.stdout, done.stderr
        return json.loads(done.stdout)

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


def until(what: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        found = what()
        if found:
            return found
        time.sleep(0.1)
    raise AssertionError("waited 30 s in vain")


@pytest.fixture
def farm(tmp_path: Path) -> Iterator[Farm]:
    made = Farm(tmp_path)
    with (tmp_path / "up.txt").open("w") as log:
        process = made.start("up", stdout=log, stderr=log)
    try:
        until(lambda: process.poll() is not None or made.tsk("status").returncode != 4)
        assert process.poll() is None, (tmp_path / "up.txt").read_text()
        yield made
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


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
