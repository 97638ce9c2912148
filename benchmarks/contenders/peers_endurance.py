"""N runs of no-op functions, in parts of 20,000: how fast to the end, and what memory is left with.

``--by``: `apscheduler` 3 in memory, `huey` in memory, `schedule`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime

import figures

OPTIONS = figures.options(1_000_000, by="apscheduler")
PART = 20_000

Runner = Callable[[int], None]
"""Runs so many functions and returns when all have ended."""


def of_apscheduler() -> Runner:
    from apscheduler.executors.pool import ThreadPoolExecutor
    from apscheduler.schedulers.background import BackgroundScheduler

    made = BackgroundScheduler(
        executors={"default": ThreadPoolExecutor(10)},
        job_defaults={"misfire_grace_time": None, "max_instances": 1_000_000},
    )
    made.start()

    def run(count: int) -> None:
        finish = figures.Finish(count)
        made.pause()
        for _ in range(count):
            made.add_job(finish.work, "date", run_date=datetime.now())
        made.resume()
        finish.wait()

    return run


def of_huey() -> Runner:
    from huey import MemoryHuey

    logging.disable(logging.CRITICAL)
    huey = MemoryHuey("bench", results=False)
    current = [figures.Finish(0)]

    @huey.task()
    def work() -> None:
        current[0].work()

    huey.create_consumer(workers=10, periodic=False, initial_delay=0.001).start()

    def run(count: int) -> None:
        current[0] = figures.Finish(count)
        for _ in range(count):
            work()
        current[0].wait()

    return run


def of_schedule() -> Runner:
    import schedule

    def run(count: int) -> None:
        finish, due = figures.Finish(count), datetime.now()

        def once() -> type[schedule.CancelJob]:
            finish.work()
            return schedule.CancelJob

        for _ in range(count):
            schedule.every().second.do(once).next_run = due
        schedule.run_pending()

    return run


MAKERS = {"apscheduler": of_apscheduler, "huey": of_huey, "schedule": of_schedule}


def main() -> None:
    run = MAKERS[OPTIONS.by]()
    figures.say(**figures.endure(run, OPTIONS.count, PART))
    figures.leave()


if __name__ == "__main__":
    main()
