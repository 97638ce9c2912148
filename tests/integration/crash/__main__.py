"""`scripts/crash`: the full tier of the kill test, and its figures.

Responsible for: rounds, the cursor that lets a broken-off series go on, and the report.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import time
from dataclasses import fields
from pathlib import Path

from tests.integration.crash import hog
from tests.integration.crash.campaign import Campaign, Report
from tests.integration.crash.standby import Standbys

ROUND = 25
"""Kills on one ledger, before it comes to rest and is checked."""


def main() -> int:
    """Run what was asked for; the exit code says whether anything was wrong."""
    parser = argparse.ArgumentParser(prog="scripts/crash", description=__doc__)
    parser.add_argument("--kills", type=int, default=1000, help="how many in all (1000)")
    parser.add_argument("--seed", default="1", help="draws the instants of the kills")
    parser.add_argument(
        "--victims",
        default="scheduler",
        help="who is killed, by turns: scheduler (the default), launcher, supervisor",
    )
    parser.add_argument(
        "--folder", type=Path, default=Path("/tmp/task-scheduler-crash"), help="cursor and evidence"
    )
    parser.add_argument(
        "--standby", action="store_true", help="four processes on one ledger, instead"
    )
    parser.add_argument("--hog", action="store_true", help="lateness beside a hog, instead")
    options = parser.parse_args()
    if options.hog:
        print(hog.table())
        return 0
    if options.standby:
        return succeed_one_another(options.folder, options.seed)
    series = Series(options.folder, options.seed, tuple(options.victims.split(",")))
    report = series.run(options.kills)
    print(summary(report))
    return bool(report.violations)


def succeed_one_another(folder: Path, seed: str) -> int:
    """Kill the holder among four processes five times, during 10,000 runs."""
    folder = folder / f"standby-{seed}"
    shutil.rmtree(folder, ignore_errors=True)
    report = Standbys(folder, seed, count=10_000, kills=5, apart=0.008).run()
    print(
        f"runs         {report.runs}, begun {report.starts} times in {report.workers} processes",
        f"lost         {report.lost} attempts; {report.kills_at_work} kills while runs were due",
        f"take-over    {', '.join(f'{seconds:.2f}' for seconds in report.take_overs)} s",
        f"refusal      {report.refusal}",
        f"violations   {len(report.violations)}",
        *report.violations[:100],
        sep="\n",
    )
    if not report.violations:
        shutil.rmtree(folder)
    return bool(report.violations)


class Series:
    """Rounds of one seed; each leaves the cursor behind, and its folder if something is wrong."""

    def __init__(self, folder: Path, seed: str, victims: tuple[str, ...]) -> None:
        self._victims = victims
        self._seed = f"{seed}-{'-'.join(victims)}"
        self._folder = folder / self._seed
        self._cursor = self._folder / "cursor.json"
        self.report = Report()
        self._rounds = 0
        if self._cursor.exists():
            saved = json.loads(self._cursor.read_text())
            self._rounds = saved.pop("rounds")
            self.report.add(Report(**saved))
            print(f"seed {seed} goes on after {self.report.kills} kills", flush=True)

    def run(self, kills: int) -> Report:
        """Kill until so many kills are reached in all."""
        while self.report.kills < kills:
            count = min(ROUND, kills - self.report.kills)
            folder = self._folder / f"round-{self._rounds}"
            shutil.rmtree(folder, ignore_errors=True)
            report = Campaign(folder, f"{self._seed}/{self._rounds}", count).run(self._victims)
            if not report.violations:
                shutil.rmtree(folder)
            self._rounds += 1
            self.report.add(report)
            self._save()
            print(
                time.strftime("%H:%M:%S"),
                f"{self.report.kills} kills, {len(self.report.violations)} violations",
                flush=True,
            )
        return self.report

    def _save(self) -> None:
        saved = {field.name: getattr(self.report, field.name) for field in fields(Report)}
        text = json.dumps({"rounds": self._rounds, **saved})
        new = self._cursor.with_suffix(".new")
        new.write_text(text)
        new.replace(self._cursor)


def summary(report: Report) -> str:
    """Return the figures as lines."""
    moments = ", ".join(f"{count} {name}" for name, count in report.moments.items())
    p50, p99 = (quantile(report.recoveries, share) for share in (0.5, 0.99))
    lines = [
        f"kills        {report.kills} ({moments})",
        f"occurrences  {report.occurrences}, each accounted for",
        f"starts       {report.starts}",
        f"lost         {report.lost} attempts",
        f"recovery     p50 {p50:.2f} s, p99 {p99:.2f} s from exec to the first tick",
        f"violations   {len(report.violations)}",
        *report.violations,
    ]
    if report.violations:
        lines[1] = f"occurrences  {report.occurrences}"
    else:
        # The rule of three: with none in n tries, the rate is below 3/n at 95 % confidence.
        lines.append(
            f"bound        below {3 / max(1, report.kills):.2%} of kills and"
            f" {3 / max(1, report.occurrences):.3%} of occurrences go wrong (95 % confidence)"
        )
    return "\n".join(lines)


def quantile(values: list[float], share: float) -> float:
    """Return the value below which this share of them lies; 0 of none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


if __name__ == "__main__":
    sys.exit(main())
