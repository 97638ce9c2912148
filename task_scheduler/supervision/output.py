"""What a task writes: kept in a file up to a limit, and never a reason for the task to wait.

Responsible for: the file, its limit and mark, and the last line as the reason of a failure.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable

from task_scheduler.supervision.small_files import CREATE

__all__ = ["Output"]

_TAIL_BYTES = 4_096
_LINE_CHARACTERS = 500
_ESCAPE_SEQUENCES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|.)")


class Output:
    """The output of one attempt. Raises FileExistsError where the attempt had one before.

    The sentence ``truncated`` stands where the limit was reached, and ``gap`` (with the `count` of
    them) where bytes are missing.
    """

    def __init__(self, path: bytes, limit_bytes: int, text: Callable[..., str]) -> None:
        self._descriptor = os.open(path, os.O_WRONLY | os.O_EXCL | CREATE, 0o600)
        self._left = limit_bytes
        self._text = text
        self._missing = 0
        self._tail = b""
        self.total_bytes = 0
        """What the task wrote, kept or not."""
        self.is_truncated = False
        self.error: str | None = None
        """Why the file holds less than it should: the disk was full for a while, for example."""

    def add(self, chunk: bytes) -> None:
        """Keep what fits."""
        self.total_bytes += len(chunk)
        self._tail = (self._tail + chunk)[-_TAIL_BYTES:]
        if self.is_truncated:
            return
        kept = chunk[: self._left]
        self._left -= len(kept)
        if len(kept) < len(chunk):
            self.is_truncated = True
            kept += self._line("truncated")
        self._keep(kept)

    def last_line(self) -> str:
        """Return the last line that says something, fit to be shown in a table."""
        text = _ESCAPE_SEQUENCES.sub("", self._tail.decode("utf-8", "replace"))
        for line in reversed(text.splitlines()):
            shown = "".join(mark if mark.isprintable() else " " for mark in line).strip()
            if shown:
                return shown[:_LINE_CHARACTERS]
        return ""

    def _keep(self, data: bytes) -> None:
        """Write to the file; where it takes no more, count what is missing and try again later."""
        note = self._line("gap", count=str(self._missing)) if self._missing else b""
        left = note + data
        try:
            while left:
                left = left[os.write(self._descriptor, left) :]
        except OSError as error:
            self.error = os.strerror(error.errno or 0)
        # As long as the note is not whole in the file, it stands for what comes now as well.
        self._missing = len(left) if len(left) <= len(data) else self._missing + len(data)

    def _line(self, key: str, **values: str) -> bytes:
        # An order of an older release has fewer sentences.
        text = self._text(key, **values) or "[...]"
        return b"\n" + text.encode("utf-8", "replace") + b"\n"
