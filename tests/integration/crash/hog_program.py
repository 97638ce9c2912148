"""Functions beside a hog: ``...hog_program FOLDER COUNT APART SWITCH``.

One function computes all the time and never waits; COUNT others are due, APART seconds after each
other (0: all at once). Prints how late each of them started, in seconds, as one JSON list.
SWITCH is the interpreter's switch interval in seconds, 0 for its default.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from task_scheduler import FunctionTask, ScheduleRule, ScheduleType, TaskScheduler, current_run

_LEAD_SECONDS = 1.5
_PATIENCE_SECONDS = 60.0


class Bystanders:
    """What runs beside the hog, and when each of them started."""

    def __init__(self, count: int) -> None:
        self.lateness: list[float] = []
        self._count = count
        self.is_over = threading.Event()

    def note(self) -> None:
        """Do nothing, and remember when."""
        now = time.time()
        self.lateness.append(now - current_run().scheduled_at.timestamp())
        if len(self.lateness) >= self._count:
            self.is_over.set()

    def compute(self) -> None:
        """Keep the interpreter to oneself until the others are through."""
        number = 0
        while not self.is_over.is_set():
            for step in range(1_000):
                number = (number * 31 + step) % 1_000_003


def main(folder: Path, count: int, apart: float, switch: float) -> int:
    """Measure; the exit code says whether all of them started."""
    if switch:
        sys.setswitchinterval(switch)
    scheduler = TaskScheduler(
        {},
        storage=str(folder / "scheduler.db"),
        logging={"log_dir": str(folder / "logs"), "console": False},
        log_level="WARNING",
    )
    bystanders = Bystanders(count)
    first = datetime.now(UTC) + timedelta(seconds=_LEAD_SECONDS)
    hog = FunctionTask("hog", "hog", bystanders.compute)
    rules = [
        ScheduleRule(ScheduleType.ONCE, run_at=first + timedelta(seconds=apart * number))
        for number in range(count)
    ]
    others = [
        (FunctionTask(f"other-{number:04}", None, bystanders.note), rule)
        for number, rule in enumerate(rules)
    ]
    with scheduler:
        scheduler.add_tasks([(hog, None), *others])
        scheduler.run_task("hog")
        bystanders.is_over.wait(_LEAD_SECONDS + apart * count + _PATIENCE_SECONDS)
    print(json.dumps(bystanders.lateness))
    return int(len(bystanders.lateness) != count)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), float(sys.argv[4])))
