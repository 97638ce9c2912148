"""`scripts/sim`: simulated years by the hundred, or one seed again.

Responsible for: the command line, and printing what campaigns and worlds say.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from tests.simulation.campaign import DAYS, Series, live


def main() -> int:
    """Do what was asked for; the exit code says whether anything was wrong."""
    parser = argparse.ArgumentParser(prog="scripts/sim", description=__doc__)
    parser.add_argument("seed", nargs="?", help="tell the story of one: 17 a year, w17 a world")
    parser.add_argument("--years", type=int, help="live so many years of the fixed workload in all")
    parser.add_argument("--worlds", type=int, help="live so many random worlds in all")
    parser.add_argument("--days", type=float, default=DAYS, help="how much of its year SEED lives")
    parser.add_argument("--jobs", type=int, help="processes; one a core by default")
    parser.add_argument(
        "--folder", type=Path, default=Path("/tmp/task-scheduler-sim"), help="where cursors lie"
    )
    options = parser.parse_args()
    if options.seed is not None:
        return tell_again(options.seed, options.days)
    wrong = False
    counts = ((options.worlds, True), (options.years, False))
    if options.worlds is None and options.years is None:
        counts = ((1_000, True), (200, False))
    for count, is_random in counts:
        if count is None:
            continue
        begun = time.monotonic()
        series = Series(options.folder, is_random=is_random, jobs=options.jobs)
        totals = series.run(count, lambda line: print(line, flush=True))
        print(totals.summary())
        print(f"wall         {time.monotonic() - begun:.0f} s")
        wrong = wrong or bool(totals.violations)
    return int(wrong)


def tell_again(name: str, days: float) -> int:
    """Live one seed and print its story, byte for byte as at any other time."""
    outcome = live(name, days=days, is_told=True, is_dumped=True)
    print(f"story {outcome.story}, ledger {outcome.ledger}")
    print("no violation" if outcome.violation is None else f"VIOLATION  {outcome.violation}")
    return int(outcome.violation is not None)


if __name__ == "__main__":
    sys.exit(main())
