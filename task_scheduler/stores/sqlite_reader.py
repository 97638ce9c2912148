"""Reading a ledger beside its writer.

Responsible for: connections that can neither write nor checkpoint, and that follow the file when it
is replaced, this process when it forks, and the schema when somebody else is just making it.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import weakref
from contextlib import closing
from pathlib import Path
from typing import Any, Protocol

from task_scheduler.core.ports import Store
from task_scheduler.errors import SchemaTooNewError, StoreUnavailableError
from task_scheduler.stores.sqlite_connection import (
    MEMORY,
    Translated,
    close_with,
    fetch_value,
    identity_of,
    read_only,
)
from task_scheduler.stores.statements import migrations

__all__ = ["SqliteReader", "close_readers"]


class _Ledger(Store, Protocol):
    """The writer, which also reads where the ledger is in memory."""

    is_memory: bool


class SqliteReader:
    """A reading connection: it can neither write nor checkpoint, and fetches whole pages."""

    def __init__(self, path: str | Path, store: _Ledger | None = None) -> None:
        self.path = str(path)
        self._store = store if store is not None and store.is_memory else None
        self._guard = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._opened: tuple[int, ...] = ()
        """The process that opened it and the file that it is open on."""
        _readers.add(self)

    def fetch(self, name: str, /, **parameters: Any) -> Any:
        """Return the single value of a named query, decoded where it is JSON.

        A ledger that nobody has made yet is an empty one.
        """
        if self._store is not None:
            return self._store.fetch(name, **parameters)
        with self._guard, Translated(self.path):
            connection = self._connected()
            if connection is not None:
                return fetch_value(connection, name, parameters)
        with closing(_empty_ledger()) as empty:
            return fetch_value(empty, name, parameters)

    def close(self) -> None:
        """Close the connection, if there is one."""
        with self._guard:
            self._disconnect()

    def _disconnect(self) -> None:
        # Before a fork it was opened by the parent: it is left alone.
        if self._connection is not None and self._opened[0] == os.getpid():
            self._finalizer.detach()
            self._connection.close()
        self._connection = None

    def _connected(self) -> sqlite3.Connection | None:
        """Return a connection to the file that lies there now; None where there is no ledger."""
        file = identity_of(self.path)
        if file is None:
            return None
        here = (os.getpid(), *file)
        if self._connection is not None and self._opened == here:
            return self._connection
        self._disconnect()
        connection = read_only(self.path)
        self._connection, self._opened = connection, here
        self._finalizer = close_with(self, connection)
        try:
            (version,) = connection.execute("PRAGMA user_version").fetchone()
        except sqlite3.Error as error:
            self._disconnect()
            if error.sqlite_errorcode != sqlite3.SQLITE_READONLY_ROLLBACK:
                raise
            return None  # its maker died before its first commit
        known = migrations()[-1][0]
        if version == known:
            return connection
        self._disconnect()
        if version > known:
            raise SchemaTooNewError(
                "errors.schema_too_new", path=self.path, found=version, known=known
            )
        if version:
            raise StoreUnavailableError("errors.schema_older", path=self.path)
        # Somebody is just making it.
        return None


def _empty_ledger() -> sqlite3.Connection:
    """Return a ledger in memory that has nothing in it."""
    connection = sqlite3.connect(MEMORY, isolation_level=None)
    for _, text in migrations():
        connection.executescript(text)
    return connection


_readers: weakref.WeakSet[SqliteReader] = weakref.WeakSet()


def close_readers() -> None:
    """Before a fork: the child of an open connection would count locks that it does not have."""
    for reader in list(_readers):
        reader.close()


def _renew_readers() -> None:
    """In a forked child: a thread that reads in the parent is not here to give the guard back."""
    for reader in list(_readers):
        reader._guard = threading.Lock()  # noqa: SLF001  our own


os.register_at_fork(before=close_readers, after_in_child=_renew_readers)
