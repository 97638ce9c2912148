"""N runs of no-op functions, in parts of 20,000, by Task Scheduler on its durable ledger.

The history of all of them stays in the ledger, and the same 20,000 tasks are moved to the next
moment for each part.
"""

from __future__ import annotations

import tempfile
from datetime import datetime
from pathlib import Path

import figures

from task_scheduler import FunctionTask, ScheduleRule, ScheduleType, TaskScheduler

OPTIONS = figures.options(1_000_000)
PART = 20_000


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        scheduler = TaskScheduler(
            {},
            storage=str(Path(folder) / "scheduler.db"),
            log_level="WARNING",
            logging={"log_dir": folder, "console": False},
        )
        scheduler.start()

        def run(count: int) -> None:
            finish = figures.Finish(count)
            rule = ScheduleRule(ScheduleType.ONCE, run_at=datetime.now())
            # The same tasks each time: what grows is their history.
            tasks = (FunctionTask(f"task-{n}", "no-op", finish.work) for n in range(count))
            scheduler.add_tasks((task, rule) for task in tasks)
            finish.wait()

        found = figures.endure(run, OPTIONS.count, PART)
        scheduler.stop()
    figures.say(**found)


if __name__ == "__main__":
    main()
