"""Durations and moments read as people say them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import pytest

from task_scheduler.i18n import current_language, set_language
from task_scheduler.observe.spans import Moment, Span

SECOND = 1_000_000


@pytest.fixture(autouse=True)
def language() -> Iterator[None]:
    before = current_language()
    set_language("en")
    yield
    set_language(before)


@pytest.mark.parametrize(
    ("length", "text"),
    [
        (0, "0 s"),
        (2_400, "0.002 s"),
        (200_000, "0.2 s"),
        (999_900, "1 s"),
        (5 * SECOND, "5 s"),
        (12_340_000, "12.3 s"),
        (59_940_000, "59.9 s"),
        (59_960_000, "1 min 0 s"),
        (65 * SECOND, "1 min 5 s"),
        (3_599_700_000, "1 h 0 min"),
        (3 * 3600 * SECOND, "3 h 0 min"),
        (52 * 3600 * SECOND, "2 d 4 h"),
    ],
)
def test_a_duration_is_said_in_its_largest_units(length: int, text: str) -> None:
    assert str(Span(length)) == text


@pytest.mark.parametrize(("tag", "text"), [("zh", "1 分 5 秒"), ("ja", "1 分 5 秒")])
def test_a_duration_is_said_in_the_language_of_the_moment(tag: str, text: str) -> None:
    set_language(tag)

    assert str(Span(65 * SECOND)) == text


def test_a_moment_is_local_time() -> None:
    local = datetime(2024, 7, 1, 12, 30, 15).astimezone()

    assert str(Moment(int(local.timestamp()) * SECOND + 999_999)) == "2024-07-01 12:30:15"


def test_a_moment_beyond_the_calendar_is_a_number() -> None:
    assert str(Moment(10**18)) == "1000000000000000000"
