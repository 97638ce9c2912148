"""Rows that go into a statement as values: many rows a step.

Responsible for: statements whose ``VALUES`` list one row of parameters named ``:each_...``. They
are run with that row repeated, some hundred rows a step; a JSON text of the same rows would be
parsed once a column.
"""

from __future__ import annotations

import functools
import re
import sqlite3
from collections.abc import Sequence
from itertools import chain
from typing import Any

from task_scheduler.stores.statements import statement

__all__ = ["insert_rows", "takes_values"]

_SIZES = (500, 50, 5, 1)
"""Rows a step: few sizes, each of which is compiled once. SQLite takes 32,766 values."""
_ROW = re.compile(r"VALUES (\([^()]*:each_[^()]*\))")


@functools.cache
def takes_values(name: str) -> bool:
    """Whether the rows of a named statement go in as values."""
    return _ROW.search(statement(name)) is not None


def insert_rows(connection: sqlite3.Connection, name: str, rows: Sequence[Sequence[Any]]) -> int:
    """Run a named statement with its row repeated for each of `rows`; return how many changed."""
    changed, done = 0, 0
    for size in _SIZES:
        while len(rows) - done >= size:
            values = list(chain.from_iterable(rows[done : done + size]))
            changed += connection.execute(_text(name, size), values).rowcount
            done += size
    return changed


@functools.cache
def _text(name: str, size: int) -> str:
    text = statement(name)
    found = _ROW.search(text)
    assert found is not None
    row = re.sub(r":each_\w+", "?", found[1])
    return text[: found.start(1)] + ", ".join([row] * size) + text[found.end(1) :]
