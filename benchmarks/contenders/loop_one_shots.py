"""N no-op functions due at once, by a scheduler that is a loop in memory: `schedule`, `scheduler`.

`schedule` runs them one after the other in the calling thread: it has no pool. `scheduler` (Digon)
gets ten threads, which it starts at each call. ``--by pool`` is no scheduler: a ThreadPoolExecutor
that is handed the functions, the floor for whatever uses one.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta

import figures

OPTIONS = figures.options(100_000, by="schedule")
FINISH = figures.Finish(OPTIONS.count)
NAP_SECONDS = 0.001


def of_schedule() -> Callable[[], object]:
    import schedule

    def once() -> type[schedule.CancelJob]:
        FINISH.work()
        return schedule.CancelJob

    due = datetime.now()
    for _ in range(OPTIONS.count):
        # Due at once, and only once: what its documentation does for jobs that run one time.
        schedule.every().second.do(once).next_run = due
    return schedule.run_pending


def of_scheduler() -> Callable[[], object]:
    from scheduler import Scheduler

    made = Scheduler(n_threads=10)
    due = datetime.now() + timedelta(microseconds=1)
    for _ in range(OPTIONS.count):
        made.once(due, FINISH.work)
    return made.exec_jobs


def of_pool() -> Callable[[], object]:
    from concurrent.futures import ThreadPoolExecutor

    pool = ThreadPoolExecutor(10)

    def turn() -> None:
        for _ in range(OPTIONS.count):
            pool.submit(FINISH.work)
        FINISH.wait()

    return turn


def main() -> None:
    makers = {"schedule": of_schedule, "scheduler": of_scheduler, "pool": of_pool}
    began = time.perf_counter()
    turn = makers[OPTIONS.by]()
    added = time.perf_counter()
    while not FINISH.is_over():
        turn()
        if not FINISH.is_over():
            time.sleep(NAP_SECONDS)
    ended = time.perf_counter()
    figures.say(
        added_per_second=OPTIONS.count / (added - began),
        runs_per_second=OPTIONS.count / (ended - added),
    )


if __name__ == "__main__":
    main()
