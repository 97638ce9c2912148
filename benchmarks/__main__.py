"""`scripts/bench`: measure ourselves beside our peers, on the same work, in one run.

Responsible for: the command line, and where results go. `cases.py` is the table of the cases.
"""

from __future__ import annotations

import argparse
import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import guards, machines, reports
from benchmarks.cases import CASES
from benchmarks.contests import Case
from benchmarks.environments import versions_of
from benchmarks.measuring import measure

_RESULTS = Path(__file__).with_name("results")
_ROUNDS = 3
_SHOWN = (
    "APScheduler", "SQLAlchemy", "huey", "schedule", "scheduler", "celery", "kombu", "cronsim",
    "croniter", "cronstable", "task-scheduler",
)  # fmt: skip
"""The packages that are named beside the figures."""


def main() -> int:
    """Run what was asked for; return the exit code."""
    options = _options()
    unknown = [name for name in options.cases if name not in CASES]
    if unknown:
        sys.stderr.write(f"there is no case {unknown[0]!r}; see: scripts/bench --list\n")
        return 2
    cases = [CASES[name] for name in options.cases or CASES]
    if options.list:
        return _list(cases)
    if options.guard:
        return _guard([case for case in cases if case.guards], options)
    failed = [case.name for case in cases if not _measure(case, options)]
    if failed:
        sys.stderr.write(f"somebody failed in: {', '.join(failed)}\n")
    return 1 if failed else 0


def _measure(case: Case, options: argparse.Namespace) -> bool:
    """Measure one case and keep its results; False where somebody failed."""
    default = case.quick if options.quick else case.count
    found = measure(case, rounds=options.rounds, count=options.count or default)
    facts = _facts(case)
    text = reports.page(case, found, facts)
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
    if not options.dry_run:
        _RESULTS.mkdir(exist_ok=True)
        whole = json.dumps(reports.document(case, found, facts), indent=2, ensure_ascii=False)
        (_RESULTS / f"{case.name}.json").write_text(f"{whole}\n", encoding="utf-8")
        (_RESULTS / f"{case.name}.md").write_text(text, encoding="utf-8")
        if found.results:
            svg = reports.drawing(case, found)
            (_RESULTS / f"{case.name}.svg").write_text(svg, encoding="utf-8")
    return not found.failed


def _guard(cases: list[Case], options: argparse.Namespace) -> int:
    """Compare the ratios of short runs with the committed ones."""
    committed, compared = guards.load(), []
    for case in cases:
        count = options.count or case.quick
        only = guards.guarded(case)
        found = measure(case, rounds=options.rounds, count=count, only=only)
        compared += guards.compare(case, found, committed)
    for item in compared:
        sys.stdout.write(f"{item.text()}\n")
    if options.accept:
        guards.keep(compared, {"commit": machines.commit(), "machine": machines.machine()})
        sys.stdout.write(f"kept in {guards.FILE}\n")
        return 0
    return 1 if any(item.is_lost for item in compared) else 0


def _list(cases: list[Case]) -> int:
    for case in cases:
        sys.stdout.write(f"{case.name}  (N = {case.count:,})\n    {case.what}\n")
        for contender in case.contenders:
            sys.stdout.write(f"    - {contender.name}\n")
    return 0


def _facts(case: Case) -> dict[str, Any]:
    """Return what has to stand beside the figures."""
    versions = {
        name: {package: version for package, version in found.items() if package in _SHOWN}
        for name in sorted({contender.environment for contender in case.contenders} - {"ours"})
        if (found := _versions(name))
    }
    return {
        "machine": machines.machine(),
        "commit": machines.commit(),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": versions,
    }


def _versions(name: str) -> dict[str, str]:
    try:
        return versions_of(name)
    except FileNotFoundError:
        return {}


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("cases", nargs="*", metavar="CASE", help="all of them unless named")
    parser.add_argument(
        "--list", action="store_true", help="say what there is, and measure nothing"
    )
    parser.add_argument("--rounds", type=int, default=_ROUNDS, help="turns of each contender")
    parser.add_argument("--count", type=int, help="N, instead of that of the case")
    parser.add_argument("--quick", action="store_true", help="the short run of each case")
    parser.add_argument("--dry-run", action="store_true", help="print, and keep no results")
    parser.add_argument(
        "--guard", action="store_true", help="compare ratios of a short run with guard.json"
    )
    parser.add_argument("--accept", action="store_true", help="with --guard: keep these ratios")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
