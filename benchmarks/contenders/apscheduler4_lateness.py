"""Many jobs of one second each, by APScheduler 4.0.0a6 in memory: how late each start is.

Settings from its documentation: ten concurrent jobs, no limit of running jobs for the task, every
missed start made up for (CoalescePolicy.all), no misfire limit.
"""

from __future__ import annotations

import logging

import figures
from apscheduler import CoalescePolicy, Scheduler
from apscheduler.triggers.interval import IntervalTrigger
from punctuality import Punctuality

OPTIONS = figures.options(1_000, seconds=20.0, aligned=False, lead=5.0)


def main() -> None:
    logging.disable(logging.CRITICAL)
    punctuality = Punctuality(
        OPTIONS.count, OPTIONS.seconds, is_aligned=OPTIONS.aligned, lead=OPTIONS.lead
    )
    with Scheduler(max_concurrent_jobs=10) as scheduler:
        task = scheduler.configure_task(
            "work", func=punctuality.start, max_running_jobs=None, misfire_grace_time=None
        )
        for number in range(OPTIONS.count):
            trigger = IntervalTrigger(seconds=1, start_time=punctuality.slot_at(number))
            scheduler.add_schedule(
                task.id,
                trigger,
                args=(number,),
                coalesce=CoalescePolicy.all,
                misfire_grace_time=None,
            )
        scheduler.start_in_background()
        punctuality.watch()
        figures.say(**punctuality.figures())
        scheduler.stop()


if __name__ == "__main__":
    main()
