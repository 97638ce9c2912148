"""`scripts/soak`: the full tier of the soak, and its figures.

Responsible for: the arguments and the report.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

from tests.integration.soak.bounds import bounds
from tests.integration.soak.campaign import TASKS, WARM_UP, Report, Soak
from tests.integration.soak.sample import FIGURES

_SAMPLES = 250


def main() -> int:
    """Soak, or read an earlier soak's samples again; the exit code says whether all is flat."""
    parser = argparse.ArgumentParser(prog="scripts/soak", description=__doc__)
    parser.add_argument("--runs", type=int, default=1_000_000, help="how many (1,000,000)")
    parser.add_argument("--seed", default="1", help="draws the mix of tasks and their instants")
    parser.add_argument(
        "--folder", type=Path, default=Path("/tmp/task-scheduler-soak"), help="where it works"
    )
    parser.add_argument("--read", type=Path, help="only read the samples of an earlier soak again")
    parser.add_argument(
        "--warm-up", type=float, default=WARM_UP, help=f"share of the samples left out ({WARM_UP})"
    )
    options = parser.parse_args()
    if options.read:
        report = Report.load(options.read)
    else:
        folder = options.folder / options.seed
        every = max(1, options.runs // _SAMPLES)
        report = Soak(folder / "work", options.seed, runs=options.runs, every=every).run()
        report.save(folder / "samples.json")
        print(f"samples      {folder / 'samples.json'}")
        if not report.violations:
            shutil.rmtree(folder / "work")
    print(summary(report, options.warm_up))
    return bool(report.violations) or not all(
        t.is_flat for t in report.trends(options.warm_up).values()
    )


def summary(report: Report, warm_up: float) -> str:
    """Return the figures as lines."""
    last = report.samples[-1]
    limits = bounds(TASKS)
    trends = report.trends(warm_up)
    rate = last.done / last.seconds
    lines = [
        f"runs         {last.done:,} in {last.seconds:,.0f} s ({rate:,.0f}/s)",
        f"requests     {report.requests:,} from other processes meanwhile",
        f"samples      {len(report.samples)}, the first {warm_up:.0%} of them are warm-up",
        "",
        f"{'figure':22} {'last':>14} {'highest':>14} {'bound':>14}   slope per 100,000 runs (95 %)",
    ]
    for name, trend in trends.items():
        values = [getattr(sample, name) for sample in report.samples]
        bound = f"{limits[name]:,.0f}" if name in limits else "-"
        verdict = "flat" if trend.is_flat else "RISES" if trend.low > 0 else "falls"
        lines.append(
            f"{name:22} {values[-1]:14,} {max(values):14,} {bound:>14}   {trend.slope:+,.1f}"
            f" [{trend.low:+,.1f}, {trend.high:+,.1f}] {verdict}"
        )
    flat = sum(trend.is_flat for trend in trends.values())
    return "\n".join(
        [
            *lines,
            "",
            f"flat         {flat} of {len(FIGURES)}",
            f"violations   {len(report.violations)}",
            *report.violations,
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
