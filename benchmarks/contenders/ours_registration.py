"""N hourly tasks added to a live Task Scheduler on its durable ledger.

In bulk, from objects that are ready (`add_tasks`; memory is what the process grew by), and one
`add_task` after the other: a hundredth of them, each acknowledged when it is synced.
"""

from __future__ import annotations

import gc
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import figures

from task_scheduler import FunctionTask, ScheduleRule, ScheduleType, TaskScheduler

OPTIONS = figures.options(100_000)
FAR = datetime(2100, 1, 1, tzinfo=UTC)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        scheduler = TaskScheduler(
            {},
            storage=str(Path(folder) / "scheduler.db"),
            log_level="WARNING",
            logging={"log_dir": folder, "console": False},
        )
        scheduler.start()
        # None of them is due while they are added: what runs is another case's.
        later = ScheduleRule(ScheduleType.INTERVAL, seconds=3_600, start_at=FAR)
        gc.collect()
        before = figures.rss_bytes()
        tasks = [
            (FunctionTask(f"task-{number}", "no-op", time.monotonic), later)
            for number in range(OPTIONS.count)
        ]
        began = time.perf_counter()
        scheduler.add_tasks(tasks)
        bulk = time.perf_counter() - began
        del tasks
        gc.collect()
        grown = figures.rss_bytes() - before
        few = max(100, OPTIONS.count // 100)
        singles = [
            FunctionTask(f"single-{number}", "no-op", time.monotonic) for number in range(few)
        ]
        began = time.perf_counter()
        for task in singles:
            scheduler.add_task(task, later)
        one_by_one = time.perf_counter() - began
        resident = figures.rss_bytes() / 2**20
        count = scheduler.view.counts(0)["total_tasks"]
        scheduler.stop()
    if count != OPTIONS.count + few:
        raise SystemExit(f"{count} tasks are in the ledger")
    figures.say(
        bulk_per_second=OPTIONS.count / bulk,
        one_by_one_per_second=few / one_by_one,
        per_task_bytes=max(0, grown) / OPTIONS.count,
        resident_mb=resident,
    )


if __name__ == "__main__":
    main()
