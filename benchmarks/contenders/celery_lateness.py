"""Many tasks of one second each, by Celery beat: how late each start is.

Beat and a worker of ten threads in one process, over Celery's transport in memory: no broker is
needed for that, and none of a broker's time is counted. It is no way to run Celery in earnest, and
it is at its best for this measure. Results are ignored, and the transport is asked every 5 ms.
"""

from __future__ import annotations

import logging
import threading
from datetime import timedelta

import figures
from celery import Celery
from celery.beat import Scheduler as BeatScheduler
from celery.contrib.testing.worker import start_worker
from punctuality import Punctuality

OPTIONS = figures.options(1_000, seconds=20.0, aligned=False, lead=4.0)


def app_of(punctuality: Punctuality) -> Celery:
    app = Celery("bench", broker="memory://", backend=None)
    app.conf.update(
        task_ignore_result=True,
        # The worker looks for messages as often as this; a second unless told.
        broker_transport_options={"polling_interval": 0.005},
    )

    @app.task(name="start")
    def start(number: int) -> None:
        punctuality.start(number)

    app.conf.beat_schedule = {
        f"task-{number}": {"task": "start", "schedule": timedelta(seconds=1), "args": (number,)}
        for number in range(OPTIONS.count)
    }
    return app


def beat(app: Celery, punctuality: Punctuality, ended: threading.Event) -> None:
    """Be what `celery beat` is: tick, sleep as long as it says."""
    scheduler = BeatScheduler(app, max_interval=0.05, lazy=True)
    scheduler.setup_schedule()
    entries = scheduler.schedule
    for number in range(OPTIONS.count):
        # An interval counts from the last run.
        entry = entries[f"task-{number}"]
        entry.last_run_at = punctuality.slot_at(number) - timedelta(seconds=1)
    while not ended.is_set():
        ended.wait(max(0.0, scheduler.tick()))


def main() -> None:
    logging.disable(logging.CRITICAL)
    punctuality = Punctuality(
        OPTIONS.count, OPTIONS.seconds, is_aligned=OPTIONS.aligned, lead=OPTIONS.lead
    )
    app = app_of(punctuality)
    ended = threading.Event()
    with start_worker(
        app, pool="threads", concurrency=10, perform_ping_check=False, shutdown_timeout=60
    ):
        thread = threading.Thread(target=beat, args=(app, punctuality, ended), daemon=True)
        thread.start()
        punctuality.watch()
        figures.say(**punctuality.figures())
        ended.set()
        thread.join()
        figures.leave()


if __name__ == "__main__":
    main()
