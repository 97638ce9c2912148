"""The swap racer, short: `scripts/racer --iterations 1000000` is the long one."""

from __future__ import annotations

import pytest

from tests.attacks.racer import race


@pytest.mark.parametrize("seed", [1, 2])
def test_what_is_swapped_while_it_is_opened_is_never_got(seed: int) -> None:
    report = race(iterations=2_000, executions=40, seed=seed)

    assert report.evil == 0, list(report.lines())
    # It was a race: both sides got their turns.
    assert report.swaps > 100
    assert report.got["good"] > 10
    assert sum(count for what, count in report.got.items() if what.startswith("refused")) > 10
    assert report.got["ran good"] + report.got["not run: refused"] == 40, list(report.lines())


def test_the_racer_beats_a_check_that_is_not_made_for_it() -> None:
    for seed in range(20):
        if race(iterations=0, executions=0, seed=seed, naive=3_000).naive_evil:
            return
    pytest.fail("the racer is too slow to find anything")
