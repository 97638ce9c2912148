"""The scheduler that is stopped: ``... tests.integration.stops.program CONFIG START_AT MODE``.

Responsible for: the workload of the crash test, run in the foreground (MODE ``forever``) or beside
a program of its own (``embedded``), which obeys one word a line from its standard input. Where
MODE is ``only`` it adds the tasks and ends.
"""

from __future__ import annotations

import os
import select
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from task_scheduler import ScheduleRule, ScheduleType, TaskScheduler
from tests.integration.crash.program import task_of
from tests.integration.crash.workload import WORKLOAD


def main(config: Path, start_at: int, mode: str) -> int:
    """Run the workload on the ledger that `config` names; `start_at` in microseconds."""
    scheduler = TaskScheduler(config)
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=start_at)
    scheduler.add_tasks(
        (
            task_of(planned, config.parent),
            ScheduleRule(ScheduleType.INTERVAL, seconds=planned.period, start_at=moment),
        )
        for planned in WORKLOAD
    )
    if mode == "only":
        scheduler.apply_declared()
        return 0
    if mode == "forever":
        return scheduler.run_forever()
    return beside_a_program(scheduler, config.parent)


def beside_a_program(scheduler: TaskScheduler, folder: Path) -> int:
    """Start, and do what the lines say until one of them was the end."""
    try:
        scheduler.start()
        (folder / f"running-{os.getpid()}").touch()
        for line in lines_of_stdin():
            word, _, seconds = line.partition(" ")
            match word:
                case "stop":
                    scheduler.stop(float(seconds))
                    return 0
                case "stop-from-two-threads":
                    other = threading.Thread(target=scheduler.stop)
                    other.start()
                    scheduler.stop()
                    other.join()
                    return 0
                case "again":
                    scheduler.stop(float(seconds))
                    scheduler.start()
    except KeyboardInterrupt:
        scheduler.stop()
    return 0


def lines_of_stdin() -> Iterator[str]:
    """Give what is written to the standard input, line by line.

    Never blocked for ever: a signal that comes right before a read does not end that read.
    """
    rest = b""
    while True:
        if not select.select([0], [], [], 0.2)[0]:
            continue
        data = os.read(0, 4_096)
        if not data:
            return
        *lines, rest = (rest + data).split(b"\n")
        yield from (line.decode() for line in lines)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]))
