"""Backups of a ledger: whole copies in one file, made while it is in use.

Responsible for: making one, reading what is in one, and putting one in the place of a ledger. Never
overwrites a file and never deletes a ledger.

The copy is made by the holder's own connection, in small steps with rests between. Another
connection would have to read for as long as it takes, and until then the log could not be folded
in; or to begin anew at each commit.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sqlite3
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from task_scheduler.core.model import Microseconds
from task_scheduler.errors import StoreDamagedError, StoreUnavailableError
from task_scheduler.stores.soundness import check_contents
from task_scheduler.stores.sqlite import SqliteStore
from task_scheduler.stores.statements import statement

__all__ = ["Contents", "copy_file", "put_in_place", "read_contents", "sync", "write_backup"]

_PAGES = 64
"""A step: 256 KiB, a few milliseconds also of a memory card."""
_REST_SECONDS = 0.002
_LOGS = ("-wal", "-shm")
_WITH_LEDGER_ROW = 5
"""The schema from which on a ledger tells which one it is."""


@dataclass(frozen=True, slots=True)
class Contents:
    """What a copy of a ledger holds."""

    path: Path
    size: int
    schema: int
    entries: int
    runs: int
    newest_run_at: Microseconds | None
    ledger_id: str | None
    """None: no process of a release that gives names has held it."""
    backed_up_at: Microseconds | None
    """None: it is no backup but the file of a ledger itself."""


def write_backup(store: SqliteStore, path: Path, *, now: Microseconds) -> None:
    """Copy a ledger that is in use into a private file that must not exist; synced at the end.

    Raises FileExistsError, StoreUnavailableError where the file cannot be written, and what the
    ledger raises. Then no file is left.
    """
    nap = threading.Event()

    def rest() -> None:
        nap.wait(_REST_SECONDS)

    with _new_file(path) as target:
        store.copy(target, pages=_PAGES, rest=rest)
        target.execute(statement("note_backup"), {"at": now})


def copy_file(source: Path, path: Path) -> None:
    """Copy a ledger that nobody has open, with what its log holds, as `write_backup` does."""
    with _new_file(path) as target, contextlib.closing(_opened(source)) as connection:
        connection.backup(target)


def read_contents(path: Path) -> Contents:
    """Check a copy and say what is in it.

    Raises FileNotFoundError, StoreDamagedError for what is not a sound ledger, SchemaTooNewError,
    and StoreUnavailableError where it cannot be read.
    """
    size = path.stat().st_size
    try:
        with contextlib.closing(_opened(path)) as connection:
            check_contents(connection, str(path))
            (schema,) = connection.execute("PRAGMA user_version").fetchone()
            if not schema:
                raise _unsound(path, "it is empty")
            row: dict[str, Any] = {}
            if schema >= _WITH_LEDGER_ROW:
                row = json.loads(connection.execute(statement("ledger_row")).fetchone()[0])
            found = json.loads(connection.execute(statement("count_contents")).fetchone()[0])
            return Contents(
                path=path,
                size=size,
                schema=schema,
                **found,
                ledger_id=row.get("ledger_id"),
                backed_up_at=row.get("backed_up_at"),
            )
    except StoreDamagedError as error:
        # Its sentence would say what to do with a ledger in use.
        raise _unsound(path, error.values["reason"]) from error
    except sqlite3.OperationalError as error:
        raise StoreUnavailableError(
            "errors.store_unavailable", path=str(path), reason=str(error)
        ) from error
    except sqlite3.DatabaseError as error:
        raise _unsound(path, str(error)) from error


def _unsound(path: Path, reason: object) -> StoreDamagedError:
    return StoreDamagedError("errors.backup_damaged", path=str(path), reason=reason)


def put_in_place(fresh: Path, database: Path, aside: Path) -> None:
    """Let a copy take the place of a ledger that nobody holds; what was there lies `aside` after.

    At every moment either of the two is whole at its place, but of a ledger that could not be
    closed properly (its log is still there) the older state, which the new one then replaces.
    """
    for suffix in ("", *_LOGS):
        with contextlib.suppress(FileNotFoundError):
            _link(Path(f"{database}{suffix}"), Path(f"{aside}{suffix}"))
    sync(database.parent)
    # A log that stays would be taken for the log of the new file.
    for suffix in _LOGS:
        Path(f"{database}{suffix}").unlink(missing_ok=True)
    fresh.replace(database)
    sync(database.parent)


def sync(path: Path) -> None:
    """Make durable what was written to a file, or which files a folder has."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _new_file(path: Path) -> Iterator[sqlite3.Connection]:
    """Give a connection to an empty private file; leave one whole file, or none."""
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | getattr(os, "O_NOFOLLOW", 0)
    try:
        os.close(os.open(path, flags, 0o600))
        try:
            with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as target:
                # Synced once, at the end: whoever waits for a step of it waits for no disk. And
                # little of it is kept in memory, so that there is no large last step.
                for pragma in ("synchronous=OFF", "journal_mode=OFF", "cache_size=-1000"):
                    target.execute(f"PRAGMA {pragma}").fetchall()
                yield target
                # One file without a log: it can be read where nothing can be written.
                target.execute("PRAGMA journal_mode=DELETE").fetchall()
            sync(path)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
    except FileExistsError:
        raise
    except (sqlite3.Error, OSError) as error:
        raise StoreUnavailableError(
            "errors.copy_failed", path=str(path), reason=getattr(error, "strerror", None) or error
        ) from error


def _opened(path: Path) -> sqlite3.Connection:
    """Open a copy for reading alone; without a log, also where nothing can be written."""
    if not path.is_file():
        raise FileNotFoundError(2, os.strerror(2), str(path))
    mode = "mode=ro" if Path(f"{path}-wal").exists() else "mode=ro&immutable=1"
    uri = f"{path.resolve().as_uri()}?{mode}"
    return sqlite3.connect(uri, uri=True, isolation_level=None)


def _link(path: Path, other: Path) -> None:
    """Give a file another name, or where the file system cannot, copy it."""
    try:
        other.hardlink_to(path)
    except FileNotFoundError:
        raise
    except OSError:
        shutil.copy2(path, other)
        sync(other)
