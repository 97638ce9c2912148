"""Daily, weekly and monthly rules."""

from __future__ import annotations

from datetime import UTC, datetime, time

import pytest

from task_scheduler.errors import ScheduleError
from task_scheduler.schedules.instants import LATEST, datetime_at, instant_of
from task_scheduler.schedules.local_times import LocalOccurrences
from task_scheduler.schedules.times_of_day import (
    daily,
    monthly,
    read_month_days,
    read_times,
    read_weekdays,
    weekly,
)
from task_scheduler.schedules.zones import zone_named

TOKYO, BERLIN = zone_named("Asia/Tokyo"), zone_named("Europe/Berlin")


def dates(
    occurrences: LocalOccurrences, most: int = 4, *, since: datetime | None = None
) -> list[str]:
    tz = occurrences.zone.tz
    found: list[str] = []
    following = occurrences.first(instant_of(since or datetime(2030, 1, 1), tz))
    while following is not None and len(found) < most:
        found.append(f"{datetime_at(following, tz):%a %d %b %H:%M:%S}".removesuffix(":00"))
        following = occurrences.next_after(following, 0)
    return found


def test_every_day_at_several_times() -> None:
    assert dates(daily(["20:00", "8:00:30"], zone=TOKYO)) == [
        "Tue 01 Jan 08:00:30", "Tue 01 Jan 20:00", "Wed 02 Jan 08:00:30", "Wed 02 Jan 20:00",
    ]  # fmt: skip


def test_mondays_and_fridays() -> None:
    assert dates(weekly(["mon", "fri"], "08:00", zone=TOKYO)) == [
        "Fri 04 Jan 08:00", "Mon 07 Jan 08:00", "Fri 11 Jan 08:00", "Mon 14 Jan 08:00",
    ]  # fmt: skip


def test_the_first_and_the_last_of_the_month() -> None:
    assert dates(monthly([1, "last"], "08:00", zone=TOKYO)) == [
        "Tue 01 Jan 08:00", "Thu 31 Jan 08:00", "Fri 01 Feb 08:00", "Thu 28 Feb 08:00",
    ]  # fmt: skip
    assert dates(monthly(["first mon", "last friday"], "08:00", zone=TOKYO)) == [
        "Mon 07 Jan 08:00", "Fri 25 Jan 08:00", "Mon 04 Feb 08:00", "Fri 22 Feb 08:00",
    ]  # fmt: skip
    assert [day[4:10] for day in dates(monthly(31, "08:00", zone=TOKYO))] == [
        "31 Jan", "31 Mar", "31 May", "31 Jul",
    ]  # fmt: skip


def test_each_runs_once_in_the_nights_when_clocks_are_changed() -> None:
    spring, autumn = datetime(2030, 3, 30), datetime(2030, 10, 26)

    assert dates(daily("02:30", zone=BERLIN), since=spring)[:3] == [
        "Sat 30 Mar 02:30", "Sun 31 Mar 03:00", "Mon 01 Apr 02:30",
    ]  # fmt: skip
    assert dates(daily("02:30", zone=BERLIN, gap="skip"), since=spring)[1] == "Mon 01 Apr 02:30"
    assert dates(daily("02:30", zone=BERLIN), since=autumn)[2] == "Mon 28 Oct 02:30"
    assert dates(daily("02:30", zone=BERLIN, fold="twice"), since=autumn)[2] == "Sun 27 Oct 02:30"


def test_long_stretches_are_counted_exactly() -> None:
    begin, end = (instant_of(datetime(year, 1, 1), TOKYO.tz) - 1 for year in (2001, 2101))
    days = (datetime(2101, 1, 1) - datetime(2001, 1, 1)).days

    assert daily(["08:00", "20:00"], zone=TOKYO).count_between(begin, end, 0) == 2 * days
    assert monthly("last", "08:00", zone=TOKYO).count_between(begin, end, 0) == 1200
    assert monthly("last", "08:00", zone=TOKYO).last_until(LATEST, 0, 0) == instant_of(
        datetime(2200, 12, 31, 8), TOKYO.tz
    )


def test_many_ways_to_say_it_are_read() -> None:
    assert read_times("08:00, 8:00:30") == (28_800, 28_830)
    assert read_times(time(8)) == read_times(["8:00", "08:00:00"]) == (28_800,)
    assert read_weekdays("Mon-Fri") == read_weekdays("weekdays") == (0, 1, 2, 3, 4)
    assert read_weekdays(["sat-mon", "wednes"]) == (0, 2, 5, 6)
    assert read_weekdays("mon,weekend") == (0, 5, 6)
    assert read_month_days([1, "15", "last", "-2", "second TUESDAY"]) == (
        (-2, -1, 1, 15),
        ((2, 1),),
    )


@pytest.mark.parametrize(
    ("read", "value", "wanted"),
    [
        (read_times, "8", "'8' is no time of day. Write it as '08:00'"),
        (read_times, "24:00", "00:00:00 to 23:59:59"),
        (read_times, "8:00 pm", "Write it as"),
        (read_times, "٨:٠٠", "is no time of day"),
        (read_times, "", "'' is no time of day"),
        (read_times, 8, "8 is no time of day"),
        (read_times, [], "give one value or a list"),
        (read_times, None, "at=None"),
        (read_times, ["8:00"] * 2000, "1 to 1440"),
        (read_times, time(8, tzinfo=UTC), "is no time of day"),
        (read_weekdays, "mno", "is no day of the week"),
        (read_weekdays, "wendesday", "Did you mean 'wednesday'?"),
        (read_weekdays, "mo", "is no day of the week"),
        (read_weekdays, "mon-", "'mon-' is no day of the week"),
        (read_weekdays, 1, "1 is no day of the week"),
        (read_month_days, 32, "32 is no day of a month"),
        (read_month_days, 0, "0 is no day of a month"),
        (read_month_days, True, "True is no day of a month"),
        (read_month_days, "first", "'first' is no day of a month"),
        (read_month_days, "fifth mon", "'fifth mon' is no day of a month"),
    ],
)
def test_what_is_no_time_or_day_is_refused_with_the_remedy(
    read: object, value: object, wanted: str
) -> None:
    with pytest.raises(ScheduleError) as caught:
        read(value)  # type: ignore[operator]

    assert wanted in str(caught.value)
