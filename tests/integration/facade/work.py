"""Importable functions for tasks: what goes wrong inside a process, and what a run can know."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from task_scheduler import current_run


def leave_with(code: int) -> None:
    """End the process under everything that would tidy up."""
    os._exit(code)


def fork_and_leave_child(pid_file: str) -> None:
    """Leave a child behind that would live for ever."""
    pid = os.fork()
    if pid == 0:
        time.sleep(600)
        os._exit(0)
    Path(pid_file).write_text(str(pid), encoding="utf-8")


def never_return(pid_file: str) -> None:
    """Hang, deaf to SIGTERM."""
    import signal

    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    Path(pid_file).write_text(str(os.getpid()), encoding="utf-8")
    while True:
        time.sleep(600)


def note(path: str) -> None:
    """Write down which run this is."""
    run = current_run()
    with Path(path).open("a", encoding="utf-8") as file:
        file.write(f"{run.task_id} {run.run_id} {run.attempt} {run.scheduled_at.isoformat()}\n")


def shout(size: int) -> None:
    """Print without a newline."""
    sys.stdout.write("x" * size)


def rest() -> None:
    """Do nothing, importable: unlike Python's own functions it may be named in a ledger."""
