"""Rates as users write them."""

from __future__ import annotations

import pytest

from task_scheduler.core.model import SECOND
from task_scheduler.core.rates import Rate, rate_of


@pytest.mark.parametrize(
    ("text", "count", "seconds"),
    [
        ("10/1m", 10, 60),
        ("1/90s", 1, 90),
        (" 3 / 1h30m ", 3, 5_400),
        ("10/m", 10, 60),
        ("5/250ms", 5, 0.25),
        ("10000/366d", 10_000, 366 * 86_400),
    ],
)
def test_a_rate_is_a_number_of_starts_in_a_time(text: str, count: int, seconds: float) -> None:
    assert rate_of(text) == Rate(count, round(seconds * SECOND))


@pytest.mark.parametrize(
    "text",
    [
        *("10", "/1m", "10/", "0/1m", "-1/1m", "1.5/1m", "10001/1m", "99999999999/1m", "1/0s"),
        *("1/367d", "1/1x", "٣/1m", "1/1m/1m", "a/1m", "1/0.0001ms", "", "1/" + "9" * 1_000 + "d"),
    ],
)
def test_anything_else_is_none(text: str) -> None:
    assert rate_of(text) is None
