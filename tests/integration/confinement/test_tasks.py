"""Confined tasks under a real scheduler: what they may do, and what the ledger says of it."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from task_scheduler import CommandTask, FunctionTask, ScriptTask, TaskScheduler
from tests.integration.facade.bench import settled

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may become another user")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    tmp_path.chmod(0o755)
    return tmp_path


@pytest.fixture
def make(folder: Path) -> Iterator[Any]:
    made: list[TaskScheduler] = []

    def make(**security: Any) -> TaskScheduler:
        scheduler = TaskScheduler(
            {"security": security},
            storage=str(folder / "state" / "scheduler.db"),
            logging={"log_dir": str(folder / "logs"), "console": False},
            tasks={"max_retries": 0},
        )
        made.append(scheduler)
        scheduler.start()
        return scheduler

    yield make
    for scheduler in made:
        scheduler.stop(10)


def attempt_of(scheduler: TaskScheduler, run_id: int) -> dict[str, Any]:
    """Wait for the end of a run and return its only attempt."""
    [attempt] = settled(scheduler, run_id)["attempts"]
    return dict(attempt)


def run(scheduler: TaskScheduler, task: Any) -> dict[str, Any]:
    """Add a task, run it once, and return its attempt."""
    scheduler.add_task(task)
    run_id = scheduler.run_task(task.task_id)
    return attempt_of(scheduler, run_id)


@needs_root
def test_a_task_runs_as_its_user_with_its_home(make: Any) -> None:
    script = 'test "$(id -un) $USER $HOME" = "nobody nobody $(getent passwd nobody | cut -d: -f6)"'
    attempt = run(
        make(), CommandTask("who", None, ["/bin/sh", "-c", script], working_dir="/", user="nobody")
    )

    assert attempt["outcome"] == "succeeded", attempt


def test_a_user_that_there_is_not_is_a_failed_run_with_the_reason(make: Any) -> None:
    attempt = run(make(), CommandTask("who", None, ["true"], user="no-such-user"))

    assert attempt["outcome"] == "failed"
    assert "no-such-user" in attempt["error"]


@pytest.mark.parametrize(
    ("limits", "code", "words"),
    [
        ({"cpu_seconds": 1}, "while True: pass", "CPU time limit 1 s"),
        ({"memory_bytes": 256_000_000}, "bytearray(10 ** 9)", "memory limit 256 MB"),
        (
            {"file_size_bytes": 5_000},
            "open('big', 'wb').write(bytes(10_000))",
            "file size limit 5 kB",
        ),
        ({"open_files": 20}, "[open('/dev/null') for _ in range(99)]", "20 open files"),
    ],
)
def test_a_limit_that_ended_a_task_is_named(
    make: Any, folder: Path, limits: dict[str, int], code: str, words: str
) -> None:
    command = [sys.executable, "-c", code]

    attempt = run(make(), CommandTask("greedy", None, command, limits=limits, working_dir=folder))

    assert attempt["outcome"] == "failed"
    assert words in attempt["error"], attempt


def test_defaults_of_the_configuration_hold_for_all(make: Any) -> None:
    scheduler = make(confinement={"umask": "027", "nice": 3})
    check = "test $(umask)-$(nice) = 0027-3"

    assert run(scheduler, CommandTask("a", None, ["sh", "-c", check]))["outcome"] == "succeeded"


def test_an_isolated_function_is_confined_too(make: Any) -> None:
    task = FunctionTask("alone", None, "os:getcwd", isolation="process", limits={"open_files": 64})

    assert run(make(), task)["outcome"] == "succeeded"


def test_an_unsafe_script_runs_with_a_warning_or_not_at_all(make: Any, folder: Path) -> None:
    script = folder / "job.py"
    script.write_text("print('ran')\n")
    script.chmod(0o666)
    task = ScriptTask("job", None, script)

    warned = run(make(), task)
    assert warned["outcome"] == "succeeded"


def test_where_it_is_enforced_an_unsafe_script_is_refused_with_the_remedy(
    make: Any, folder: Path
) -> None:
    script = folder / "job.py"
    script.write_text("open('ran', 'w')\n")
    script.chmod(0o666)

    attempt = run(make(enforce=True), ScriptTask("job", None, script, working_dir=folder))

    assert attempt["outcome"] == "failed"
    assert f"chmod go-w {script}" in attempt["error"]
    assert not (folder / "ran").exists()


def test_a_pinned_script_that_changed_does_not_run(make: Any, folder: Path) -> None:
    script = folder / "job.py"
    script.write_text("print('pinned')\n")
    digest = hashlib.sha256(script.read_bytes()).hexdigest()
    scheduler = make()
    task = ScriptTask("job", None, script, sha256=digest)
    assert run(scheduler, task)["outcome"] == "succeeded"

    script.write_text("print('other')\n")

    run_id = scheduler.run_task("job")
    changed = attempt_of(scheduler, run_id)
    assert changed["outcome"] == "failed"
    assert "sha256sum" in changed["error"]


def test_tasks_inherit_what_they_are_allowed_to(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POND_TOKEN", "secret")
    check = 'test "$POND_TOKEN-$OWN-${PATH:+path}" = "-own-path"'
    task = CommandTask("env", None, ["sh", "-c", check], env={"OWN": "own"})

    assert run(make(environment=["PATH"]), task)["outcome"] == "succeeded"


def test_a_confined_task_is_not_run_by_hand() -> None:
    task = CommandTask("who", None, ["true"], nice=1)

    assert not task.execute()
    assert "tsk run who" in str(task.last_error)


def test_what_a_program_used_is_told_with_all_that_it_started(make: Any) -> None:
    code = (
        "import subprocess, sys\n"
        "kept = bytearray(40_000_000)\n"
        "subprocess.run([sys.executable, '-c', 'sum(range(3_000_000))'])\n"
    )

    attempt = run(make(), CommandTask("greedy", None, [sys.executable, "-c", code]))

    assert attempt["cpu_seconds"] > 0.02
    assert attempt["peak_memory_bytes"] > 40_000_000
