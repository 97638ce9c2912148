"""Exclusion: instants without what calendars block, against a look at the clock for each."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from task_scheduler.schedules.calendars.plain import calendar_from_plain
from task_scheduler.schedules.calendars.registry import Calendars
from task_scheduler.schedules.instants import DAY, EARLIEST, LATEST, SECOND, datetime_at, instant_of
from task_scheduler.schedules.occurrences import Occurrences
from task_scheduler.schedules.rule import ScheduleRule, occurrences_of
from tests.unit.schedules.walked import assert_instants

TOKYO = ZoneInfo("Asia/Tokyo")
NEW_YORK = ZoneInfo("America/New_York")
# Two changes of clocks in New York, one in Lord Howe's half hours and Santiago's midnights nearby.
SPRING = instant_of(datetime(2026, 3, 1), UTC)


def excluding(
    plain: dict[str, Any], kind: str, *, word: str = "exclude", **rule: Any
) -> Occurrences:
    """Return the instants of a rule that leaves out, or keeps to, one calendar."""
    made = ScheduleRule(kind, **rule, **{word: "it"})
    return occurrences_of(made, Calendars({"it": calendar_from_plain(plain)}))


def locals_of(occurrences: Occurrences, after: datetime, count: int) -> list[str]:
    """Return the next local times of a rule, in the zone of `after`."""
    zone = after.tzinfo
    moment, found = instant_of(after, zone), []
    for _ in range(count):
        moment = occurrences.next_after(moment, moment)
        found.append(datetime_at(moment, zone).strftime("%m-%d %H:%M"))
    return found


TIMES = st.integers(0, 47).map(lambda half: f"{half // 2:02}:{half % 2 * 30:02}")
WINDOWS = st.builds(
    lambda begin, end, days: {"from": begin, "to": end, "weekdays": days},
    TIMES,
    TIMES,
    st.sampled_from(["mon-sun", "sun", "sat-mon", "tue,thu"]),
)
PLAIN = st.fixed_dictionaries(
    {},
    optional={
        "windows": st.lists(WINDOWS, max_size=3),
        "days": st.lists(st.sampled_from(["2026-03-08", "2026-03-10/2026-03-12"]), max_size=2),
        "weekends": st.sampled_from([True, False, "fri"]),
        "workdays": st.lists(st.sampled_from(["2026-03-14", "2026-03-08"]), max_size=2),
    },
)
ZONES = st.sampled_from(
    ["UTC", "Asia/Tokyo", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"]
)


def is_covered(plain: dict[str, Any], local: datetime) -> bool:
    """Say whether a wall clock shows a covered time, by looking at every part."""
    day = local.date()
    named = {date(2026, 3, 8)} if "2026-03-08" in plain.get("days", []) else set()
    if "2026-03-10/2026-03-12" in plain.get("days", []):
        named |= {date(2026, 3, number) for number in (10, 11, 12)}
    weekend = {True: {5, 6}, False: set(), "fri": {4}}[plain.get("weekends", False)]
    if day in named or (day.weekday() in weekend and str(day) not in plain.get("workdays", [])):
        return True
    return any(in_window(window, local) for window in plain.get("windows", []))


def in_window(window: dict[str, Any], local: datetime) -> bool:
    days = {"mon-sun": range(7), "sun": [6], "sat-mon": [5, 6, 0], "tue,thu": [1, 3]}
    for back in (0, 1):
        start_day = local.date() - timedelta(back)
        if start_day.weekday() not in days[window["weekdays"]]:
            continue
        midnight = datetime.combine(start_day, datetime.min.time())
        begin, end = (
            midnight + timedelta(hours=int(window[key][:2]), minutes=int(window[key][3:]))
            for key in ("from", "to")
        )
        if end <= begin:
            end += timedelta(1)
        if begin <= local.replace(tzinfo=None, fold=0) < end:
            return True
    return False


@settings(deadline=None, max_examples=60)
@given(
    plain=PLAIN,
    zone=ZONES,
    word=st.sampled_from(["exclude", "include"]),
    minutes=st.sampled_from([37, 240]),
)
def test_what_is_left_is_what_a_look_at_the_clock_leaves(
    plain: dict[str, Any], zone: str, word: str, minutes: int
) -> None:
    occurrences = excluding(plain, "interval", word=word, minutes=minutes, timezone=zone)
    end = SPRING + 16 * DAY
    expected = [
        instant
        for instant in range(SPRING, end + 1, minutes * 60 * SECOND)
        if is_covered(plain, datetime_at(instant, ZoneInfo(zone))) is (word == "include")
    ]

    assert_instants(occurrences, expected, SPRING, end, anchor=SPRING)


def test_a_window_over_midnight_belongs_to_the_day_on_which_it_begins() -> None:
    plain = {"windows": [{"weekdays": "fri", "from": "22:00", "to": "06:00"}]}
    occurrences = excluding(plain, "cron", cron="0 */6 * * *", timezone="Asia/Tokyo")

    # 2026-03-06 is a Friday.
    assert locals_of(occurrences, datetime(2026, 3, 6, 13, tzinfo=TOKYO), 4) == [
        "03-06 18:00",
        "03-07 06:00",
        "03-07 12:00",
        "03-07 18:00",
    ]


def test_a_window_holds_for_both_times_that_a_clock_shows_it() -> None:
    # On 2026-11-01 New York has 01:00-02:00 twice, on 2026-03-08 no 02:00-03:00.
    plain = {"windows": [{"from": "01:30", "to": "02:00"}]}
    occurrences = excluding(plain, "interval", minutes=15, timezone="America/New_York")
    midnight = instant_of(datetime(2026, 11, 1), NEW_YORK)

    kept = occurrences.count_between(midnight, midnight + 4 * 3600 * SECOND, midnight)

    assert kept == 16 - 4


def test_a_window_in_a_gap_blocks_the_end_of_the_gap_only_where_it_reaches_it() -> None:
    nightly = {"kind": "daily", "daily": "02:30", "timezone": "America/New_York"}
    until_three, until_four = (
        excluding({"windows": [{"from": "02:00", "to": end}]}, **nightly)
        for end in ("03:00", "04:00")
    )
    evening = datetime(2026, 3, 7, 20, tzinfo=NEW_YORK)

    # The time that was skipped runs at 03:00, which the shorter window leaves free.
    assert locals_of(until_three, evening, 1) == ["03-08 03:00"]
    assert until_four.next_after(instant_of(evening, UTC), 0) is None


def test_a_calendar_with_a_zone_of_its_own_is_read_in_that() -> None:
    plain = {"days": ["2026-03-10"], "timezone": "Asia/Tokyo"}
    occurrences = excluding(plain, "cron", cron="0 */12 * * *", timezone="UTC")

    # The day in Tokyo is 15:00 to 15:00 in UTC.
    assert locals_of(occurrences, datetime(2026, 3, 9, 0, tzinfo=UTC), 3) == [
        "03-09 12:00",
        "03-11 00:00",
        "03-11 12:00",
    ]


def test_dated_windows_are_left_out_once() -> None:
    plain = {"windows": [{"from": "2026-03-09T18:00", "to": "2026-03-10T08:00"}]}
    occurrences = excluding(plain, "daily", daily="06:00,18:00", timezone="Asia/Tokyo")

    assert locals_of(occurrences, datetime(2026, 3, 9, tzinfo=TOKYO), 3) == [
        "03-09 06:00",
        "03-10 18:00",
        "03-11 06:00",
    ]


def test_several_calendars_are_put_together() -> None:
    calendars = Calendars(
        {
            "shop": calendar_from_plain({"windows": [{"from": "09:00", "to": "17:00"}]}),
            "lunch": calendar_from_plain({"windows": [{"from": "12:00", "to": "13:00"}]}),
        }
    )
    rule = ScheduleRule(
        "cron",
        cron="0 * * * *",
        timezone="Asia/Tokyo",
        include=["shop"],
        exclude=["lunch", "weekends", "japan"],
    )

    # Friday 20 March 2026 is the vernal equinox, the days after it a weekend.
    found = locals_of(occurrences_of(rule, calendars), datetime(2026, 3, 19, 11, tzinfo=TOKYO), 5)

    assert found == ["03-19 13:00", "03-19 14:00", "03-19 15:00", "03-19 16:00", "03-23 09:00"]


@pytest.mark.parametrize(
    ("plain", "cron"),
    [
        ({"weekends": "mon-sun"}, "0 8 * * *"),
        ({"weekends": True}, "0 8 * * 6"),
        ({"windows": [{"from": "00:00", "to": "24:00"}]}, "* * * * * *"),
        ({"windows": [{"from": "08:00", "to": "08:01"}]}, "0 8 * * *"),
    ],
)
def test_a_calendar_that_leaves_nothing_ends_the_search(plain: dict[str, Any], cron: str) -> None:
    occurrences = excluding(plain, "cron", cron=cron, timezone="Asia/Tokyo")
    began = time.process_time()

    assert occurrences.first(SPRING) is None
    assert occurrences.next_after(SPRING, SPRING) is None
    assert occurrences.last_until(LATEST, EARLIEST, SPRING) is None
    assert time.process_time() - began < 5


def test_the_next_one_is_found_quickly_and_far_questions_stay_bounded() -> None:
    rule = ScheduleRule(
        "cron", cron="*/5 9-17 * * *", timezone="Asia/Tokyo", exclude=["japan", "weekends"]
    )
    occurrences = occurrences_of(rule)
    moment = occurrences.next_after(SPRING, SPRING)
    began = time.process_time()
    for _ in range(2_000):
        moment = occurrences.next_after(moment, SPRING)
    spent = (time.process_time() - began) / 2_000

    assert spent < 0.001
    assert occurrences.count_between(EARLIEST, LATEST, SPRING) is None, "too far to count"
    assert occurrences.next_after(LATEST, SPRING) is None
    assert occurrences.next_after(-(10**30), SPRING) is not None
    assert occurrences.last_until(10**30, 0, SPRING) is not None


def test_a_calendar_is_no_hindrance_to_the_first_run_of_an_interval() -> None:
    rule = ScheduleRule("interval", hours=1, timezone="Asia/Tokyo", exclude="weekends")
    occurrences = occurrences_of(rule)
    saturday = instant_of(datetime(2026, 3, 7, 10, 20), TOKYO)

    first = occurrences.first(saturday)

    # It counts from when it was added, and the first that is left is on Monday.
    assert datetime_at(first, TOKYO) == datetime(2026, 3, 9, 0, 20, tzinfo=TOKYO)
    assert occurrences.last_until(first, 0, saturday) == first
