"""What a contender measured: the unit of a figure, whether more of it is better, how it is written.

Responsible for: reading both off the name of the figure. A contender prints one JSON object, from
names to numbers; the end of a name is its unit.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence

__all__ = ["cell", "is_more_better", "number_text", "ratio", "title"]

_MORE_IS_BETTER = ("_per_second",)
_UNITS = {
    "_per_second": "/s",
    "_ms": "ms",
    "_us": "µs",
    "_seconds": "s",
    "_mb": "MB",
    "_bytes": "B",
}
_LEAST = 1e-9


def is_more_better(name: str) -> bool:
    """Whether a greater figure of this name is the better one: of a rate it is, of a cost not."""
    return name.endswith(_MORE_IS_BETTER)


def title(name: str) -> str:
    """Return how a figure is called above its column."""
    for end, unit in _UNITS.items():
        if name.endswith(end):
            return f"{name.removesuffix(end).replace('_', ' ')} ({unit})"
    return name.replace("_", " ")


def ratio(name: str, ours: Sequence[float], others: Sequence[float]) -> float:
    """Return how many times better ours is, by the medians; below one it is worse."""
    mine, theirs = statistics.median(ours), statistics.median(others)
    good, bad = (mine, theirs) if is_more_better(name) else (theirs, mine)
    return good / max(bad, _LEAST)


def cell(values: Sequence[float]) -> str:
    """Return ``median (least-greatest)``, or one number where there is only one."""
    if len(values) == 1:
        return number_text(values[0])
    low, high = number_text(min(values)), number_text(max(values))
    return f"{number_text(statistics.median(values))} ({low}-{high})"


def number_text(value: float) -> str:
    """Return a number with three digits that say something."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"
