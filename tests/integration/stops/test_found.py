"""What the stop test found: each has its own small test here."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from task_scheduler import CommandTask, TaskScheduler
from tests.integration.crash import census
from tests.integration.stops import lives
from tests.integration.stops.lives import PATIENCE_SECONDS

ROOT = str(lives.ROOT)


class Asker:
    """A program that asks for runs without a pause, from the first moment on."""

    def __init__(self, scheduler: TaskScheduler) -> None:
        self._scheduler = scheduler
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._ask)
        self.asked = 0
        scheduler.add_task(CommandTask("c", command=["true"]))
        self._thread.start()

    def _ask(self) -> None:
        while not self._is_over.wait(0.01):
            self._scheduler.run_task("c")
            self.asked += 1

    def close(self) -> None:
        self._is_over.set()
        self._thread.join()
        self._scheduler.stop()


@pytest.fixture
def options(tmp_path: Path) -> dict[str, Any]:
    return {
        "storage": str(tmp_path / "scheduler.db"),
        "logging": {"log_dir": str(tmp_path / "logs"), "console": False},
    }


@pytest.fixture
def asker(options: dict[str, Any]) -> Iterator[Asker]:
    made = Asker(TaskScheduler({}, **options))
    yield made
    made.close()


def test_a_program_that_asks_all_the_time_does_not_keep_a_scheduler_from_running(
    asker: Asker, options: dict[str, Any]
) -> None:
    assert census.wait_for(lambda: asker.asked > 3, PATIENCE_SECONDS)
    scheduler = TaskScheduler({}, **options)
    try:
        began = time.monotonic()
        scheduler.start()

        assert census.wait_for(lambda: state_of(scheduler) == "running", PATIENCE_SECONDS)
        assert time.monotonic() - began < 5, "it takes some tenths of a second"
        asked = asker.asked
        assert census.wait_for(lambda: asker.asked > asked + 3, PATIENCE_SECONDS)
        assert scheduler.get_task_status()["scheduler"]["state"] == "running"
    finally:
        scheduler.stop()


def test_a_standby_succeeds_though_a_program_took_the_ledger_first_to_write(
    asker: Asker, options: dict[str, Any]
) -> None:
    first, standby = TaskScheduler({}, **options), TaskScheduler({}, **options)
    first.start()
    assert census.wait_for(lambda: state_of(first) == "running", PATIENCE_SECONDS)
    standby.start()
    try:
        assert state_of(standby) == "standby"

        first.stop()

        assert census.wait_for(lambda: state_of(standby) == "running", PATIENCE_SECONDS)
    finally:
        standby.stop()


def test_signals_that_come_all_the_time_are_all_heard(tmp_path: Path) -> None:
    """A handler that set an Event in the middle of its own wait was a deadlock, now and then."""
    program = tmp_path / "program.py"
    program.write_text(FLOODED, encoding="utf-8")

    done = subprocess.run(
        [sys.executable, program],
        env={**os.environ, "PYTHONPATH": ROOT},
        timeout=PATIENCE_SECONDS,
        check=False,
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stderr[-2000:]
    assert "SIGTERM" in done.stderr


FLOODED = """
import os, random, signal, sys, threading, time
from task_scheduler import foreground

class Scheduler:
    stop_seconds = 1.0
    reloads = 0

    def start(self):
        threading.Thread(target=self.disturb, daemon=True).start()

    def disturb(self):
        while self.reloads < 2_000:
            os.kill(os.getpid(), signal.SIGHUP)
            time.sleep(random.uniform(0, 0.000_2))
        os.kill(os.getpid(), signal.SIGTERM)

    def reload(self):
        self.reloads += 1
        return {"added": 0, "removed": 0}

    def watch_config(self, changed):
        return None

    def stuck_seconds(self):
        return 0

    def stop(self, timeout=None):
        pass

    force_stop = stop

sys.exit(foreground.run_forever(Scheduler()))
"""


def test_an_interrupt_while_the_command_line_is_loaded_is_no_traceback() -> None:
    program = """
import sys

class Interrupted:
    def find_spec(self, name, path=None, target=None):
        if name == "task_scheduler.cli.program":
            raise KeyboardInterrupt

sys.meta_path.insert(0, Interrupted())
from task_scheduler.cli import main
sys.exit(main(["version"]))
"""

    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": ROOT},
        capture_output=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (130, b"")


def state_of(scheduler: TaskScheduler) -> str:
    """Return what a scheduler is in its own process."""
    state: str = scheduler.get_task_status()["scheduler"]["state"]
    return state
