"""What the tests under fire found, one small test each."""

from __future__ import annotations

import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import pytest

from task_scheduler import CommandTask, TaskScheduler
from task_scheduler.control import ControlServer
from task_scheduler.errors import SchedulerStoppedError
from task_scheduler.state_files import StateFiles
from task_scheduler.stores.engine_lock import EngineLock
from task_scheduler.stores.sqlite import MEMORY, SqliteStore
from tests.contract.ledgers import put
from tests.integration.crash import census

RUN_ID, TOKEN = 1, 7


def test_a_run_shown_as_running_may_be_claimed_again_once_recovery_proves_that_it_never_began() -> (
    None
):
    store = SqliteStore(MEMORY)
    put(store, "t")
    run = [RUN_ID, "t", "100", "schedule", "waiting", 100, 100, None, 0, "process", TOKEN, 3, None]
    store.execute("insert_runs", rows=[run])
    store.execute("mark_running", rows=[[RUN_ID, TOKEN, 105]])

    store.execute("hand_back", rows=[[RUN_ID, TOKEN]])

    claimable = store.fetch(
        "claimable_runs", horizon=200, limit=9, thread_room=1, process_room=1, occupied=[]
    )
    assert [row[0] for row in claimable] == [RUN_ID]


def test_a_change_is_made_by_the_next_holder_where_the_one_that_was_asked_lets_go(
    tmp_path: Path,
) -> None:
    files = StateFiles(tmp_path / "scheduler.db")
    asked = []

    def handle(op: str, values: dict[str, Any]) -> Any:
        asked.append(op)
        if asked.count("add") == 1 and op == "add":
            raise SchedulerStoppedError("errors.stopped")
        return {"pid": 1, "state": "passive"}

    holder = EngineLock(files.lock)
    assert holder.acquire()
    server = ControlServer(files.socket, handle)
    scheduler = TaskScheduler(
        {},
        storage=str(files.database),
        logging={"log_dir": str(tmp_path / "logs"), "console": False},
    )

    scheduler.add_task(CommandTask("c", command=["true"]))

    assert asked.count("add") == 2
    server.close()
    holder.release()


def test_a_task_whose_program_does_not_run_yet_is_not_taken_for_a_supervisor(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    mark = str(uuid.uuid4())
    program = (
        "import os; from task_scheduler.supervision import kernel; kernel.load();"
        "kernel.set_name(b'tsk-supervisor'); child = os.fork();"
        "child or os.read(0, 1); child and (print('', flush=True), os.read(0, 1))"
    )
    monkeypatch.setenv(census.MARK_VARIABLE, mark)
    process = subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with process:
        assert process.stdout is not None
        process.stdout.readline()

        found = census.pids_of(mark, "tsk-supervisor")

        assert len(census.living(mark)) == 2
        assert found == [process.pid]
        process.kill()
        census.end_all(mark)
