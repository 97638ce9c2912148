"""`tsk up` as process 1 of a container: it buries orphans, passes signals on, and ends well."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
PATIENCE_SECONDS = 60.0
UNSHARE = ("unshare", "--pid", "--fork", "--mount-proc", "--kill-child")
ORPHANS = """
import os, time
for _ in range(20):
    if os.fork() == 0:
        # Out of the reach of whoever ends the task.
        os.setsid()
        if os.fork() == 0:
            time.sleep(0.2)
        os._exit(0)
"""


def _can_unshare() -> bool:
    if shutil.which("unshare") is None:
        return False
    done = subprocess.run([*UNSHARE, "true"], capture_output=True, check=False)
    return done.returncode == 0


pytestmark = [
    pytest.mark.may_skip(reason="only where a namespace of processes can be made"),
    pytest.mark.skipif(not _can_unshare(), reason="no namespace of processes can be made here"),
]


class Container:
    """`tsk up` as process 1, in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        entries = {
            "orphans": {
                "type": "command",
                "command": [sys.executable, "-c", ORPHANS],
                "schedule": [],
            },
            "long": {
                "type": "command",
                "command": ["sleep", "600"],
                "kill_grace_seconds": 1,
                "schedule": [],
            },
        }
        config = {
            "scheduler": {"stop_timeout_seconds": 1},
            "logging": {"console": False},
            "entries": entries,
        }
        (folder / "scheduler_config.json").write_text(json.dumps(config), encoding="utf-8")
        self.environ = {**os.environ, "PYTHONPATH": str(ROOT), "LANG": "C.UTF-8"}
        self.process = subprocess.Popen(
            [*UNSHARE, sys.executable, "-m", "task_scheduler", "up"],
            cwd=folder,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

    def tsk(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Type a command, outside."""
        return subprocess.run(
            [sys.executable, "-m", "task_scheduler", *arguments],
            cwd=self.folder,
            env=self.environ,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_SECONDS,
        )

    def status(self) -> dict[str, Any]:
        return json.loads(self.tsk("status", "--json").stdout)

    def first(self) -> int:
        """Return process 1, by its number outside."""
        return int(_children(self.process.pid)[0])

    def until(self, is_so: Callable[[], Any], what: str) -> Any:
        until = time.monotonic() + PATIENCE_SECONDS
        while not (found := is_so()):
            assert self.process.poll() is None, self.process.stderr.read()
            assert time.monotonic() < until, what
            time.sleep(0.05)
        return found


def _children(pid: int) -> list[str]:
    path = Path(f"/proc/{pid}/task/{pid}/children")
    return path.read_text(encoding="ascii").split()


def _state(pid: str) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]
    except OSError:
        return ""


@pytest.fixture
def container(tmp_path: Path) -> Iterator[Container]:
    made = Container(tmp_path)
    made.until(lambda: (made.status()["holder"] or {}).get("state") == "running", "a start")
    yield made
    made.process.kill()
    made.process.communicate()


def test_the_scheduler_is_a_child_of_process_1(container: Container) -> None:
    assert container.status()["holder"]["pid"] != 1
    assert len(_children(container.first())) >= 1


def test_orphans_are_buried(container: Container) -> None:
    done = container.tsk("run", "orphans", "--wait", "--timeout", "50s")

    assert done.returncode == 0, done.stderr
    container.until(
        lambda: all(_state(pid) != "Z" for pid in _children(container.first())), "no zombie"
    )
    os.kill(_stray(container), signal.SIGKILL)
    container.until(
        lambda: all(_state(pid) != "Z" for pid in _children(container.first())), "no zombie"
    )


def _stray(container: Container) -> int:
    """Leave an orphan to process 1, and return its number."""
    done = subprocess.run(
        [
            *("nsenter", "--target", str(container.first()), "--pid", "--mount", "sh", "-c"),
            "(sleep 600 & echo ignored) > /dev/null",
        ],
        check=False,
    )
    assert done.returncode == 0
    first = container.first()

    def orphan() -> list[str]:
        return [
            pid
            for pid in _children(first)
            if b"sleep\x00600" in Path(f"/proc/{pid}/cmdline").read_bytes()
        ]

    return int(container.until(orphan, "an orphan at process 1")[0])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_process_1_lets_tasks_end_and_then_the_container(
    container: Container, number: signal.Signals
) -> None:
    container.tsk("run", "long")
    container.until(lambda: container.status()["running_tasks"], "a task that runs")

    os.kill(container.first(), number)

    assert container.process.wait(PATIENCE_SECONDS) == 0
    runs = json.loads(container.tsk("runs", "long", "--json").stdout)["runs"]
    assert [run["state"] for run in runs] == ["cancelled"]


def test_process_1_passes_on_that_the_configuration_is_to_be_read_again(
    container: Container,
) -> None:
    path = container.folder / "scheduler_config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    config["entries"]["added"] = {"type": "command", "command": ["true"], "schedule": []}
    path.write_text(json.dumps(config), encoding="utf-8")

    os.kill(container.first(), signal.SIGHUP)

    container.until(lambda: container.status()["total_tasks"] == 3, "the task that was added")


def test_a_scheduler_that_dies_ends_the_container_with_its_code(container: Container) -> None:
    (scheduler, *_) = _children(container.first())

    os.kill(int(scheduler), signal.SIGKILL)

    assert container.process.wait(PATIENCE_SECONDS) == 128 + signal.SIGKILL
