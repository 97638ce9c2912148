"""N no-op functions stored beforehand and due at once, by Task Scheduler."""

from __future__ import annotations

import argparse
import json
import tempfile
import threading
import time
from datetime import datetime, timedelta
from pathlib import Path

from task_scheduler import FunctionTask, ScheduleRule, ScheduleType, TaskScheduler


def main() -> None:
    options = _options()
    ended = 0
    all_ended = threading.Event()

    def work() -> bool:
        nonlocal ended
        ended += 1
        if ended >= options.count:
            all_ended.set()
        return True

    with tempfile.TemporaryDirectory() as folder:
        storage = ":memory:" if options.memory else str(Path(folder) / "scheduler.db")
        scheduler = TaskScheduler(
            {},
            storage=storage,
            log_level=options.level,
            logging={"log_dir": folder, "console": False},
        )
        # All are stored and the scheduler has started when 'go' comes, as with the peers.
        due = datetime.now() + timedelta(seconds=2 + options.count / 3_000)
        rule = ScheduleRule(ScheduleType.ONCE, run_at=due)
        began = time.perf_counter()
        scheduler.add_tasks(
            (FunctionTask(f"task-{number}", "no-op", work), rule) for number in range(options.count)
        )
        added = time.perf_counter()
        scheduler.start()
        if datetime.now() >= due:
            raise SystemExit("the machine was too slow to be ready in time")
        all_ended.wait()
        scheduler.stop()  # returns once every end is recorded
        seconds = (datetime.now() - due).total_seconds()
        runs = scheduler.get_task_status("task-0")["run_count"]
    if runs != 1 or ended != options.count:
        raise SystemExit(f"{ended} of {options.count} ran")
    print(
        json.dumps(
            {
                "added_per_second": options.count / (added - began),
                "runs_per_second": options.count / seconds,
            }
        )
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--memory", action="store_true")
    parser.add_argument("--level", default="WARNING")
    return parser.parse_args()


if __name__ == "__main__":
    main()
