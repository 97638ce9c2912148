"""The scheduler under fire: ``python -m tests.integration.crash.program FOLDER START_AT WHEN``.

Adds the workload (WHEN: ``before`` or ``after`` its start; ``only`` adds and ends), prints one line
once it runs, and works until it is killed or told to end.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from task_scheduler import (
    BaseTask,
    CommandTask,
    FunctionTask,
    LogCleanupTask,
    ScheduleRule,
    ScheduleType,
    ScriptTask,
    TaskScheduler,
)
from tests.integration.crash.in_thread import work
from tests.integration.crash.workload import WORKLOAD, Planned

HERE = Path(__file__).parent


def closure_of(seconds: float) -> Callable[[], None]:
    """Return a function that lives in this process alone."""

    def call() -> None:
        work(seconds)

    return call


class Custom(BaseTask):
    """A user's own kind of task."""

    def __init__(self, task_id: str, seconds: float, **policies: Any) -> None:
        super().__init__(task_id, task_id, **policies)
        self.seconds = seconds

    def execute(self) -> bool:
        """Work."""
        work(self.seconds)
        return True


def task_of(planned: Planned, folder: Path) -> BaseTask:
    """Make the task of one entry."""
    task_id, busy, policies = planned.task_id, planned.busy, planned.policies
    here, thread = "tests.integration.crash", "tests.integration.crash.in_thread"
    match planned.kind:
        case "function":
            return FunctionTask(task_id, task_id, f"{thread}:work", (busy,), **policies)
        case "flaky":
            call = f"{thread}:fail_first"
            return FunctionTask(task_id, task_id, call, (busy,), **policies)
        case "async":
            return FunctionTask(task_id, task_id, f"{thread}:work_async", (busy,), **policies)
        case "closure":
            return FunctionTask(task_id, task_id, closure_of(busy), **policies)
        case "custom":
            return Custom(task_id, busy, **policies)
        case "isolated":
            call = f"{here}.isolated:work"
            return FunctionTask(task_id, task_id, call, (busy,), isolation="process", **policies)
        case "script":
            args = [str(busy), *(["fail-first"] if planned.fails_first else [])]
            return ScriptTask(task_id, task_id, str(HERE / "task_script.py"), args=args, **policies)
        case "command":
            more = ["fail-first"] if planned.fails_first else []
            argv = ["/bin/sh", str(HERE / "task_command.sh"), str(busy), *more]
            return CommandTask(task_id, task_id, argv, **policies)
    return LogCleanupTask(task_id, task_id, folder / "old", days=1, **policies)


def main(folder: Path, start_at: int, when: str) -> None:
    """Run the workload on the ledger in `folder`; `start_at` in microseconds."""
    scheduler = TaskScheduler(
        {},
        storage={"path": str(folder / "scheduler.db"), "retention_runs": 0},
        logging={"log_dir": str(folder / "logs"), "console": False},
        tasks={"max_retries": 0, "timeout": 60},
        stop_timeout_seconds=20,
    )
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=start_at)
    pairs = [
        (
            task_of(planned, folder),
            ScheduleRule(ScheduleType.INTERVAL, seconds=planned.period, start_at=moment),
        )
        for planned in WORKLOAD
    ]
    if when != "after":
        scheduler.add_tasks(pairs)
    if when == "only":
        return
    scheduler.start()
    if when == "after":
        scheduler.add_tasks(pairs)
    print("running", flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
