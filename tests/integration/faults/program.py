"""The scheduler under storage faults: ``python -m tests.integration.faults.program FOLDER AT``.

Adds the workload, prints one line once it runs, and works until it is told to end. While a file
``stall`` lies in the folder, a listener of its events does not return; while ``hoard`` does, no
descriptor is left.
"""

from __future__ import annotations

import contextlib
import os
import resource
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from task_scheduler import (
    BaseTask,
    CommandTask,
    FunctionTask,
    ScheduleRule,
    ScheduleType,
    TaskScheduler,
    watchdog,
)
from tests.integration.faults import work
from tests.integration.faults.workload import WORKLOAD, Planned

_MOST_FILES = 400
_STALL_SECONDS = 0.5
"""Instead of the ten that a user waits to be told: the campaign has no time for it."""


def task_of(planned: Planned) -> BaseTask:
    """Make the task of one entry."""
    task_id = planned.task_id
    policies: dict[str, Any] = {
        "misfire": planned.misfire,
        "overlap": planned.overlap,
        "overlap_limit": 1_000_000,
    }
    if planned.kind == "function":
        call = "tests.integration.faults.work:work"
        return FunctionTask(task_id, task_id, call, (planned.busy,), **policies)
    argv = ["/bin/sh", str(Path(__file__).with_name("task.sh")), str(planned.busy)]
    return CommandTask(task_id, task_id, argv, **policies)


def hoard(trigger: Path) -> None:
    """Open all files there may be while a file lies there."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (_MOST_FILES, _MOST_FILES))
    held: list[int] = []
    while True:
        time.sleep(0.02)
        with contextlib.suppress(OSError):
            while trigger.exists():
                held.append(os.open(os.devnull, os.O_RDONLY))
        while held and not trigger.exists():
            os.close(held.pop())


def main(folder: Path, start_at: int) -> int:
    """Run the workload on the ledger in ``folder/disk/state``; `start_at` in microseconds."""
    watchdog.STALL_SECONDS = _STALL_SECONDS
    work.witness_file()
    scheduler = TaskScheduler(
        {},
        storage={"path": str(folder / "disk" / "state" / "scheduler.db"), "retention_runs": 0},
        logging={"log_dir": str(folder / "logs"), "console": False, "format": "json"},
        tasks={"max_retries": 0, "timeout": 60, "catch_up_limit": 1_000_000},
        stop_timeout_seconds=20,
    )
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=start_at)
    pairs = []
    for planned in WORKLOAD:
        rules = []
        if planned.period is not None:
            rules = [ScheduleRule(ScheduleType.INTERVAL, seconds=planned.period, start_at=moment)]
        pairs.append((task_of(planned), rules))
    stall = folder / "stall"

    def stand_still(_: object) -> None:
        while stall.exists():
            time.sleep(0.02)

    scheduler.add_listener(stand_still)
    threading.Thread(target=hoard, args=(folder / "hoard",), daemon=True).start()
    # Bound or not: what was added by an earlier life stays as it is.
    scheduler.add_tasks(pairs)
    print("ready", flush=True)
    return scheduler.run_forever()


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2])))
