"""Bugs that once were somewhere else, as changes of today's source.

Responsible for: reading `bugs.toml`, and planting one bug in one text. A bug whose lines are not
there exactly once is refused with its name and its file: the source has moved on, and it is mended
by copying the lines as they are now.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

from tests.regressions.rows import ROWS, Row

__all__ = ["BUGS", "Bug", "PlantingError"]


class PlantingError(Exception):
    """The lines that a bug replaces are not there exactly once."""


@dataclass(frozen=True, slots=True)
class Bug:
    """One change of one file of the package: `old` lines become `new` ones.

    `file` may be a pattern: the lines are found in whichever file they have moved to.
    """

    name: str
    row: int
    file: str
    old: str
    new: str
    also: tuple[str, ...] = ()
    """Tests besides the row's own that are asked first."""

    @property
    def origin(self) -> Row:
        """The row of the list whose bug it is."""
        return ROWS[self.row - 1]

    @property
    def tests(self) -> tuple[str, ...]:
        """The tests that are named after its row, as pytest knows them, and those beside them."""
        file = f"tests/regressions/{self.origin.file}"
        return (*(f"{file}::{name}" for name in self.origin.tests), *self.also)

    def place(self, package: Path) -> Path:
        """Return the file of a package in which its lines stand once; raises PlantingError."""
        files = sorted(package.glob(self.file))
        counts = {path: path.read_text("utf-8").count(self.old) for path in files}
        if sum(counts.values()) != 1:
            raise PlantingError(
                f"the bug {self.name!r} cannot be planted: its lines stand"
                f" {sum(counts.values())} times in task_scheduler/{self.file}, not once. Copy them"
                f" as they are now into tests/replant/bugs.toml:\n{self.old}"
            )
        return max(files, key=counts.__getitem__)

    def planted(self, text: str) -> str:
        """Return the text of its file with the bug in it."""
        return text.replace(self.old, self.new)


def _bugs() -> tuple[Bug, ...]:
    table = tomllib.loads(Path(__file__).with_name("bugs.toml").read_text("utf-8"))
    return tuple(Bug(**{**bug, "also": tuple(bug.get("also", ()))}) for bug in table["bug"])


BUGS = _bugs()
