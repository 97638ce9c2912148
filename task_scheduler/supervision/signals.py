"""Signals to a supervisor: never to a stranger who was given its pid.

Responsible for: opening the process first, then proving that it is the one that holds the lock.
"""

from __future__ import annotations

import os
import signal

from task_scheduler.supervision.attempt_folder import read_holder, try_lock, unlock
from task_scheduler.supervision.process_tree import start_time

__all__ = ["CANCEL", "KILL", "signal_supervisor"]

CANCEL = signal.SIGTERM
"""TERM to the tree, the attempt's grace, then KILL."""
KILL = signal.SIGQUIT
"""KILL to the tree, without a grace."""


def signal_supervisor(folder: bytes, number: int) -> bool:
    """Signal the supervisor of a living attempt; False if there is none.

    One that has the lock but did not yet write its pid reads the cancel file before it starts the
    task. Raises FileNotFoundError where the folder is gone.
    """
    if not _is_locked(folder):
        return False
    holder = read_holder(folder)
    if holder is None:
        return False
    open_process = getattr(os, "pidfd_open", None)
    if open_process is None:
        # Not Linux: the look at the lock is as near to the signal as it can be.
        os.kill(holder.pid, number)
        return True
    try:
        process = open_process(holder.pid)
    except ProcessLookupError:
        return False
    try:
        # The pid is ours to signal only if it was not given anew before we opened it.
        if start_time(holder.pid) != holder.started or not _is_locked(folder):
            return False
        signal.pidfd_send_signal(process, number)
    except ProcessLookupError:
        return False
    finally:
        os.close(process)
    return True


def _is_locked(folder: bytes) -> bool:
    lock = try_lock(folder)
    if lock is None:
        return True
    unlock(lock)
    return False
