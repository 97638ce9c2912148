"""`scripts/crashpoints`: a death at every crash point, and the share of points that passed.

Responsible for: which points are tried in this call, the cursor by which a series goes on, and the
exit code: 0 all passed, 1 something is wrong, 69 nothing can be traced here.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tests.integration.crashpoints import report, tracing
from tests.integration.crashpoints.series import Series


def main() -> int:
    """Try what was asked for."""
    parser = argparse.ArgumentParser(prog="scripts/crashpoints", description=__doc__)
    parser.add_argument("--seed", default="1", help="orders the points, and draws the sample")
    parser.add_argument("--sample", type=int, help="try so many of the points, and keep no cursor")
    parser.add_argument(
        "--only", default="", help="try those whose name or file this expression is found in"
    )
    parser.add_argument("--list", action="store_true", help="count the points and try none")
    parser.add_argument("--lanes", type=int, default=2, help="how many trials at once (2)")
    parser.add_argument(
        "--folder",
        type=Path,
        default=Path("/tmp/task-scheduler-crashpoints"),
        help="cursor and evidence",
    )
    options = parser.parse_args()
    obstacle = tracing.obstacle()
    if obstacle is not None:
        print(f"crashpoints: {obstacle}", file=sys.stderr)
        return 69
    is_whole = options.sample is None and not options.only
    folder = options.folder / f"{'all' if is_whole else 'some'}-{options.seed}"
    series = Series(folder, keeps_cursor=is_whole)
    chosen = series.choose(options.seed, only=options.only, sample=options.sample)
    if options.list:
        print(*(point.name for point in chosen), sep="\n")
        return 0
    results = series.run(chosen, lanes=options.lanes)
    print(report.table(series, chosen, results))
    return int(any(result["violations"] for result in results.values()))


if __name__ == "__main__":
    sys.exit(main())
