"""Whether memory grows: histories of hours whose truth is known."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

import pytest

from task_scheduler.observe.memory_trend import Growth, growth_of

S = 1_000_000
MINUTE, HOUR = 60 * S, 3_600 * S
MB = 1_000_000


def history(hours: float, of: Callable[[float], float]) -> Iterator[tuple[int, int]]:
    """Give a sample a minute; `of` says the megabytes at an hour."""
    for minute in range(round(hours * 60)):
        yield minute * MINUTE, round(of(minute / 60) * MB)


def test_a_leak_is_told_with_its_figure() -> None:
    growth = growth_of(history(9, lambda hour: 100 + 20 * hour), 0)

    assert growth is not None
    assert growth.bytes_per_hour == pytest.approx(20 * MB, rel=0.01)
    assert growth.hours == 7
    assert growth.grown_bytes == pytest.approx(140 * MB, rel=0.01)
    assert growth.now_bytes == pytest.approx(270 * MB, rel=0.01)


def test_a_leak_beneath_the_noise_of_tasks_is_found() -> None:
    rng = random.Random(7)
    growth = growth_of(history(8, lambda hour: 100 + 15 * hour + rng.uniform(0, 60)), 0)

    assert growth is not None
    assert growth.bytes_per_hour == pytest.approx(15 * MB, rel=0.25)


@pytest.mark.parametrize(
    "of",
    [
        lambda hour: 100,
        lambda hour: min(400, 100 + 400 * hour),  # it fills its caches, and then has them
        lambda hour: 100 + (300 if 2 < hour < 3 else 0),  # a task, once
        lambda hour: 100 + 40 * (hour > 4),  # a step: a block in which Python takes memory
        lambda hour: 100 + 1 * hour,  # no more in a day than anybody has
        lambda hour: 1_000 + 10 * hour,  # a tenth of what it has anyway
        lambda hour: 100 + 100 * (hour % 2),  # up and down
        lambda hour: 300 - 20 * hour,
    ],
)
def test_what_is_no_leak_is_not_told(of: Callable[[float], float]) -> None:
    assert growth_of(history(8, of), 0) is None


def test_the_first_hours_say_nothing_yet() -> None:
    assert growth_of(history(4.9, lambda hour: 100 + 50 * hour), 0) is not None
    assert growth_of(history(4.1, lambda hour: 100 + 50 * hour), 0) is None
    assert growth_of([], 0) is None


def test_noise_alone_is_hardly_ever_taken_for_growth() -> None:
    rng = random.Random(1)
    found: list[Growth] = []
    for _ in range(200):
        seen = growth_of(history(8, lambda _: 200 + rng.uniform(0, 150)), 0)
        found += [seen] if seen is not None else []

    assert found == []
