"""A short campaign of hostile trees; `scripts/trees` is the whole one."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.integration.trees.campaign import Campaign, tagged


@pytest.mark.parametrize("start", [0, 30, 60])
def test_nothing_of_hostile_trees_is_left_and_every_outcome_is_right(
    tmp_path: Path, start: int
) -> None:
    report = Campaign(tmp_path / "trees", "ci", range(start, start + 30)).run()

    assert report.violations == []
    assert report.trees == 30


def test_a_survivor_is_seen_by_its_environment_or_by_its_arguments() -> None:
    tag = "hostile-tree-7000001"
    by_environment = subprocess.Popen(["sleep", "60"], env={"HOSTILE_TREE": tag})
    by_arguments = subprocess.Popen(["sleep", "8000001.25"], env={})
    try:
        found = {pid for pid, _ in tagged()[tag]}
    finally:
        for process in (by_environment, by_arguments):
            process.kill()
            process.wait()

    assert found == {by_environment.pid, by_arguments.pid}
