"""Many tasks of one second each, by Task Scheduler on its durable ledger: how late each start is.

As `tsk up` runs it: the interpreter switches threads every 0.5 ms. ``--hogs`` functions compute all
the time, each in a thread of the pool.
"""

from __future__ import annotations

import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import figures
from hogs import compute_until
from punctuality import Punctuality

from task_scheduler import FunctionTask, ScheduleRule, ScheduleType, TaskScheduler

OPTIONS = figures.options(1_000, seconds=20.0, aligned=False, hogs=0, lead=1.0)
SWITCH_SECONDS = 0.0005


def main() -> None:
    sys.setswitchinterval(SWITCH_SECONDS)
    with tempfile.TemporaryDirectory() as folder:
        scheduler = TaskScheduler(
            {},
            storage=str(Path(folder) / "scheduler.db"),
            log_level="WARNING",
            max_workers=10 + OPTIONS.hogs,
            logging={"log_dir": folder, "console": False},
            tasks={"overlap": "allow", "timeout": None},
        )
        punctuality = Punctuality(
            OPTIONS.count, OPTIONS.seconds, is_aligned=OPTIONS.aligned, lead=OPTIONS.lead
        )
        scheduler.add_tasks(
            (
                FunctionTask(f"task-{number}", "no-op", punctuality.job(number)),
                ScheduleRule(
                    ScheduleType.INTERVAL, seconds=1, start_at=punctuality.slot_at(number)
                ),
            )
            for number in range(OPTIONS.count)
        )
        scheduler.start()
        now = ScheduleRule(ScheduleType.ONCE, run_at=datetime.fromtimestamp(time.time(), UTC))
        for number in range(OPTIONS.hogs):
            hog = FunctionTask(f"hog-{number}", "computes", compute_until, args=(punctuality.end,))
            scheduler.add_task(hog, now)
        punctuality.watch()
        found = punctuality.figures()
        scheduler.stop(timeout=5)
    figures.say(**found)
    figures.leave()


if __name__ == "__main__":
    main()
