"""The functions under fire that run in the scheduler's own threads."""

from __future__ import annotations

import asyncio
import os
import time

from task_scheduler import current_run
from tests.integration.crash import witness


def say(event: str, file: str | None = None) -> None:
    """Write a line of the run that this thread executes."""
    run = current_run()
    ids = {"task_id": run.task_id, "key": run.key}
    witness.write(event, **ids, attempt=run.attempt, token=run.token, file=file)


def note() -> None:
    """Be a function that does nothing; one file a process is enough for many of them."""
    file = str(os.getpid())
    say("begin", file)
    say("end", file)


def work(seconds: float) -> None:
    """Be a function."""
    say("begin")
    time.sleep(seconds)
    say("end")


def fail_first(seconds: float) -> None:
    """Be a function whose first attempt raises at its end."""
    work(seconds)
    if current_run().attempt == 1:
        raise RuntimeError("the first attempt fails")


async def work_async(seconds: float) -> None:
    """Be a coroutine."""
    say("begin")
    await asyncio.sleep(seconds)
    say("end")
