"""`scripts/reload`: the full tier of the test of reloads under load, and its figures.

Responsible for: rounds, the cursor that lets a broken-off series go on, and the report.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from pathlib import Path

from tests.integration.cursors import Cursor
from tests.integration.reload.campaign import Report, Round

ROUND = 50
"""Edits of one file, before it comes to rest and is checked."""
_KINDS = ("json", "toml", "yaml")
_SHOWN = 50


def main() -> int:
    """Run what was asked for; the exit code says whether anything was wrong."""
    parser = argparse.ArgumentParser(prog="scripts/reload", description=__doc__)
    parser.add_argument("--edits", type=int, default=1000, help="how many edits in all (1000)")
    parser.add_argument("--seed", default="1", help="draws edits and ways")
    parser.add_argument(
        "--folder",
        type=Path,
        default=Path("/tmp/task-scheduler-reload"),
        help="cursor and evidence",
    )
    options = parser.parse_args()
    report = Series(options.folder, options.seed).run(options.edits)
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
            print(f"seed {seed} goes on after {self.report.edits} edits", flush=True)

    def run(self, count: int) -> Report:
        """Edit until so many edits are reached in all; the kinds of files by turns."""
        while self.report.edits < count:
            folder = self._folder / f"round-{self._rounds}"
            shutil.rmtree(folder, ignore_errors=True)
            kind = _KINDS[self._rounds % len(_KINDS)]
            seed = f"{self._seed}/{self._rounds}"
            report = Round(folder, seed, min(ROUND, count - self.report.edits), kind=kind).run()
            if not report.violations:
                shutil.rmtree(folder)
            self._rounds += 1
            self.report.add(report)
            self._cursor.save(self.report, self._rounds)
            print(
                time.strftime("%H:%M:%S"),
                f"{self.report.edits} edits, {len(self.report.violations)} violations",
                flush=True,
            )
        return self.report


def summary(report: Report) -> str:
    """Return the figures as lines."""
    ordered = sorted(report.seconds) or [0.0]
    p50, p99 = (ordered[int(share * (len(ordered) - 1))] for share in (0.5, 0.99))
    ways = ", ".join(f"{count} {name}" for name, count in sorted(report.ways.items()))
    lines = [
        f"edits        {report.edits}, of them {report.refused} wrong ({ways})",
        f"in force     p50 {p50:.2f} s, p99 {p99:.2f} s, longest {ordered[-1]:.2f} s",
        f"occurrences  {report.occurrences}",
        f"violations   {len(report.violations)}",
        *report.violations[:_SHOWN],
    ]
    if not report.violations:
        # The rule of three: with none in n tries, the rate is below 3/n at 95 % confidence.
        lines.append(
            f"bound        below {3 / max(1, report.edits):.2%} of edits and"
            f" {3 / max(1, report.occurrences):.3%} of occurrences go wrong (95 % confidence)"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
