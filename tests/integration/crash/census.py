"""Which processes of a campaign live: all that inherited its mark, whoever their parent is now."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

MARK_VARIABLE = "CRASH_MARK"


def living(mark: str) -> dict[int, str]:
    """Return the processes that carry a mark in their environment, with their names."""
    wanted = f"{MARK_VARIABLE}={mark}".encode()
    found = {}
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            if wanted in (folder / "environ").read_bytes().split(b"\0"):
                found[int(folder.name)] = (folder / "comm").read_text().strip()
        except OSError:
            continue  # it ended meanwhile, or is another user's
    return found


def wait_until_gone(mark: str, seconds: float) -> dict[int, str]:
    """Wait until no process carries the mark; return those that still do at the deadline."""
    wait_for(lambda: not living(mark), seconds)
    return living(mark)


def end_all(mark: str) -> None:
    """Kill whatever still carries the mark: after a test that broke off, nothing may go on."""
    for pid in living(mark):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def end_at_once(mark: str, root: int) -> list[int]:
    """Kill a process and all that carries the mark as a power cut would: none sees another die.

    All are stopped first, those who start others before those whom they start; a process that was
    born meanwhile is found by the next look.
    """
    stopped: set[int] = set()
    while born := sorted({root, *living(mark)} - stopped):
        for pid in born:
            stopped.add(pid)
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
    for pid in stopped:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return sorted(stopped)


def wait_for(condition: Callable[[], object], seconds: float) -> bool:
    """Look again and again until a condition holds; False when it does not come in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.02)
    return True


def is_alive(pid: int) -> bool:
    """Whether a process runs; a remnant that nobody reaped does not."""
    fields = _stat(pid)
    return bool(fields) and fields[0] not in ("Z", "X")


def tree_of(pid: int) -> list[int]:
    """Return a process and its descendants."""
    parents = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and (fields := _stat(int(folder.name))):
            parents[int(folder.name)] = int(fields[1])
    tree = [pid]
    for found in tree:
        tree += [child for child, parent in parents.items() if parent == found]
    return tree


def _stat(pid: int) -> list[str]:
    """Return the fields after the name: state, parent, ..."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def pids_of(mark: str, name: str) -> list[int]:
    """Return the processes of a campaign that have this name of themselves.

    A child has its parent's name until its program runs: the task of a supervisor is none, and its
    death before its first instruction is the end of a task, not of a supervisor.
    """
    named = {pid for pid, comm in living(mark).items() if comm == name and pid != os.getpid()}
    return [pid for pid in named if (fields := _stat(pid)) and int(fields[1]) not in named]
