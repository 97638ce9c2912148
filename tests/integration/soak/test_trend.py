"""The slope of a soak's figures: a leak is seen, noise and sawteeth are not."""

from __future__ import annotations

import random

import pytest

from tests.integration.soak.trend import trend_of

XS = [float(number) for number in range(200)]


def test_a_line_has_its_slope_and_no_doubt() -> None:
    trend = trend_of(XS, [3 + 2 * x for x in XS])

    assert (trend.slope, trend.low, trend.high) == pytest.approx((2, 2, 2))
    assert not trend.is_flat


def test_what_never_changes_is_flat() -> None:
    assert trend_of(XS, [7.0] * len(XS)).is_flat


def test_of_a_hundred_noises_the_interval_misses_zero_in_about_five() -> None:
    rng = random.Random("noise")
    noises = ([rng.gauss(0, 1) for _ in XS] for _ in range(100))

    misses = sum(not trend_of(XS, noise).is_flat for noise in noises)

    assert 1 <= misses <= 12


def test_a_walk_that_remembers_where_it_was_is_not_taken_for_a_leak() -> None:
    rng = random.Random("memory")
    misses = 0
    for _ in range(100):
        level, levels = 0.0, []
        for _ in XS:
            level = 0.9 * level + rng.gauss(0, 1)
            levels.append(level)
        misses += not trend_of(XS, levels).is_flat

    assert misses <= 15, "as independent samples about half of them would miss"


def test_a_sawtooth_is_flat() -> None:
    assert trend_of(XS, [x % 10 for x in XS]).is_flat


def test_a_leak_under_a_sawtooth_is_seen() -> None:
    leak = trend_of(XS, [x % 10 + 0.05 * x for x in XS])

    assert leak.low > 0
    assert leak.low < 0.05 < leak.high


def test_few_samples_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 8"):
        trend_of([1.0] * 7, [1.0] * 7)
