"""The census of an attempt's process tree: who belongs to it, and how much memory it has.

Responsible for: looking now and then, soon after the start and more and more seldom. The peak is
that of the whole tree; ``wait4`` knows each process alone. Who was seen is written into the
attempt's folder: if the supervisor is killed, what is left of the tree is found by it, also a
process that changed its session and wiped its environment.
"""

from __future__ import annotations

import os

from task_scheduler.supervision.attempt_files import write_members
from task_scheduler.supervision.process_tree import read_stat
from task_scheduler.supervision.small_files import read_proc

__all__ = ["Census", "oom_kills", "tree_memory"]

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_FIRST_PAUSE = 20_000
_LONGEST_PAUSE = 2_000_000


class Census:
    """The looks at one tree; moments are microseconds of the boot clock."""

    def __init__(self, folder: bytes, now: int) -> None:
        self._folder = folder
        self._members: dict[int, int] = {}
        self._pause = _FIRST_PAUSE
        self.next_look = now + _FIRST_PAUSE
        self.peak_memory_bytes = 0
        """The most that was seen at one look: a lower bound of the peak."""

    def look(self, found: list[int], task_pid: int, now: int) -> None:
        """Look at our descendants that were found; the task itself is known already."""
        self.peak_memory_bytes = max(peak := self.peak_memory_bytes, tree_memory(found, least=peak))
        members = {}
        for pid in found:
            stat = None if pid == task_pid else read_stat(pid)
            # A pid that was given anew since the first look names no member.
            if stat is not None and (stat.parent in found or stat.parent == os.getpid()):
                members[pid] = stat.started
        if members != self._members:
            self._members = members
            write_members(self._folder, members)
        self._pause = min(self._pause * 2, _LONGEST_PAUSE)
        self.next_look = now + self._pause


def tree_memory(found: list[int], *, least: int = 0) -> int:
    """Return the memory that processes have together; not exactly where it is below `least`."""
    resident = {}
    for pid in found:
        words = read_proc(f"/proc/{pid}/statm").split(None, 2)
        resident[pid] = int(words[1]) * _PAGE_BYTES if words else 0
    total = sum(resident.values())
    # The exact figure costs a walk through all pages: only where it may be a new peak, and where
    # processes may share pages.
    if total > least and len(found) > 1:
        total = sum(_share(pid, most) for pid, most in resident.items())
    return total


def oom_kills() -> int:
    """Return how many processes the kernel has killed for want of memory since boot."""
    return _number_in("/proc/vmstat", b"\noom_kill ") or 0


def _share(pid: int, most: int) -> int:
    """Return a process's memory in bytes, pages that several have divided among them (PSS)."""
    share = _number_in(f"/proc/{pid}/smaps_rollup", b"\nPss:")
    return most if share is None else share * 1_024


def _number_in(path: str, name: bytes) -> int | None:
    """Return the number that a file of ``/proc`` tells behind a name; None where there is none."""
    _, found, rest = read_proc(path).partition(name)
    return int(rest.split(None, 1)[0]) if found else None
