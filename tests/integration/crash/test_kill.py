"""Killed at any instant, the scheduler accounts for every occurrence and starts none twice."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.integration.crash.campaign import Campaign, Report

SEED = os.environ.get("CRASH_SEED", "ci")
_LANES = 2


def fight(folder: Path, seed: str, kills: int, victims: tuple[str, ...]) -> Report:
    """Run one campaign; its folder stays where something is wrong in it."""
    report = Campaign(folder, seed, kills).run(victims)
    assert not report.violations, f"evidence in {folder}\n" + "\n".join(report.violations[:30])
    shutil.rmtree(folder)
    return report


@pytest.mark.parametrize("lane", range(_LANES))
def test_of_30_kills_of_the_scheduler_none_loses_or_doubles_anything(
    tmp_path: Path, lane: int
) -> None:
    report = fight(tmp_path / "state", f"{SEED}/{lane}", 30 // _LANES, ("scheduler",))

    assert report.kills == 30 // _LANES
    assert report.starts > report.kills
    assert report.retries
    assert report.adopted
    assert not report.lost_processes


def test_after_power_cuts_all_that_began_twice_is_explained_by_a_loss(tmp_path: Path) -> None:
    report = fight(tmp_path / "state", f"{SEED}/tree", 10, ("tree",))

    assert report.kills == 10
    assert report.lost_processes
    assert report.again <= report.lost


def test_the_deaths_of_launchers_and_supervisors_leave_nothing_running_and_nothing_open(
    tmp_path: Path,
) -> None:
    victims = ("launcher", "supervisor", "scheduler")

    report = fight(tmp_path / "state", f"{SEED}/helpers", 12, victims)

    assert report.lost
