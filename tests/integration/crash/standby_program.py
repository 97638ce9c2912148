"""One of four equal processes: ``...standby_program FOLDER COUNT APART START_AT [extra]``.

Adds COUNT one-off functions, due APART seconds after each other, and starts. With the last argument
it offers one function more, which the others do not have.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from task_scheduler import FunctionTask, ScheduleRule, ScheduleType, TaskScheduler
from task_scheduler.errors import StandbyRefusedError
from tests.integration.crash.in_thread import note

REFUSED = 3
"""The exit code of a process that was refused as a standby."""
_CLOSURES = 10
"""Every so manyth function lives in its process alone."""


def closure_of(function: Callable[[], None]) -> Callable[[], None]:
    """Return a function that no other process can import."""

    def call() -> None:
        function()

    return call


def main(folder: Path, count: int, apart: float, start_at: float, *, has_extra: bool) -> int:
    """Run, or wait for the ledger."""
    scheduler = TaskScheduler(
        {},
        storage={"path": str(folder / "scheduler.db"), "retention_runs": 0},
        logging={"log_dir": str(folder / "logs"), "console": False},
        log_level="WARNING",
        tasks={"max_retries": 0},
    )
    begin = datetime.fromtimestamp(start_at, UTC)
    pairs = []
    for number in range(count):
        name = f"one-{number:05}"
        function = note if number % _CLOSURES else closure_of(note)
        rule = ScheduleRule(ScheduleType.ONCE, run_at=begin + timedelta(seconds=apart * number))
        pairs.append((FunctionTask(name, name, function), rule))
    scheduler.add_tasks(pairs)
    if has_extra:
        scheduler.add_task(FunctionTask("extra", "extra", closure_of(note)))
    try:
        scheduler.start()
    except StandbyRefusedError as error:
        print(error, file=sys.stderr, flush=True)
        return REFUSED
    print("running", flush=True)
    threading.Event().wait()
    return 0


if __name__ == "__main__":
    sys.exit(
        main(
            Path(sys.argv[1]),
            int(sys.argv[2]),
            float(sys.argv[3]),
            float(sys.argv[4]),
            has_extra=len(sys.argv) > 5,
        )
    )
