"""What a run printed last, as it may stand in a message.

Responsible for: reading the end of an output, and keeping what a terminal or a mail program would
obey out of it. What was printed is a stranger's text.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from task_scheduler.observe.log_lines import neutralised

__all__ = ["harmless", "last_lines"]

_TAIL_BYTES = 16_384
_LONGEST_LINE = 300
_SEQUENCE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_].*?(?:\x07|\x1b\\)|[ -/]*[0-~])")


def last_lines(path: Path, count: int) -> list[str]:
    """Return the last lines of an output, harmless; none where it cannot be read."""
    try:
        # Not blocking: a pipe in its place must not hold us.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _TAIL_BYTES))
            data = file.read(_TAIL_BYTES)
    except OSError:
        return []
    text = data.decode("utf-8", "replace").replace("\r\n", "\n").replace("\r", "\n")
    lines = text.splitlines()
    if size > _TAIL_BYTES and len(lines) > 1:
        # The first one is a piece.
        lines = lines[1:]
    return [harmless(line) for line in lines[-count:]]


def harmless(text: str) -> str:
    """Return a line without colours, and with everything escaped that is more than a character."""
    plain = neutralised(_SEQUENCE.sub("", text.replace("\t", "    ").rstrip()))
    return plain if len(plain) <= _LONGEST_LINE else f"{plain[:_LONGEST_LINE]}…"
