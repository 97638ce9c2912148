"""The control group of one attempt: made, entered, asked, killed, and removed.

Responsible for: the files of one group (cgroup v2). The process that becomes the task makes it and
enters it before its first instruction. Its supervisor, which stays outside, asks it what it counted
and whether anybody is left in it, kills it as a whole, and removes it.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any

from task_scheduler.confinement.refusal import StartRefusedError

__all__ = ["AttemptGroup", "join"]

_PERIOD_MICROSECONDS = 100_000
_FILES: Mapping[str, Callable[[int], tuple[tuple[str, int | str], ...]]] = {
    "memory_bytes": lambda most: (("memory.max", most), ("memory.oom.group", 1)),
    "processes": lambda most: (("pids.max", most),),
    "cpu_percent": lambda most: (
        ("cpu.max", f"{most * _PERIOD_MICROSECONDS // 100} {_PERIOD_MICROSECONDS}"),
    ),
}
"""What is written for each limit; a group without one of these files cannot keep it."""
_EVENTS = {"memory_bytes": ("memory.events", "oom_kill"), "processes": ("pids.events", "max")}
"""Where the kernel counts how often a limit was reached."""
_ENTRIES = 3
_CAREFUL = os.O_CLOEXEC | getattr(os, "O_NOFOLLOW", 0)


def join(plan: Mapping[str, Any]) -> None:
    """Make the group of a plan, bound it, and move this process into it.

    Keys: `folder`, the group; `limits`, numbers by the names of `_FILES`. Raises StartRefusedError.
    """
    folder = str(plan["folder"])
    for entry in range(_ENTRIES):
        try:
            _enter(folder, plan.get("limits") or {})
        except OSError as error:
            # Whoever tidies up may have taken an empty group away before we were in it.
            if error.errno not in (errno.ENOENT, errno.ENODEV) or entry == _ENTRIES - 1:
                raise StartRefusedError("cgroup", folder, os.strerror(error.errno or 0)) from error
        else:
            return


def _enter(folder: str, limits: Mapping[str, int]) -> None:
    with suppress(FileExistsError):
        os.mkdir(folder, 0o755)
    for name, most in limits.items():
        for file, value in _FILES[name](most):
            _write(folder, file, str(value))
    if "memory_bytes" in limits:
        # What may go to a swap file is not bounded by the memory it leaves. A kernel without
        # the file mostly has no swap.
        with suppress(FileNotFoundError):
            _write(folder, "memory.swap.max", "0")
    _write(folder, "cgroup.procs", "0")


class AttemptGroup:
    """The group of an attempt as others than its task see it; one that is gone is empty."""

    def __init__(self, folder: str, limits: Mapping[str, int] | None = None) -> None:
        self.folder = folder
        self._limits = limits or {}

    def is_empty(self) -> bool:
        """Whether nobody lives in it, nor in a group below it, as the kernel says."""
        return _counted(self.folder, "cgroup.events", "populated") == 0

    def pids(self) -> list[int]:
        """Return who lives in it, and in the groups that its processes made below it."""
        return [int(pid) for folder in _below(self.folder) for pid in _members(folder)]

    def kill(self) -> None:
        """Kill all that is in it at once, also what forks meanwhile; kernels before 5.14 cannot."""
        # There the tree is walked, as everywhere else.
        with suppress(OSError):
            _write(self.folder, "cgroup.kill", "1")

    def reached(self) -> str | None:
        """Return the limit that was reached; None if none was."""
        for name in self._limits:
            file, counter = _EVENTS.get(name, ("", ""))
            if file and _counted(self.folder, file, counter):
                return name
        return None

    def held_back_seconds(self) -> float:
        """Return for how long its processes had to wait because of its CPU limit."""
        return _counted(self.folder, "cpu.stat", "throttled_usec") / 1_000_000

    def remove(self) -> bool:
        """Remove it and those below it; whether it is gone. The kernel keeps what is lived in."""
        for folder in reversed(list(_below(self.folder))):
            try:
                os.rmdir(folder)
            except FileNotFoundError:
                continue
            except OSError:
                return False
        return True


def _below(folder: str) -> Iterator[str]:
    """Give a group, then the groups below it; parents before their children."""
    found = [folder]
    for place in found:
        yield place
        with suppress(OSError), os.scandir(place) as entries:
            found += [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]


def _members(folder: str) -> list[bytes]:
    # Of a threaded group the file cannot be read: who lives there is told by the group above.
    return [word for word in _read(folder, "cgroup.procs").split() if word.isdigit()]


def _counted(folder: str, file: str, counter: str) -> int:
    words = _read(folder, file).split()
    counts = dict(zip(words[::2], words[1::2], strict=False))
    number = counts.get(counter.encode(), b"0")
    return int(number) if number.isdigit() else 0


def _read(folder: str, file: str) -> bytes:
    try:
        with open(os.open(os.path.join(folder, file), os.O_RDONLY | _CAREFUL), "rb") as stream:
            return stream.read()
    except OSError:
        return b""


def _write(folder: str, file: str, text: str) -> None:
    # Never made: what is not there the kernel does not offer.
    descriptor = os.open(os.path.join(folder, file), os.O_WRONLY | _CAREFUL)
    try:
        os.write(descriptor, text.encode("ascii"))
    finally:
        os.close(descriptor)
