"""Many jobs of one second each, by `schedule` or `scheduler` (Digon): how late each start is.

Both are loops that the user writes; with the nap of one second of their documentation half of the
starts would be half a second late, so the nap is 10 ms (``--nap``). `scheduler` gets ten threads.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import figures
from punctuality import Punctuality

OPTIONS = figures.options(1_000, seconds=20.0, aligned=False, by="schedule", nap=0.01, lead=1.0)


def of_schedule(punctuality: Punctuality) -> Callable[[], object]:
    import schedule

    for number in range(OPTIONS.count):
        job = schedule.every(1).seconds.do(punctuality.job(number))
        job.next_run = datetime.fromtimestamp(punctuality.slot(number))
    return schedule.run_pending


def of_scheduler(punctuality: Punctuality) -> Callable[[], object]:
    from scheduler import Scheduler

    made = Scheduler(n_threads=10)
    second = timedelta(seconds=1)
    for number in range(OPTIONS.count):
        # Its first start comes one interval after `start`.
        start = datetime.fromtimestamp(punctuality.slot(number)) - second
        made.cyclic(second, punctuality.job(number), start=start)
    return made.exec_jobs


def main() -> None:
    punctuality = Punctuality(
        OPTIONS.count, OPTIONS.seconds, is_aligned=OPTIONS.aligned, lead=OPTIONS.lead
    )
    makers = {"schedule": of_schedule, "scheduler": of_scheduler}
    punctuality.run_loop(makers[OPTIONS.by](punctuality), OPTIONS.nap)
    figures.say(**punctuality.figures())


if __name__ == "__main__":
    main()
