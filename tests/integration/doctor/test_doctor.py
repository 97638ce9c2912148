"""`tsk doctor` beside a real scheduler: the figures are those of the process that runs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from task_scheduler import FunctionTask, TaskScheduler
from task_scheduler.doctor.findings import CHECKS

DEADLINE_SECONDS = 30.0


def wait_until(is_so: Callable[[], object], what: str) -> None:
    """Poll; fail with what was waited for."""
    until = time.monotonic() + DEADLINE_SECONDS
    while not is_so():
        assert time.monotonic() < until, what
        time.sleep(0.02)


class Clinic:
    """A scheduler of one worker in this process, and `tsk doctor` in another."""

    def __init__(self, folder: Path) -> None:
        self.config = folder / "scheduler_config.json"
        settings = {
            "scheduler": {"max_workers": 1, "log_level": "WARNING"},
            "logging": {"console": False},
        }
        self.config.write_text(json.dumps(settings), encoding="utf-8")
        self.scheduler = TaskScheduler(self.config)
        self.begun = threading.Event()
        self.let_go = threading.Event()

    def hold_the_seat(self) -> bool:
        self.begun.set()
        return self.let_go.wait(DEADLINE_SECONDS)

    def doctor(self, *arguments: str) -> tuple[int, dict[str, Any]]:
        """Run the command in a process of its own; return its exit code and its document."""
        done = subprocess.run(
            [
                *(sys.executable, "-m", "task_scheduler", "-c", str(self.config)),
                *("doctor", "--json", "--lang", "en", *arguments),
            ],
            capture_output=True,
            text=True,
            check=False,
            timeout=DEADLINE_SECONDS * 2,
        )
        assert done.stdout, done.stderr
        return done.returncode, json.loads(done.stdout)


@pytest.fixture
def clinic(tmp_path: Path) -> Iterator[Clinic]:
    made = Clinic(tmp_path)
    yield made
    made.let_go.set()
    made.scheduler.stop(timeout=5)


def check_of(document: dict[str, Any], name: str) -> dict[str, Any]:
    return next(check for check in document["checks"] if check["check"] == name)


def test_without_a_scheduler_the_rest_is_examined_all_the_same(clinic: Clinic) -> None:
    code, document = clinic.doctor()

    assert (code, document["is_running"]) == (4, False)
    assert [check["check"] for check in document["checks"]] == list(CHECKS)
    assert check_of(document, "scheduler")["command"] == "tsk up"
    assert clinic.scheduler.measures() is None


def test_another_process_is_told_the_figures_of_the_one_that_runs(clinic: Clinic) -> None:
    clinic.scheduler.start()
    clinic.scheduler.add_task(FunctionTask("tick", None, lambda: True), every=0.05)
    wait_until(
        lambda: clinic.scheduler.measures()["start_lateness"]["recent"]["count"] >= 20,
        "twenty runs that were measured",
    )

    code, document = clinic.doctor("scheduler", "lateness", "commits", "database")

    assert document["is_running"]
    assert check_of(document, "scheduler")["figures"]["pid"] == os.getpid()
    assert check_of(document, "lateness")["figures"]["count"] >= 20
    assert check_of(document, "commits")["figures"]["p99_seconds"] > 0
    assert check_of(document, "database")["level"] == "fine"
    # How late they were is the machine's business, not this test's.
    assert code in (0, 1)


def test_another_process_is_told_to_what_the_one_that_runs_can_hold_tasks(clinic: Clinic) -> None:
    before = clinic.doctor("confinement")[1]["checks"]
    with clinic.scheduler as scheduler:
        here = scheduler._guard.offered()
        (check,) = clinic.doctor("confinement")[1]["checks"]

    assert [finding["level"] for finding in before] == ["unknown"]
    assert (check["level"], check["figures"]) == ("fine", here)
    assert check["sentence"]


def test_a_seat_that_is_held_is_seen_and_so_is_who_waited_for_it(clinic: Clinic) -> None:
    scheduler = clinic.scheduler
    scheduler.start()
    scheduler.add_task(FunctionTask("hold", None, clinic.hold_the_seat), every="1h")
    assert clinic.begun.wait(DEADLINE_SECONDS)
    wait_until(lambda: scheduler.measures()["is_full"], "the only seat to be taken")
    scheduler.add_task(FunctionTask("next", None, lambda: True), every="1h")

    _, document = clinic.doctor("seats", "interpreter")
    clinic.let_go.set()
    wait_until(
        lambda: scheduler.measures()["queue_wait"]["whole"]["count"] >= 1,
        "the run that waited for the seat",
    )

    seats = check_of(document, "seats")
    assert seats["figures"]["workers"] == 1
    assert seats["figures"]["full_share"] > 0
    assert seats["figures"]["backlog"] == 1
    wait_until(lambda: not scheduler.measures()["is_full"], "the seat to be free again")


def test_the_metrics_have_the_same_figures(clinic: Clinic) -> None:
    clinic.scheduler.start()
    clinic.scheduler.add_task(FunctionTask("once", None, lambda: True), every="1h")
    wait_until(
        lambda: b"task_scheduler_start_lateness_seconds_count 1.0" in clinic.scheduler.metrics(),
        "a run in the metrics",
    )

    assert b"task_scheduler_workers 1.0" in clinic.scheduler.metrics()
