"""Secrets of tasks: handed over, and found nowhere else."""

from __future__ import annotations

import base64
import logging
import sqlite3
import sys
from pathlib import Path
from typing import Any

import pytest

from task_scheduler import CommandTask, FunctionTask, TaskScheduler
from tests.integration.facade.bench import settled

CANARY = "c4nary-9f8e7d6c5b4a"

CODE = """\
import base64, os, sys, time
secret = os.environ["PASSWORD"]
assert secret == open(os.environ["PASSWORD_FILE"]).read()
print(secret, base64.b64encode(b"user:" + secret.encode()).decode(), secret.encode().hex())
for letter in secret:
    sys.stdout.write(letter)
    sys.stdout.flush()
    time.sleep(0.002)
print()
sys.exit("cannot log in with " + secret)
"""


@pytest.fixture
def scheduler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("POND_PASSWORD", CANARY)
    with TaskScheduler(
        {"security": {"secrets": {"DB": {"env": "POND_PASSWORD"}}}},
        storage=str(tmp_path / "state" / "scheduler.db"),
        logging={"log_dir": str(tmp_path / "logs"), "console": False},
        tasks={"max_retries": 0},
        log_level="DEBUG",
    ) as made:
        yield made


def everything_under(folder: Path) -> bytes:
    """Return all bytes of all files, the ledger's write-ahead log among them."""
    files = [path for path in folder.rglob("*") if path.is_file() and not path.is_socket()]
    return b"\n".join(path.read_bytes() for path in files)


def test_a_secret_reaches_its_task_and_is_found_nowhere_else(
    scheduler: TaskScheduler, tmp_path: Path
) -> None:
    env = {"PASSWORD": "${secret:DB}", "PASSWORD_FILE": "${secret-file:DB}"}
    scheduler.add_task(CommandTask("job", None, [sys.executable, "-c", CODE], env=env))

    run = settled(scheduler, scheduler.run_task("job"))

    [attempt] = run["attempts"]
    assert attempt["error"].endswith("cannot log in with ***")
    output = next((tmp_path / "state").rglob("output")).read_text()
    assert output.count("***") == 5, output
    found = everything_under(tmp_path)
    for form in (
        CANARY.encode(),
        CANARY.encode().hex().encode(),
        base64.b64encode(CANARY.encode()),
    ):
        assert form not in found
    with sqlite3.connect(tmp_path / "state" / "scheduler.db") as ledger:
        assert "${secret:DB}" in ledger.execute("SELECT definition FROM entries").fetchone()[0]


def test_the_variable_that_holds_a_secret_is_inherited_by_no_task(
    scheduler: TaskScheduler,
) -> None:
    check = 'test -z "$POND_PASSWORD"'
    scheduler.add_task(CommandTask("job", None, ["sh", "-c", check]))

    assert settled(scheduler, scheduler.run_task("job"))["state"] == "succeeded"


def test_what_a_function_says_of_a_known_secret_is_masked_too(
    scheduler: TaskScheduler, tmp_path: Path
) -> None:
    env = {"PASSWORD": "${secret:DB}"}
    scheduler.add_task(CommandTask("learn", None, ["true"], env=env))
    settled(scheduler, scheduler.run_task("learn"))

    def careless() -> None:
        logging.getLogger("TaskScheduler.task").warning("my password is %s", CANARY)
        raise RuntimeError(f"wrong password {CANARY}")

    scheduler.add_task(FunctionTask("careless", None, careless))

    [attempt] = settled(scheduler, scheduler.run_task("careless"))["attempts"]
    assert "***" in attempt["error"]
    assert CANARY.encode() not in everything_under(tmp_path)


def test_a_secret_that_is_missing_fails_the_run_and_says_where_to_put_it(
    scheduler: TaskScheduler,
) -> None:
    scheduler.add_task(CommandTask("job", None, ["true"], env={"P": "${secret:OTHER}"}))

    [attempt] = settled(scheduler, scheduler.run_task("job"))["attempts"]
    assert attempt["outcome"] == "failed"
    assert "OTHER" in attempt["error"]
