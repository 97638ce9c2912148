"""`scripts/crash`: the full tier of the kill test, and its figures.

Responsible for: rounds, the cursor that lets a broken-off series go on, and the report.
"""

from __future__ import annotations

import argparse
import itertools
import shutil
import sys
import time
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from pathlib import Path

from tests.integration.crash import hog
from tests.integration.crash.campaign import Campaign, Report
from tests.integration.crash.standby import Standbys
from tests.integration.cursors import Cursor

ROUND = 25
"""Kills on one ledger, before it comes to rest and is checked."""
LANES = 4
"""Rounds at a time, each on a ledger of its own."""
MOST_RECOVERY_SECONDS = 2.0
"""What a recovery may take on a quiet machine."""
TREES = 2000
"""Whole-tree kills of the full tier."""


def main() -> int:
    """Run what was asked for; the exit code says whether anything was wrong."""
    parser = argparse.ArgumentParser(prog="scripts/crash", description=__doc__)
    parser.add_argument("--kills", type=int, help="how many in all (1000)")
    parser.add_argument("--seed", default="1", help="draws the instants of the kills")
    parser.add_argument(
        "--victims",
        default="scheduler",
        help="who is killed, by turns: scheduler (the default), launcher, supervisor, tree",
    )
    parser.add_argument(
        "--tree",
        action="store_true",
        help=f"as a power cut: the scheduler and all that it started, at once ({TREES} kills)",
    )
    parser.add_argument("--lanes", type=int, default=LANES, help=f"rounds at a time ({LANES})")
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
    victims = ("tree",) if options.tree else tuple(options.victims.split(","))
    series = Series(options.folder, options.seed, victims)
    kills = options.kills or (TREES if options.tree else 1000)
    report = series.run(kills, options.lanes)
    print(summary(report, victims))
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
        self._cursor = Cursor(self._folder)
        self.report = Report()
        self._done: set[int] = set()
        if (found := self._cursor.load(self.report)) is not None:
            self.report, self._done = found[0], set(found[1])
            print(f"seed {seed} goes on after {self.report.kills} kills", flush=True)

    def run(self, kills: int, lanes: int) -> Report:
        """Kill until so many kills are reached in all; a round that is not done is done again."""
        coming = (number for number in itertools.count() if number not in self._done)
        left = kills - self.report.kills
        with ThreadPoolExecutor(lanes) as pool:
            rounds = set()
            while left > 0 or rounds:
                while left > 0 and len(rounds) < lanes:
                    count = min(ROUND, left)
                    left -= count
                    rounds.add(pool.submit(self._round, next(coming), count))
                done, rounds = wait(rounds, return_when=FIRST_COMPLETED)
                for one in done:
                    self._take(*one.result())
        return self.report

    def _round(self, number: int, count: int) -> tuple[int, Report]:
        folder = self._folder / f"round-{number}"
        shutil.rmtree(folder, ignore_errors=True)
        report = Campaign(folder, f"{self._seed}/{number}", count).run(self._victims)
        if not report.violations:
            shutil.rmtree(folder)
        return number, report

    def _take(self, number: int, report: Report) -> None:
        self._done.add(number)
        self.report.add(report)
        self._cursor.save(self.report, sorted(self._done))
        print(
            time.strftime("%H:%M:%S"),
            f"{self.report.kills} kills, {len(self.report.violations)} violations",
            flush=True,
        )


def summary(report: Report, victims: tuple[str, ...]) -> str:
    """Return the figures as lines; beside each zero stands its bound."""
    moments = ", ".join(f"{count} {name}" for name, count in report.moments.items())
    looks = report.windows.get("looked at", 0)
    steps = ", ".join(
        f"{count} {name}" for name, count in report.windows.items() if name != "looked at"
    )
    p50, p99 = (quantile(report.recoveries, share) for share in (0.5, 0.99))
    p99_forked = quantile(report.forked, 0.99)
    late = sum(seconds > MOST_RECOVERY_SECONDS for seconds in report.recoveries)
    is_alone = set(victims) <= {"scheduler", "launcher"}
    lines = [
        f"kills        {report.kills} ({moments})",
        f"windows      of {looks} kills: {steps}",
        f"occurrences  {report.occurrences}",
        f"starts       {report.starts}, {report.retries} of them retries",
        f"lost         {report.lost} attempts, {report.lost_processes} of them of programs",
        f"began again  {report.again} times, each after an attempt that is recorded as lost",
        f"re-adopted   {report.adopted} attempts of programs that lived when the scheduler died",
        f"recovery     p50 {p50:.2f} s, p99 {p99:.2f} s from exec to the first tick",
        f"             {late} of {len(report.recoveries)} above {MOST_RECOVERY_SECONDS:g} s",
        f"             p99 {p99_forked:.2f} s of the {len(report.forked)} without imports",
        f"violations   {len(report.violations)}{bound(len(report.violations), report)}",
        *report.violations,
    ]
    if is_alone:
        lines.insert(
            5,
            f"ambiguous    {report.lost_processes} programs{bound(report.lost_processes, report)}",
        )
    return "\n".join(lines)


def bound(found: int, report: Report) -> str:
    """Return what a zero tells: with none in n tries the rate is below 3/n at 95 % confidence."""
    if found or not report.kills or not report.occurrences:
        return ""
    return (
        f" (95 %: below {3 / report.kills:.3%} of kills and"
        f" {3 / report.occurrences:.4%} of occurrences)"
    )


def quantile(values: list[float], share: float) -> float:
    """Return the value below which this share of them lies; 0 of none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


if __name__ == "__main__":
    sys.exit(main())
