"""Process trees in ``/proc``: who descends from whom, and how to end them all.

Responsible for: reading the tree and signalling it. A supervisor that adopts orphans is the
ancestor of everything its task started, however often that forked or changed its session.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import NamedTuple

from task_scheduler.supervision.small_files import read_proc

__all__ = ["ProcessStat", "descendants", "kill_descendants", "read_stat", "send", "start_time"]

_HAS_CHILDREN_FILES = os.path.exists(f"/proc/self/task/{os.getpid()}/children")
_STOP_ROUNDS = 100
_open_process = getattr(os, "pidfd_open", lambda _pid: -1)


class ProcessStat(NamedTuple):
    """What a line of ``/proc/<pid>/stat`` says."""

    state: bytes
    parent: int
    session: int
    started: int
    """In clock ticks since boot; with the pid it names one process for ever."""

    @property
    def is_living(self) -> bool:
        """Whether it is more than a remnant that waits to be reaped."""
        return self.state not in (b"Z", b"X", b"x")


def read_stat(pid: int) -> ProcessStat | None:
    """Return what the system says of a process; None if there is no such process."""
    # The name before it may hold anything, parentheses and spaces too.
    fields = read_proc(f"/proc/{pid}/stat").rpartition(b")")[2].split(None, 20)
    if not fields:
        return None
    return ProcessStat(fields[0], int(fields[1]), int(fields[3]), int(fields[19]))


def start_time(pid: int) -> int:
    """Return when a process was started, in ticks since boot; 0 where that cannot be read."""
    stat = read_stat(pid)
    return 0 if stat is None else stat.started


def descendants(root: int, spared: frozenset[int] = frozenset()) -> list[int]:
    """Return every descendant of a process, parents before their children.

    What descends from it through one of `spared` is left out.
    """
    children_of = _children if _HAS_CHILDREN_FILES else _family().get
    found = [root]
    for pid in found:
        found += [child for child in children_of(pid) or () if child not in spared]
    return found[1:]


def kill_descendants(root: int, spared: frozenset[int] = frozenset()) -> None:
    """Send KILL to every descendant of a process, as `descendants` names them.

    Those that run as another user may be out of reach; who looks again finds them.

    All are stopped first, until a look finds no new one: what is stopped neither forks nor reaps,
    so that a fork bomb comes to rest and no pid is used anew meanwhile.
    """
    stopped: dict[int, None] = {}
    refusing: set[int] = set()
    for _ in range(_STOP_ROUNDS):
        found = descendants(root, spared)
        fresh = [pid for pid in found if pid not in stopped and pid not in refusing]
        if not fresh:
            break
        is_ours = _child_of({root, *found})
        for pid in fresh:
            try:
                if send(pid, signal.SIGSTOP, is_ours):
                    stopped[pid] = None
            except PermissionError:
                refusing.add(pid)
    for pid in stopped:
        send(pid, signal.SIGKILL)


def send(pid: int, number: int, is_meant: Callable[[ProcessStat], bool] | None = None) -> bool:
    """Send a signal; return whether the process was there and took it.

    With `is_meant` only to a process of which that is true: the pid is opened first and looked at
    afterwards, so that a stranger who was given it anew is never meant. Raises PermissionError
    where another user runs the process.
    """
    try:
        process = _open_process(pid)
    except ProcessLookupError:
        return False
    except OSError:
        # An old kernel, or no descriptor is left: a look just before is as near as we come.
        process = -1
    try:
        stat = None if is_meant is None else read_stat(pid)
        if is_meant is not None and (stat is None or not is_meant(stat)):
            return False
        if process < 0:
            os.kill(pid, number)
        else:
            signal.pidfd_send_signal(process, number)
    except ProcessLookupError:
        return False
    finally:
        if process >= 0:
            os.close(process)
    return True


def _child_of(family: set[int]) -> Callable[[ProcessStat], bool]:
    return lambda stat: stat.parent in family


def _children(pid: int) -> list[int]:
    folder = f"/proc/{pid}/task"
    words = [read_proc(f"{folder}/{thread}/children").split() for thread in _names_in(folder)]
    return [int(child) for children in words for child in children]


def _family() -> dict[int, list[int]]:
    """Return the children of every process; for kernels without ``children`` files."""
    family: dict[int, list[int]] = {}
    for name in _names_in("/proc"):
        stat = read_stat(int(name)) if name.isdigit() else None
        if stat is not None:
            family.setdefault(stat.parent, []).append(int(name))
    return family


def _names_in(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []
