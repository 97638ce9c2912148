"""The guard: ratios of ours to a peer, measured in one short run, against the committed ones.

Responsible for: what a clear loss is. Absolute times are never compared: machines differ, and so do
minutes on one machine; a ratio within one run changes when the code does.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from benchmarks.contests import Case, Guard
from benchmarks.measured import number_text, ratio, title
from benchmarks.measuring import Measured

__all__ = ["FILE", "Comparison", "compare", "guarded", "keep", "load"]

FILE = Path(__file__).with_name("guard.json")
TOLERANCE = 0.4
"""A ratio may fall to this share less: on a shared machine they vary by a third."""

Ratios = dict[str, float]
"""By the name of a guard (`_key`)."""


class Comparison(NamedTuple):
    """A ratio beside the one that was committed."""

    key: str
    found: float | None
    committed: float | None
    tolerance: float

    @property
    def is_lost(self) -> bool:
        """Whether ours became clearly worse, or cannot be compared any more."""
        if self.committed is None:
            return False
        return self.found is None or self.found < self.committed * (1 - self.tolerance)

    def text(self) -> str:
        """Return it as a line."""
        found = "-" if self.found is None else f"{number_text(self.found)}x"
        if self.committed is None:
            return f"new   {self.key}: {found}; keep it with --guard --accept"
        least = number_text(self.committed * (1 - self.tolerance))
        word = "LOST " if self.is_lost else "fine "
        return (
            f"{word} {self.key}: {found}, committed {number_text(self.committed)}x, least {least}x"
        )


def guarded(case: Case) -> frozenset[str]:
    """Return the contenders that the guards of a case need."""
    return frozenset(
        contender.name
        for contender in case.contenders
        for guard in case.guards
        for line in (guard.contender, guard.peer)
        if line == contender.name or line.startswith(f"{contender.name}, ")
    )


def compare(case: Case, measured: Measured, committed: Mapping[str, float]) -> list[Comparison]:
    """Return every ratio of a case beside the committed one."""
    return [
        Comparison(
            _key(case, guard), _ratio(guard, measured), committed.get(_key(case, guard)), TOLERANCE
        )
        for guard in case.guards
    ]


def load() -> Ratios:
    """Return the committed ratios; none where nothing was committed yet."""
    if not FILE.exists():
        return {}
    found: Ratios = json.loads(FILE.read_text(encoding="utf-8"))["ratios"]
    return found


def keep(comparisons: list[Comparison], facts: Mapping[str, object]) -> None:
    """Write these ratios, and those of cases that were not run as they were."""
    fresh = {item.key: round(item.found, 3) for item in comparisons if item.found is not None}
    content = {"tolerance": TOLERANCE, **facts, "ratios": dict(sorted({**load(), **fresh}.items()))}
    FILE.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _ratio(guard: Guard, measured: Measured) -> float | None:
    ours = measured.results.get(guard.contender, {}).get(guard.figure)
    theirs = measured.results.get(guard.peer, {}).get(guard.figure)
    return None if not ours or not theirs else ratio(guard.figure, ours, theirs)


def _key(case: Case, guard: Guard) -> str:
    return f"{case.name}, {title(guard.figure)}: {guard.contender} / {guard.peer}"
