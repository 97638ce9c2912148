"""A ledger written back to its place after its file vanished.

Responsible for: a whole and synced copy of what an open connection still holds, put where the
file was. An open file that was deleted or moved is still whole for whoever has it open; once that
process ends it is gone, and with it everything that was acknowledged.

It never takes the place of a file that somebody put there meanwhile.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from pathlib import Path

__all__ = ["write_back"]

_LOGS = ("-wal", "-shm")


def write_back(connection: sqlite3.Connection, path: str) -> None:
    """Copy the ledger of a connection to its path, private and synced.

    What is left there of the log of the file that is gone goes: all of it is in the copy, and it
    must not be taken for the log of the new file. Raises FileExistsError where a file lies there by
    now, OSError and sqlite3.Error where it cannot be written; then nothing has changed.
    """
    fresh = f"{path}.rescue"
    with contextlib.suppress(FileNotFoundError):
        Path(fresh).unlink()
    os.close(os.open(fresh, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    try:
        with contextlib.closing(sqlite3.connect(fresh, isolation_level=None)) as copy:
            connection.backup(copy)
        _sync(fresh)
        aside = _put_aside(path)
        try:
            # Unlike a rename it refuses to replace what somebody has put there.
            os.link(fresh, path)
        except OSError:
            for name in aside:
                Path(f"{name}.rescue").rename(name)
            raise
        for name in aside:
            Path(f"{name}.rescue").unlink()
    finally:
        Path(fresh).unlink()
    _sync(str(Path(path).parent))


def _put_aside(path: str) -> list[str]:
    """Move the rest of the log away; return what was moved."""
    moved = []
    for suffix in _LOGS:
        name = path + suffix
        with contextlib.suppress(FileNotFoundError):
            Path(name).rename(f"{name}.rescue")
            moved.append(name)
    return moved


def _sync(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
