"""The list of 88 bugs that other schedulers had: which of our tests show that we have none of them.

Responsible for: the table, which is `rows.toml`. A test is named after the first thread of its row
and lives in the file of its section; `test_rows` checks both.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

__all__ = ["FILES", "NOTES", "ROWS", "Row", "named_here"]

FILES = (
    ("A", "Clocks, nights with 23 or 25 hours, drift", "test_clock.py", 1, 22),
    ("B", "Double runs", "test_double_runs.py", 23, 44),
    ("C", "Missed runs, silent stops", "test_missed_runs.py", 45, 63),
    ("D", "Stuck runs, recovery, retries", "test_stuck_runs.py", 64, 75),
    ("E", "Processes, output, shutdown, growth", "test_processes.py", 76, 88),
)
"""The sections of the list: letter, title, file, first and last row."""

NOTES = {
    "leases": "The lock of a ledger on SQLite is the kernel's and is never renewed; the same of"
    " leases comes with PostgreSQL, later.",
    "no_leases": "Does not apply yet: no lock here runs out while its owner lives. Comes with the"
    " leases of PostgreSQL, later.",
    "nodes": "Between processes of one machine; between machines with PostgreSQL, later.",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One bug: where it was told of, what happened, and our tests."""

    number: int
    threads: str
    symptom: str
    tests: tuple[str, ...] = ()
    note: str = ""
    """What does not apply, or not yet, and when it will."""

    @property
    def slug(self) -> str:
        """The first thread as it stands in the name of a test: ``apscheduler_35``."""
        first = re.split("[,;]", self.threads)[0].lower().replace(" pr#", "#")
        if "#" in first:
            # What follows the number is a remark.
            name, _, rest = first.partition("#")
            first = f"{name} {rest.split()[0]}"
        return re.sub("[^a-z0-9]+", "_", first).strip("_")

    @property
    def file(self) -> str:
        """The file of its section."""
        return next(file for _, _, file, first, last in FILES if first <= self.number <= last)


def named_here() -> dict[str, list[str]]:
    """Return the names of the tests that are really there, file by file."""
    folder = Path(__file__).parent
    return {
        file: re.findall(r"^def (test_\w+)", (folder / file).read_text("utf-8"), re.MULTILINE)
        for _, _, file, _, _ in FILES
    }


def _rows() -> tuple[Row, ...]:
    table = tomllib.loads(Path(__file__).with_name("rows.toml").read_text("utf-8"))
    return tuple(
        Row(
            number=row["number"],
            threads=row["threads"],
            symptom=row["symptom"],
            tests=tuple(row["tests"]),
            note=NOTES.get(row.get("note", ""), row.get("note", "")),
        )
        for row in table["row"]
    )


ROWS = _rows()
