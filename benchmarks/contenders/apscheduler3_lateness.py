"""Many jobs of one second each, by APScheduler 3 in memory: how late each start is.

Settings from its user guide: every missed start is made up for (coalesce off, no misfire limit),
and a job may run beside itself. ``--hogs`` functions compute all the time, each in a thread of the
pool.
"""

from __future__ import annotations

import figures
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.interval import IntervalTrigger
from hogs import compute_until
from punctuality import Punctuality

OPTIONS = figures.options(1_000, seconds=20.0, aligned=False, hogs=0, lead=1.0)


def main() -> None:
    punctuality = Punctuality(
        OPTIONS.count, OPTIONS.seconds, is_aligned=OPTIONS.aligned, lead=OPTIONS.lead
    )
    scheduler = BackgroundScheduler(
        executors={"default": ThreadPoolExecutor(10 + OPTIONS.hogs)},
        job_defaults={"misfire_grace_time": None, "coalesce": False, "max_instances": 100},
    )
    scheduler.start(paused=True)
    for _ in range(OPTIONS.hogs):
        scheduler.add_job(compute_until, args=(punctuality.end,))
    for number in range(OPTIONS.count):
        trigger = IntervalTrigger(seconds=1, start_date=punctuality.slot_at(number))
        scheduler.add_job(
            punctuality.job(number), trigger, next_run_time=punctuality.slot_at(number)
        )
    scheduler.resume()
    punctuality.watch()
    scheduler.shutdown(wait=False)
    figures.say(**punctuality.figures())


if __name__ == "__main__":
    main()
