"""The scheduler's own figures: bounded, right to a fifth, and of late as well as in all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from task_scheduler.core.flights import Flight
from task_scheduler.core.model import (
    SECOND,
    Claim,
    Completion,
    Entry,
    Outcome,
    OverlapPolicy,
    Policies,
    RunState,
)
from task_scheduler.core.settlement import Settlement
from task_scheduler.observe.measured_store import MeasuredStore
from task_scheduler.observe.measures import BOUNDS, Histogram, Measure, Measures, SeatTime

BEGIN = 1_000_000 * SECOND
MINUTE = 60 * SECOND


class HandClock:
    """Both clocks, moved by hand."""

    def __init__(self) -> None:
        self.passed = 0

    def now(self) -> int:
        return BEGIN + self.passed

    def boottime(self) -> int:
        return self.passed


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def measures(clock: HandClock) -> Measures:
    return Measures(clock, workers=2)


ENTRY = Entry(task_id="a", name="a", kind="function", executor="thread", definition={}, rules=())


def end_of(due_at: int, *, late: int = 0, took: int = 0, entry: Entry | None = ENTRY) -> Settlement:
    """Return the end of a run that was due then, began `late` and took so long."""
    claim = Claim(1, "a", "k", 1, 1, due_at, due_at, None, 0, 0, "thread", None, 0)
    started_at = due_at + late
    done = Completion(1, "a", 1, 1, Outcome.SUCCEEDED, started_at, started_at + took)
    return Settlement(Flight(claim, entry), done, RunState.SUCCEEDED, None, None, 0, ())


def of_policies(**values: Any) -> Entry:
    return replace(ENTRY, policies=Policies(**values))


@pytest.mark.parametrize("share", [0.5, 0.95, 0.99])
def test_a_quantile_is_right_to_a_fifth_of_itself(share: float) -> None:
    histogram = Histogram()
    values = [round(1.01**n * 20) for n in range(1_500)]
    histogram.observe_all(values)

    exact = values[round(share * len(values)) - 1]

    assert histogram.quantile(share) == pytest.approx(exact, rel=0.2)


def test_no_quantile_is_greater_than_the_greatest_value() -> None:
    histogram = Histogram()
    histogram.observe(1_001)

    summary = histogram.summary()

    assert summary["max_seconds"] == 0.001001
    assert histogram.quantile(0.99) <= 1_001


def test_an_empty_histogram_says_that_it_knows_nothing() -> None:
    assert Histogram().summary() == {
        "count": 0,
        "mean_seconds": None,
        "p50_seconds": None,
        "p95_seconds": None,
        "p99_seconds": None,
        "max_seconds": None,
    }


def test_however_many_values_come_the_memory_stays() -> None:
    histogram = Histogram()

    histogram.observe_all(range(0, 10**10, 10**5))

    assert len(histogram.counts) == len(BOUNDS) + 1
    assert histogram.count == 10**5


def test_what_is_old_leaves_the_recent_figures_and_stays_in_the_whole() -> None:
    measure = Measure()
    measure.observe(5)

    measure.turn()
    is_recent_for_a_generation = measure.recent().count
    measure.turn()

    assert is_recent_for_a_generation == 1
    assert (measure.recent().count, measure.whole().count) == (0, 1)


def test_seats_count_the_time_in_which_all_were_taken() -> None:
    seats = SeatTime()
    seats.note(6 * SECOND, is_full=True)
    seats.note(3 * SECOND, is_full=False)
    seats.note(3 * SECOND, is_full=False)

    assert seats.recent_share() == 0.25
    assert seats.full_seconds == 3


def test_lateness_and_duration_of_a_run(clock: HandClock, measures: Measures) -> None:
    measures.note_ends([end_of(clock.now(), late=300, took=7_000)])

    plain = measures.plain()
    assert plain["start_lateness"]["whole"]["max_seconds"] == 0.0003
    assert plain["duration"]["recent"]["max_seconds"] == 0.007
    assert plain["queue_wait"]["whole"]["count"] == 0


@pytest.mark.parametrize(
    "entry",
    [
        None,
        of_policies(pool="gpu"),
        of_policies(rate_limit="1/1m"),
        of_policies(overlap=OverlapPolicy.QUEUE),
        of_policies(overlap=OverlapPolicy.REPLACE),
        of_policies(overlap=OverlapPolicy.ALLOW, overlap_limit=2),
    ],
)
def test_who_waits_by_its_own_policy_is_not_late(
    clock: HandClock, measures: Measures, entry: Entry | None
) -> None:
    measures.note_ends([end_of(clock.now(), late=MINUTE, entry=entry)])

    assert measures.lateness.whole().count == 0
    assert measures.duration.whole().count == 1


def test_what_was_due_before_the_start_is_not_our_lateness(measures: Measures) -> None:
    measures.note_ends([end_of(BEGIN - MINUTE, late=2 * MINUTE)])

    assert measures.lateness.whole().count == 0


def test_who_was_due_while_every_seat_was_taken_waited(
    clock: HandClock, measures: Measures
) -> None:
    clock.passed = SECOND
    measures.note_tick(clock.boottime(), is_full=True)
    due_at = clock.now()
    clock.passed = 3 * SECOND
    measures.note_tick(clock.boottime(), is_full=False)
    clock.passed = 5 * SECOND

    measures.note_ends([end_of(due_at, late=2 * SECOND), end_of(clock.now(), late=1)])

    assert measures.queue_wait.whole().summary()["max_seconds"] == 2
    assert measures.queue_wait.whole().count == 1
    assert measures.plain()["full_share"]["whole"] == pytest.approx(2 / 3, abs=1e-3)


def test_a_tick_is_measured_to_its_end(clock: HandClock, measures: Measures) -> None:
    began = clock.boottime()
    clock.passed += 4_000

    measures.note_tick(began, is_full=False)

    assert measures.tick.whole().greatest == 4_000


def test_after_ten_minutes_an_old_figure_is_not_recent(
    clock: HandClock, measures: Measures
) -> None:
    measures.note_ends([end_of(clock.now(), late=5 * SECOND)])
    for _ in range(11):
        clock.passed += MINUTE
        measures.note_tick(clock.boottime(), is_full=False)

    plain = measures.plain()["start_lateness"]

    assert (plain["recent"]["count"], plain["whole"]["count"]) == (0, 1)


class SlowStore:
    """A store whose commit takes 7 ms, and fails on request."""

    def __init__(self, clock: HandClock) -> None:
        self._clock = clock
        self.asked: list[str] = []

    @contextmanager
    def transaction(self) -> Iterator[None]:
        yield
        self._clock.passed += 7_000

    def fetch(self, statement: str, /, **_: Any) -> Any:
        self.asked.append(statement)
        return 42

    def execute(self, statement: str, /, **_: Any) -> int:
        self.asked.append(statement)
        return 1


def test_a_commit_is_measured_and_all_else_is_passed_on(clock: HandClock) -> None:
    commits, store = Measure(), SlowStore(clock)
    measured = MeasuredStore(store, clock, commits)

    with measured.transaction():
        clock.passed += 1_000_000
        assert measured.fetch("count_entries") == 42
        assert measured.execute("claim_runs", rows=[]) == 1

    assert store.asked == ["count_entries", "claim_runs"]
    assert commits.whole().greatest == 7_000


def test_what_failed_was_no_commit(clock: HandClock) -> None:
    commits = Measure()
    measured = MeasuredStore(SlowStore(clock), clock, commits)

    with pytest.raises(ZeroDivisionError), measured.transaction():
        raise ZeroDivisionError

    assert commits.whole().count == 0
