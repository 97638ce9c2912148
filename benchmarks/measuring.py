"""Running a case: its contenders take turns, each in a process of its own.

Responsible for: what they print, what failed or could not be tried, and the load of the machine
beside each figure. A contender prints one JSON object of numbers on its last line; an object of
such objects is several lines of the case, and ``skipped`` says why there are no numbers.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.contests import Case, Contender
from benchmarks.environments import python_of
from benchmarks.machines import load_average

__all__ = ["Measured", "measure"]

_CONTENDERS = Path(__file__).with_name("contenders")
_LIMIT_SECONDS = 1_800.0


@dataclass
class Measured:
    """What came of a case."""

    count: int
    rounds: int
    results: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    """By line, by figure: one value a round."""
    not_tried: dict[str, str] = field(default_factory=dict)
    """Contenders without figures, and why."""
    failed: list[str] = field(default_factory=list)
    """Those that should have had some."""
    loads: list[float] = field(default_factory=list)
    """The load average before each of them ran."""


def measure(case: Case, *, rounds: int, count: int, only: frozenset[str] = frozenset()) -> Measured:
    """Let everybody have a turn in every round, or `only` these contenders."""
    found = Measured(count, rounds)
    for number in range(1, rounds + 1):
        for contender in case.contenders:
            if contender.name in found.not_tried or (only and contender.name not in only):
                continue
            sys.stderr.write(f"{case.name}, round {number} of {rounds}: {contender.name}\n")
            found.loads.append(load_average())
            _take(found, contender, _run(contender, count))
    return found


def _run(contender: Contender, count: int) -> dict[str, Any]:
    """Run one and return what it printed; ``skipped`` or ``failed`` with the reason."""
    script = _CONTENDERS / contender.script
    if not script.exists():
        return {"skipped": f"{contender.script} is not there yet"}
    try:
        python = python_of(contender.environment)
    except FileNotFoundError as error:
        return {"skipped": str(error)}
    wanted = str(max(1, round(count * contender.share)))
    try:
        done = subprocess.run(
            [python, str(script), "--count", wanted, *contender.options],
            capture_output=True,
            text=True,
            check=False,
            cwd="/",
            timeout=_LIMIT_SECONDS,
        )
    except subprocess.TimeoutExpired:
        return {"failed": f"not at its end after {_LIMIT_SECONDS:g} s"}
    lines = done.stdout.splitlines()
    if done.returncode or not lines:
        return {"failed": (done.stderr.strip() or f"exit code {done.returncode}")[-2_000:]}
    found: dict[str, Any] = json.loads(lines[-1])
    return found


def _take(found: Measured, contender: Contender, printed: dict[str, Any]) -> None:
    reason = printed.get("skipped") or printed.get("failed")
    if reason is not None:
        if "failed" in printed:
            found.failed.append(contender.name)
            sys.stderr.write(f"{contender.name} failed:\n{reason}\n")
        found.not_tried[contender.name] = str(reason)
        return
    for name, value in printed.items():
        if isinstance(value, dict):
            _keep(found, f"{contender.name}, {name.replace('_', ' ')}", value)
        else:
            _keep(found, contender.name, {name: value})


def _keep(found: Measured, line: str, figures: dict[str, float]) -> None:
    for name, value in figures.items():
        found.results.setdefault(line, {}).setdefault(name, []).append(float(value))
