"""A check of a ledger that ends in time, however large the ledger is.

Responsible for: looking at one table after another until somebody says that the time is over, with
a connection that can only read. What follows from damage is not decided here. An SQLite before 3.42
notices only between the rows of a table, not between the pages of its tree.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from typing import NamedTuple

__all__ = ["BoundedCheck", "check_until"]

_STEPS = 10_000
"""Of SQLite's machine between two looks at the time: a fraction of a millisecond."""
_TABLES = "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY rootpage"
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


class BoundedCheck(NamedTuple):
    """What was damaged (empty: nothing), and how many tables of how many were looked at."""

    damage: str
    checked: int
    tables: int


def check_until(
    opened: Callable[[], sqlite3.Connection], is_over: Callable[[], bool]
) -> BoundedCheck:
    """Check until everything was looked at, something is damaged, or `is_over`.

    Raises sqlite3.Error for what is no damage, such as a lock.
    """
    checked, names = 0, []
    try:
        with closing(opened()) as connection:
            names = [name for (name,) in connection.execute(_TABLES)]
            connection.set_progress_handler(lambda: int(is_over()), _STEPS)
            for name in names:
                if is_over():
                    break
                (verdict,) = connection.execute(f'PRAGMA quick_check("{name}")').fetchone()
                if verdict != "ok":
                    return BoundedCheck(str(verdict), checked, len(names))
                checked += 1
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code == sqlite3.SQLITE_INTERRUPT:
            return BoundedCheck("", checked, len(names))
        if code not in _DAMAGED:
            raise
        return BoundedCheck(str(error), checked, len(names))
    return BoundedCheck("", checked, len(names))
