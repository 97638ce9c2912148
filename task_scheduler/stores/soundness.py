"""Whether a database is a sound ledger that this release may use.

Responsible for: refusing what is damaged, another program's, or a newer release's, before anything
is written.
"""

from __future__ import annotations

import sqlite3

from task_scheduler.clock import read_boot_id
from task_scheduler.errors import SchemaTooNewError, StoreDamagedError
from task_scheduler.stores.log_check import lost_commits
from task_scheduler.stores.statements import migrations

__all__ = ["check_contents", "check_log", "is_sound"]

_APPLICATION_ID = 0x54534B4C
"""What the first migration writes into the file's header."""
_SMALL = ("entries", "epochs")
_MOST_ENTRIES = 100_000
"""Entries up to which their table counts as a small one: it is checked within 50 milliseconds."""
_HAS_EPOCHS = "SELECT 1 FROM sqlite_schema WHERE name = 'epochs'"
_LAST_BOOT = "SELECT boot_id FROM epochs ORDER BY epoch DESC LIMIT 1"


def is_sound(connection: sqlite3.Connection, path: str, *, is_whole: bool) -> bool:
    """Refuse what is not sound; False where only a writer can read what is there.

    A death in the middle of its making leaves that: a journal to be taken back.
    """
    try:
        check_contents(connection, path, is_whole=is_whole)
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_READONLY_ROLLBACK:
            raise
        return False
    check_log(connection, path)
    return True


def check_contents(connection: sqlite3.Connection, path: str, *, is_whole: bool = True) -> None:
    """Refuse what is not a sound ledger of this release or an older one.

    Without `is_whole` only what stands in the small tables is looked at: the rest is somebody
    else's to check.
    """
    (found,) = connection.execute("PRAGMA user_version").fetchone()
    (owner,) = connection.execute("PRAGMA application_id").fetchone()
    (objects,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    if owner != _APPLICATION_ID and (owner or found or objects):
        raise StoreDamagedError(
            "errors.store_damaged", path=path, reason="the database of another program"
        )
    known = migrations()[-1][0]
    if found > known:
        raise SchemaTooNewError("errors.schema_too_new", path=path, found=found, known=known)
    arguments: tuple[str, ...] = ("1",) if is_whole else _SMALL
    if not is_whole:
        (last,) = connection.execute("SELECT max(rowid) FROM entries").fetchone()
        arguments = _SMALL if (last or 0) <= _MOST_ENTRIES else _SMALL[1:]
    for argument in arguments:
        (verdict,) = connection.execute(f"PRAGMA quick_check({argument})").fetchone()
        if found and verdict != "ok":
            raise StoreDamagedError("errors.store_damaged", path=path, reason=verdict)


def check_log(connection: sqlite3.Connection, path: str) -> None:
    """Refuse a log in which SQLite would leave out, without a word, what was acknowledged."""
    boot_id = ""
    # Without the table everything was in the log, and may be what it has lost.
    if connection.execute(_HAS_EPOCHS).fetchone():
        (boot_id,) = connection.execute(_LAST_BOOT).fetchone() or ("",)
    count = lost_commits(path, is_same_boot=boot_id == read_boot_id())
    if count:
        raise StoreDamagedError("errors.log_damaged", path=path, count=count)
