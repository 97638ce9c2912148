"""What the tests of the ledger have in common.

Responsible for: rows to put in, and programs of their own that can be killed.
"""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

from task_scheduler.stores.sqlite import SqliteReader, SqliteStore

__all__ = ["ROOT", "bytes_of", "child", "ids", "put", "put_many"]

ROOT = Path(__file__).parents[2]


def put(store: SqliteStore, task_id: str) -> None:
    """Add an entry's row."""
    row = [task_id, task_id.upper(), "script", "process", {"a": [1, "é"]}, [], {}, "api", 0, 5]
    store.execute("put_entries", rows=[row])
    store.execute("put_progress", rows=[[task_id, 1, 5, None, 7, 7]])


def ids(store: SqliteStore | SqliteReader) -> list[str]:
    found: list[str] = store.fetch("all_task_ids", limit=99)
    return found


def child(code: str, *arguments: object) -> subprocess.Popen[str]:
    """Start a program that knows our package; it says a line when it is where we want it."""
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def put_many(store: SqliteStore, count: int) -> None:
    """Add many rows in a transaction of their own."""
    with store.transaction():
        for number in range(count):
            put(store, f"task-{number}")


def bytes_of(path: Path) -> bytes:
    """Return the bytes of a file that must not be touched."""
    return path.read_bytes()
