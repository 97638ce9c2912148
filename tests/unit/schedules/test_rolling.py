"""Rolling: instants of excluded days on business days, against moving them one by one."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from task_scheduler.errors import ScheduleError
from task_scheduler.schedules.calendars.plain import calendar_from_plain
from task_scheduler.schedules.calendars.registry import Calendars
from task_scheduler.schedules.instants import DAY, EARLIEST, LATEST, datetime_at, instant_of
from task_scheduler.schedules.occurrences import Occurrences
from task_scheduler.schedules.rule import ScheduleRule, occurrences_of
from tests.unit.schedules.walked import assert_instants

TOKYO = ZoneInfo("Asia/Tokyo")


def moved_one_by_one(
    instants: list[int], calendar: Occurrences, zone: ZoneInfo, step: int
) -> set[int]:
    """Move each instant with datetimes, as someone would with a calendar on the wall.

    `calendar` is one instant a minute outside of what is blocked.
    """

    def is_free(moment: int) -> bool:
        return calendar.next_after(moment - 1, 0) == moment

    def is_business(day: datetime) -> bool:
        begin, end = (instant_of(day + timedelta(n), zone) for n in (0, 1))
        found = calendar.next_after(begin - 1, 0)
        return found is not None and found < end

    moved = set()
    for instant in instants:
        local = datetime_at(instant, zone).replace(tzinfo=None)
        midnight = local.replace(hour=0, minute=0, second=0, fold=0)
        time_of_day = local - midnight
        day = midnight
        while not is_business(day):
            day += timedelta(step)
        landed = instant if day == midnight else first_instant_of(day + time_of_day, zone)
        if is_free(landed):
            moved.add(landed)
    return moved


def first_instant_of(local: datetime, zone: ZoneInfo) -> int:
    """Return the instant of a local time; of one in a gap the end of the gap."""
    instant = instant_of(local, zone)
    read_back = datetime_at(instant, zone).replace(tzinfo=None)
    if read_back == local:
        return instant
    before = instant_of(local, zone) - DAY
    later = instant + DAY
    while later - before > 1:
        middle = (before + later) // 2
        if datetime_at(middle, zone).utcoffset() == datetime_at(before, zone).utcoffset():
            before = middle
        else:
            later = middle
    return later


DAYS = st.lists(
    st.integers(1, 45).map(lambda n: str((datetime(2026, 2, 20) + timedelta(n)).date())),
    max_size=12,
)
BEGIN = instant_of(datetime(2026, 3, 1), UTC)
END = BEGIN + 20 * DAY


@settings(deadline=None, max_examples=40)
@given(
    days=DAYS,
    weekends=st.booleans(),
    window=st.sampled_from([None, ("00:00", "08:00"), ("22:00", "03:00"), ("19:00", "21:00")]),
    cron=st.sampled_from(["0 8 * * *", "30 2,20 * * *", "15 */5 * * 0,1,6", "0 8 1,15 * *"]),
    roll=st.sampled_from(["next", "previous"]),
    zone=st.sampled_from(["UTC", "America/New_York", "Asia/Tokyo", "Australia/Lord_Howe"]),
)
def test_rolled_instants_are_those_that_were_moved_one_by_one(
    *,
    days: list[str],
    weekends: bool,
    window: tuple[str, str] | None,
    cron: str,
    roll: str,
    zone: str,
) -> None:
    plain: dict[str, Any] = {"days": days, "weekends": weekends}
    if window is not None:
        plain["windows"] = [{"from": window[0], "to": window[1]}]
    calendars = Calendars({"it": calendar_from_plain(plain)})
    all_of_them = occurrences_of(ScheduleRule("cron", cron=cron, timezone=zone))
    minutes = occurrences_of(
        ScheduleRule("cron", cron="* * * * *", timezone=zone, exclude="it"), calendars
    )
    rolled = occurrences_of(
        ScheduleRule("cron", cron=cron, timezone=zone, exclude="it", roll=roll), calendars
    )
    instants, moment = [], all_of_them.next_after(BEGIN - 60 * DAY, 0)
    while moment is not None and moment < END + 60 * DAY:
        instants.append(moment)
        moment = all_of_them.next_after(moment, 0)

    moved = moved_one_by_one(instants, minutes, ZoneInfo(zone), 1 if roll == "next" else -1)

    expected = sorted(instant for instant in moved if BEGIN <= instant <= END)
    assert_instants(rolled, expected, BEGIN, END, anchor=BEGIN)


def dates(rule: ScheduleRule, after: datetime, count: int) -> list[str]:
    occurrences, moment, found = occurrences_of(rule), instant_of(after, TOKYO), []
    for _ in range(count):
        moment = occurrences.next_after(moment, moment)
        found.append(datetime_at(moment, after.tzinfo).strftime("%a %m-%d %H:%M"))
    return found


def test_the_golden_week_is_waited_for() -> None:
    # 2026: Sunday 3 to Tuesday 5 May are holidays, and Wednesday stands in for the Sunday.
    rule = ScheduleRule(
        "daily", daily="08:00", exclude=["japan", "weekends"], roll="next", timezone="Asia/Tokyo"
    )

    assert dates(rule, datetime(2026, 4, 30, 12, tzinfo=TOKYO), 3) == [
        "Fri 05-01 08:00",
        "Thu 05-07 08:00",
        "Fri 05-08 08:00",
    ]


def test_wages_come_before_a_weekend_and_never_on_a_make_up_workday_s_sunday_twice() -> None:
    # 20 September 2026 is a Sunday that China works; 25 September, a Friday, is a holiday.
    shanghai = ZoneInfo("Asia/Shanghai")
    rule = ScheduleRule(
        "monthly",
        monthly="20,25,26 09:00",
        exclude=["china", "weekends"],
        roll="previous",
        timezone="Asia/Shanghai",
    )

    assert dates(rule, datetime(2026, 9, 16, tzinfo=shanghai), 3) == [
        "Sun 09-20 09:00",
        "Thu 09-24 09:00",
        "Tue 10-20 09:00",
    ]


def test_an_instant_that_no_business_day_is_near_is_left_out() -> None:
    calendars = Calendars({"it": calendar_from_plain({"days": ["2026-01-01/2028-12-31"]})})
    rule = ScheduleRule("daily", daily="08:00", exclude="it", roll="next", timezone="UTC")
    occurrences = occurrences_of(rule, calendars)

    following = occurrences.next_after(BEGIN, BEGIN)

    assert datetime_at(following, UTC) == datetime(2029, 1, 1, 8, tzinfo=UTC)
    assert datetime_at(occurrences.last_until(BEGIN, 0, BEGIN), UTC) == datetime(
        2025, 12, 31, 8, tzinfo=UTC
    )


@pytest.mark.parametrize("roll", ["next", "previous"])
def test_a_calendar_without_business_days_ends_the_search(roll: str) -> None:
    calendars = Calendars({"it": calendar_from_plain({"weekends": "mon-sun"})})
    rule = ScheduleRule("cron", cron="* * * * *", exclude="it", roll=roll, timezone="UTC")
    occurrences = occurrences_of(rule, calendars)
    began = time.process_time()

    assert occurrences.first(BEGIN) is None
    assert occurrences.last_until(LATEST, EARLIEST, BEGIN) is None
    assert time.process_time() - began < 5


def test_far_questions_have_an_answer() -> None:
    rule = ScheduleRule("daily", daily="08:00", exclude="weekends", roll="next", timezone="UTC")
    occurrences = occurrences_of(rule)

    assert occurrences.next_after(10**30, 0) is None
    assert occurrences.next_after(-(10**30), 0) is not None
    assert occurrences.last_until(-(10**30), 0, 0) is None
    assert occurrences.last_until(10**30, 0, 0) is not None
    assert occurrences.count_between(EARLIEST, LATEST, 0) is None


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"daily": "08:00", "roll": "next"}, "exclude="),
        ({"daily": "08:00", "roll": "later", "exclude": "japan"}, "'later'"),
        ({"seconds": 30, "roll": "next", "exclude": "japan"}, "minute"),
    ],
)
def test_rolling_that_makes_no_sense_is_refused(options: dict[str, Any], named: str) -> None:
    kind = "daily" if "daily" in options else "interval"

    with pytest.raises(ScheduleError) as caught:
        ScheduleRule(kind, **options)

    assert named in str(caught.value)
