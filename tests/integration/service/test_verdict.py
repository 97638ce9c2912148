"""The sentence that a service manager shows is the one of `tsk status`."""

from __future__ import annotations

import time
from pathlib import Path

from task_scheduler import CommandTask, TaskScheduler

PATIENCE_SECONDS = 30.0


def test_the_sentence_follows_how_the_tasks_do(tmp_path: Path) -> None:
    scheduler = TaskScheduler(
        storage=str(tmp_path / "x.db"), language="en", logging={"console": False}
    )
    with scheduler:
        empty = scheduler.verdict()
        scheduler.add_task(CommandTask("bad", command=["false"], max_retries=0))
        scheduler.add_task(CommandTask("good", command=["true"]))
        fine = scheduler.verdict()
        run_id = scheduler.run_task("bad")
        until = time.monotonic() + PATIENCE_SECONDS
        while scheduler.view.run(run_id)["state"] != "failed":
            assert time.monotonic() < until
            time.sleep(0.02)
        needy = scheduler.verdict()

        assert scheduler.is_turning()

    assert empty == "The scheduler runs, and has no task yet."
    assert fine == "All is well (tasks: 2, failing: 0)."
    assert needy == "Tasks that need you: 1 of 2."
    assert not scheduler.is_turning()


def test_a_ledger_that_cannot_be_read_is_the_sentence(tmp_path: Path) -> None:
    ledger = tmp_path / "x.db"
    ledger.write_bytes(b"this is no database at all, whatever its name may say" * 100)
    scheduler = TaskScheduler(storage=str(ledger), language="en", logging={"console": False})

    assert scheduler.verdict().startswith("The scheduler has a problem")
