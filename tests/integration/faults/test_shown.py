"""What keeps a scheduler from its work: shown with its cause and remedy, and outlived."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from task_scheduler import CommandTask, FunctionTask, TaskScheduler, control, offers
from task_scheduler.cli.exit_codes import ExitCode
from task_scheduler.errors import StoreDamagedError, StoreUnavailableError
from tests.integration.facade.bench import ROOT, Bench, Program, eventually

FAST = """
from task_scheduler import foreground, watchdog
watchdog.STALL_SECONDS = 0.3
foreground._LOOK_SECONDS = 0.2
"""
STUCK_RULE = """
class Stuck(ScheduleRule):
    def __init__(self):
        super().__init__(ScheduleType.CRON, cron="* * * * *")
        self.asked = 0

    def get_next_run_time(self, last_run=None):
        self.asked += 1
        if self.asked > 1:
            time.sleep(600)
        return datetime.now() + timedelta(seconds=0.5)

from datetime import datetime, timedelta
"""


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.close()


def status(bench: Bench, *command: str) -> tuple[int, dict[str, Any]]:
    """Return the exit code of `tsk status --json`, or of another command, and its document."""
    config = bench.folder / "status.json"
    config.write_text(json.dumps({"storage": {"path": str(bench.database)}}))
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "task_scheduler",
            "-c",
            str(config),
            *(command or ["status"]),
            "--json",
        ],
        env={**os.environ, "PYTHONPATH": str(ROOT), "LANG": "en"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stderr
    return done.returncode, json.loads(done.stdout)


def stuck(bench: Bench, *, seconds: float = 600) -> Program:
    """Start a scheduler whose engine gets stuck in a user's rule."""
    return bench.program(
        f"""
        {FAST.replace(chr(10), chr(10) + "        ")}
        {STUCK_RULE.replace(chr(10), chr(10) + "        ")}
        scheduler = make(stall_exit_seconds={seconds}, log_level="DEBUG")
        scheduler.add_task(FunctionTask("pump", func=print), Stuck())
        sys.exit(scheduler.run_forever())
        """
    )


def test_a_rule_that_never_returns_is_named_in_the_status_and_the_log(bench: Bench) -> None:
    stuck(bench)

    def shown() -> dict[str, Any] | None:
        code, document = status(bench)
        return document if code == ExitCode.PROBLEM else None

    document = eventually("the status shows it", shown)

    (problem,) = document["problems"]
    assert problem["kind"] == "engine_stalled"
    assert "rule of task 'pump'" in problem["why"]
    assert problem["since"]
    assert "restart" in problem["remedy"]
    assert document["verdict"] == "faults"
    assert "rule of task 'pump'" in bench.log()
    assert "get_next_run_time" in bench.log(), "the stack, at level DEBUG"


def test_an_engine_that_stays_stuck_ends_its_process_to_be_started_anew(bench: Bench) -> None:
    program = stuck(bench, seconds=1)

    output = program.ends(ExitCode.STUCK)

    assert "stall_exit_seconds" in output


def test_a_stopped_process_is_told_from_none_at_all(bench: Bench) -> None:
    program = bench.program("sys.exit(make().run_forever())")
    eventually("it runs", lambda: status(bench)[0] == ExitCode.FINE)
    program.send(signal.SIGSTOP)

    code, document = status(bench)

    assert code == ExitCode.UNREACHABLE
    assert document["verdict"] == "mute"
    (problem,) = document["problems"]
    assert problem["where"] == str(program.pid)
    assert "state T" in problem["why"]
    assert f"kill -CONT {program.pid}" in problem["remedy"]
    for command in (["backup", str(bench.folder / "x.backup")], ["down"]):
        # Neither waits for ever, nor is it said that none runs.
        code, document = status(bench, *command)
        assert code == ExitCode.UNREACHABLE
        assert str(program.pid) in document["error"]["message"]
        assert document["error"]["next"] == "tsk status"
    time.sleep(1)
    program.send(signal.SIGCONT)
    eventually("it answers again", lambda: status(bench)[0] == ExitCode.FINE)
    eventually("it tells of it", lambda: "process stood still" in bench.log())


def test_a_program_that_asks_a_stopped_process_for_a_change_is_told_and_does_not_wait_for_ever(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control, "_LOOK_SECONDS", 0.3)
    monkeypatch.setattr(offers, "_SECONDS", 0.3)
    program = bench.program("sys.exit(make().run_forever())")
    eventually("it runs", lambda: status(bench)[0] == ExitCode.FINE)
    client = TaskScheduler(
        {}, storage=str(bench.database), logging={"log_dir": str(bench.folder / "client")}
    )
    program.send(signal.SIGSTOP)

    with pytest.raises(StoreUnavailableError, match=f"kill -CONT {program.pid}"):
        client.add_task(CommandTask("late", command=["true"]), every="1h")

    program.send(signal.SIGCONT)
    # What it had heard of it is carried out; nobody claimed the contrary.
    eventually("it goes on", lambda: "late" in client.get_task_status()["tasks"])


def test_a_ledger_that_cannot_be_read_has_a_status_all_the_same(bench: Bench) -> None:
    bench.state.mkdir(mode=0o700)
    bench.database.write_bytes(b"this is no ledger\n" * 500)

    code, document = status(bench)

    assert code == ExitCode.INVALID
    assert document["verdict"] == "unreadable"
    (problem,) = document["problems"]
    assert problem["kind"] == "store_damaged"
    assert "tsk restore" in problem["remedy"]
    assert document["total_tasks"] is None


def test_the_facade_tells_of_a_ledger_that_cannot_be_read(bench: Bench) -> None:
    bench.state.mkdir(mode=0o700)
    bench.database.write_bytes(b"this is no ledger\n" * 500)

    told = bench.scheduler().get_task_status()

    assert told["total_tasks"] is None
    assert [p["kind"] for p in told["scheduler"]["problems"]] == ["store_damaged"]


def test_a_ledger_that_was_deleted_is_written_back_whole(bench: Bench) -> None:
    scheduler = bench.running()
    scheduler.add_task(FunctionTask("t", func=print))
    first = scheduler.run_task("t")
    for path in bench.state.glob("scheduler.*"):
        if not path.is_dir():
            path.unlink()

    eventually("it is there again", bench.database.exists)
    eventually("and well", lambda: not scheduler.get_task_status()["scheduler"]["problems"])

    second = eventually("a change is acknowledged", lambda: scheduler.run_task("t"))
    again = bench.scheduler()
    assert [run["run_id"] for run in again.view.runs("t")] == [second, first]
    names = {path.name for path in bench.state.iterdir()}
    assert {"scheduler.db", "scheduler.lock", "scheduler.sock", "scheduler.bell"} <= names


def test_a_ledger_that_is_damaged_while_it_is_in_use_is_shown_and_takes_nothing_more(
    bench: Bench,
) -> None:
    scheduler = bench.running()
    for number in range(300):
        scheduler.add_task(CommandTask(f"t-{number}", command=["true"]))
    holding = scheduler._runtime.holding
    assert holding is not None
    store = holding.store
    with store._guard:
        store._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        whole = bench.database.read_bytes()
        with bench.database.open("r+b") as file:
            file.seek(4096)
            file.write(os.urandom(len(whole) - 4096))
        store._connection.execute("PRAGMA shrink_memory")

    with pytest.raises(StoreDamagedError):
        scheduler.add_task(CommandTask("new", command=["true"]))

    (problem,) = eventually("it is shown", scheduler.problems)
    assert problem["kind"] == "store_damaged"
    assert scheduler.get_task_status()["scheduler"]["problems"]
