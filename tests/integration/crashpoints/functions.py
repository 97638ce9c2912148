"""The functions under test, and what they say of themselves."""

from __future__ import annotations

import os
import time
from pathlib import Path

from task_scheduler import current_run


def work(folder: str) -> None:
    """Be a function: say when it begins and when it ends."""
    say(folder, "begin")
    say(folder, "end")


def hold(folder: str) -> None:
    """Be a function that ends when the gate opens."""
    say(folder, "begin")
    while not Path(folder, "gate").exists():
        time.sleep(0.01)
    say(folder, "end")


def say(folder: str, event: str) -> None:
    """Append one line in one write: whatever is killed then, there is no half of it."""
    run = current_run()
    line = f"{event} {run.task_id} {run.key} {run.attempt} {run.token}\n"
    descriptor = os.open(Path(folder, "witness"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        os.write(descriptor, line.encode())
    finally:
        os.close(descriptor)
