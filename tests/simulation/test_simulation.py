"""Simulated worlds, seed by seed: years of the fixed workload, and worlds where all is random."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.simulation.campaign import live, name_of
from tests.simulation.workload import JOBS

YEARS, DAYS = 8, 25.0
WORLDS = 40
_GROUPS = 8
_ROOT = Path(__file__).resolve().parents[2]


def judge(name: str, days: float) -> None:
    outcome = live(name, days=days)
    assert outcome.violation is None, outcome.report()


@pytest.mark.parametrize("seed", range(YEARS))
def test_every_promise_is_kept_through_a_fault_in_every_hour(seed: int) -> None:
    judge(str(seed), DAYS)


@pytest.mark.parametrize("group", range(_GROUPS))
def test_every_promise_is_kept_in_every_random_world(group: int) -> None:
    for seed in range(group, WORLDS, _GROUPS):
        judge(name_of(seed, is_random=True), DAYS)


@pytest.mark.parametrize("name", ["3", "w3"])
def test_a_seed_lives_again_byte_for_byte_in_another_process(name: str) -> None:
    said = []
    for salt in ("1", "2"):
        # The order of sets and the salt of hashes must decide nothing.
        run = subprocess.run(
            [sys.executable, "-m", "tests.simulation", name, "--days", "6"],
            cwd=_ROOT,
            env={**os.environ, "PYTHONHASHSEED": salt},
            capture_output=True,
            text=True,
            check=True,
        )
        said.append(run.stdout)

    here = live(name, days=6, is_dumped=True)

    assert said[0] == said[1]
    assert f"story {here.story}, ledger {here.ledger}\nno violation\n" in said[0]


def test_the_workload_is_twenty_mostly_daily_entries_on_three_nodes() -> None:
    daily = [job for job in JOBS if any(rule.get("type") == "daily" for rule in job.entry.rules)]

    assert len(JOBS) == 20
    assert len(daily) > 10
