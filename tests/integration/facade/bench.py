"""A bench for the facade: schedulers on real files, neighbours that must not be disturbed.

Responsible for: making schedulers in one folder and ending them, programs in processes of their
own, and waiting for an effect with a deadline.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from task_scheduler import TaskScheduler, current_run

ROOT = Path(__file__).parents[3]
PATIENCE_SECONDS = 40.0
"""Far above what anything here takes: a deadline for what never comes."""


def take_away(folder: Path) -> None:
    """Let a folder vanish in which somebody may be writing: as a whole, whatever is made in it."""
    aside = folder.with_name(folder.name + ".gone")
    folder.rename(aside)
    shutil.rmtree(aside, ignore_errors=True)


def eventually(what: str, condition: Callable[[], Any], seconds: float = PATIENCE_SECONDS) -> Any:
    """Wait until a condition holds, and return its value; fail when it never comes."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() >= deadline:
            pytest.fail(f"did not come within {seconds:g} s: {what}")
        time.sleep(0.01)


def is_alive(pid: int) -> bool:
    """Whether a process runs; a remnant that nobody reaped does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in (b"Z", b"X")


class Neighbour:
    """A task beside the one that misbehaves: it must go on firing on time."""

    EVERY = 0.1

    def __init__(self, scheduler: TaskScheduler) -> None:
        self.late: list[float] = []
        self._scheduler = scheduler
        scheduler.task("neighbour", every=self.EVERY, max_retries=0)(self._fire)

    def _fire(self) -> None:
        self.late.append((datetime.now(UTC) - current_run().scheduled_at).total_seconds())

    def goes_on(self, times: int = 4) -> None:
        """Assert that it fires so many times from now on, each time on time."""
        before = len(self.late)
        eventually("the neighbour fires", lambda: len(self.late) >= before + times)
        # Half a second: the machine that runs the tests has other things to do as well.
        assert max(self.late[before:]) < 0.5
        assert self._scheduler.get_task_status("neighbour")["failure_count"] == 0


class Program:
    """A Python program in a process of its own."""

    def __init__(self, path: Path, arguments: tuple[str, ...], folder: Path) -> None:
        environment = {name: value for name, value in os.environ.items() if name != "LANG"}
        self.path = path
        self.process = subprocess.Popen(
            [sys.executable, str(path), *arguments],
            cwd=folder,
            env={**environment, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", "LANG": "en"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # Its own group, so that what it forks can be ended with it.
            start_new_session=True,
        )
        self.lines: list[str] = []
        self.errors: list[str] = []
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        self._readers = [
            threading.Thread(target=self.lines.extend, args=(self.process.stdout,)),
            threading.Thread(target=self.errors.extend, args=(self.process.stderr,)),
        ]
        for reader in self._readers:
            reader.start()

    @property
    def pid(self) -> int:
        return self.process.pid

    def says(self, text: str) -> str:
        """Wait for a line with this text and return it."""

        def find() -> str | None:
            found = [line for line in [*self.lines, *self.errors] if text in line]
            if not found and self.process.poll() is not None:
                self._join()
                found = [line for line in [*self.lines, *self.errors] if text in line]
                assert found, f"{self.path} ended before it said {text!r}:\n{self.output}"
            return found[0].rstrip("\n") if found else None

        said: str = eventually(f"{text!r} is said", find)
        return said

    def ends(self, code: int | None = 0, seconds: float = PATIENCE_SECONDS) -> str:
        """Wait for the end with this exit code and return everything that was printed."""
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.close()
            pytest.fail(f"{self.path} did not end within {seconds:g} s:\n{self.output}")
        self._join()
        assert code is None or self.process.returncode == code, self.output
        return self.output

    @property
    def output(self) -> str:
        return "".join([*self.lines, *self.errors])

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def close(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self.process.wait()
        self._join()

    def _join(self) -> None:
        for reader in self._readers:
            reader.join(5)
        for stream in (self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()


class Bench:
    """One folder with one ledger, and who works on it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state = folder / "state"
        self.database = self.state / "scheduler.db"
        self._made: list[TaskScheduler] = []
        self._programs: list[Program] = []

    def scheduler(self, **options: Any) -> TaskScheduler:
        """Make a scheduler on the bench's ledger; it is stopped at the end."""
        given: dict[str, Any] = {
            "storage": str(self.database),
            "language": "en",
            "tasks": {"max_retries": 0},
            "logging": {"log_dir": str(self.folder / "logs"), "console": False},
            **options,
        }
        made = TaskScheduler({}, **given)
        self._made.append(made)
        return made

    def running(self, **options: Any) -> TaskScheduler:
        """Make a scheduler and start it."""
        made = self.scheduler(**options)
        made.start()
        return made

    def script(self, text: str, name: str = "script.py") -> Path:
        """Write a script and return its path."""
        path = self.folder / name
        path.write_text(textwrap.dedent(text), encoding="utf-8")
        return path

    def program(self, text: str, *arguments: str, name: str = "program.py") -> Program:
        """Start a program; its first lines are the imports, and `make()` makes a scheduler here."""
        path = self.script(_PREAMBLE % {"folder": str(self.folder)} + textwrap.dedent(text), name)
        started = Program(path, arguments, self.folder)
        self._programs.append(started)
        return started

    def log(self) -> str:
        """Return what is in the log."""
        path = self.folder / "logs" / "scheduler.log"
        return path.read_text(encoding="utf-8") if path.exists() else ""

    def close(self) -> None:
        for program in self._programs:
            program.close()
        for scheduler in self._made:
            scheduler.stop(0)


def settled(scheduler: TaskScheduler, run_id: int) -> dict[str, Any]:
    """Wait until a run is over and return it with its attempts."""
    run: dict[str, Any] = eventually(
        f"run {run_id} ends",
        lambda: (run := scheduler.view.run(run_id))["state"] not in ("waiting", "running") and run,
    )
    return run


def ran(scheduler: TaskScheduler, task_id: str, times: int = 1) -> dict[str, Any]:
    """Wait until a task has run so often and return its status."""
    status: dict[str, Any] = eventually(
        f"{task_id} runs {times} times",
        lambda: (s := scheduler.get_task_status(task_id))["run_count"] >= times and s,
    )
    json.dumps(status, allow_nan=False)
    return status


_PREAMBLE = """\
import logging, os, signal, sys, threading, time
from pathlib import Path
from task_scheduler import *

def make(**options):
    given = dict(
        storage="%(folder)s/state/scheduler.db",
        language="en",
        tasks={"max_retries": 0},
        logging={"log_dir": "%(folder)s/logs", "console": False},
    )
    return TaskScheduler({}, **{**given, **options})

def until(check, seconds=10.0):
    deadline = time.monotonic() + seconds
    while not (found := check()):
        assert time.monotonic() < deadline, "did not come true in time"
        time.sleep(0.01)
    return found

"""
