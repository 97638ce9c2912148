"""N hourly schedules added one at a time to a live APScheduler 4.0.0a6 in memory."""

from __future__ import annotations

import gc
import logging
import time

import figures
from apscheduler import Scheduler
from apscheduler.triggers.interval import IntervalTrigger

OPTIONS = figures.options(1_000)


def work() -> None:
    """Do nothing."""


def main() -> None:
    logging.disable(logging.CRITICAL)
    with Scheduler() as scheduler:
        scheduler.start_in_background()
        task = scheduler.configure_task("work", func=work)
        gc.collect()
        before, began = figures.rss_bytes(), time.perf_counter()
        for _ in range(OPTIONS.count):
            scheduler.add_schedule(task.id, IntervalTrigger(hours=1))
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
