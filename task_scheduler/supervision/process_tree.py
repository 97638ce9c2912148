"""Process trees in ``/proc``: who descends from whom, and how to end them all.

Responsible for: reading the tree and signalling it. A supervisor that adopts orphans is the
ancestor of everything its task started, however often that forked or changed its session.
"""

from __future__ import annotations

import os
import signal

__all__ = ["ProcessStat", "descendants", "kill_descendants", "read_stat", "send", "start_time"]

_HAS_CHILDREN_FILES = os.path.exists(f"/proc/self/task/{os.getpid()}/children")
_STOP_ROUNDS = 100


class ProcessStat:
    """What a line of ``/proc/<pid>/stat`` says."""

    __slots__ = ("parent", "session", "started", "state")

    def __init__(self, state: bytes, parent: int, session: int, started: int) -> None:
        self.state = state
        self.parent = parent
        self.session = session
        self.started = started
        """In clock ticks since boot; with the pid it names one process for ever."""

    @property
    def is_living(self) -> bool:
        """Whether it is more than a remnant that waits to be reaped."""
        return self.state not in (b"Z", b"X", b"x")


def read_stat(pid: int) -> ProcessStat | None:
    """Return what the system says of a process; None if there is no such process."""
    try:
        descriptor = os.open(f"/proc/{pid}/stat", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        line = os.read(descriptor, 4_096)
    except OSError:
        return None
    finally:
        os.close(descriptor)
    # The name before it may hold anything, parentheses and spaces too.
    fields = line.rpartition(b")")[2].split()
    return ProcessStat(fields[0], int(fields[1]), int(fields[3]), int(fields[19]))


def start_time(pid: int) -> int:
    """Return when a process was started, in ticks since boot; 0 where that cannot be read."""
    stat = read_stat(pid)
    return 0 if stat is None else stat.started


def descendants(root: int) -> list[int]:
    """Return every descendant of a process, parents before their children."""
    children_of = _children if _HAS_CHILDREN_FILES else _family().get
    found = [root]
    for pid in found:
        found += children_of(pid) or ()
    return found[1:]


def kill_descendants(root: int) -> None:
    """Send KILL to every descendant of a process.

    All are stopped first, until a look finds no new one: what is stopped neither forks nor reaps,
    so that a fork bomb comes to rest and no pid is used anew meanwhile.
    """
    stopped: dict[int, None] = {}
    for _ in range(_STOP_ROUNDS):
        fresh = [pid for pid in descendants(root) if pid not in stopped]
        if not fresh:
            break
        for pid in fresh:
            stopped[pid] = None
            send(pid, signal.SIGSTOP)
    for pid in stopped:
        send(pid, signal.SIGKILL)


def send(pid: int, number: int) -> None:
    """Send a signal; nothing happens where the process is gone or not ours."""
    try:
        os.kill(pid, number)
    except (ProcessLookupError, PermissionError):
        return


def _children(pid: int) -> list[int]:
    found: list[int] = []
    try:
        threads = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return found
    for thread in threads:
        try:
            descriptor = os.open(f"/proc/{pid}/task/{thread}/children", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            continue
        try:
            content = bytearray()
            while chunk := os.read(descriptor, 65_536):
                content += chunk
            found += map(int, content.split())
        except OSError:
            continue
        finally:
            os.close(descriptor)
    return found


def _family() -> dict[int, list[int]]:
    """Return the children of every process; for kernels without ``children`` files."""
    family: dict[int, list[int]] = {}
    try:
        names = os.listdir("/proc")
    except OSError:
        return family
    for name in names:
        stat = read_stat(int(name)) if name.isdigit() else None
        if stat is not None:
            family.setdefault(stat.parent, []).append(int(name))
    return family
