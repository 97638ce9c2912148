"""`scripts/stops`: the full tier of the stop test, and its figures.

Responsible for: rounds, the cursor that lets a broken-off series go on, and the report.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from collections import Counter
from pathlib import Path

from tests.integration.cursors import Cursor
from tests.integration.stops.campaign import DEADLINE_SECONDS, Report, Round

ROUND = 20
"""Stops on one ledger, before it comes to rest and is checked."""
_SHOWN = 50


def main() -> int:
    """Run what was asked for; the exit code says whether anything was wrong."""
    parser = argparse.ArgumentParser(prog="scripts/stops", description=__doc__)
    parser.add_argument("--count", type=int, default=1000, help="how many stops in all (1000)")
    parser.add_argument("--seed", default="1", help="draws ways and instants")
    parser.add_argument(
        "--folder", type=Path, default=Path("/tmp/task-scheduler-stops"), help="cursor and evidence"
    )
    options = parser.parse_args()
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
            print(f"seed {seed} goes on after {self.report.stops} stops", flush=True)

    def run(self, count: int) -> Report:
        """Stop until so many stops are reached in all; declared and added tasks by turns."""
        while self.report.stops < count:
            folder = self._folder / f"round-{self._rounds}"
            seed = f"{self._seed}/{self._rounds}"
            stops = min(ROUND, count - self.report.stops)
            report = Round(folder, seed, stops, is_declared=self._rounds % 2 == 0).run()
            if not report.violations:
                shutil.rmtree(folder)
            self._rounds += 1
            self.report.add(report)
            self._cursor.save(self.report, self._rounds)
            print(
                time.strftime("%H:%M:%S"),
                f"{self.report.stops} stops, {len(self.report.violations)} violations",
                flush=True,
            )
        return self.report


def summary(report: Report) -> str:
    """Return the figures as lines."""
    ordered = sorted(report.durations)
    p50, p99 = (ordered[int(share * (len(ordered) - 1))] for share in (0.5, 0.99))
    lines = [
        f"stops        {report.stops} ({_counted(report.moments)})",
        f"ways         {_counted(report.kinds)}",
        f"exit codes   {_counted(report.codes)}",
        f"end          p50 {p50:.2f} s, p99 {p99:.2f} s, longest {ordered[-1]:.2f} s",
        f"deadline     {DEADLINE_SECONDS:g} s",
        f"occurrences  {report.occurrences}",
        f"acknowledged {report.acknowledged} operations, {report.refused} refused",
        f"violations   {len(report.violations)}",
        *report.violations[:_SHOWN],
    ]
    if not report.violations:
        # The rule of three: with none in n tries, the rate is below 3/n at 95 % confidence.
        lines.append(
            f"bound        below {3 / max(1, report.stops):.2%} of stops and"
            f" {3 / max(1, report.acknowledged):.3%} of acknowledged operations go wrong"
            " (95 % confidence)"
        )
    return "\n".join(lines)


def _counted(counts: Counter[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))


if __name__ == "__main__":
    sys.exit(main())
