"""A scheduler with one job a minute, left alone: processor time and wake-ups.

``--by``: `apscheduler` 3, `schedule` and `scheduler` (Digon) with the nap of one second of their
documentation, `huey` (its consumer in one process, with its periodic tasks). A wake-up is a thread
that slept and was woken (voluntary context switches), less those of the measure itself.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from datetime import timedelta

import figures

OPTIONS = figures.options(1, by="apscheduler", seconds=60.0)
WARM_UP_SECONDS = 2.0


def work() -> None:
    """Do nothing."""


def in_background(turn: Callable[[], object]) -> None:
    def loop() -> None:
        while True:
            turn()
            time.sleep(1)

    threading.Thread(target=loop, daemon=True).start()


def of_apscheduler() -> None:
    from apscheduler.schedulers.background import BackgroundScheduler

    made = BackgroundScheduler()
    made.add_job(work, "interval", minutes=1)
    made.start()


def of_schedule() -> None:
    import schedule

    schedule.every(1).minutes.do(work)
    in_background(schedule.run_pending)


def of_scheduler() -> None:
    from scheduler import Scheduler

    made = Scheduler(n_threads=1)
    made.cyclic(timedelta(minutes=1), work)
    in_background(made.exec_jobs)


def of_huey() -> None:
    from huey import MemoryHuey, crontab

    logging.disable(logging.CRITICAL)
    huey = MemoryHuey("bench", results=False)
    huey.periodic_task(crontab(minute="*"))(work)
    huey.create_consumer(workers=1, periodic=True).start()


MAKERS = {
    "apscheduler": of_apscheduler,
    "schedule": of_schedule,
    "scheduler": of_scheduler,
    "huey": of_huey,
}


def main() -> None:
    MAKERS[OPTIONS.by]()
    time.sleep(WARM_UP_SECONDS)
    cpu, woken = time.process_time(), figures.switches()
    time.sleep(OPTIONS.seconds)
    cpu, woken = time.process_time() - cpu, figures.switches() - woken - 1
    minutes = OPTIONS.seconds / 60
    figures.say(cpu_ms_per_minute=cpu * 1_000 / minutes, wakeups_per_minute=woken / minutes)
    figures.leave()


if __name__ == "__main__":
    main()
