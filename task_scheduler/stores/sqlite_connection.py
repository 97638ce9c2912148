"""A connection to SQLite, and what all connections to a ledger have in common.

Responsible for: opening one for reading alone, closing one that its owner dropped, running named
statements with JSON in and out, and telling in our words what is wrong with a file.
"""

from __future__ import annotations

import json
import os
import sqlite3
import weakref
from pathlib import Path
from typing import Any

from task_scheduler.errors import StoreDamagedError, StoreError, StoreUnavailableError
from task_scheduler.stores.statements import statement

__all__ = [
    "BUSY_SECONDS",
    "MEMORY",
    "Translated",
    "close_with",
    "encoded",
    "fetch_value",
    "identity_of",
    "read_only",
]

MEMORY = ":memory:"
BUSY_SECONDS = 1.0
"""Readers hold no lock that blocks a writer in WAL mode; this only covers foreign programs. Who
waits longer than that for an answer is told why."""

_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_REASONS = {
    sqlite3.SQLITE_BUSY: "store_locked",
    sqlite3.SQLITE_LOCKED: "store_locked",
    sqlite3.SQLITE_FULL: "store_full",
    sqlite3.SQLITE_READONLY: "store_read_only",
}


def close_with(owner: object, connection: sqlite3.Connection) -> weakref.finalize[..., object]:
    """Close a connection whose owner is dropped without close(); never one of a parent process."""
    process = os.getpid()

    def close() -> None:
        if process == os.getpid():
            connection.close()

    finalizer = weakref.finalize(owner, close)
    finalizer.atexit = False
    return finalizer


def read_only(path: str) -> sqlite3.Connection:
    """Open a ledger for reading alone; raises sqlite3.Error where there is none."""
    uri = Path(path).resolve().as_uri() + "?mode=ro"
    connection = sqlite3.connect(
        uri, uri=True, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
    )
    try:
        connection.execute("PRAGMA wal_autocheckpoint=0").fetchall()
        connection.executescript("PRAGMA query_only=1; PRAGMA trusted_schema=0")
    except BaseException:
        connection.close()
        raise
    return connection


def identity_of(path: str) -> tuple[int, int] | None:
    """Return which file lies at a path; None for none."""
    try:
        found = os.stat(path)  # noqa: PTH116  at every tick, where a Path costs more than the call
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
"""Made once: `json.dumps` with options makes an encoder at every call."""
_decode = json.JSONDecoder().raw_decode
"""As `json.loads`, but without its search for spaces around the text: SQLite writes none."""


def encoded(parameters: dict[str, Any]) -> dict[str, Any]:
    """Return parameters as SQLite takes them: a list or an object travels as one JSON text."""
    return {
        name: _encode(value) if isinstance(value, (list, dict, tuple)) else value
        for name, value in parameters.items()
    }


def fetch_value(connection: sqlite3.Connection, name: str, parameters: dict[str, Any]) -> Any:
    """Return the single value of a named query, decoded where it is JSON."""
    row = connection.execute(statement(name), encoded(parameters)).fetchone()
    if row is None:
        return None
    value = row[0]
    # Every text that a named query answers is JSON; ids and counts come as numbers.
    return _decode(value)[0] if isinstance(value, str) else value


class Translated:
    """Turn SQLite's errors into ours; a class, because a generator costs as much as a statement."""

    __slots__ = ("_path",)

    def __init__(self, path: str) -> None:
        self._path = path

    def __enter__(self) -> None:
        """Nothing is to be prepared."""

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if error is None:
            return
        if isinstance(error, sqlite3.Error):
            raise _translation(self._path, error) from error
        if isinstance(error, OSError):
            raise StoreUnavailableError(
                "errors.store_unavailable", path=self._path, reason=str(error)
            ) from error


def _translation(path: str, error: sqlite3.Error) -> StoreError:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in _DAMAGED:
        return StoreDamagedError("errors.store_damaged", path=path, reason=str(error))
    name = _REASONS.get(code)
    if name is not None:
        return StoreUnavailableError(f"errors.{name}", path=path)
    return StoreUnavailableError("errors.store_unavailable", path=path, reason=str(error))
