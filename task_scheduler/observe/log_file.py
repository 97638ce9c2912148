"""The log file: appended to by any number of processes, rotated by one at a time.

Responsible for: whole lines in the file, rotation by size, and going on without a file where none
can be written. Does not know what the lines say.

How processes share it: each appends a whole event with one write, and before each looks whether the
path still names the file that it has open; if not, it opens anew. Whoever finds the file too long
takes an exclusive lock on *the file itself* without waiting. The one that gets it, and still finds
its file at the path, moves the files on; the others append meanwhile to what they have open and
follow at their next line. So a standby never moves a file from under the holder's hands unnoticed,
there is no lock file to clean up, and no line is lost.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import logging
import os
import stat
import sys
from pathlib import Path

from task_scheduler.i18n import translate

__all__ = ["LogFile"]

_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK
"""Non-blocking: a pipe without a reader in the file's place must not hold the scheduler."""


class LogFile(logging.Handler):
    """Append events to a file and rotate it: ``name`` to ``name.1`` up to ``name.<backup_count>``.

    `max_bytes` 0 means no rotation; with `backup_count` 0 the full file is removed and begun anew.
    A file that cannot be written is told once on stderr and tried again with each event; when it
    works again, a line in it says how many are missing.
    """

    def __init__(self, path: Path, *, max_bytes: int, backup_count: int) -> None:
        super().__init__()
        self.path = path
        self.baseFilename = str(path)
        """As logging's own file handlers call it: a cleanup asks every handler for what is open."""
        self.max_bytes = max_bytes
        self.backup_count = backup_count
        self._descriptor: int | None = None
        self._identity: tuple[int, int] | None = None
        self._pid = os.getpid()
        self._missing = 0
        self.trouble = ""
        """Why the last event could not be written; empty where it was."""
        self._is_torn = False
        """Whether the last write left half a line."""
        self._told: set[str] = set()
        """The sentences that stand on stderr already and are still true."""
        self._is_closed = False

    def emit(self, record: logging.LogRecord) -> None:
        """Append one event; raises nothing when the file cannot be written."""
        if self._is_closed:
            return
        text = f"{self.format(record)}\n"
        if self._missing:
            text = f"{self.format(self._note(record))}\n{text}"
        try:
            self._write(text.encode("utf-8", "backslashreplace"))
        except OSError as error:
            self._missing += 1
            self.trouble = error.strerror or str(error)
            self._tell("logs.file_unwritable", error)
        else:
            self._missing = 0
            self.trouble = ""
            self._told.discard("logs.file_unwritable")

    def probe(self) -> str:
        """Try again a file that could not be written; return why it still cannot be, if so.

        Where nothing happens no event would come to find out.
        """
        if not self.trouble:
            return ""
        self.acquire()
        try:
            # Into what an event would go to, and one that does not fit would leave half of itself.
            self._follow()
            if self._descriptor is not None and hasattr(os, "fstatvfs"):
                room = os.fstatvfs(self._descriptor)
                self.trouble = "" if room.f_bavail else self.trouble
        except OSError as error:
            self.trouble = error.strerror or str(error)
        finally:
            self.release()
        return self.trouble

    def reopen(self) -> None:
        """Let go of the file; the next event opens what is at the path then."""
        self.acquire()
        try:
            self._shut()
        finally:
            self.release()

    def close(self) -> None:
        """Let go of the file for good."""
        self.acquire()
        try:
            self._is_closed = True
            self._shut()
        finally:
            self.release()
        super().close()

    # -- writing --------------------------------------------------------------------------------

    def _write(self, data: bytes) -> None:
        size = self._follow()
        if self.max_bytes and size and size + len(data) > self.max_bytes:
            self._rotate()
        if self._is_torn:
            data = b"\n" + data
        assert self._descriptor is not None
        written = os.write(self._descriptor, data)
        self._is_torn = written < len(data) and (written > 0 or self._is_torn)
        if written < len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _follow(self) -> int:
        """Have the file open that is at the path now; return its size, 0 where it has none."""
        try:
            found = self.path.stat()
        except FileNotFoundError:
            found = None
        is_ours = found is not None and (found.st_dev, found.st_ino) == self._identity
        # A forked child must not share the parent's open file: their locks would be one.
        if not is_ours or self._pid != os.getpid() or found is None:
            found = self._open()
        return found.st_size if stat.S_ISREG(found.st_mode) else 0

    def _open(self) -> os.stat_result:
        self._shut()
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
        self._descriptor = os.open(self.path, _FLAGS, 0o640)
        found = os.fstat(self._descriptor)
        self._identity = (found.st_dev, found.st_ino)
        self._pid = os.getpid()
        return found

    def _shut(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
        self._descriptor = self._identity = None

    # -- rotation -------------------------------------------------------------------------------

    def _rotate(self) -> None:
        descriptor = self._descriptor
        assert descriptor is not None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return  # another process is at it: append, and follow with the next line
        try:
            if self._is_at_path():
                self._shift()
        except OSError as error:
            # Too long is better than lost: go on appending to this file.
            fcntl.flock(descriptor, fcntl.LOCK_UN)
            self._tell("logs.file_unrotatable", error)
        else:
            self._open()  # closing the old file gives its lock back
            self._is_torn = False
            self._told.discard("logs.file_unrotatable")

    def _is_at_path(self) -> bool:
        try:
            found = self.path.stat()
        except FileNotFoundError:
            return False
        return (found.st_dev, found.st_ino) == self._identity

    def _shift(self) -> None:
        """Move the backups on, the oldest away; the file itself comes last.

        Until then nobody can find a new file at the path and rotate that.
        """
        if self.backup_count == 0:
            self.path.unlink()
            return
        numbers = range(1, self.backup_count + 1)
        # Up to the first gap: one that is missing makes room for those before it.
        room = next((n for n in numbers if not self._backup(n).exists()), self.backup_count)
        for number in range(room, 1, -1):
            self._backup(number - 1).replace(self._backup(number))
        self.path.replace(self._backup(1))

    def _backup(self, number: int) -> Path:
        return self.path.with_name(f"{self.path.name}.{number}")

    # -- when it cannot be written --------------------------------------------------------------

    def _tell(self, key: str, error: OSError) -> None:
        """Say on stderr what is wrong with the file, once until it is mended."""
        if key in self._told:
            return
        self._told.add(key)
        reason = error.strerror or str(error)
        sentence = translate(key, path=self.path, folder=self.path.parent, reason=reason)
        # A service may have no stderr, or a closed one: nobody is left to be told then.
        with contextlib.suppress(AttributeError, OSError, ValueError):
            sys.stderr.write(f"{sentence}\n")

    def _note(self, record: logging.LogRecord) -> logging.LogRecord:
        """Return the record that tells, before this one, how many lines are missing."""
        note = logging.makeLogRecord(record.__dict__)
        note.levelno, note.levelname = logging.WARNING, logging.getLevelName(logging.WARNING)
        note.msg = translate("logs.lines_lost", count=self._missing)
        note.args = note.exc_info = note.exc_text = note.stack_info = None
        for name in ("action", "task_id", "run_id", "attempt"):
            note.__dict__.pop(name, None)
        return note
