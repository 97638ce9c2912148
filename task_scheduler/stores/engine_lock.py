"""The lock that makes one process the holder of a ledger.

Responsible for: a POSIX record lock on a file of its own. The kernel frees it the moment its
process ends, however it ends, so there is no lease to expire and no clock to trust.

Two traps of POSIX locks are closed here: closing any descriptor of a file frees its process's
locks on it, so nothing else may open this file; and a process never conflicts with itself, so a
registry within the process tells a second holder. A lock does not survive a fork into the child:
there it is inert.
"""

from __future__ import annotations

import fcntl
import os
import threading
from pathlib import Path

__all__ = ["EngineLock"]

_held: set[str] = set()
_guard = threading.Lock()


class EngineLock:
    """The right to write and to checkpoint one ledger."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._real = os.path.realpath(path)
        self._descriptor: int | None = None
        self._pid = 0

    @property
    def is_held(self) -> bool:
        """Whether this very process holds the lock through this object."""
        return self._descriptor is not None and self._pid == os.getpid()

    def acquire(self) -> bool:
        """Try to become the holder, without waiting; raises OSError if the file cannot be made."""
        with _guard:
            if self.is_held:
                return True
            if self._real in _held:
                return False
            descriptor = _locked(self._real)
            if descriptor is None:
                return False
            self._descriptor, self._pid = descriptor, os.getpid()
            _held.add(self._real)
            return True

    def is_in_place(self) -> bool:
        """Whether the file that is held is the one that others would try to hold."""
        if self._descriptor is None:
            return False
        try:
            found = Path(self._real).stat()
        except OSError:
            return False
        held = os.fstat(self._descriptor)
        return (found.st_dev, found.st_ino) == (held.st_dev, held.st_ino)

    def renew(self) -> bool:
        """Hold the file that lies at the path now, where it was removed or replaced meanwhile.

        False where another process holds it. Raises OSError if it cannot be made.
        """
        if self.is_in_place():
            return True
        with _guard:
            descriptor = _locked(self._real)
            if descriptor is None:
                return False
            if self._descriptor is not None:
                os.close(self._descriptor)
            self._descriptor = descriptor
            return True

    def release(self) -> None:
        """Let another process become the holder; nothing happens where it is not held."""
        with _guard:
            if self._descriptor is None:
                return
            if self._pid == os.getpid():
                _held.discard(self._real)
            os.close(self._descriptor)
            self._descriptor = None


def _locked(path: str) -> int | None:
    """Open and lock a file, without waiting; None where another process holds it."""
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | getattr(os, "O_NOFOLLOW", 0)
    descriptor = os.open(path, flags, 0o600)
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        os.close(descriptor)
        return None
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _forget_in_child() -> None:
    """In a forked child nothing is held: the lock stayed with the parent."""
    global _guard
    _guard = threading.Lock()
    _held.clear()


os.register_at_fork(after_in_child=_forget_in_child)
