"""Task Scheduler with one task a minute on its durable ledger, left alone: what that costs.

Processor time, and wake-ups: a thread that slept and was woken (voluntary context switches), less
that of the measure.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import figures

from task_scheduler import FunctionTask, TaskScheduler

OPTIONS = figures.options(1, seconds=60.0)
WARM_UP_SECONDS = 2.0


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        scheduler = TaskScheduler(
            {},
            storage=str(Path(folder) / "scheduler.db"),
            log_level="WARNING",
            logging={"log_dir": folder, "console": False},
        )
        scheduler.start()
        scheduler.add_task(FunctionTask("work", "no-op", lambda: True), every="1m")
        time.sleep(WARM_UP_SECONDS)
        cpu, woken = time.process_time(), figures.switches()
        time.sleep(OPTIONS.seconds)
        cpu, woken = time.process_time() - cpu, figures.switches() - woken - 1
        scheduler.stop()
    minutes = OPTIONS.seconds / 60
    figures.say(cpu_ms_per_minute=cpu * 1_000 / minutes, wakeups_per_minute=woken / minutes)


if __name__ == "__main__":
    main()
