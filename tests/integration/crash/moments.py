"""What the scheduler was in the middle of when it was killed.

Responsible for: a look at the ledger right after a death, which is that of the killed process, and
the sorting of deaths by what the tasks wrote around them. For the report: it judges nothing.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests import checker

_CLOSE = 20_000
"""A begin or an end so long before a death counts as cut off by it; microseconds."""


@dataclass(frozen=True, slots=True)
class Death:
    """One kill and the claims that the dead process left in the ledger."""

    at: int
    moment: str
    """The part of its life: ``start``, ``recovery`` or ``work``."""
    tokens: tuple[int, ...] | None
    """None: nobody looked."""


@dataclass(slots=True)
class Looks:
    """The ledger as it was found after deaths: what a reader saw of runs and counters."""

    sightings: list[checker.Sighting] = field(default_factory=list)
    counts: list[checker.Count] = field(default_factory=list)
    _known: dict[int, tuple[str, int]] = field(default_factory=dict)

    def look(self, path: Path, at: int) -> tuple[int, ...]:
        """Note what changed since the last look, and return the claims that are left."""
        address = f"file:{path}?mode=ro"
        with contextlib.closing(sqlite3.connect(address, uri=True)) as connection:
            rows = connection.execute("SELECT run_id, state, attempt, token FROM runs").fetchall()
            counters = connection.execute(
                "SELECT task_id, run_count, success_count, failure_count, skip_count FROM progress"
            ).fetchall()
        for run_id, state, attempt, _ in rows:
            if self._known.get(run_id) != (state, attempt):
                self._known[run_id] = (state, attempt)
                self.sightings.append(checker.Sighting(at, run_id, state, attempt))
        self.counts += [checker.Count(at, *row) for row in counters]
        return tuple(token for *_, token in rows if token is not None)


def windows(deaths: Sequence[Death], lines: Sequence[checker.Line]) -> Counter[str]:
    """Count the deaths that fell between each two steps of an attempt.

    One death falls into several of them where several attempts were under way.
    """
    begins = {line.token: line.at for line in lines if line.event == "begin"}
    ends = {line.token: line.at for line in lines if line.event == "end"}
    found: Counter[str] = Counter()
    for death in deaths:
        if death.tokens is not None:
            found["looked at"] += 1
            found.update({_step(token, death.at, begins, ends) for token in death.tokens})
    return found


def _step(token: int, at: int, begins: Mapping[int, int], ends: Mapping[int, int]) -> str:
    begin, end = begins.get(token), ends.get(token)
    if begin is None or begin > at:
        return "claimed, not begun"
    if end is None or end > at:
        return "just begun" if at - begin <= _CLOSE else "under way"
    return "ended, not recorded"
