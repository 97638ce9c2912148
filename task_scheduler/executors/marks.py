"""Mark bytes: one byte a claim that outlives the process, so that a crash leaves no question.

Responsible for: a preallocated shared file of bytes. A store into a shared mapping survives the
death of the process (not a power cut, and then the boot id differs), costs tens of nanoseconds and
no system call.

Behind the bytes lies the *witness*: which ledger they belong to, and how far its claims came. It
is written after the commit of those claims, so it can only be behind the ledger; a ledger that is
behind its witness is an older copy of itself. (What an earlier release reads ends before it.)
"""

from __future__ import annotations

import mmap
import os
from collections import deque
from collections.abc import Set as AbstractSet
from contextlib import suppress
from pathlib import Path

from task_scheduler.core.hold import Mileage, Witness
from task_scheduler.core.recovery import Mark

__all__ = ["MarkFile", "MemoryMarks", "read_witness"]

_SLOTS = 65_536
_SIZE = _SLOTS + 4_096
_MAGIC = int.from_bytes(b"TSKWITN1", "little")
_MOST = 1 << 62
"""No token or run id is as great as this."""

# The words of the witness. Each is stored as a whole: a process that is killed leaves the old one
# or the new one.
_WORDS = 5
_WHO, _ID, _ID_REST, _TOKEN, _RUN = range(_WORDS)


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
        if not slots:
            return
        self._free = deque(slot for slot in self._free if slot not in slots)

    def identify(self, ledger_id: str, mileage: Mileage) -> None:
        """Say whose marks these are from now on, and how far that ledger came."""

    def note_claims(self, token: int, run_id: int) -> None:
        """Keep how far the claims of the ledger came, after their commit."""

    def write_back(self) -> None:
        """Put the file back in its place where it vanished; raises OSError where that cannot be."""

    def close(self) -> None:
        """Let go of the memory."""


class MarkFile(MemoryMarks):
    """Marks in a file beside the ledger."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | getattr(os, "O_NOFOLLOW", 0)
        descriptor = os.open(path, flags, 0o600)
        try:
            size = _grow(descriptor)
            self._map = mmap.mmap(descriptor, size, mmap.MAP_SHARED)
        finally:
            os.close(descriptor)
        self._bytes = self._map
        self._words: memoryview | None = None
        if size == _SIZE:
            self._words = memoryview(self._map)[_SLOTS : _SLOTS + 8 * _WORDS].cast("Q")

    def read(self, slot: int) -> int | None:
        """Return the mark that an earlier process left; None for a slot that cannot be."""
        return self._map[slot] if 0 <= slot < _SLOTS else None

    def identify(self, ledger_id: str, mileage: Mileage) -> None:
        """Say whose marks these are from now on, and how far that ledger came."""
        if self._words is None:
            return
        number = int(ledger_id, 16)
        # Whose it was comes to an end first: killed in between, it tells nothing of either ledger.
        self._words[_TOKEN] = self._words[_RUN] = 0
        self._words[_ID], self._words[_ID_REST] = number >> 64, number & (1 << 64) - 1
        self._words[_WHO] = _MAGIC
        self.note_claims(mileage.token, mileage.run_id)

    def note_claims(self, token: int, run_id: int) -> None:
        """Keep how far the claims of the ledger came, after their commit."""
        words = self._words
        if words is None:
            return
        words[_RUN] = max(run_id, words[_RUN])
        if token >> 32 != words[_TOKEN] >> 32:
            # A machine of 32 bits stores the halves one after the other: never the new epoch with
            # the old count.
            words[_TOKEN] = 0
        words[_TOKEN] = token

    def write_back(self) -> None:
        """Put the file back in its place where it vanished; raises OSError where that cannot be."""
        if self._path.exists():
            return
        fresh, before = MarkFile(self._path), self._map
        size = min(len(before), len(fresh._map))
        fresh._map[:size] = before[:size]
        self._words, self._map = fresh._words, fresh._map
        self._bytes = self._map
        # What a worker wrote meanwhile into the one that is gone; of one claim marks only rise.
        for slot in [slot for slot in range(_SLOTS) if before[slot] > self._map[slot]]:
            self._map[slot] = before[slot]

    def close(self) -> None:
        """Unmap the file; threads that are still running write into memory of no consequence."""
        self._bytes = bytearray(_SLOTS)
        if self._words is not None:
            self._words.release()
            self._words = None
        self._map.close()


def read_witness(path: Path) -> Witness | None:
    """Return what is noted beside a ledger; None where nothing is, or nothing that makes sense."""
    content = b""
    with suppress(OSError):
        # Neither a pipe nor a link that somebody has put there.
        no_link = getattr(os, "O_NOFOLLOW", 0)
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | no_link)
        try:
            content = os.pread(descriptor, 8 * _WORDS, _SLOTS)
        finally:
            os.close(descriptor)
    if len(content) < 8 * _WORDS:
        return None
    words = memoryview(content).cast("Q")
    if words[_WHO] != _MAGIC or max(words[_TOKEN], words[_RUN]) >= _MOST:
        return None
    ledger_id = f"{words[_ID] << 64 | words[_ID_REST]:032x}"
    return Witness(ledger_id, Mileage(words[_TOKEN], words[_RUN]))


def _grow(descriptor: int) -> int:
    """Make the file as large as it is to be; return how much of it there is.

    Allocated for real: a store into a hole of a full disk would be a SIGBUS. An earlier release
    left the bytes alone; where there is no room for the rest, they do.
    """
    size = os.fstat(descriptor).st_size
    if size >= _SIZE:
        return _SIZE
    try:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(descriptor, 0, _SIZE)
        else:
            os.pwrite(descriptor, bytes(_SIZE - size), size)
    except OSError:
        if size < _SLOTS:
            raise
        return _SLOTS
    return _SIZE
