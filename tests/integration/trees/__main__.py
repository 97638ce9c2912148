"""`scripts/trees`: hostile process trees by the thousand, and what of them was left or wrong.

Responsible for: rounds, the cursor that lets a broken-off series go on, and the report.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from pathlib import Path

from tests.integration.cursors import Cursor
from tests.integration.trees.campaign import Campaign, Report

ROUND = 40
"""Trees that are alive together."""


def main() -> int:
    """Grow what was asked for; the exit code says whether anything was wrong."""
    parser = argparse.ArgumentParser(prog="scripts/trees", description=__doc__)
    parser.add_argument("--count", type=int, default=10_000, help="how many in all (10000)")
    parser.add_argument("--seed", default="1", help="draws the trees")
    parser.add_argument("--only", type=int, help="one tree, by its number")
    parser.add_argument(
        "--folder", type=Path, default=Path("/tmp/task-scheduler-trees"), help="cursor and evidence"
    )
    options = parser.parse_args()
    folder = options.folder / options.seed
    if options.only is not None:
        shutil.rmtree(folder / "only", ignore_errors=True)
        numbers = range(options.only, options.only + 1)
        report = Campaign(folder / "only", options.seed, numbers).run()
    else:
        report = series(folder, options.seed, options.count)
    print(summary(report))
    return bool(report.violations)


def series(folder: Path, seed: str, count: int) -> Report:
    """Grow trees until there were so many in all; each round leaves the cursor behind."""
    cursor = Cursor(folder)
    report = Report()
    if (saved := cursor.load(report)) is not None:
        report, _ = saved
        print(f"seed {seed} goes on after {report.trees} trees", flush=True)
    while report.trees < count:
        numbers = range(report.trees, min(report.trees + ROUND, count))
        place = folder / f"round-{numbers.start}"
        shutil.rmtree(place, ignore_errors=True)
        found = Campaign(place, seed, numbers).run()
        if not found.violations:
            shutil.rmtree(place)
        report.add(found)
        cursor.save(report, numbers.stop)
        told = f"{report.trees} trees, {len(report.violations)} violations"
        print(time.strftime("%H:%M:%S"), told, flush=True)
    return report


def summary(report: Report) -> str:
    """Return the figures as lines."""
    kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(report.kinds.items()))
    lines = [
        f"trees        {report.trees} ({kinds})",
        f"slowest      empty {report.slowest:.2f} s after its grace",
        f"violations   {len(report.violations)}",
        *report.violations[:100],
    ]
    if not report.violations:
        # The rule of three: with none in n tries, the rate is below 3/n at 95 % confidence.
        share = 3 / max(1, report.trees)
        lines.append(f"bound        below {share:.2%} of trees go wrong (95 % confidence)")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
