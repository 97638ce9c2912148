"""The story of a world: what happened in it, line by line.

Responsible for: keeping the last lines for a report, and a digest of all of them, by which two
lives of one seed are compared byte for byte.
"""

from __future__ import annotations

import hashlib
import sys
from collections import deque

__all__ = ["Story"]

_KEPT = 40


class Story:
    """Lines with their moments; all of them are printed where `is_told`."""

    def __init__(self, *, is_told: bool = False) -> None:
        self.is_told = is_told
        self.last: deque[str] = deque(maxlen=_KEPT)
        self._digest = hashlib.blake2b(digest_size=16)

    def add(self, moment: int, text: str) -> None:
        """Add a line."""
        line = f"{moment // 1_000_000:>12}.{moment % 1_000_000:06} {text}"
        self.last.append(line)
        self._digest.update(line.encode())
        if self.is_told:
            sys.stdout.write(line + "\n")

    def digest(self) -> str:
        """Return what only this very story has."""
        return self._digest.hexdigest()
