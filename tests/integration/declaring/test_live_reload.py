"""`tsk up` takes up a changed file by itself and by command; a wrong one changes nothing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from task_scheduler import TaskScheduler
from tests.integration.crash import census
from tests.integration.stops.lives import PATIENCE_SECONDS, ROOT, Life

BEAT: dict[str, Any] = {"type": "command", "command": ["true"], "every": "200ms"}


class Up:
    """`tsk up` in a folder, with whoever edits its file beside it."""

    def __init__(self, folder: Path) -> None:
        (folder / "witness").mkdir()
        self.folder = folder
        self.config = folder / "scheduler_config.json"
        self.options: dict[str, Any] = {}
        self.life: Life | None = None

    def write(self, entries: dict[str, Any], path: Path | None = None) -> None:
        values = {
            "scheduler": {"language": "en", **self.options},
            "storage": {"path": "scheduler.db"},
            "logging": {"log_dir": "logs", "console": False},
            "entries": entries,
        }
        target = path or self.config
        new = target.with_name(".new")
        new.write_text(json.dumps(values))
        new.replace(target)

    def start(self) -> None:
        self.life = Life(self.folder, ["task_scheduler", "-c", str(self.config), "up"])
        assert self.life.wait_running(PATIENCE_SECONDS), self.life.errors
        self.reader = TaskScheduler(self.config)

    def send(self, number: int) -> None:
        assert self.life is not None
        self.life.send(number)

    def tsk(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "task_scheduler", "-c", str(self.config), *arguments],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(ROOT), "LANG": "en"},
            capture_output=True,
            text=True,
            check=False,
        )

    def tasks(self) -> list[str]:
        return [task["task_id"] for task in self.reader.view.tasks(with_quantiles=False)]

    def eventually(self, what: str, condition: Callable[[], object]) -> None:
        assert self.life is not None
        found = census.wait_for(lambda: bool(condition()), PATIENCE_SECONDS)
        assert found, f"{what} did not come: {self.life.errors}"

    def runs(self, task_id: str) -> int:
        return int(self.reader.get_task_status(task_id)["run_count"])


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Up]:
    made = Up(tmp_path)
    yield made
    if made.life is not None:
        made.life.send(signal.SIGTERM)
        assert made.life.wait(PATIENCE_SECONDS) == 0
        made.life.close()


def test_a_file_that_is_replaced_is_taken_up_by_itself(up: Up) -> None:
    up.write({"a": BEAT})
    up.start()

    up.write({"a": BEAT, "b": BEAT})

    up.eventually("b", lambda: up.tasks() == ["a", "b"] and up.runs("b"))


def test_a_file_behind_a_link_is_taken_up_when_the_link_is_turned(up: Up) -> None:
    # As a ConfigMap of Kubernetes is changed: the file is a link through a folder that is a link.
    for name in ("one", "two"):
        (up.folder / name).mkdir()
    up.write({"a": BEAT}, up.folder / "one" / "farm.json")
    up.write({"b": BEAT}, up.folder / "two" / "farm.json")
    (up.folder / "..data").symlink_to("one")
    up.config.symlink_to(Path("..data", "farm.json"))
    up.start()
    up.eventually("a", lambda: up.tasks() == ["a"])

    (up.folder / "..new").symlink_to("two")
    (up.folder / "..new").rename(up.folder / "..data")

    up.eventually("b", lambda: up.tasks() == ["b"])


def test_a_wrong_file_changes_nothing_and_is_told_until_it_is_right(up: Up) -> None:
    up.write({"a": BEAT})
    up.start()
    up.eventually("a runs", lambda: up.runs("a"))

    up.write({"a": {**BEAT, "every": "soon"}})

    up.eventually("the fault", lambda: "config_refused" in up.tsk("status", "--json").stdout)
    before = up.runs("a")
    up.eventually("a goes on", lambda: up.runs("a") > before + 2)
    log = (up.folder / "logs" / "scheduler.log").read_text()
    assert "The configuration is wrong and was not taken up" in log
    assert "entries.a.every" in log

    up.write({"a": BEAT, "b": BEAT})

    up.eventually("b", lambda: "b" in up.tasks())
    up.eventually("no fault", lambda: "config_refused" not in up.tsk("status", "--json").stdout)


def test_nobody_looks_where_nobody_is_to_and_a_command_still_reloads(up: Up) -> None:
    up.options = {"watch_config": False}
    up.write({"a": BEAT})
    up.start()
    up.eventually("a runs", lambda: up.runs("a"))
    up.write({"b": BEAT})
    before = up.runs("a")
    up.eventually("a goes on", lambda: up.runs("a") > before + 5)
    assert up.tasks() == ["a"]

    shown = up.tsk("diff")
    done = up.tsk("reload")

    assert shown.returncode == 1
    assert "- a" in shown.stdout
    assert done.returncode == 0, done.stderr
    assert "1 new, 0 back, 0 changed, 1 archived" in done.stderr
    assert up.tasks() == ["b"]


def test_apply_asks_the_scheduler_that_runs_for_all_of_it(up: Up) -> None:
    up.options = {"watch_config": False}
    up.write({"a": BEAT})
    up.start()
    up.eventually("a runs", lambda: up.runs("a"))
    up.write({"b": BEAT})

    done = up.tsk("apply", "--yes")

    assert done.returncode == 0, done.stderr
    assert up.tasks() == ["b"]
    assert up.tsk("diff").returncode == 0


def test_apply_refuses_a_file_that_the_scheduler_does_not_have(up: Up) -> None:
    up.write({"a": BEAT})
    up.start()
    other = up.folder / "other.json"
    up.write({"b": BEAT}, other)

    refused = up.tsk("apply", str(other), "--yes")

    assert refused.returncode == 6
    assert str(up.config) in refused.stderr
    assert up.tasks() == ["a"]


def test_an_edit_outlives_reloads_and_restarts_until_apply(up: Up) -> None:
    up.write({"a": BEAT, "b": BEAT})
    up.start()
    up.eventually("both", lambda: up.tasks() == ["a", "b"])
    edited = TaskScheduler(up.config)
    task = edited.config.declared()[0].task
    edited.add_task(type(task)("a", "By hand", ["true"]), every=0.3)
    edited.stop(0)

    up.write({"a": BEAT, "b": {**BEAT, "name": "New"}})

    def names() -> list[str]:
        return [task["name"] for task in up.reader.view.tasks(with_quantiles=False)]

    up.eventually("the new name", lambda: names() == ["By hand", "New"])
    up.send(signal.SIGTERM)
    assert up.life is not None
    assert up.life.wait(PATIENCE_SECONDS) == 0
    up.life.close()
    up.start()
    assert names() == ["By hand", "New"]
    assert "edited since" in up.tsk("diff").stdout

    assert up.tsk("apply", "--yes").returncode == 0

    assert names() == ["a", "New"]


def test_a_function_that_vanished_stays_visible_and_does_not_fire(up: Up) -> None:
    (up.folder / "farm_work.py").write_text("def work():\n    pass\n")
    up.write({"a": {"type": "function", "function": "farm_work:work", "every": "200ms"}})
    up.start()
    up.eventually("a runs", lambda: up.runs("a"))

    up.write({"a": {"type": "function", "function": "farm_work:gone", "every": "200ms"}})

    up.eventually(
        "it is unresolved", lambda: up.reader.get_task_status("a")["status"] == "unresolved"
    )
    assert up.runs("a") > 0
    up.write({"a": {"type": "function", "function": "farm_work:work", "every": "200ms"}})
    before = up.runs("a")
    up.eventually("it runs again", lambda: up.runs("a") > before + 1)
