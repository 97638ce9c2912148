"""Run benchmark cases: contenders alternate, medians and ratios are printed and kept.

Responsible for: which contender does what in which case, and how results are shown. Measures
nothing itself.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sqlite3
import statistics
import subprocess
import sys
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent


class Contender(NamedTuple):
    """One column of a case: how it is called, its script and the script's options."""

    name: str
    script: str
    options: tuple[str, ...] = ()
    share: float = 1.0
    """The part of the case's count that it gets, where the whole would take too long."""


CASES: dict[str, tuple[Contender, ...]] = {
    "one_shots": (
        Contender("ours, durable", "ours_one_shots.py"),
        Contender("ours, durable, log level INFO", "ours_one_shots.py", ("--level", "INFO")),
        Contender("ours, in memory", "ours_one_shots.py", ("--memory",)),
        Contender("APScheduler 3, WAL", "apscheduler3_one_shots.py"),
        Contender("APScheduler 3, WAL, NORMAL", "apscheduler3_one_shots.py", ("--sync", "NORMAL")),
    ),
    "cron_next": (
        Contender("ours", "cron_next.py"),
        Contender("cronsim", "cron_next.py", ("--by", "cronsim")),
        Contender("croniter", "cron_next.py", ("--by", "croniter")),
        Contender("APScheduler 3", "cron_next.py", ("--by", "apscheduler")),
    ),
    "farm_year": (Contender("ours", "farm_year.py", share=0.0365),),
}
"""The first contender of a case is the one that ratios are taken of."""

Results = dict[str, dict[str, list[float]]]


def main() -> int:
    """Run the cases that were asked for; return the exit code."""
    options = _options()
    for case in options.cases or CASES:
        if case not in CASES:
            sys.stderr.write(f"there is no case {case!r}; there are: {', '.join(CASES)}\n")
            return 2
        results = _measure(case, rounds=options.rounds, count=options.count)
        text = _table(case, results, rounds=options.rounds, count=options.count)
        sys.stdout.write(text)
        folder = HERE / "results"
        folder.mkdir(exist_ok=True)
        facts = {"case": case, "count": options.count, "machine": _machine(), "results": results}
        (folder / f"{case}.json").write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
        (folder / f"{case}.md").write_text(text, encoding="utf-8")
    return 0


def _measure(case: str, *, rounds: int, count: int) -> Results:
    results: Results = {contender.name: {} for contender in CASES[case]}
    for number in range(1, rounds + 1):
        for contender in CASES[case]:
            sys.stderr.write(f"{case}, round {number} of {rounds}: {contender.name}\n")
            script = HERE / "contenders" / contender.script
            wanted = str(max(1, int(count * contender.share)))
            done = subprocess.run(
                [sys.executable, str(script), "--count", wanted, *contender.options],
                capture_output=True,
                text=True,
                check=False,
                cwd="/",
            )
            if done.returncode:
                raise SystemExit(f"{contender.name} failed:\n{done.stderr}")
            for name, value in json.loads(done.stdout.splitlines()[-1]).items():
                results[contender.name].setdefault(name, []).append(value)
    return results


def _table(case: str, results: Results, *, rounds: int, count: int) -> str:
    first = next(iter(results))
    measures = list(results[first])
    lines = [f"## {case}: {count:,} of them, {rounds} rounds", ""]
    lines += [
        "| contender | " + " | ".join(f"{name} | ratio" for name in measures) + " |",
        "|---" * (1 + 2 * len(measures)) + "|",
    ]
    for name, measured in results.items():
        cells = [name]
        for measure in measures:
            ratio = statistics.median(results[first][measure]) / statistics.median(
                measured[measure]
            )
            cells += [_cell(measured[measure]), "1" if name == first else f"{ratio:.1f}x"]
        lines.append("| " + " | ".join(cells) + " |")
    lines += ["", "Ratio: how many times faster the first line is.", "", *_machine_lines(), ""]
    return "\n".join(lines)


def _cell(values: Iterable[float]) -> str:
    values = sorted(values)
    return f"{statistics.median(values):,.0f} ({values[0]:,.0f}-{values[-1]:,.0f})"


def _machine() -> dict[str, str]:
    versions = {
        name: _version(name) for name in ("APScheduler", "SQLAlchemy", "cronsim", "croniter")
    }
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    return {
        "processor": f"{os.cpu_count()} x {_processor()}",
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "commit": commit.stdout.strip(),
        **versions,
    }


def _machine_lines() -> list[str]:
    return [f"- {name}: {value}" for name, value in _machine().items()]


def _processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in text.splitlines() if "model name" in line]
    return names[0] if names else platform.machine()


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("cases", nargs="*", help=f"one or more of: {', '.join(CASES)}")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--count", type=int, default=10_000)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
