"""Crash points that once failed, each tried again."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.crashpoints import tracing

_PROGRAM = "tests.integration.crashpoints"
_ROOT = Path(__file__).resolve().parents[3]


def try_points(folder: Path, pattern: str) -> str:
    """Try the points that a pattern names; return the report, whose last trial must have passed."""
    obstacle = tracing.obstacle()
    if obstacle is not None:
        pytest.skip(obstacle)
    done = subprocess.run(
        [sys.executable, "-m", _PROGRAM, "--only", pattern, "--folder", folder],
        cwd=_ROOT,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_supervisor_that_dies_before_its_permit_leaves_the_attempt_to_the_next_order(
    tmp_path: Path,
) -> None:
    # Its output's file was there already, by which the next supervisor took the start for decided.
    report = try_points(tmp_path, r"supervisor\.script\.1:(openat|fallocate):.*before exit\.tmp")

    (total,) = (line.split() for line in report.splitlines() if line.startswith("all "))
    _, tried, covered, passed = total[1:]
    assert int(tried) >= 1
    assert tried == covered == passed
