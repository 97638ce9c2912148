"""Folders in which something changes: the system's own word for it, inotify of Linux.

Responsible for: waiting without a wake-up until a file in one of some folders was written, put in
the place of another, added or taken away. What that was, whoever waits has to see for himself.

By the C library and not by a package: the one that does it for many systems looks twenty times a
second whether something has come, and loads an event loop for it (docs/decisions/0006).
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
from collections.abc import Iterable
from pathlib import Path

__all__ = ["FolderBell"]

_CLOSE_WRITE, _MOVED_FROM, _MOVED_TO = 0x8, 0x40, 0x80
_CREATE, _DELETE, _DELETE_SELF, _MOVE_SELF = 0x100, 0x200, 0x400, 0x800
_ONLY_FOLDERS = 0x0100_0000
# Not each write: a ledger beside a configuration is written all the time, and hardly ever closed.
_MASK = (
    _CLOSE_WRITE | _MOVED_FROM | _MOVED_TO | _CREATE | _DELETE | _DELETE_SELF | _MOVE_SELF
)  # fmt: skip
_MANY_BYTES = 65_536


class FolderBell:
    """Rings when something changes in one of these folders, until closed."""

    def __init__(self, folders: Iterable[Path]) -> None:
        """Begin to listen; raises OSError where the system has no means for it, or none left."""
        library = ctypes.CDLL(None, use_errno=True)
        try:
            init, add = library.inotify_init1, library.inotify_add_watch
        except AttributeError as error:
            raise OSError("no inotify") from error
        # Its flags are those of open().
        self._descriptor = init(os.O_CLOEXEC | os.O_NONBLOCK)
        if self._descriptor < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        for folder in folders:
            if add(self._descriptor, os.fsencode(folder), _MASK | _ONLY_FOLDERS) < 0:
                number = ctypes.get_errno()
                self.close()
                raise OSError(number, os.strerror(number), str(folder))

    def wait(self, other: int, seconds: float) -> None:
        """Wait until it rings, the descriptor `other` can be read, or the time is over."""
        waiting = select.poll()
        waiting.register(self._descriptor, select.POLLIN)
        waiting.register(other, select.POLLIN)
        if any(found == self._descriptor for found, _ in waiting.poll(seconds * 1000)):
            with contextlib.suppress(BlockingIOError):
                os.read(self._descriptor, _MANY_BYTES)

    def close(self) -> None:
        """Listen no more."""
        os.close(self._descriptor)
