"""Intervals, one-off instants, and several rules on one task."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from task_scheduler.schedules.instants import DAY, EARLIEST, LATEST, SECOND
from task_scheduler.schedules.occurrences import (
    IntervalOccurrences,
    Occurrences,
    OnceOccurrences,
    union,
)
from task_scheduler.schedules.rule import ScheduleRule, occurrences_of

MINUTE = 60 * SECOND
ADDED = 1_800_000_000 * SECOND


def walk(occurrences: Occurrences, after: int, until: int, anchor: int) -> list[int]:
    """Return the instants in ``(after, until]`` one by one."""
    found = []
    following = occurrences.next_after(after, anchor)
    while following is not None and following <= until:
        found.append(following)
        following = occurrences.next_after(following, anchor)
    return found


def test_an_interval_is_first_due_when_it_is_added() -> None:
    assert IntervalOccurrences(30 * SECOND).first(ADDED) == ADDED


def test_an_interval_does_not_drift_however_late_it_is_asked() -> None:
    every = IntervalOccurrences(30 * SECOND)

    assert every.next_after(ADDED + 1, ADDED) == ADDED + 30 * SECOND
    assert every.next_after(ADDED + 44 * SECOND, ADDED) == ADDED + 60 * SECOND
    late = ADDED + 10**7 * 30 * SECOND + 1
    assert every.next_after(late, ADDED) == ADDED + (10**7 + 1) * 30 * SECOND


def test_an_interval_with_a_start_keeps_to_its_grid() -> None:
    start = ADDED + 7 * MINUTE
    every = IntervalOccurrences(10 * MINUTE, start)

    assert every.first(ADDED) == start
    assert every.next_after(start, ADDED) == start + 10 * MINUTE
    # A start in the past fixes the grid; what lies before the task was added is not made up for.
    assert every.first(start + 35 * MINUTE) == start + 40 * MINUTE
    assert every.first(start + 40 * MINUTE) == start + 40 * MINUTE


def test_a_one_off_instant_is_first_even_when_it_is_past() -> None:
    once = OnceOccurrences(ADDED - DAY)

    assert once.first(ADDED) == ADDED - DAY
    assert once.next_after(ADDED - DAY - 1, ADDED) == ADDED - DAY
    assert once.next_after(ADDED - DAY, ADDED) is None
    assert once.last_until(ADDED, ADDED - DAY - 1, ADDED) == ADDED - DAY
    assert once.last_until(ADDED, ADDED - DAY, ADDED) is None
    assert once.count_between(ADDED - DAY - 1, ADDED, ADDED) == 1
    assert once.count_between(ADDED, ADDED + DAY, ADDED) == 0


instants = st.integers(0, 10_000)


@settings(deadline=None)
@given(
    period=st.integers(1, 500),
    start=st.none() | instants,
    anchor=instants,
    after=instants,
    length=st.integers(0, 3_000),
)
def test_an_interval_agrees_with_its_walk(
    period: int, start: int | None, anchor: int, after: int, length: int
) -> None:
    every = IntervalOccurrences(period, start)
    until = after + length
    base = anchor if start is None else start
    expected = [n for n in range(base, until + 1, period) if n > after]

    assert walk(every, after, until, anchor) == expected
    assert every.last_until(until, after, anchor) == (expected[-1] if expected else None)
    assert every.count_between(after, until, anchor) == len(expected)


KINDS = [
    ScheduleRule("interval", seconds=30),
    ScheduleRule("cron", cron="*/7 * * * *", timezone="America/New_York"),
    ScheduleRule("cron", cron="30 2 * * *", timezone="Europe/Berlin"),
]


@pytest.mark.parametrize("rule", KINDS, ids=repr)
@pytest.mark.parametrize("moment", [-(10**40), -1, EARLIEST, LATEST, LATEST + 1, 10**40])
def test_no_moment_is_too_far_to_be_asked_about(rule: ScheduleRule, moment: int) -> None:
    occurrences = occurrences_of(rule)
    for anchor in (moment, ADDED):
        following = occurrences.next_after(moment, anchor)
        assert following is None or moment < following <= LATEST
        last = occurrences.last_until(moment, -(10**41), anchor)
        assert last is None or EARLIEST <= last <= moment
        count = occurrences.count_between(-(10**41), moment, anchor)
        assert count is not None
        assert count >= 0
        assert (count == 0) == (last is None)


@settings(deadline=None)
@given(
    first=st.integers(1, 60),
    second=st.integers(1, 60),
    once=st.integers(0, 600),
    after=st.integers(0, 300),
    length=st.integers(0, 450),
)
def test_a_union_holds_every_instant_of_its_parts_once(
    first: int, second: int, once: int, after: int, length: int
) -> None:
    parts = [IntervalOccurrences(first), IntervalOccurrences(second, 5), OnceOccurrences(once)]
    both = union(parts)
    until = after + length
    expected = sorted({instant for part in parts for instant in walk(part, after, until, 3)})

    assert walk(both, after, until, 3) == expected
    assert both.last_until(until, after, 3) == (expected[-1] if expected else None)
    assert both.count_between(after, until, 3) == len(expected)
    assert both.first(3) == min(3, 5, once)


def test_a_union_of_one_rule_is_that_rule_and_of_none_is_never() -> None:
    every = IntervalOccurrences(5)

    assert union([every, IntervalOccurrences(5)]) is every
    assert union([]).first(ADDED) is None
    assert union([]).next_after(ADDED, ADDED) is None
    assert union([]).last_until(ADDED, 0, ADDED) is None
    assert union([]).count_between(0, ADDED, ADDED) == 0


def test_a_union_does_not_count_what_would_take_long() -> None:
    both = union([IntervalOccurrences(SECOND), IntervalOccurrences(7 * SECOND)])

    assert both.count_between(ADDED, ADDED + DAY, ADDED) is None


def test_the_same_cron_rule_twice_is_one() -> None:
    rules = [ScheduleRule("cron", cron="0 3 * * *", timezone="Asia/Tokyo") for _ in range(2)]
    both = union([occurrences_of(rule) for rule in rules])

    assert both.count_between(0, LATEST, 0) == (2200 - 1970 + 1) * 365 + 56
