"""The ledger on SQLite, in a file or in memory.

Responsible for: the one connection that may write and checkpoint, transactions, migrations,
checkpoints, and putting a file back in its place. It never deletes or moves one.

SQLite from 3.7.0 to 3.51.2 can lose data when one connection checkpoints beside another's commit.
So there is one writing connection on a file at any time: whoever opens the ledger holds its
`EngineLock`; all others open it read-only and can neither write nor checkpoint.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from itertools import chain
from pathlib import Path
from typing import Any

from task_scheduler.errors import (
    ForkedError,
    NetworkFileSystemError,
    StoreDamagedError,
    StoreUnavailableError,
)
from task_scheduler.stores.mounts import network_file_system_of
from task_scheduler.stores.rescue import write_back
from task_scheduler.stores.row_values import insert_rows, takes_values
from task_scheduler.stores.soundness import check_contents, is_sound
from task_scheduler.stores.sqlite_connection import (
    BUSY_SECONDS,
    MEMORY,
    Translated,
    close_with,
    encoded,
    fetch_value,
    identity_of,
    read_only,
)
from task_scheduler.stores.sqlite_reader import SqliteReader, close_readers
from task_scheduler.stores.statements import migrations, row_width, statement, widened

__all__ = ["MEMORY", "SqliteReader", "SqliteStore", "read_only"]

_CHECKPOINT_CHANGES = 4_000
"""Changed rows between two checkpoints: about a thousand pages of log."""
_CHANGES_A_COMMIT = 30
"""What a commit counts for besides: the least one writes eight pages. A log that stays short is
written over again and again, and to sync that takes less time than to sync one that grows."""
_TRUNCATE_BYTES = 64 * 1024 * 1024
_MOST_ROWS = 256
"""Of one statement: SQLite keeps a kilobyte of program for each row, of every size that there was.
Of those for a thousand, which come now and then, memory grew by 1.1 MB each, through days."""
_BUSY_SECONDS = BUSY_SECONDS
_CHECKED_BYTES = 64 * 1024 * 1024
"""A check takes five milliseconds a megabyte; larger ledgers are checked beside the work."""
_COMPANIONS = ("", "-wal", "-shm")


class SqliteStore:
    """The writing connection; the caller holds the lock of the file."""

    def __init__(self, path: str | Path) -> None:
        self.path = str(path)
        self.is_memory = self.path == MEMORY
        self._pid = os.getpid()
        self._translated = Translated(self.path)
        # An in-memory ledger has but one connection: its readers take turns with the engine.
        self._guard = threading.RLock()
        self._copying = threading.Lock()
        self._is_closed = False
        self.is_large = False
        """Whether it was too large to be checked as a whole before it was opened."""
        self.damage = ""
        """What was found damaged since; nothing is written any more then."""
        self._checkpointed = 0
        self._commits = 0
        self._is_log_doubtful = False
        if not self.is_memory:
            _check_place(Path(path))
        with Translated(self.path):
            self._connection = self._open()
        self._finalizer = close_with(self, self._connection)
        try:
            with Translated(self.path):
                self._migrate()
                self._files = self._identities()
        except BaseException:
            self._connection.close()
            raise

    def _open(self) -> sqlite3.Connection:
        is_half_made = False
        if not self.is_memory:
            # Created here, so that it is private from its first byte on.
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            size = Path(self.path).stat().st_size
            if not size and self.log_bytes:
                # SQLite would throw the log away.
                reason = "the file is empty, and its log is not"
                raise StoreDamagedError("errors.store_damaged", path=self.path, reason=reason)
            self.is_large = size > _CHECKED_BYTES
            if size:
                # By one that cannot write: at the end of this one the log would be folded in.
                with closing(read_only(self.path)) as looking:
                    is_half_made = not is_sound(looking, self.path, is_whole=not self.is_large)
        connection = sqlite3.connect(
            self.path,
            timeout=_BUSY_SECONDS,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=256,
        )
        try:
            if is_half_made:
                check_contents(connection, self.path)
            for pragma in (
                # Nobody reads what was deleted from memory, and clearing it takes its time.
                *(["secure_delete=0"] if self.is_memory else []),
                "journal_mode=WAL",
                "synchronous=FULL",
                "fullfsync=1",
                "wal_autocheckpoint=0",
                "temp_store=MEMORY",
                "cache_size=-4000",
                "trusted_schema=0",
            ):
                connection.execute(f"PRAGMA {pragma}").fetchall()
        except BaseException:
            connection.close()
            raise
        return connection

    def check_place(self) -> None:
        """Make sure that what is written will be found: the files may have gone from their places.

        Raises StoreUnavailableError until they are back.
        """
        if self.is_memory:
            return
        if self.damage:
            raise StoreDamagedError("errors.store_damaged", path=self.path, reason=self.damage)
        found = self._identities()
        if found == self._files:
            return
        is_gone = found[0] is None or found[0] == self._files[0]
        key = "errors.store_vanished" if is_gone else "errors.store_replaced"
        raise StoreUnavailableError(key, path=self.path, reason=self._odd_one(found))

    def is_in_place(self) -> bool:
        """Whether the files at their places are those that are open; False where nobody can say."""
        try:
            return self.is_memory or (not self.damage and self._identities() == self._files)
        except OSError:
            return False

    def condemn(self, reason: str) -> None:
        """Write nothing any more: what is acknowledged must be found again."""
        self.damage = reason

    def write_back(self) -> None:
        """Put a ledger whose files vanished back in its place, whole, and go on there.

        This connection still has all of it. Raises what `check_place` raises where it cannot be.
        """
        self._check_process()
        with self._guard, Translated(self.path):
            found = self._identities()
            if self.damage or found == self._files:
                self.check_place()
                return
            # One that stays open here would keep what is shared with it in memory alone.
            close_readers()
            if found[0] == self._files[0]:
                # The ledger itself is there: what vanished of its log goes into it first.
                (checkpoint,) = self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                if checkpoint[0]:
                    self.check_place()
            elif found[0] is None:
                write_back(self._connection, self.path)
            else:
                self.check_place()
            before = self._connection
            self._finalizer.detach()
            # Before the new one is opened: its end must not take that one's log away.
            before.close()
            self._connection = self._open()
            self._finalizer = close_with(self, self._connection)
            self._checkpointed = self._commits = 0
            self._files = self._identities()

    def _identities(self) -> list[tuple[int, int] | None]:
        return [identity_of(self.path + suffix) for suffix in _COMPANIONS]

    def _odd_one(self, found: list[tuple[int, int] | None]) -> str:
        """Name the first file that is not what it was."""
        odd = next(i for i, file in enumerate(found) if file != self._files[i])
        return self.path + _COMPANIONS[odd]

    def _migrate(self) -> None:
        """Bring the schema up to this release at once: readers see the old one or the new one."""
        connection = self._connection
        (found,) = connection.execute("PRAGMA user_version").fetchone()
        steps = [(number, text) for number, text in migrations() if number > found]
        if steps:
            texts = "\n".join(text for _, text in steps)
            version = f"PRAGMA user_version = {steps[-1][0]};"
            connection.executescript(f"BEGIN IMMEDIATE;\n{texts}\n{version}\nCOMMIT;")
            # What a ledger is must not stand in its log alone: a damaged one would look new.
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Begin at once as the writer; commit with a sync at the end, or roll back."""
        self._check_process()
        with self._guard, Translated(self.path):
            self.check_place()
            connection = self._connection
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                connection.execute("COMMIT")
                self._commits += 1
            except BaseException:
                self._is_log_doubtful = True
                if connection.in_transaction:
                    with suppress(sqlite3.Error):
                        connection.execute("ROLLBACK")
                raise

    def fetch(self, name: str, /, **parameters: Any) -> Any:
        """Return the single value of a named query, decoded where it is JSON."""
        self._check_process()
        with self._guard, self._translated:
            return fetch_value(self._connection, name, parameters)

    def execute(self, name: str, /, **parameters: Any) -> int:
        """Run a named statement; return how many rows it changed."""
        self._check_process()
        with self._guard, self._translated:
            if takes_values(name):
                return insert_rows(self._connection, name, parameters["rows"])
            if not row_width(name):
                return self._connection.execute(statement(name), encoded(parameters)).rowcount
            return self._execute_rows(name, parameters["rows"])

    def _execute_rows(self, name: str, rows: Sequence[Sequence[Any]]) -> int:
        """Run a statement for all of its rows, in one step unless they are hundreds."""
        changed = done = 0
        while done < len(rows):
            part = rows[done : done + _MOST_ROWS]
            size = (len(part) - 1).bit_length()
            if len(part) > 4 and len(part) * 4 < 3 << size:
                # A row that there is not costs as much as one that there is.
                size -= 1
                part = part[: 1 << size]
            done += len(part)
            text, count, width = widened(name, size)
            values = list(chain.from_iterable(part))
            # The rows that there are not are of NULLs, which no statement takes for a row.
            values += [None] * (count * width - len(values))
            changed += self._connection.execute(text, values).rowcount
        return changed

    def checkpoint(self) -> None:
        """Move committed pages from the log into the database when it is time to."""
        if self.is_memory:
            return
        changes = self._connection.total_changes + _CHANGES_A_COMMIT * self._commits
        is_large = self.log_bytes >= _TRUNCATE_BYTES or self._is_log_doubtful
        if changes - self._checkpointed < _CHECKPOINT_CHANGES and not is_large:
            return
        mode = "TRUNCATE" if is_large else "PASSIVE"
        with self._guard, Translated(self.path):
            self._connection.execute(f"PRAGMA wal_checkpoint({mode})").fetchall()
        self._checkpointed = changes
        if is_large:
            # What a commit that failed may have left in it would look like one that was lost.
            self._is_log_doubtful = False

    @property
    def log_bytes(self) -> int:
        """The size of the write-ahead log."""
        with suppress(OSError):
            return os.stat(self.path + "-wal").st_size  # noqa: PTH116  at every tick
        return 0

    @property
    def is_copying(self) -> bool:
        """Whether a copy is under way."""
        return self._copying.locked()

    def copy(self, target: sqlite3.Connection, *, pages: int, rest: Callable[[], None]) -> None:
        """Copy the ledger, as it is at the end, into an empty database, so many pages at a time.

        Between two steps, in which `rest` is called, the ledger is free: what is committed then
        gets into the copy too. Raises what reading raises, sqlite3.Error where the target cannot
        be written, and StoreUnavailableError where the ledger is closed meanwhile.
        """
        self._check_process()
        with self._copying, self._guard:
            connection = self._connection

            def give_way(_: int = 0, remaining: int = 1, __: int = 0) -> None:
                if not remaining:
                    return
                self._guard.release()
                try:
                    rest()
                finally:
                    self._guard.acquire()
                if self._is_closed or connection is not self._connection:
                    raise StoreUnavailableError("errors.copy_broken_off", path=self.path)

            give_way()
            connection.backup(target, pages=pages, progress=give_way)

    def vacuum(self) -> None:
        """Write the ledger anew, without the room that deleted rows have left; all else waits.

        For a moment the disk holds it three times. Raises what writing raises.
        """
        self._check_process()
        # A copy that is under way comes to its end first.
        with self._copying, self._guard, Translated(self.path):
            connection = self._connection
            self.check_place()
            # What it is made in is as large as the ledger: memory is no place for that.
            connection.execute("PRAGMA temp_store=FILE").fetchall()
            try:
                connection.execute("VACUUM")
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            finally:
                connection.execute("PRAGMA temp_store=MEMORY").fetchall()

    def close(self) -> None:
        """Close the connection; in a forked child it is left alone, it is the parent's."""
        if self._pid != os.getpid():
            return
        self._is_closed = True
        # A copy that is under way breaks off: its connection must not outlive the lock.
        with self._copying, self._guard:
            if not self.is_memory:
                # One file is left where nobody reads: that can be copied, and opens at once.
                with suppress(sqlite3.Error):
                    self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            self._finalizer.detach()
            self._connection.close()

    def _check_process(self) -> None:
        if self._pid != os.getpid():
            raise ForkedError("errors.forked", path=self.path, pid=self._pid)


def _check_place(path: Path) -> None:
    """Make the folder, and refuse a file system where a lock cannot be trusted."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise StoreUnavailableError(
            "errors.store_unavailable", path=str(path), reason=str(error)
        ) from error
    kind = network_file_system_of(path.parent)
    if kind is not None:
        raise NetworkFileSystemError("errors.network_file_system", path=str(path), kind=kind)
    if path.is_dir():
        raise StoreUnavailableError(
            "errors.store_unavailable", path=str(path), reason="it is a folder"
        )
