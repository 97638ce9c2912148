"""N hourly jobs added one at a time to a live scheduler, by a peer: how fast, how much memory.

``--by``: `apscheduler` 3 in memory, `apscheduler-sqlite` (WAL, synchronous=FULL), `schedule`,
`scheduler` (Digon). The memory is what the process grew by, and says something from 100,000 on.
"""

from __future__ import annotations

import gc
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import figures

OPTIONS = figures.options(10_000, by="apscheduler")


def work() -> None:
    """Do nothing."""


def of_apscheduler() -> Callable[[], object]:
    from apscheduler.schedulers.background import BackgroundScheduler

    made = BackgroundScheduler()
    made.start()
    return lambda: made.add_job(work, "interval", hours=1)


def of_apscheduler_sqlite() -> Callable[[], object]:
    from apscheduler.jobstores.sqlalchemy import SQLAlchemyJobStore
    from apscheduler.schedulers.background import BackgroundScheduler
    from sqlalchemy import create_engine, event

    folder = tempfile.mkdtemp()
    engine = create_engine(f"sqlite:///{folder}/jobs.db")

    @event.listens_for(engine, "connect")
    def tune(connection: Any, _record: object) -> None:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")

    made = BackgroundScheduler(jobstores={"default": SQLAlchemyJobStore(engine=engine)})
    made.start()
    return lambda: made.add_job("__main__:work", "interval", hours=1)


def of_schedule() -> Callable[[], object]:
    import schedule

    return lambda: schedule.every(1).hours.do(work)


def of_scheduler() -> Callable[[], object]:
    from scheduler import Scheduler

    made, hour = Scheduler(n_threads=10), timedelta(hours=1)
    return lambda: made.cyclic(hour, work)


MAKERS = {
    "apscheduler": of_apscheduler,
    "apscheduler-sqlite": of_apscheduler_sqlite,
    "schedule": of_schedule,
    "scheduler": of_scheduler,
}


def main() -> None:
    add = MAKERS[OPTIONS.by]()
    add()
    gc.collect()
    before, began = figures.rss_bytes(), time.perf_counter()
    for _ in range(OPTIONS.count):
        add()
    took = time.perf_counter() - began
    gc.collect()
    figures.say(
        one_by_one_per_second=OPTIONS.count / took,
        per_task_bytes=(figures.rss_bytes() - before) / OPTIONS.count,
        resident_mb=figures.rss_bytes() / 2**20,
    )
    figures.leave()


if __name__ == "__main__":
    main()
