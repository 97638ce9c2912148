"""The cursor of a long campaign: what it found so far, so that it goes on where it broke off.

Responsible for: a report and the rounds that are in it, in one file that is replaced as a whole. A
report is a dataclass of numbers, lists and counters.
"""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

Report = TypeVar("Report")


class Cursor:
    """The file of one series."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "cursor.json"

    def load(self, empty: Report) -> tuple[Report, Any] | None:
        """Return what was found, in the shape of an empty report, and the rounds; None at first."""
        if not self._path.exists():
            return None
        saved = json.loads(self._path.read_text())
        # JSON knows no counters: each figure gets the type that it has in an empty report.
        found = {one.name: type(getattr(empty, one.name))(saved[one.name]) for one in fields(empty)}
        return type(empty)(**found), saved["rounds"]

    def save(self, report: Any, rounds: Any) -> None:
        """Put what was found so far, and in which rounds, in the place of what was there."""
        saved = {one.name: getattr(report, one.name) for one in fields(report)}
        self._path.parent.mkdir(parents=True, exist_ok=True)
        new = self._path.with_suffix(".new")
        new.write_text(json.dumps({**saved, "rounds": rounds}))
        new.replace(self._path)
