"""`scripts/faults`: the full tier of the storage faults, and its figures.

Responsible for: rounds, the cursor that lets a broken-off series go on, and the report.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from pathlib import Path

from tests.integration.cursors import Cursor
from tests.integration.faults.campaign import Campaign, Report
from tests.integration.faults.kinds import KINDS
from tests.integration.faults.world import lacking

ROUND = 2 * len(KINDS)
"""Faults on one ledger, before it comes to rest and is checked."""


def main() -> int:
    """Run what was asked for; the exit code says whether anything was wrong."""
    parser = argparse.ArgumentParser(prog="scripts/faults", description=__doc__)
    parser.add_argument("--count", type=int, default=500, help="how many faults in all (500)")
    parser.add_argument("--seed", default="1", help="draws the faults and their instants")
    parser.add_argument(
        "--folder", type=Path, default=Path("/tmp/task-scheduler-faults"), help="cursor, evidence"
    )
    options = parser.parse_args()
    if lacking():
        print(f"scripts/faults: {lacking()}", file=sys.stderr)
        return 2
    report = Series(options.folder, options.seed).run(options.count)
    print(summary(report))
    return bool(report.violations)


class Series:
    """Rounds of one seed; each leaves the cursor behind, and its folder if something is wrong."""

    def __init__(self, folder: Path, seed: str) -> None:
        self._seed = seed
        self._folder = folder / seed
        self._cursor = Cursor(self._folder)
        self.report, self._rounds = Report(), 0
        if (found := self._cursor.load(self.report)) is not None:
            self.report, self._rounds = found
            print(f"seed {seed} goes on after {self.report.faults} faults", flush=True)

    def run(self, count: int) -> Report:
        """Do faults until so many are reached in all."""
        while self.report.faults < count:
            number = min(ROUND, count - self.report.faults)
            folder = self._folder / f"round-{self._rounds}"
            shutil.rmtree(folder, ignore_errors=True)
            report = Campaign(folder, f"{self._seed}/{self._rounds}", number).run()
            if not report.violations:
                shutil.rmtree(folder)
            self._rounds += 1
            self.report.add(report)
            self._cursor.save(self.report, self._rounds)
            print(
                time.strftime("%H:%M:%S"),
                f"{self.report.faults} faults, {len(self.report.violations)} violations",
                flush=True,
            )
        return self.report


def summary(report: Report) -> str:
    """Return the figures as lines."""
    kinds = ", ".join(f"{count} {name}" for name, count in sorted(report.kinds.items()))
    damaged = ", ".join(f"{count} {name}" for name, count in sorted(report.damaged.items()))
    p50, p99 = (quantile(report.heals, share) for share in (0.5, 0.99))
    longest = max(report.heals, default=0.0)
    lines = [
        f"faults        {report.faults} ({kinds})",
        f"shown         {report.shown} that had to be, each told in the log",
        f"healed        p50 {p50:.2f} s, p99 {p99:.2f} s, at most {longest:.2f} s",
        f"damaged       {damaged or 'none'}",
        f"occurrences   {report.occurrences}, each accounted for",
        f"acknowledged  {report.acknowledged} operations, {report.indeterminate} refused",
        f"lost          {report.lost} attempts, each explained by a kill or a folder that went",
        f"violations    {len(report.violations)}",
        *report.violations,
    ]
    if not report.violations:
        # The rule of three: with none in n tries, the rate is below 3/n at 95 % confidence.
        lines.append(
            f"bound         below {3 / max(1, report.faults):.2%} of faults lose anything, hang or"
            f" stop it, and below {3 / max(1, report.acknowledged):.3%} of acknowledged operations"
            " are lost (95 % confidence)"
        )
    return "\n".join(lines)


def quantile(values: list[float], share: float) -> float:
    """Return the value below which this share of them lies; 0 of none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


if __name__ == "__main__":
    sys.exit(main())
