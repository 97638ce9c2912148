"""Process trees in ``/proc``: who descends from whom, and how to end them all.

Responsible for: reading the tree and signalling it. A supervisor that adopts orphans is the
ancestor of everything its task started, however often that forked or changed its session.
"""

from __future__ import annotations

import os
import signal

__all__ = [
    "ProcessStat",
    "descendants",
    "kill_descendants",
    "read_file",
    "read_stat",
    "send",
    "start_time",
]

_HAS_CHILDREN_FILES = os.path.exists(f"/proc/self/task/{os.getpid()}/children")
_STOP_ROUNDS = 100
_buffer = bytearray(16_384)
"""One for all that is read here: memory that a supervisor touches once is its own from then on."""
_open_process = getattr(os, "pidfd_open", None)


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


def read_file(path: str) -> bytes:
    """Return a file of ``/proc`` whole; nothing where it cannot be read."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        content = b""
        while count := os.readv(descriptor, [_buffer]):
            content += _buffer[:count]
    except OSError:
        return b""
    finally:
        os.close(descriptor)
    return content


def read_stat(pid: int) -> ProcessStat | None:
    """Return what the system says of a process; None if there is no such process."""
    # The name before it may hold anything, parentheses and spaces too.
    fields = read_file(f"/proc/{pid}/stat").rpartition(b")")[2].split(None, 20)
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


def kill_descendants(root: int, spared: frozenset[int] = frozenset()) -> set[int]:
    """Send KILL to every descendant of a process, as `descendants` names them.

    Returns those that may not be signalled: they run as another user.

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
        for pid in fresh:
            try:
                if send(pid, signal.SIGSTOP, family={root, *found}):
                    stopped[pid] = None
            except PermissionError:
                refusing.add(pid)
    for pid in stopped:
        send(pid, signal.SIGKILL)
    return refusing


def send(
    pid: int,
    number: int,
    *,
    started: int | None = None,
    family: set[int] | None = None,
) -> bool:
    """Send a signal; return whether the process was there and took it.

    With `started` only to the process that was started then, with `family` only to one whose
    parent is of it: the pid is opened first and looked at afterwards, so that a stranger who was
    given it anew is never meant. Raises PermissionError where another user runs the process.
    """
    try:
        process = -1 if _open_process is None else _open_process(pid)
    except ProcessLookupError:
        return False
    except OSError:
        # An old kernel, or no descriptor is left: a look just before is as near as we come.
        process = -1
    try:
        if not _is_meant(pid, started, family):
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


def _is_meant(pid: int, started: int | None, family: set[int] | None) -> bool:
    if not started and family is None:
        return True
    stat = read_stat(pid)
    if stat is None or (started and stat.started != started):
        return False
    return family is None or stat.parent in family


def _children(pid: int) -> list[int]:
    found: list[int] = []
    try:
        threads = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return found
    for thread in threads:
        found += map(int, read_file(f"/proc/{pid}/task/{thread}/children").split())
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
