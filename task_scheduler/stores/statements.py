"""Named SQL statements, read from text files.

Responsible for: finding `-- name: x` blocks in `sql/*.sql`. Each has a line with its reason.

A statement that takes rows names their columns where it takes them,
``WITH j(run_id, token) AS (VALUES (:run_id, :token))``, and is widened to as many as there are.
Values that are bound cost SQLite a third of what it costs to find them in a JSON text.
"""

from __future__ import annotations

import functools
import re
from importlib import resources
from typing import NamedTuple

__all__ = ["RowsStatement", "migrations", "row_width", "statement", "widened"]

_ROW = re.compile(r"\(VALUES \((:\w+(?:, :\w+)*)\)\)")


class RowsStatement(NamedTuple):
    """A statement for so many rows of so many values."""

    text: str
    rows: int
    width: int


@functools.cache
def _statements() -> dict[str, str]:
    """Read every statement of every file, by name."""
    found: dict[str, str] = {}
    folder = resources.files(__package__) / "sql"
    for file in sorted(folder.iterdir(), key=lambda item: item.name):
        if not file.name.endswith(".sql"):
            continue
        for block in file.read_text(encoding="utf-8").split("-- name: ")[1:]:
            name, _, text = block.partition("\n")
            lines = [line for line in text.splitlines() if not line.lstrip().startswith("--")]
            if name.strip() in found:
                raise ValueError(f"two statements are named {name.strip()!r}")
            found[name.strip()] = "\n".join(lines).strip().rstrip(";")
    return found


def statement(name: str) -> str:
    """Return the text of a statement; raises KeyError for a name that no file has."""
    return _statements()[name]


@functools.cache
def row_width(name: str) -> int:
    """Return how many values a row of a statement has; 0 for one that takes no rows."""
    found = _ROW.search(statement(name))
    return len(found[1].split(", ")) if found else 0


@functools.cache
def widened(name: str, size: int) -> RowsStatement:
    """Return a statement for ``2 ** size`` rows: few sizes, so that SQLite knows them already."""
    width, count = row_width(name), 1 << size
    row = f"({', '.join('?' * width)})"
    text = _ROW.sub(f"(VALUES {', '.join([row] * count)})", statement(name))
    return RowsStatement(text, rows=count, width=width)


@functools.cache
def migrations() -> tuple[tuple[int, str], ...]:
    """Return the numbered migrations, oldest first."""
    folder = resources.files(__package__) / "migrations"
    files = sorted(item.name for item in folder.iterdir() if item.name.endswith(".sql"))
    return tuple((int(name[:4]), (folder / name).read_text(encoding="utf-8")) for name in files)
