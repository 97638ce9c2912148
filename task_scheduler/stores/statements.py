"""Named SQL statements, read from text files.

Responsible for: finding `-- name: x` blocks in `sql/*.sql`. Each has a line with its reason.
"""

from __future__ import annotations

import functools
from importlib import resources

__all__ = ["migrations", "statement"]


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
def migrations() -> tuple[tuple[int, str], ...]:
    """Return the numbered migrations, oldest first."""
    folder = resources.files(__package__) / "migrations"
    files = sorted(item.name for item in folder.iterdir() if item.name.endswith(".sql"))
    return tuple((int(name[:4]), (folder / name).read_text(encoding="utf-8")) for name in files)
