"""What is left of a task whose supervisor died: found, killed, and verified gone.

Responsible for: the search. Orphans of a dead supervisor belong to nobody; they are told by the
folder of their attempt in their environment, by the session that their supervisor wrote down, and
by descending from one of these. A process that changed its session *and* wiped its environment is
not found: the price of a supervisor that was killed.
"""

from __future__ import annotations

import os
import signal
import time

from task_scheduler.supervision.attempt_folder import Holder, read_holder
from task_scheduler.supervision.orders import FOLDER_VARIABLE
from task_scheduler.supervision.process_tree import ProcessStat, descendants, read_stat, send

__all__ = ["are_killed"]

_ROUNDS = 50
_ROUND_SECONDS = 0.02


def are_killed(folder: bytes) -> bool:
    """Kill what survives of an attempt; return whether nothing is left of it now."""
    holder = read_holder(folder)
    for _ in range(_ROUNDS):
        found = _survivors(folder, holder)
        if not found:
            return True
        for pid in found:
            send(pid, signal.SIGSTOP)
        for pid in found:
            send(pid, signal.SIGKILL)
        # Killed is not gone: the next look tells.
        time.sleep(_ROUND_SECONDS)
    return False


def _survivors(folder: bytes, holder: Holder | None) -> set[int]:
    mark = FOLDER_VARIABLE.encode("ascii") + b"=" + folder
    stats = _living()
    session = _session(holder, stats)
    found = {pid for pid, stat in stats.items() if stat.session == session or _has_mark(pid, mark)}
    for pid in list(found):
        found.update(descendants(pid))
    found.discard(os.getpid())
    return {pid for pid in found if pid in stats}


def _living() -> dict[int, ProcessStat]:
    try:
        names = os.listdir("/proc")
    except OSError:
        return {}
    stats = {int(name): read_stat(int(name)) for name in names if name.isdigit()}
    return {pid: stat for pid, stat in stats.items() if stat is not None and stat.is_living}


def _session(holder: Holder | None, stats: dict[int, ProcessStat]) -> int:
    """Return the task's session; -1 where there is none, or its number was given anew."""
    if holder is None or not holder.task_pid:
        return -1
    # A number stays taken while its session has members: another leader means another session.
    leader = stats.get(holder.task_pid)
    return -1 if leader and leader.started != holder.task_started else holder.task_pid


def _has_mark(pid: int, mark: bytes) -> bool:
    try:
        descriptor = os.open(f"/proc/{pid}/environ", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        content = bytearray()
        while chunk := os.read(descriptor, 65_536):
            content += chunk
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return mark in content.split(b"\0")
