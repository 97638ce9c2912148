"""The whole check of a large ledger, beside the scheduler that runs on it.

Responsible for: a thread that reads the database table by table, soon after the start where the
ledger was too large to be checked before, and once a day. Told is what is damaged; what follows is
not decided here.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing

__all__ = ["BackgroundCheck"]

_DAY_SECONDS = 86_400.0
_MOMENT_SECONDS = 15.0
"""A start has other things to do first."""
_TABLES = "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name"
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


class BackgroundCheck:
    """Check again and again, until closed; `condemn` is called once with what is damaged."""

    def __init__(
        self, opened: Callable[[], sqlite3.Connection], condemn: Callable[[str], None]
    ) -> None:
        self._opened = opened
        self._condemn = condemn
        self._end = threading.Event()

    def start(self, *, is_urgent: bool) -> None:
        """Begin: with the first check after a moment, or after a day."""
        pause = _MOMENT_SECONDS if is_urgent else _DAY_SECONDS
        threading.Thread(
            target=self._run, args=(pause,), name="task-scheduler-check", daemon=True
        ).start()

    def close(self) -> None:
        """Check no more; a table that is being read is read to its end, by a daemon."""
        self._end.set()

    def look(self) -> str:
        """Check once; return what is damaged, empty if nothing is."""
        try:
            with closing(self._opened()) as connection:
                for (table,) in connection.execute(_TABLES).fetchall():
                    if self._end.is_set():
                        return ""
                    # One table a time: the log can be folded in between.
                    (verdict,) = connection.execute(f'PRAGMA quick_check("{table}")').fetchone()
                    if verdict != "ok":
                        return str(verdict)
        except sqlite3.Error as error:
            # Whatever else it is, a lock or a full disk, is met by the work itself.
            is_damage = getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGED
            return str(error) if is_damage and not self._end.is_set() else ""
        return ""

    def _run(self, pause: float) -> None:
        while not self._end.wait(pause):
            pause = _DAY_SECONDS
            verdict = self.look()
            if verdict:
                self._condemn(verdict)
                return
