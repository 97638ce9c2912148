"""The scheduler that is soaked: ``python -m tests.integration.soak.program FOLDER TASKS SEED``.

Responsible for: very many short runs of every kind on one ledger file whose retention is small, so
that it prunes all the time, and whose log rotates all the time. Works until SIGTERM.
"""

from __future__ import annotations

import itertools
import random
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from task_scheduler import CommandTask, FunctionTask, ScheduleRule, ScheduleType, TaskScheduler
from tests.integration.soak import bounds

PERIOD_SECONDS = 0.1
"""Between two runs of each function: ten runs a second a task."""

_calls = itertools.count()
_RETRY: dict[str, Any] = {"max_retries": 2, "retry_delay": 0.05}


def nothing() -> None:
    """Be a function that does nothing."""


def fails_sometimes() -> None:
    """Fail at every third call, each time with a message that was never there before."""
    number = next(_calls)
    if number % 3 == 0:
        raise RuntimeError(f"call {number} was to fail")


async def waits() -> None:
    """Be a coroutine."""


def main(folder: Path, tasks: int, seed: str) -> None:
    """Run `tasks` functions, ten times a second each, and a few programs beside them."""
    scheduler = TaskScheduler(
        {},
        storage={
            "path": str(folder / "state" / "scheduler.db"),
            "retention_runs": bounds.KEPT_RUNS,
            "retention_days": bounds.RETENTION_DAYS,
        },
        logging={
            "log_dir": str(folder / "logs"),
            "console": False,
            "max_log_size": bounds.LOG_BYTES,
            "backup_count": bounds.LOG_FILES,
        },
        tasks={"max_retries": 0, "timeout": 60},
        max_workers=bounds.WORKERS,
        stop_timeout_seconds=20,
    )
    rng = random.Random(seed)
    begin = datetime.now(UTC) + timedelta(seconds=1)

    def every(seconds: float) -> ScheduleRule:
        # Somewhere in its period each: a steady stream instead of a burst.
        moment = begin + timedelta(seconds=rng.uniform(0, seconds))
        return ScheduleRule(ScheduleType.INTERVAL, seconds=seconds, start_at=moment)

    pairs: list[tuple[Any, ScheduleRule]] = []
    for number in range(tasks):
        call = rng.choices((nothing, waits, fails_sometimes), (90, 5, 5))[0]
        overlap = rng.choice(("skip", "queue", "allow"))
        task = FunctionTask(f"function-{number}", None, call, overlap=overlap, **_RETRY)
        pairs.append((task, every(PERIOD_SECONDS)))
    programs = [
        CommandTask("program", None, ["/bin/echo", "a line of output"]),
        CommandTask("program-fails", None, ["/bin/false"], **_RETRY),
        FunctionTask("isolated", None, "math:floor", (1.5,), isolation="process"),
    ]
    pairs += [(program, every(bounds.PROGRAM_SECONDS)) for program in programs]
    scheduler.add_tasks(pairs)
    sys.exit(scheduler.run_forever())


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
