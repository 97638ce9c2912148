"""N no-op functions due at once, by APScheduler 4.0.0a6: in memory, or stored on a SQLite file.

As schedules, which is what is scheduled; ``--jobs`` adds jobs without any trigger, its fastest way.
Settings from its documentation: 10 concurrent jobs, no limit of running jobs for the task, no
misfire grace time. SQLite as in the contender of APScheduler 3.
"""

from __future__ import annotations

import logging
import tempfile
import time
from datetime import UTC, datetime
from typing import Any

import figures
from apscheduler import Scheduler
from apscheduler.datastores.memory import MemoryDataStore
from apscheduler.datastores.sqlalchemy import SQLAlchemyDataStore
from apscheduler.triggers.date import DateTrigger
from sqlalchemy import create_engine, event

OPTIONS = figures.options(1_000, memory=False, jobs=False)
FINISH = figures.Finish(OPTIONS.count)


def work() -> None:
    """Count: a store on disk needs a function that can be imported."""
    FINISH.work()


def store_in(folder: str) -> MemoryDataStore | SQLAlchemyDataStore:
    if OPTIONS.memory:
        return MemoryDataStore()
    engine = create_engine(f"sqlite:///{folder}/jobs.db")

    @event.listens_for(engine, "connect")
    def tune(connection: Any, _record: object) -> None:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")

    return SQLAlchemyDataStore(engine)


def main() -> None:
    logging.disable(logging.CRITICAL)
    with (
        tempfile.TemporaryDirectory() as folder,
        Scheduler(data_store=store_in(folder), max_concurrent_jobs=10) as scheduler,
    ):
        task = scheduler.configure_task(
            "work", func=work, max_running_jobs=None, misfire_grace_time=None
        )
        began = time.perf_counter()
        due = datetime.now(UTC)
        for _ in range(OPTIONS.count):
            if OPTIONS.jobs:
                scheduler.add_job(task.id)
            else:
                scheduler.add_schedule(task.id, DateTrigger(due), misfire_grace_time=None)
        added = time.perf_counter()
        scheduler.start_in_background()
        ended = FINISH.wait()
        scheduler.stop()
    figures.say(
        added_per_second=OPTIONS.count / (added - began),
        runs_per_second=OPTIONS.count / (ended - added),
    )


if __name__ == "__main__":
    main()
