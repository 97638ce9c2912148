"""What is left of a task whose supervisor died: found, killed, and verified gone.

Responsible for: the search. The launcher, to which the orphans of a dead supervisor come, ends
them before it reaps the supervisor, so it is given that time. Where the launcher has died too they
belong to nobody and are told by what the supervisor wrote down (the task's session, and who it saw
in the tree), by the folder of their attempt in their environment, and by descending from these.

Where the tree had a control group, the kernel names all that is in it. Else not found is only what
meets all of this: launcher and supervisor were both killed, and it changed its session, wiped its
environment, and was born, of parents that are gone, after the last look.
"""

from __future__ import annotations

import os
import signal
import time

from task_scheduler.confinement.attempt_group import AttemptGroup
from task_scheduler.confinement.control_groups import is_group_of
from task_scheduler.supervision.attempt_folder import (
    Holder,
    read_group,
    read_holder,
    read_members,
)
from task_scheduler.supervision.orders import FOLDER_VARIABLE
from task_scheduler.supervision.process_tree import (
    ProcessStat,
    descendants,
    read_stat,
    start_time,
)
from task_scheduler.supervision.signals import send_to
from task_scheduler.supervision.small_files import read_proc

__all__ = ["end_survivors"]

_ROUNDS = 50
_ROUND_SECONDS = 0.02


def end_survivors(folder: bytes) -> list[int]:
    """Kill what survives of an attempt; return the pids of what is left of it all the same."""
    holder = read_holder(folder)
    _await_launcher(holder)
    group = _group(folder)
    found: dict[int, ProcessStat] = {}
    for _ in range(_ROUNDS):
        if group is not None:
            group.kill()
        found = _survivors(folder, holder, group)
        if not found:
            break
        for number in (signal.SIGSTOP, signal.SIGKILL):
            for pid, stat in found.items():
                _send(pid, number, stat.started)
        # Killed is not gone: the next look tells.
        time.sleep(_ROUND_SECONDS)
    if group is not None and not found:
        group.remove()
    return sorted(found)


def _group(folder: bytes) -> AttemptGroup | None:
    """Return the control group of the tree; the task's own user could have named another."""
    group = read_group(folder)
    return AttemptGroup(group) if group and is_group_of(group, folder) else None


def _await_launcher(holder: Holder | None) -> None:
    """Wait until the dead supervisor is reaped, but not for ever: nobody may be there to do it."""
    for _ in range(_ROUNDS):
        if holder is None or start_time(holder.pid) != holder.started or not holder.started:
            return
        time.sleep(_ROUND_SECONDS)


def _send(pid: int, number: int, started: int) -> None:
    try:
        send_to(pid, started, number)
    except PermissionError:
        # Another user's: it stays, and whoever asked is told so.
        return


def _survivors(
    folder: bytes, holder: Holder | None, group: AttemptGroup | None
) -> dict[int, ProcessStat]:
    mark = FOLDER_VARIABLE.encode("ascii") + b"=" + folder
    members = read_members(folder)
    stats = _living()
    session = _session(holder, stats)
    found = {
        pid
        for pid, stat in stats.items()
        if stat.session == session
        or members.get(pid) == stat.started
        or mark in read_proc(f"/proc/{pid}/environ").split(b"\0")
    }
    found |= set(group.pids()) if group is not None else set()
    for pid in list(found):
        found.update(descendants(pid))
    found.discard(os.getpid())
    return {pid: stats[pid] for pid in found if pid in stats}


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
