"""The report of a series: per role and kind of call, what was enumerated, covered and passed."""

from __future__ import annotations

import collections
from collections.abc import Mapping, Sequence
from typing import Any

from tests.integration.crashpoints.points import GROUPS, Point
from tests.integration.crashpoints.series import Series


def table(series: Series, chosen: Sequence[Point], results: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the figures, and every violation with the command that tries its point again."""
    lines = [f"{'role':<11} {'call':<8} {'points':>6} {'tried':>6} {'covered':>7} {'passed':>6}"]
    rows: dict[tuple[str, str], collections.Counter[str]] = collections.defaultdict(
        collections.Counter
    )
    tried = {point.name for point in chosen}
    total: collections.Counter[str] = collections.Counter()
    for point in series.points:
        for row in (rows[point.role, point.group], total):
            row["points"] += 1
            if point.name in tried:
                result = results[point.name]
                row["tried"] += 1
                row["covered"] += bool(result["is_covered"])
                row["passed"] += bool(result["is_covered"]) and not result["violations"]
    for role in ("scheduler", "launcher", "supervisor"):
        lines += [_row(role, g, rows[role, g]) for g in GROUPS if (role, g) in rows]
    lines.append(_row("all", "", total))
    covered, passed, points = total["covered"], total["passed"], total["points"]
    lines += [
        f"covered      {covered}/{points} = {covered / max(1, points):.2%} of the points",
        f"passed       {passed}/{covered} = {passed / max(1, covered):.2%} of those covered",
        f"merged       {series.merged} sides that are the same as another point's",
    ]
    if covered < points and passed == covered:
        # The rule of three: with none in n tries, the rate is below 3/n at 95 % confidence.
        lines.append(
            f"bound        below {3 / max(1, covered):.2%} of points fail (95 % confidence)"
        )
    lines += [f"not reached  {n}" for n, r in results.items() if not r["is_covered"]]
    for name, result in results.items():
        if result["violations"]:
            lines.append(f"WRONG        scripts/crashpoints --only '^{name} '")
            lines += [f"             {violation}" for violation in result["violations"]]
    return "\n".join(lines)


def _row(role: str, group: str, row: Mapping[str, int]) -> str:
    return (
        f"{role:<11} {group:<8} {row['points']:>6} {row['tried']:>6} {row['covered']:>7}"
        f" {row['passed']:>6}"
    )
