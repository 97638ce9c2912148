"""The well-behaved tasks: what they are, and what each of their runs leaves behind.

Responsible for: the five of them as data, and the one line that every run appends to its task's own
file. Standard library only: scripts and isolated functions load it in processes of their own.
"""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path

__all__ = ["FOLDER_VARIABLE", "PRINTED_LINES", "WITNESSES", "Witness", "bear_witness"]

FOLDER_VARIABLE = "HOSTILE_WITNESS"
PRINTED_LINES = 200
"""How often a run of a program prints its key: some blocks of output that must arrive whole."""


@dataclass(frozen=True, slots=True)
class Witness:
    """One task: due every `period` seconds, busy for `busy`."""

    task_id: str
    kind: str
    period: float
    busy: float = 0.0

    def moments(self, span: float) -> list[int]:
        """Return when it is due within a span, in microseconds since its begin; both included."""
        period = round(self.period * 1_000_000)
        return list(range(0, round(span * 1_000_000) + 1, period))


WITNESSES = (
    Witness("function", "function", 0.3),
    Witness("command", "command", 0.4),
    Witness("script", "script", 0.5),
    Witness("isolated", "isolated", 0.7, 0.2),
    Witness("long", "command", 0.5, 0.45),
)


def bear_witness(task_id: str, key: str, attempt: int) -> None:
    """Append the line of a run in one write: whatever dies then, there is no half of it."""
    path = Path(os.environ[FOLDER_VARIABLE], task_id)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        os.write(descriptor, f"{key} {attempt}\n".encode())
    finally:
        os.close(descriptor)


def work(busy: float) -> None:
    """Be a run in a process of its own."""
    key = os.environ["TASK_SCHEDULER_KEY"]
    for _ in range(PRINTED_LINES):
        print(key)
    time.sleep(busy)
    bear_witness(
        os.environ["TASK_SCHEDULER_TASK_ID"], key, int(os.environ["TASK_SCHEDULER_ATTEMPT"])
    )


if __name__ == "__main__":
    work(float(sys.argv[1]))
