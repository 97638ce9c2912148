"""What a ledger file says, read without the scheduler's code.

Responsible for: the SQL over the tables that the checker reads. A reader: it changes nothing, and
a ledger that is being written may be read too.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from tests.checker.history import Attempt, Entry, Epoch, Ledger, Run, Skip

_RUNS = (
    "SELECT run_id, task_id, key, origin, state, scheduled_at, token, attempt, recoveries,"
    " ended_at, reason FROM runs"
)
_ATTEMPTS = "SELECT run_id, attempt, token, outcome, started_at, ended_at FROM attempts"
_SKIPS = "SELECT skip_id, task_id, reason, first_at, last_at, count, blocker_run_id, at FROM skips"
_EPOCHS = "SELECT epoch, boot_id, pid, started_at FROM epochs"
_ENTRIES = (
    "SELECT task_id, paused_at, run_count, success_count, failure_count, skip_count"
    " FROM progress JOIN entries USING (task_id)"
)


def read_ledger(source: Path | sqlite3.Connection) -> Ledger:
    """Read all of a ledger: a file, or a connection (of a database in memory)."""
    with _connection(source) as connection:
        return Ledger(
            runs=[Run(*row) for row in connection.execute(_RUNS)],
            attempts=[Attempt(*row) for row in connection.execute(_ATTEMPTS)],
            skips=[Skip(*row) for row in connection.execute(_SKIPS)],
            epochs=[Epoch(*row) for row in connection.execute(_EPOCHS)],
            entries=[Entry(*row) for row in connection.execute(_ENTRIES)],
        )


def unfinished_before(path: Path, moment: int) -> list[tuple[str, str, str]]:
    """Return task, key and state of the runs due before a moment that are not over yet."""
    query = (
        "SELECT task_id, key, state FROM runs"
        " WHERE state IN ('waiting', 'running') AND scheduled_at < ?"
    )
    with _connection(path) as connection:
        return connection.execute(query, (moment,)).fetchall()


@contextlib.contextmanager
def _connection(source: Path | sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    if isinstance(source, sqlite3.Connection):
        yield source
        return
    with contextlib.closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True)) as connection:
        yield connection
