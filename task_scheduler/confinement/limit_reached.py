"""Which limit ended a program, as far as its end tells.

Responsible for: reading signals, exit codes and the last line of output. The kernel tells of a
limit on address space to the program alone, so for that one its own words decide.
"""

from __future__ import annotations

import signal
from collections.abc import Mapping

__all__ = ["limit_reached"]

_SIGNALS = {int(signal.SIGXCPU): "cpu_seconds", int(signal.SIGXFSZ): "file_size_bytes"}
_WORDS = {
    "memory_bytes": ("memoryerror", "cannot allocate memory", "out of memory", "bad_alloc"),
    "open_files": ("too many open files",),
    "processes": ("resource temporarily unavailable", "can't start new thread", "cannot fork"),
    "file_size_bytes": ("file too large",),
}


def limit_reached(
    limits: Mapping[str, int], number: int | None, last_line: str, cpu_seconds: float
) -> str | None:
    """Return the name of the limit that ended a program; None if none is known to have.

    `number` is the signal that ended it, None where it ended by itself, with an error.
    """
    name = _SIGNALS.get(number or 0)
    most_cpu = limits.get("cpu_seconds")
    if number == signal.SIGKILL and most_cpu is not None and cpu_seconds >= most_cpu:
        name = "cpu_seconds"
    if name is None:
        said = last_line.lower()
        found = (key for key, words in _WORDS.items() if any(word in said for word in words))
        name = next((key for key in found if key in limits), None)
    return name if name in limits else None
