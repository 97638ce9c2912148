"""What runs under storage faults: functions and a program that witness themselves.

Responsible for: lines on a disk that nothing happens to. The scheduler's process keeps its witness
open, for it must not need a descriptor when there is none.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

from task_scheduler import current_run

WITNESS_VARIABLE = "FAULTS_WITNESS"
_opened: dict[str, int] = {}


def witness_file() -> int:
    """Return the open witness of this process."""
    name = f"functions-{os.getpid()}"
    if name not in _opened:
        path = Path(os.environ[WITNESS_VARIABLE], name)
        _opened[name] = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    return _opened[name]


def say(event: str) -> None:
    """Write a line of the run that this thread executes."""
    run = current_run()
    line = {
        "event": event,
        "task_id": run.task_id,
        "key": run.key,
        "attempt": run.attempt,
        "token": run.token,
        "pid": os.getpid(),
        "at": time.time_ns() // 1_000,
    }
    os.write(witness_file(), json.dumps(line).encode() + b"\n")


def work(seconds: float) -> None:
    """Be a function."""
    say("begin")
    time.sleep(seconds)
    say("end")
