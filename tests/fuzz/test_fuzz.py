"""The short tier: every reader answers what nobody means well."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz.__main__ import Count, report
from tests.fuzz.campaign import Tally, fuzz
from tests.fuzz.targets import TARGETS

ROOT = Path(__file__).parents[2]
_INPUTS = {"config": 150, "row": 120, "control": 200}


@pytest.mark.parametrize("target", TARGETS)
def test_every_input_is_answered(target: str) -> None:
    tally = fuzz(target, seed=20261125, first=0, count=_INPUTS.get(target, 400))

    crashes = [finding for finding in tally.findings if "of CPU" not in finding]
    assert crashes == []
    assert 0 < tally.refused <= tally.inputs or target in ("exit_record", "control", "row")


def test_what_was_counted_is_not_read_again_and_a_clean_count_has_its_bound(
    tmp_path: Path,
) -> None:
    count = Count("cron", 1, tmp_path)
    for tally in (Tally(600, 10, 0.01, 5), Tally(400, 3, 0.02, 700)):
        count.add(tally)

    assert count.load() == Tally(1_000, 13, 0.02, 700)
    assert report([count])[-1].endswith(
        "slowest   20.0 ms, 0 findings, 95 %: below 3.0e-03 an input"
    )

    count.add(Tally(1, findings=["cron --seed 1 --number 1000: ValueError: x"]))
    assert "    scripts/fuzz --target cron --seed 1 --number 1000: ValueError: x" in report([count])
    assert "1 findings" in report([count])[-1]


READERS = """
import os, sys, time
from tests.fuzz import __main__ as campaign, targets
def read(text):
    if "FATAL" in text: os.kill(os.getpid(), 9)
    if "LONG" in text: time.sleep(600)
    if "WRONG" in text: raise KeyError(text)
    if "BAD" in text: raise ValueError(text)
texts = ["good", "BAD", "WRONG", "FATAL", "LONG", "good"]
targets.TARGETS["toy"] = targets.Target([], read, (ValueError,))
from tests.fuzz import campaign as counting
counting.HANG_SECONDS = 0.5
counting.input_of = lambda target, seed, number: texts[number % len(texts)]
sys.argv = ["fuzz", "--target", "toy", "--inputs", "6", "--jobs", "1", "--folder", sys.argv[1]]
sys.exit(campaign.main())
"""


def test_what_kills_or_holds_a_reader_is_found_and_the_count_goes_on(tmp_path: Path) -> None:
    argv = [sys.executable, "-c", READERS, str(tmp_path)]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)

    assert done.returncode == 1, done.stderr
    found = [line for line in done.stdout.splitlines() if "--number" in line]
    assert [line.partition(": ")[2] for line in found] == [
        "KeyError: 'WRONG'",
        "ended the process with -9",
        "no end after 0.5 s",
    ]
    assert "        6 inputs,         1 refused" in done.stdout.splitlines()[-1]
