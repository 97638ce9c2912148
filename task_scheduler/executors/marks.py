"""Mark bytes: one byte a claim that outlives the process, so that a crash leaves no question.

Responsible for: a preallocated shared file of bytes. A store into a shared mapping survives the
death of the process (not a power cut, and then the boot id differs), costs tens of nanoseconds and
no system call.
"""

from __future__ import annotations

import mmap
import os
from collections import deque
from collections.abc import Set as AbstractSet
from pathlib import Path

from task_scheduler.core.recovery import Mark

__all__ = ["MarkFile", "MemoryMarks"]

_SLOTS = 65_536


class MemoryMarks:
    """Marks of a ledger in memory: it dies with the process, so there is nothing to outlive."""

    def __init__(self) -> None:
        self._bytes: bytearray | mmap.mmap = bytearray(_SLOTS)
        self._free = deque(range(_SLOTS))

    def take(self) -> int | None:
        """Return the index of a cleared mark; None when all are taken."""
        if not self._free:
            return None
        slot = self._free.popleft()
        self._bytes[slot] = Mark.CLEAR
        return slot

    def release(self, slot: int) -> None:
        """Give a mark back after the end of its claim is durable."""
        if slot >= 0:
            self._free.append(slot)

    def set(self, slot: int, mark: int) -> None:
        """Write a mark: before the call, and on its return."""
        if slot >= 0:
            self._bytes[slot] = mark

    def reserve(self, slots: AbstractSet[int]) -> None:
        """Keep the slots of recovered claims from being taken again."""
        self._free = deque(slot for slot in self._free if slot not in slots)

    def close(self) -> None:
        """Let go of the memory."""


class MarkFile(MemoryMarks):
    """Marks in a file beside the ledger."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | getattr(os, "O_NOFOLLOW", 0)
        descriptor = os.open(path, flags, 0o600)
        try:
            if os.fstat(descriptor).st_size < _SLOTS:
                # Allocated for real: a store into a hole of a full disk would be a SIGBUS.
                os.posix_fallocate(descriptor, 0, _SLOTS) if hasattr(
                    os, "posix_fallocate"
                ) else os.pwrite(descriptor, bytes(_SLOTS), 0)
            self._map = mmap.mmap(descriptor, _SLOTS, mmap.MAP_SHARED)
        finally:
            os.close(descriptor)
        self._bytes = self._map

    def read(self, slot: int) -> int | None:
        """Return the mark that an earlier process left; None for a slot that cannot be."""
        return self._map[slot] if 0 <= slot < _SLOTS else None

    def close(self) -> None:
        """Unmap the file; threads that are still running write into memory of no consequence."""
        self._bytes = bytearray(_SLOTS)
        self._map.close()
