"""Bounds: from a start to an end, and no more than some number of runs."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from task_scheduler.errors import ScheduleError
from task_scheduler.schedules.instants import DAY, LATEST, SECOND, instant_of
from task_scheduler.schedules.occurrences import Occurrences
from task_scheduler.schedules.rule import ScheduleRule, from_plain, occurrences_of, to_plain
from tests.unit.schedules.walked import assert_instants

NOW = instant_of(datetime(2026, 5, 1, 12), UTC)


def walked(occurrences: Occurrences, count: int, anchor: int = NOW) -> list[int]:
    """Return the first instants of an entry that is added at `anchor`."""
    found = []
    moment = occurrences.first(anchor)
    while moment is not None and len(found) < count:
        found.append(moment)
        moment = occurrences.next_after(moment, anchor)
    return found


NINE_HOURLY = {"type": "cron", "cron": "0 */9 * * *"}
AT_EIGHT = {"type": "cron", "cron": "0 8 * * *"}
ON_MONDAYS = {"type": "cron", "cron": "0 * * * 1"}
KINDS: list[dict[str, Any]] = [
    {"type": "interval", "minutes": 7},
    {"type": "interval", "hours": 5, "anchor": "epoch"},
    {"type": "interval", "hours": 6, "anchor": "01:30", "timezone": "America/New_York"},
    {"type": "cron", "cron": "*/13 * * * *", "timezone": "Europe/Berlin"},
    {"type": "cron", "cron": "0 3 * * 1-5", "exclude": ["japan"], "timezone": "Asia/Tokyo"},
    {"type": "daily", "daily": "02:30,20:00", "timezone": "America/New_York"},
    {"type": "weekly", "weekly": "mon,fri 08:00", "exclude": ["japan"], "roll": "next"},
    {"type": "monthly", "monthly": "1,15,last 08:00", "timezone": "Asia/Shanghai"},
    {"type": "on_calendar", "on_calendar": "Mon..Fri 08:00", "timezone": "UTC"},
    {"type": "any_of", "rules": [{"type": "daily", "daily": "08:00"}, NINE_HOURLY]},
    {"type": "all_of", "rules": [AT_EIGHT, ON_MONDAYS]},
    {"type": "solar", "solar": "sunset", "latitude": 35.7, "longitude": 139.7},
    {"type": "rrule", "rrule": "FREQ=WEEKLY;BYDAY=MO,TU", "start_at": "2026-01-05T09:00:00+00:00"},
    {"type": "once", "run_at": ["2026-05-02T00:00:00+00:00", "2027-01-01T00:00:00+00:00"]},
]  # fmt: skip


@pytest.mark.parametrize("plain", KINDS, ids=lambda plain: plain["type"])
@pytest.mark.parametrize("runs", [1, 2, 10, 77])
def test_the_last_of_so_many_runs_is_the_one_that_a_walk_ends_with(
    plain: dict[str, Any], runs: int
) -> None:
    all_of_them = occurrences_of(from_plain(plain))
    limited = occurrences_of(from_plain({**plain, "max_runs": runs}))
    expected = walked(all_of_them, runs)

    assert walked(limited, runs + 5) == expected
    assert limited.next_after(expected[-1], NOW) is None or len(expected) < runs
    # A restart asks from wherever the cursor stands.
    again = occurrences_of(from_plain({**plain, "max_runs": runs}))
    assert again.last_until(LATEST, NOW - 1, NOW) == expected[-1]
    assert again.count_between(expected[0] - 1, LATEST, NOW) in (len(expected), None)


def test_a_million_runs_are_counted_and_not_walked() -> None:
    rule = ScheduleRule(
        "cron", cron="* * * * *", exclude=["weekends"], max_runs=1_000_000, timezone="UTC"
    )
    occurrences = occurrences_of(rule)
    end = occurrences.last_until(LATEST, NOW, NOW)

    assert end is not None
    assert occurrences.next_after(end, NOW) is None
    # 1,440 a day on five days of seven: 694.4 such days are 972 days.
    assert 971 * DAY < end - NOW < 974 * DAY


@settings(deadline=None)
@given(
    start=st.integers(0, 40),
    length=st.integers(0, 40),
    minutes=st.integers(30, 2_000),
    seed=st.data(),
)
def test_both_bounds_are_included(
    start: int, length: int, minutes: int, seed: st.DataObject
) -> None:
    begin, end = NOW + start * 3600 * SECOND, NOW + (start + length) * 3600 * SECOND
    rule = ScheduleRule(
        "interval",
        minutes=minutes,
        anchor="epoch",
        start_at=datetime.fromtimestamp(begin // SECOND, UTC),
        end_at=datetime.fromtimestamp(end // SECOND, UTC),
    )
    step = minutes * 60 * SECOND
    expected = list(range(-(-begin // step) * step, end + 1, step))

    assert_instants(occurrences_of(rule), expected, NOW - DAY, NOW + 90 * 3600 * SECOND, anchor=NOW)
    assert occurrences_of(rule).first(NOW) == next(iter(expected), None)


def test_an_interval_counts_from_the_start_and_ends_at_the_end() -> None:
    rule = ScheduleRule(
        "interval",
        hours=1,
        start_at=datetime(2026, 5, 1, 10, 30, tzinfo=UTC),
        end_at=datetime(2026, 5, 1, 13, 30, tzinfo=UTC),
    )

    found = [datetime.fromtimestamp(i // SECOND, UTC).hour for i in walked(occurrences_of(rule), 9)]

    assert found == [12, 13]


def test_a_rule_that_ends_before_now_has_no_run() -> None:
    rule = ScheduleRule("daily", daily="08:00", end_at=datetime(2026, 4, 1, tzinfo=UTC))

    assert occurrences_of(rule).first(NOW) is None


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"max_runs": 0}, "max_runs=0"),
        ({"max_runs": True}, "max_runs=True"),
        ({"max_runs": 2.0}, "max_runs=2.0"),
        ({"max_runs": 10**7}, "1000000"),
        ({"max_runs": 20_000, "exclude": "japan", "roll": "next"}, "10000"),
        ({"end_at": datetime(2020, 1, 1), "start_at": datetime(2021, 1, 1)}, "2021"),
        ({"end_at": "2020"}, "'2020'"),
        ({"end_at": datetime.max}, "9999"),
    ],
)
def test_bounds_that_make_no_sense_are_refused(options: dict[str, Any], named: str) -> None:
    with pytest.raises(ScheduleError) as caught:
        ScheduleRule("daily", daily="08:00", **options)

    assert named in str(caught.value)


@pytest.mark.parametrize("plain", KINDS, ids=lambda plain: plain["type"])
def test_every_kind_comes_back_from_its_plain_form(plain: dict[str, Any]) -> None:
    rule = from_plain({**plain, "end_at": "2030-01-01T00:00:00+00:00", "jitter_seconds": 5})
    again = from_plain(to_plain(rule))

    assert to_plain(again) == to_plain(rule)
    assert walked(occurrences_of(again), 20) == walked(occurrences_of(rule), 20)
    assert list(islice(walked(occurrences_of(rule), 5), 1))
