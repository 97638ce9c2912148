"""What only the Linux kernel offers a supervisor: orphans come to it, and a task dies with it.

Responsible for: `prctl`. Where there is none (another system, or a Python without ctypes) the
answer is False and supervision falls back on the process group.
"""

from __future__ import annotations

import sys
from contextlib import suppress

from task_scheduler.supervision.small_files import write_file

__all__ = ["adopt_orphans", "die_with_parent", "load", "set_name"]

_SET_PDEATHSIG = 1
_SET_CHILD_SUBREAPER = 36
_SIGKILL = 9

_library = None


def load() -> None:
    """Load the C library; before any fork, because a forked child should only call it."""
    global _library
    if sys.platform.startswith("linux"):
        with suppress(ImportError, OSError):
            import ctypes

            _library = ctypes.CDLL(None)


def adopt_orphans() -> bool:
    """Become the parent of every descendant whose own parent ends; False where that cannot be."""
    return _prctl(_SET_CHILD_SUBREAPER, 1)


def die_with_parent() -> bool:
    """Ask for KILL when the parent ends; the caller checks that it has not ended before."""
    return _prctl(_SET_PDEATHSIG, _SIGKILL)


def set_name(name: bytes) -> None:
    """Show `name` (at most 15 bytes) in `ps` and `top`, where the system can."""
    write_file(b"/proc/self/comm", name)


def _prctl(option: int, value: int) -> bool:
    return _library is not None and _library.prctl(option, value, 0, 0, 0) == 0
