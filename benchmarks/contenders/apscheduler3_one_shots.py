"""N no-op functions due at once, by APScheduler 3: in memory, or stored on a SQLite file.

Settings from its user guide: a pool of 10 threads, no limit on late starts
(misfire_grace_time=None) nor on instances. SQLite as a user who looked would tune it: WAL;
``synchronous`` is FULL unless ``--sync NORMAL`` says so, ``--sync DEFAULT`` leaves SQLite alone.
"""

from __future__ import annotations

import tempfile
import time
from datetime import datetime
from typing import Any

import figures
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.jobstores.memory import MemoryJobStore
from apscheduler.jobstores.sqlalchemy import SQLAlchemyJobStore
from apscheduler.schedulers.background import BackgroundScheduler
from sqlalchemy import create_engine, event

OPTIONS = figures.options(10_000, sync="FULL", memory=False)
FINISH = figures.Finish(OPTIONS.count)


def work() -> None:
    """Count: a job store on disk needs a function that can be imported."""
    FINISH.work()


def store_in(folder: str) -> MemoryJobStore | SQLAlchemyJobStore:
    if OPTIONS.memory:
        return MemoryJobStore()
    engine = create_engine(f"sqlite:///{folder}/jobs.db")

    @event.listens_for(engine, "connect")
    def tune(connection: Any, _record: object) -> None:
        if OPTIONS.sync != "DEFAULT":
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute(f"PRAGMA synchronous={OPTIONS.sync}")

    return SQLAlchemyJobStore(engine=engine)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        scheduler = BackgroundScheduler(
            jobstores={"default": store_in(folder)},
            executors={"default": ThreadPoolExecutor(10)},
            job_defaults={"misfire_grace_time": None, "max_instances": 1_000_000},
        )
        scheduler.start(paused=True)
        due = datetime.now()
        began = time.perf_counter()
        for _ in range(OPTIONS.count):
            scheduler.add_job("__main__:work", "date", run_date=due)
        added = time.perf_counter()
        scheduler.resume()
        ended = FINISH.wait()
        scheduler.shutdown()
    figures.say(
        added_per_second=OPTIONS.count / (added - began),
        runs_per_second=OPTIONS.count / (ended - added),
    )


if __name__ == "__main__":
    main()
