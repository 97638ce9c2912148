"""Stopped in any way and at any instant, the scheduler ends, and nothing of it is lost."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.integration.stops.campaign import Round

SEED = os.environ.get("STOPS_SEED", "ci")


@pytest.mark.parametrize("is_declared", [True, False], ids=["tsk up", "a program"])
def test_of_6_stops_none_hangs_loses_or_leaves_anything(tmp_path: Path, is_declared: bool) -> None:
    folder = tmp_path / "state"

    report = Round(folder, SEED, 6, is_declared=is_declared).run()

    assert not report.violations, f"evidence in {folder}\n" + "\n".join(report.violations[:30])
    assert (report.stops, len(report.durations)) == (6, 6)
    assert report.acknowledged > 10
    shutil.rmtree(folder)
