"""What an attempt in a thread has to show, kept where the output of a program would be.

Responsible for: one file, made when there is something, for its user alone.
"""

from __future__ import annotations

import os
from pathlib import Path

from task_scheduler.core.model import Claim

__all__ = ["ThreadOutput"]


class ThreadOutput:
    """The output of one attempt."""

    def __init__(self, runs: Path, claim: Claim, limit_bytes: int) -> None:
        # As `process_flight.name_of` names it: whoever tidies up knows no difference.
        self._path = runs / f"{claim.run_id}-{claim.token}" / "output"
        self._limit_bytes = limit_bytes
        self._is_kept = False

    def keep(self, output: bytes) -> None:
        """Write the output; on a disk that is full it is lost, and the attempt none the worse."""
        if not output:
            return
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with os.fdopen(os.open(self._path, flags, 0o600), "wb") as file:
                file.write(output[: self._limit_bytes])
        except OSError:
            return
        self._is_kept = True

    def path(self) -> str | None:
        """Return where it is; None without any."""
        return str(self._path) if self._is_kept else None
