"""N no-op functions enqueued beforehand, by Huey: in memory, or on a SQLite file.

A queue: there is nothing to schedule in it. Settings from its documentation: ten worker threads, no
periodic tasks, no results kept, and the initial delay of the workers as small as it may be. Of
SQLite it sets WAL itself; ``fsync=True`` is its setting for a commit that survives a power cut.
"""

from __future__ import annotations

import logging
import tempfile
import time

import figures
from huey import MemoryHuey, SqliteHuey

OPTIONS = figures.options(10_000, memory=False, threads=10)
FINISH = figures.Finish(OPTIONS.count)


def main() -> None:
    logging.disable(logging.CRITICAL)
    with tempfile.TemporaryDirectory() as folder:
        if OPTIONS.memory:
            huey = MemoryHuey("bench", results=False)
        else:
            huey = SqliteHuey("bench", filename=f"{folder}/huey.db", fsync=True, results=False)

        @huey.task()
        def work() -> None:
            FINISH.work()

        began = time.perf_counter()
        for _ in range(OPTIONS.count):
            work()
        added = time.perf_counter()
        consumer = huey.create_consumer(
            workers=OPTIONS.threads, periodic=False, initial_delay=0.001, check_worker_health=False
        )
        consumer.start()
        ended = FINISH.wait()
        consumer.stop(graceful=False)
    figures.say(
        added_per_second=OPTIONS.count / (added - began),
        runs_per_second=OPTIONS.count / (ended - added),
    )


if __name__ == "__main__":
    main()
