"""A SQLite file with N hourly jobs, opened by a new process of APScheduler 3: how soon it is up.

Up is: the start has returned and a job that was asked for then has run. It keeps no record of what
runs, so there are no unfinished runs to recover. WAL and synchronous=FULL, as in the other
contenders.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import threading
import time
from typing import Any

import figures
from apscheduler.jobstores.sqlalchemy import SQLAlchemyJobStore
from apscheduler.schedulers.background import BackgroundScheduler
from sqlalchemy import create_engine, event

OPTIONS = figures.options(1_000, opened="")
HAS_RUN = threading.Event()


def work() -> None:
    """Tell that a job has run."""
    HAS_RUN.set()


def scheduler_on(path: str, sync: str) -> BackgroundScheduler:
    engine = create_engine(f"sqlite:///{path}")

    @event.listens_for(engine, "connect")
    def tune(connection: Any, _record: object) -> None:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute(f"PRAGMA synchronous={sync}")

    return BackgroundScheduler(
        jobstores={"default": SQLAlchemyJobStore(engine=engine)},
        job_defaults={"misfire_grace_time": None},
    )


def fill(path: str) -> None:
    """Store the jobs."""
    scheduler = scheduler_on(path, "OFF")  # how they got there is not what is measured
    scheduler.start(paused=True)
    for _ in range(OPTIONS.count):
        scheduler.add_job("__main__:work", "interval", hours=1)
    scheduler.shutdown()


def open_again(path: str) -> None:
    """Be the new process."""
    began = time.perf_counter()
    scheduler = scheduler_on(path, "FULL")
    scheduler.start()
    scheduler.add_job("__main__:work")
    HAS_RUN.wait()
    took = time.perf_counter() - began
    figures.say(startup_seconds=took, resident_mb=figures.rss_bytes() / 2**20)
    figures.leave()


def main() -> None:
    if OPTIONS.opened:
        open_again(OPTIONS.opened)
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/jobs.db"
        fill(path)
        subprocess.run([sys.executable, __file__, "--opened", path], check=True)


if __name__ == "__main__":
    main()
