"""What the ledger of a stopped scheduler says, read without the scheduler's code."""

from __future__ import annotations

import contextlib
import sqlite3
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Run:
    """One row of `runs`."""

    run_id: int
    task_id: str
    key: str
    state: str
    scheduled_at: int
    token: int | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One row of `attempts`."""

    run_id: int
    attempt: int
    token: int
    outcome: str


@dataclass(frozen=True, slots=True)
class Skip:
    """One row of `skips`: a range of occurrences."""

    task_id: str
    reason: str
    first_at: int
    last_at: int
    count: int | None


@dataclass(frozen=True, slots=True)
class Ledger:
    """All that is in it."""

    runs: list[Run]
    attempts: list[Attempt]
    skips: list[Skip]


def read(path: Path) -> Ledger:
    """Read all of a ledger that nobody writes."""
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        return Ledger(
            runs=[
                Run(*row)
                for row in connection.execute(
                    "SELECT run_id, task_id, key, state, scheduled_at, token, reason FROM runs"
                )
            ],
            attempts=[
                Attempt(*row)
                for row in connection.execute(
                    "SELECT run_id, attempt, token, outcome FROM attempts"
                )
            ],
            skips=[
                Skip(*row)
                for row in connection.execute(
                    "SELECT task_id, reason, first_at, last_at, count FROM skips"
                )
            ],
        )


def unfinished_before(path: Path, moment: int) -> list[tuple[str, str, str]]:
    """Return task, key and state of the runs due before a moment that are not over yet.

    For looking at a ledger while it is written.
    """
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        rows = connection.execute(
            "SELECT task_id, key, state FROM runs"
            " WHERE state IN ('waiting', 'running') AND scheduled_at < ?",
            (moment,),
        )
        return rows.fetchall()
