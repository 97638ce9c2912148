"""The memory of the scheduler itself: what is told of it, when it ends, what is collected."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from task_scheduler.core.faults import FaultKind
from task_scheduler.memory_care import MemoryCare

S = 1_000_000
MB = 1_000_000


class Clock:
    def __init__(self) -> None:
        self.at = 0

    def now(self) -> int:
        return self.at

    def boottime(self) -> int:
        return self.at


@dataclass
class Bounds:
    memory_warning: int | None = None
    memory_limit: int | None = None
    gc_interval_seconds: float = 0


class Process:
    """Its memory and its clock, and what watches it."""

    def __init__(self, **bounds: Any) -> None:
        self.clock = Clock()
        self.used: int | None = 100 * MB
        self.bounds = Bounds(**bounds)
        self.care = MemoryCare(self.clock, lambda: self.bounds, read=lambda: self.used)

    def passes(self, seconds: int, step: int = 1) -> Iterator[None]:
        for _ in range(0, seconds, step):
            self.clock.at += step * S
            yield


def test_growth_over_hours_is_a_fault_with_its_figure_and_over_when_it_ends() -> None:
    process = Process()
    told = None
    for _ in process.passes(6 * 3_600, step=10):
        assert process.used is not None
        process.used += 10 * 20 * MB // 3_600
        told = process.care.growing()
    assert told is not None
    assert told.kind is FaultKind.MEMORY_GROWS
    assert "20.0 MB an hour" in told.why

    for _ in process.passes(24 * 3_600, step=10):
        told = process.care.growing()

    assert told is None


def test_memory_above_the_warning_is_a_fault() -> None:
    process = Process(memory_warning=150 * MB)
    process.clock.at += 60 * S
    assert process.care.high() is None

    process.used = 160 * MB
    process.clock.at += 60 * S
    told = process.care.high()

    assert told is not None
    assert told.why == "160.0 MB of memory, more than 150.0 MB"


def test_without_bounds_nothing_is_told_and_nothing_ends() -> None:
    process = Process()
    process.used = 900_000 * MB
    for _ in process.passes(300):
        assert process.care.high() is None
        assert not process.care.exceeded()


def test_above_the_limit_for_a_minute_it_is_to_end_and_not_for_a_moment() -> None:
    process = Process(memory_limit=200 * MB)
    seen = []
    for second, _ in enumerate(process.passes(200)):
        process.used = (300 if second < 30 or second > 100 else 100) * MB
        if process.care.exceeded():
            seen.append(second)

    assert seen
    assert 160 <= seen[0] <= 170


def test_a_limit_alone_warns_as_well() -> None:
    process = Process(memory_limit=200 * MB)
    process.used = 300 * MB
    process.clock.at += 60 * S

    assert process.care.high() is not None


def test_memory_that_cannot_be_read_says_nothing() -> None:
    process = Process(memory_warning=1, memory_limit=1)
    process.used = None
    for _ in process.passes(200):
        assert process.care.high() is None
        assert process.care.growing() is None
        assert not process.care.exceeded()


def test_garbage_is_collected_as_often_as_is_wished(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    process = Process(gc_interval_seconds=60)

    def collect() -> int:
        calls.append(process.clock.at // S)
        return 3

    monkeypatch.setattr(gc, "collect", collect)

    for _ in process.passes(200, step=20):
        process.care.collect()
    assert calls == [60, 120, 180]

    process.bounds.gc_interval_seconds = 0
    for _ in process.passes(200, step=20):
        process.care.collect()
    assert len(calls) == 3


def test_rings_of_objects_are_gone_after_it() -> None:
    class Ring:
        pass

    process = Process(gc_interval_seconds=1)
    gc.disable()
    try:
        for _ in range(1_000):
            ring = Ring()
            ring.me = ring  # type: ignore[attr-defined]
        process.clock.at += 60 * S
        process.care.collect()
        assert not [of for of in gc.get_objects() if isinstance(of, Ring) and of is not ring]
    finally:
        gc.enable()
