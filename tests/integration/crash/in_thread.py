"""The functions under fire that run in the scheduler's own threads."""

from __future__ import annotations

import asyncio
import time

from task_scheduler import current_run
from tests.integration.crash import witness


def say(event: str) -> None:
    """Write a line of the run that this thread executes."""
    run = current_run()
    witness.write(event, task_id=run.task_id, key=run.key, attempt=run.attempt, token=run.token)


def work(seconds: float) -> None:
    """Be a function."""
    say("begin")
    time.sleep(seconds)
    say("end")


async def work_async(seconds: float) -> None:
    """Be a coroutine."""
    say("begin")
    await asyncio.sleep(seconds)
    say("end")
