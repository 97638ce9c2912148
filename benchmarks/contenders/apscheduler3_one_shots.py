"""N no-op functions stored beforehand and due at once, by APScheduler 3 on a SQLite file."""

from __future__ import annotations

import argparse
import json
import tempfile
import threading
import time
from datetime import datetime
from typing import Any

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.jobstores.sqlalchemy import SQLAlchemyJobStore
from apscheduler.schedulers.background import BackgroundScheduler
from sqlalchemy import create_engine, event

_count = 0
_wanted = 0
_all_ended = threading.Event()


def work() -> None:
    """Do nothing but count: a job store needs a function that can be imported."""
    global _count
    _count += 1
    if _count >= _wanted:
        _all_ended.set()


def main() -> None:
    global _wanted
    options = _options()
    _wanted = options.count
    with tempfile.TemporaryDirectory() as folder:
        engine = create_engine(f"sqlite:///{folder}/jobs.db")

        @event.listens_for(engine, "connect")
        def tune(connection: Any, _record: object) -> None:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute(f"PRAGMA synchronous={options.sync}")

        scheduler = BackgroundScheduler(
            jobstores={"default": SQLAlchemyJobStore(engine=engine)},
            executors={"default": ThreadPoolExecutor(10)},
            job_defaults={"misfire_grace_time": None, "max_instances": 1_000_000},
        )
        scheduler.start(paused=True)
        due = datetime.now()
        began = time.perf_counter()
        for _ in range(options.count):
            scheduler.add_job("__main__:work", "date", run_date=due)
        added = time.perf_counter()
        scheduler.resume()
        _all_ended.wait()
        ended = time.perf_counter()
        scheduler.shutdown()
    print(
        json.dumps(
            {
                "added_per_second": options.count / (added - began),
                "runs_per_second": options.count / (ended - added),
            }
        )
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--sync", default="FULL")
    return parser.parse_args()


if __name__ == "__main__":
    main()
