"""Signals to a supervisor: never to a stranger who was given its pid.

Responsible for: opening the process first, then proving that it is the one that holds the lock.
"""

from __future__ import annotations

import signal

from task_scheduler.supervision.attempt_folder import read_holder, try_lock, unlock
from task_scheduler.supervision.process_tree import ProcessStat, read_stat, send

__all__ = ["CANCEL", "KILL", "is_stopped", "send_to", "signal_supervisor"]

CANCEL = signal.SIGTERM
"""TERM to the tree, the attempt's grace, then KILL."""
KILL = signal.SIGQUIT
"""KILL to the tree, without a grace."""


def signal_supervisor(folder: bytes, number: int) -> bool:
    """Signal the supervisor of a living attempt; False if there is none.

    One that has the lock but did not yet write its pid reads the cancel file before it starts the
    task. Raises FileNotFoundError where the folder is gone.
    """
    lock = try_lock(folder)
    if lock is not None:
        unlock(lock)
        return False
    holder = read_holder(folder)
    # Its pid and its start time name it for ever, whatever became of it since that look.
    return holder is not None and send_to(holder.pid, holder.started, number)


def send_to(pid: int, started: int, number: int) -> bool:
    """Signal the process that had a pid from `started` on (0: nobody could tell), and no other."""

    def is_meant(stat: ProcessStat) -> bool:
        return stat.started == started

    return send(pid, number, is_meant if started else None)


def is_stopped(folder: bytes) -> bool:
    """Whether somebody has stopped (SIGSTOP) the supervisor of a living attempt."""
    holder = read_holder(folder)
    stat = None if holder is None else read_stat(holder.pid)
    if holder is None or stat is None:
        return False
    return stat.started == holder.started and stat.state == b"T"
