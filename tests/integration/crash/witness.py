"""What the tasks under fire write of themselves: one line a begin, one an end.

Responsible for: the lines and the files, one a task, in the folder that ``CRASH_WITNESS`` names.
Standard library only: scripts load it as they are, in a Python of their own.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FOLDER_VARIABLE = "CRASH_WITNESS"
_PREFIX = "TASK_SCHEDULER_"


def write(
    event: str, *, task_id: str, key: str, attempt: int, token: int, file: str | None = None
) -> None:
    """Append one line in one write: whatever is killed then, there is no half of it.

    Into the task's own file, unless another is named.
    """
    line = {
        "event": event,
        "task_id": task_id,
        "key": key,
        "attempt": attempt,
        "token": token,
        "pid": os.getpid(),
        "at": time.time_ns() // 1_000,
    }
    path = Path(os.environ[FOLDER_VARIABLE], file or task_id)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        os.write(descriptor, json.dumps(line).encode() + b"\n")
    finally:
        os.close(descriptor)


def write_from_environment(event: str) -> None:
    """Append the line of a process that the scheduler started."""
    write(
        event,
        task_id=os.environ[f"{_PREFIX}TASK_ID"],
        key=os.environ[f"{_PREFIX}KEY"],
        attempt=int(os.environ[f"{_PREFIX}ATTEMPT"]),
        token=int(os.environ[f"{_PREFIX}TOKEN"]),
    )


def read(folder: Path) -> Iterator[dict[str, Any]]:
    """Give every line that was written, task by task, in the order of writing."""
    for path in sorted(folder.iterdir()):
        for text in path.read_text().splitlines():
            yield json.loads(text)
