"""What several rules share, and one rule without another's instants."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from task_scheduler.errors import ScheduleError
from task_scheduler.schedules.combination import all_of, but_not
from task_scheduler.schedules.instants import EARLIEST, LATEST, SECOND, datetime_at, instant_of
from task_scheduler.schedules.occurrences import (
    IntervalOccurrences,
    Occurrences,
    OnceOccurrences,
    union,
)
from task_scheduler.schedules.recurrence import recurrence_occurrences
from task_scheduler.schedules.times_of_day import daily, monthly, weekly
from task_scheduler.schedules.user_occurrences import UserOccurrences
from task_scheduler.schedules.zones import zone_named

TOKYO = zone_named("Asia/Tokyo")


def walk(occurrences: Occurrences, after: int, until: int, anchor: int = 0) -> list[int]:
    found = []
    following = occurrences.next_after(after, anchor)
    while following is not None and following <= until:
        found.append(following)
        following = occurrences.next_after(following, anchor)
    return found


def walk_back(occurrences: Occurrences, after: int, until: int, anchor: int = 0) -> list[int]:
    found = []
    last = occurrences.last_until(until, after, anchor)
    while last is not None:
        found.append(last)
        last = occurrences.last_until(last - 1, after, anchor)
    return found[::-1]


def dates(occurrences: Occurrences, most: int) -> list[str]:
    found: list[str] = []
    following = occurrences.first(instant_of(datetime(2030, 1, 1), TOKYO.tz))
    while following is not None and len(found) < most:
        found.append(f"{datetime_at(following, TOKYO.tz):%Y-%m-%d %H:%M}")
        following = occurrences.next_after(following, 0)
    return found


def test_a_friday_the_13th_is_a_friday_and_a_13th() -> None:
    both = all_of([weekly("fri", "08:00", zone=TOKYO), monthly(13, "08:00", zone=TOKYO)])

    assert dates(both, 3) == ["2030-09-13 08:00", "2030-12-13 08:00", "2031-06-13 08:00"]


def test_every_day_but_the_last_of_the_month() -> None:
    without = but_not(daily("08:00", zone=TOKYO), monthly("last", "08:00", zone=TOKYO))
    days = dates(without, 60)

    assert days[29:31] == ["2030-01-30 08:00", "2030-02-01 08:00"]
    begin, end = (instant_of(datetime(year, 1, 1), TOKYO.tz) for year in (2030, 2031))
    assert without.count_between(begin, end, 0) == 365 - 12


@settings(max_examples=200, deadline=None)
@given(
    periods=st.lists(st.integers(1, 12), min_size=2, max_size=3),
    starts=st.lists(st.integers(0, 9), min_size=3, max_size=3),
    once=st.integers(0, 400),
    after=st.integers(-1, 300),
    length=st.integers(0, 300),
)
def test_combinations_are_those_of_the_sets(
    periods: list[int], starts: list[int], once: int, after: int, length: int
) -> None:
    # Given rules as sets of instants
    parts: list[Occurrences] = [
        IntervalOccurrences(period, start) for period, start in zip(periods, starts, strict=False)
    ]
    parts[0] = union([parts[0], OnceOccurrences(once)])
    until = after + length
    sets = [set(walk(part, after, until)) for part in parts]

    # When they are combined (and have anything in common or left)
    for combine, expected in (
        (lambda: all_of(parts), sorted(set.intersection(*sets))),
        (lambda: but_not(parts[0], parts[1]), sorted(sets[0] - sets[1])),
    ):
        try:
            combined = combine()
        except ScheduleError:
            assert not expected
            continue

        # Then they are walked, found back and counted as the sets are
        try:
            assert walk(combined, after, until) == expected
            assert walk_back(combined, after, until) == expected
        except ScheduleError as error:
            assert error.key == "schedules.combination_sparse"  # noqa: PT017
            continue
        count = combined.count_between(after, until, 0)
        assert count is None or count == len(expected)
        for one in expected:
            # A one-off in the past is first as it is without a combination.
            assert combined.first(one) in (one, once)


def test_the_order_and_repetition_of_parts_do_not_matter() -> None:
    six, nine = IntervalOccurrences(6, 0), IntervalOccurrences(9, 0)

    assert all_of([six, six]) is six
    assert walk(all_of([six, nine, six]), -1, 60) == walk(all_of([nine, six]), -1, 60)
    assert walk(all_of([six, nine]), -1, 60) == [0, 18, 36, 54]


def test_an_interval_that_counts_from_when_it_was_added_keeps_doing_so() -> None:
    added = instant_of(datetime(2030, 1, 1, 0, 20), UTC)
    hour = 3600 * SECOND
    both = but_not(IntervalOccurrences(hour), OnceOccurrences(added + hour))

    assert both.first(added) == added
    assert both.next_after(added, added) == added + 2 * hour
    assert but_not(IntervalOccurrences(hour), OnceOccurrences(added)).first(added) == added + hour


@pytest.mark.parametrize(
    ("make", "key"),
    [
        (lambda: all_of([]), "combination_empty"),
        (lambda: all_of([OnceOccurrences(5), OnceOccurrences(6)]), "combination_never"),
        (lambda: but_not(OnceOccurrences(5), OnceOccurrences(5)), "combination_never"),
        (
            lambda: all_of([IntervalOccurrences(7, 0), IntervalOccurrences(7, 1)]),
            "combination_sparse",
        ),
        (
            lambda: but_not(IntervalOccurrences(7, 0), IntervalOccurrences(7, 0)),
            "combination_sparse",
        ),
        (
            lambda: all_of([daily("08:00", zone=TOKYO), daily("08:00", zone=zone_named("UTC"))]),
            "combination_sparse",
        ),
    ],
)
def test_a_combination_that_never_runs_is_refused_and_never_hangs(make: object, key: str) -> None:
    began = time.process_time()
    with pytest.raises(ScheduleError) as caught:
        make()  # type: ignore[operator]

    assert caught.value.key == f"schedules.{key}"
    assert time.process_time() - began < 1


def test_a_rule_of_a_user_is_not_combined_even_inside_a_union() -> None:
    class Never:
        def get_next_run_time(self, last_run: datetime | None = None) -> datetime | None:
            return None

    own = UserOccurrences(Never(), TOKYO, is_naive=True)
    for make in (
        lambda: all_of([own, OnceOccurrences(5)]),
        lambda: but_not(OnceOccurrences(5), union([own, OnceOccurrences(6)])),
    ):
        with pytest.raises(ScheduleError, match="cannot be combined"):
            make()


@pytest.mark.parametrize("moment", [-(10**40), -1, EARLIEST, LATEST, LATEST + 1, 10**40])
def test_no_moment_is_too_far_to_be_asked_about(moment: int) -> None:
    weekly_rule = recurrence_occurrences("DTSTART:20300101T080000\nRRULE:FREQ=WEEKLY", TOKYO)
    for combined in (
        all_of([daily("08:00", zone=TOKYO), weekly_rule]),
        but_not(daily(["08:00", "09:00"], zone=TOKYO), weekly_rule),
    ):
        following = combined.next_after(moment, 0)
        assert following is None or moment < following <= LATEST
        last = combined.last_until(moment, -(10**41), 0)
        assert last is None or EARLIEST <= last <= moment
        combined.count_between(-(10**41), moment, 0)
