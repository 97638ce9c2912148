"""Recurrences: RFC 5545 in zones, their bounds, their refusals and what they cost."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from dateutil.rrule import rrulestr
from hypothesis import given, settings
from hypothesis import strategies as st

from task_scheduler.errors import ScheduleError
from task_scheduler.schedules.instants import EARLIEST, LATEST, SECOND, datetime_at, instant_of
from task_scheduler.schedules.occurrences import Occurrences
from task_scheduler.schedules.recurrence import recurrence_occurrences
from task_scheduler.schedules.rule import ScheduleRule, occurrences_of
from task_scheduler.schedules.zones import zone_named

TOKYO, NEW_YORK = "Asia/Tokyo", "America/New_York"
ZONES = [
    "UTC",
    NEW_YORK,
    "America/St_Johns",
    "America/Sao_Paulo",
    "Europe/Dublin",
    "Africa/Casablanca",
    "Asia/Gaza",
    "Asia/Tehran",
    "Australia/Lord_Howe",
    "Pacific/Chatham",
    "Pacific/Apia",
    "Antarctica/Troll",
]
POLICIES = [(gap, fold) for gap in ("run_after", "skip") for fold in ("once", "twice")]


def recurrence(text: str, zone: str = "UTC", **options: str) -> Occurrences:
    return recurrence_occurrences(text, zone_named(zone), **options)  # type: ignore[arg-type]


def walk(occurrences: Occurrences, after: int, until: int) -> list[int]:
    found = []
    following = occurrences.next_after(after, 0)
    while following is not None and following <= until:
        found.append(following)
        following = occurrences.next_after(following, 0)
    return found


def walk_back(occurrences: Occurrences, after: int, until: int) -> list[int]:
    found = []
    last = occurrences.last_until(until, after, 0)
    while last is not None:
        found.append(last)
        last = occurrences.last_until(last - 1, after, 0)
    return found[::-1]


def shown(text: str, zone: str = NEW_YORK, most: int = 10, **options: str) -> list[str]:
    """Return the first runs of a recurrence as local times."""
    occurrences = recurrence(text, zone, **options)
    found = []
    following = occurrences.next_after(-1, 0)
    while following is not None and len(found) < most:
        found.append(f"{datetime_at(following, ZoneInfo(zone)):%Y-%m-%d %H:%M}")
        following = occurrences.next_after(following, 0)
    return found


NINE = "DTSTART;TZID=America/New_York:19970902T090000\n"
RFC_EXAMPLES = [
    # RFC 5545, 3.8.5.3: the examples, with the first dates that it prints.
    ("FREQ=DAILY;COUNT=10", "1997-09-02 03 04 05 06 07 08 09 10 11"),
    ("FREQ=DAILY;INTERVAL=2", "1997-09-02 04 06 08 10"),
    ("FREQ=WEEKLY;INTERVAL=2;WKST=SU", "1997-09-02 16 30 10-14 28 11-11 25 12-09 23"),
    ("FREQ=WEEKLY;COUNT=10;WKST=SU;BYDAY=TU,TH", "1997-09-02 04 09 11 16 18 23 25 30 10-02"),
    ("FREQ=WEEKLY;INTERVAL=2;COUNT=8;WKST=SU;BYDAY=TU,TH", "1997-09-02 04 16 18 30 10-02 14 16"),
    ("FREQ=MONTHLY;BYMONTHDAY=-3", "1997-09-28 10-29 11-28 12-29 1998-01-29 02-26"),
    (
        "FREQ=MONTHLY;COUNT=10;BYMONTHDAY=2,15",
        "1997-09-02 15 10-02 15 11-02 15 12-02 15 1998-01-02",
    ),
    ("FREQ=MONTHLY;INTERVAL=2;BYDAY=TU", "1997-09-02 09 16 23 30 11-04 11 18 25 1998-01-06"),
    ("FREQ=YEARLY;INTERVAL=3;COUNT=10;BYYEARDAY=1,100,200", "2000-01-01 04-09 07-18 2003-01-01"),
    ("FREQ=YEARLY;BYDAY=20MO", "1998-05-18 1999-05-17 2000-05-15"),
    ("FREQ=YEARLY;BYWEEKNO=20;BYDAY=MO", "1998-05-11 1999-05-17 2000-05-15"),
    ("FREQ=YEARLY;BYMONTH=3;BYDAY=TH", "1998-03-05 12 19 26 1999-03-04 11 18 25"),
    ("FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13", "1998-02-13 03-13 11-13 1999-08-13 2000-10-13"),
    (
        "FREQ=MONTHLY;BYDAY=SA;BYMONTHDAY=7,8,9,10,11,12,13",
        "1997-09-13 10-11 11-08 12-13 1998-01-10",
    ),
    ("FREQ=MONTHLY;COUNT=3;BYDAY=TU,WE,TH;BYSETPOS=3", "1997-09-04 10-07 11-06"),
    ("FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-2", "1997-09-29 10-30 11-27 12-30 1998-01-29"),
    ("FREQ=MONTHLY;COUNT=6;BYDAY=-2MO", "1997-09-22 10-20 11-17 12-22 1998-01-19 02-16"),
]


@pytest.mark.parametrize(("rule", "dates"), RFC_EXAMPLES, ids=lambda value: value[:50])
def test_the_examples_of_the_rfc_run_as_printed_there(rule: str, dates: str) -> None:
    expected: list[str] = []
    date = "1997-01-01"
    for piece in dates.split():
        date = date[: len(date) - len(piece)] + piece
        expected.append(f"{date} 09:00")

    assert shown(f"{NINE}RRULE:{rule}", most=len(expected)) == expected


def test_an_election_day_of_the_rfc_is_the_tuesday_after_a_monday() -> None:
    election = (
        "DTSTART:19961105T090000\n"
        "RRULE:FREQ=YEARLY;INTERVAL=4;BYMONTH=11;BYDAY=TU;BYMONTHDAY=2,3,4,5,6,7,8"
    )
    assert [day[:10] for day in shown(election, most=3)] == [
        "1996-11-05", "2000-11-07", "2004-11-02",
    ]  # fmt: skip


def test_the_week_start_decides_which_weeks_are_left_out() -> None:
    start = "DTSTART;TZID=America/New_York:19970805T090000\nRRULE:FREQ=WEEKLY;INTERVAL=2;COUNT=4;"

    assert [day[5:10] for day in shown(f"{start}BYDAY=TU,SU;WKST=MO")] == [
        "08-05", "08-10", "08-19", "08-24",
    ]  # fmt: skip
    assert [day[5:10] for day in shown(f"{start}BYDAY=TU,SU;WKST=SU")] == [
        "08-05", "08-17", "08-19", "08-31",
    ]  # fmt: skip


def test_a_rule_within_the_day_keeps_its_grid() -> None:
    assert shown(f"{NINE}RRULE:FREQ=HOURLY;INTERVAL=3;UNTIL=19970902T210000Z") == [
        "1997-09-02 09:00", "1997-09-02 12:00", "1997-09-02 15:00",
    ]  # fmt: skip
    assert shown(f"{NINE}RRULE:FREQ=MINUTELY;INTERVAL=90;COUNT=4") == [
        "1997-09-02 09:00", "1997-09-02 10:30", "1997-09-02 12:00", "1997-09-02 13:30",
    ]  # fmt: skip
    twenties = shown(
        f"{NINE}RRULE:FREQ=MINUTELY;INTERVAL=20;BYHOUR=9,10,11,12,13,14,15,16", most=25
    )
    assert twenties[22:] == ["1997-09-02 16:20", "1997-09-02 16:40", "1997-09-03 09:00"]


def test_dates_are_added_and_left_out_whatever_their_zone() -> None:
    text = """\
DTSTART;TZID=Asia/Tokyo:20300101T080000
RRULE:FREQ=DAILY;COUNT=5
EXDATE;TZID=Asia/Tokyo:20300102T080000,
 20300109T080000
EXDATE:20300102T230000Z
RDATE:20300110T000000Z,20300112T000000Z
RDATE;TZID=America/New_York:20300110T190000
EXDATE:20300112T000000Z
"""
    # COUNT counts before dates are left out, and one that was never there is none.
    assert shown(text, TOKYO) == [
        "2030-01-01 08:00", "2030-01-04 08:00", "2030-01-05 08:00",
        "2030-01-10 09:00", "2030-01-11 09:00",
    ]  # fmt: skip


def test_an_excluded_date_is_not_counted() -> None:
    text = (
        "DTSTART:20300101T080000\nRRULE:FREQ=DAILY\nEXDATE:20300103T080000Z,20300103T090000Z\n"
        "EXDATE:20291231T080000Z"
    )
    daily = recurrence(text)
    begin, end = (instant_of(datetime(2030, 1, day), UTC) for day in (1, 8))

    assert daily.count_between(begin, end, 0) == 6
    assert daily.count_between(0, end, 0) == 6
    assert len(walk_back(daily, 0, end)) == 6


def test_dates_alone_begin_with_the_start() -> None:
    assert shown("DTSTART:20300101T080000\nRDATE:20300301T080000,20300201T080000", TOKYO) == [
        "2030-01-01 08:00", "2030-02-01 08:00", "2030-03-01 08:00",
    ]  # fmt: skip


def test_several_rules_are_one_recurrence() -> None:
    text = (
        "DTSTART:20300101T080000\nRRULE:FREQ=MONTHLY;COUNT=3\n"
        "RRULE:FREQ=YEARLY;BYMONTH=1;BYMONTHDAY=1,2;COUNT=3"
    )

    assert [day[:10] for day in shown(text)] == [
        "2030-01-01", "2030-01-02", "2030-02-01", "2030-03-01", "2031-01-01",
    ]  # fmt: skip


def test_a_date_as_start_is_midnight_and_until_includes_its_day() -> None:
    text = (
        "DTSTART;VALUE=DATE:20300130\nRRULE:FREQ=DAILY;UNTIL=20300201\nEXDATE;VALUE=DATE:20300131"
    )

    assert shown(text) == ["2030-01-30 00:00", "2030-02-01 00:00"]


def test_a_start_given_beside_the_text_is_its_dtstart() -> None:
    zone = zone_named(TOKYO)
    naive = recurrence_occurrences("FREQ=DAILY", zone, start_at=datetime(2030, 1, 1, 8))
    aware = recurrence_occurrences(
        "freq=daily", zone, start_at=datetime(2029, 12, 31, 23, tzinfo=UTC)
    )

    assert naive == aware
    assert naive.first(0) == instant_of(datetime(2030, 1, 1, 8), ZoneInfo(TOKYO))
    assert naive.first(naive.first(0) or 0) == naive.first(0)


def test_a_utc_start_repeats_in_utc() -> None:
    assert shown("DTSTART:20300309T070000Z\nRRULE:FREQ=DAILY;COUNT=3") == [
        "2030-03-09 02:00", "2030-03-10 03:00", "2030-03-11 03:00",
    ]  # fmt: skip


def test_a_nightly_recurrence_runs_once_in_every_night() -> None:
    spring = "DTSTART:20300309T023000\nRRULE:FREQ=DAILY;COUNT=3"
    autumn = "DTSTART:20301102T013000\nRRULE:FREQ=DAILY;COUNT=3"

    assert [day[8:] for day in shown(spring)] == ["09 02:30", "10 03:00", "11 02:30"]
    assert [day[8:] for day in shown(spring, gap="skip")] == ["09 02:30", "11 02:30"]
    assert [day[8:] for day in shown(autumn)] == ["02 01:30", "03 01:30", "04 01:30"]
    assert [day[8:] for day in shown(autumn, fold="twice")] == [
        "02 01:30", "03 01:30", "03 01:30", "04 01:30",
    ]  # fmt: skip


def test_an_hourly_recurrence_follows_real_time() -> None:
    hourly = recurrence("DTSTART:20300101T000000\nRRULE:FREQ=HOURLY", NEW_YORK)
    begin, end = (instant_of(datetime(year, 1, 1, 12), UTC) for year in (2030, 2040))

    assert hourly.count_between(begin, end, 0) == (end - begin) // (3600 * SECOND)


def changes_of(zone: str) -> list[int]:
    """Return the seconds at which a zone changes its clocks, 2000 to 2030."""
    second, until = 946_684_800, 1_893_456_000
    found = []
    while second < until:
        period = zone_named(zone).period_at(second)
        if period.before != period.offset and period.start >= 946_684_800:
            found.append(period.start)
        second = period.end
    return list(dict.fromkeys(found)) or [1_700_000_040]


def scanned(
    local_times: set[datetime], zone: str, begin: int, end: int, policies: tuple[str, str]
) -> list[int]:
    """Return what the two policies make of local times in ``(begin, end]``, minute by minute."""
    gap, fold = policies
    found = []
    previous = datetime_at(begin, ZoneInfo(zone))
    for at in range(begin + 60 * SECOND, end + 1, 60 * SECOND):
        moment = datetime_at(at, ZoneInfo(zone))
        naive, skipped = moment.replace(tzinfo=None), previous.replace(tzinfo=None)
        runs = naive in local_times and (fold == "twice" or moment.fold == 0)
        skipped += timedelta(minutes=1)
        while gap == "run_after" and skipped < naive:
            runs = runs or skipped in local_times
            skipped += timedelta(minutes=1)
        if runs:
            found.append(at)
        previous = moment
    return found


IN_ZONES = [
    "FREQ=DAILY;BYHOUR=0,1,2,3;BYMINUTE=0,30",
    "FREQ=WEEKLY;BYDAY=SU,FR;BYHOUR=2;BYMINUTE=15,45",
    "FREQ=HOURLY;INTERVAL=5",
    "FREQ=MINUTELY;INTERVAL=7;BYHOUR=0,1,2,3,23",
    "FREQ=MINUTELY;INTERVAL=50",
    "FREQ=MONTHLY;BYDAY=SU,SA;BYHOUR=1,2;BYMINUTE=30;BYSETPOS=1,2,-1,-2,-3",
]


@settings(max_examples=60, deadline=None)
@given(
    zone=st.sampled_from(ZONES),
    number=st.integers(0, 99),
    rule=st.sampled_from(IN_ZONES),
    policies=st.sampled_from(POLICIES),
    bound=st.sampled_from(["", ";COUNT=20", ";UNTIL=change"]),
)
def test_around_changes_of_clocks_a_recurrence_agrees_with_a_scan_of_every_minute(
    zone: str, number: int, rule: str, policies: tuple[str, str], bound: str
) -> None:
    # Given three days around a change of clocks, in a rule that starts shortly before
    changes = changes_of(zone)
    middle = changes[number % len(changes)]
    begin, end = (middle - 36 * 3600) * SECOND, (middle + 36 * 3600) * SECOND
    start = datetime_at(begin, UTC).replace(tzinfo=None, minute=0, second=0) - timedelta(days=2)
    until = LATEST
    if bound == ";UNTIL=change":
        until = (middle + 1800) * SECOND
        bound = f";UNTIL={datetime_at(until, UTC):%Y%m%dT%H%M%SZ}"
    naive = rule + (bound if "UNTIL" not in bound else "")
    local_times = set()
    for moment in rrulestr(naive, dtstart=start):
        if moment > start + timedelta(days=7):
            break
        local_times.add(moment)
    expected = [at for at in scanned(local_times, zone, begin, end, policies) if at <= until]

    # When it is walked forth and back
    gap, fold = policies
    try:
        occurrences = recurrence(f"DTSTART:{start:%Y%m%dT%H%M%S}\nRRULE:{rule}{bound}", zone,
                                 gap=gap, fold=fold)  # fmt: skip
    except ScheduleError:
        assert not expected
        return
    found = walk(occurrences, begin, end)

    # Then both are what the scan finds, and every part is counted so
    assert found == expected
    assert walk_back(occurrences, begin, end) == found
    for at in range(middle - 7200, middle + 7201, 900):
        before = len([one for one in found if one <= at * SECOND])
        assert occurrences.count_between(begin, at * SECOND, 0) == before
        assert occurrences.count_between(at * SECOND, end, 0) == len(found) - before


@pytest.mark.parametrize("zone", ZONES)
def test_the_same_times_as_a_cron_rule_are_the_same_instants(zone: str) -> None:
    months = "BYHOUR=0,1,2,3;BYMINUTE=0,20,40;BYMONTH=3,4,10,11;BYDAY=SA,SU"
    pairs = [
        ("30 2 * * *", "FREQ=DAILY;BYHOUR=2;BYMINUTE=30"),
        ("0,20,40 0-3 * 3,4,10,11 0,6", f"FREQ=DAILY;{months}"),
        ("0 0 29 2 *", "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29"),
    ]
    for gap, fold in POLICIES:
        for cron, rule in pairs:
            ours = recurrence(f"DTSTART:19690101T000000\nRRULE:{rule}", zone, gap=gap, fold=fold)
            theirs = occurrences_of(
                ScheduleRule("cron", cron=cron, timezone=zone, gap=gap, fold=fold)
            )
            assert ours.count_between(EARLIEST, LATEST, 0) == theirs.count_between(
                EARLIEST, LATEST, 0
            )
            for change in changes_of(zone)[:20]:
                begin, end = (change - 90_000) * SECOND, (change + 90_000) * SECOND
                assert walk(ours, begin, end) == walk(theirs, begin, end), (cron, change)


MANY = [
    "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29",
    "FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13",
    "FREQ=WEEKLY;INTERVAL=3;BYDAY=MO,FR;BYSETPOS=-1",
    "FREQ=DAILY;INTERVAL=17;BYHOUR=2,14",
    "FREQ=HOURLY;INTERVAL=7;BYDAY=SU",
    "FREQ=HOURLY;INTERVAL=1001;BYMONTH=3",
    "FREQ=MINUTELY;INTERVAL=13;BYMONTHDAY=-1",
    "FREQ=SECONDLY;INTERVAL=11;BYHOUR=2",
    "FREQ=SECONDLY;INTERVAL=86399",
    "FREQ=DAILY;COUNT=10000",
]


@settings(max_examples=100, deadline=None)
@given(
    rule=st.sampled_from(MANY),
    zone=st.sampled_from(ZONES),
    moment=st.integers(0, instant_of(datetime(2200, 12, 31), UTC)),
)
def test_next_and_last_are_each_others_inverse(rule: str, zone: str, moment: int) -> None:
    occurrences = recurrence(f"DTSTART:19800106T023007\nRRULE:{rule}", zone)

    following = occurrences.next_after(moment, 0)
    last = occurrences.last_until(moment, -1, 0)

    if following is not None:
        assert following > moment
        assert occurrences.last_until(following, moment, 0) == following
        assert occurrences.last_until(following - 1, moment, 0) is None
        assert occurrences.count_between(moment, following, 0) == 1
        assert occurrences.first(following) == following
    if last is not None:
        assert last <= moment
        assert occurrences.next_after(last - 1, 0) == last
        assert occurrences.next_after(last, 0) == following
        total = occurrences.count_between(-1, LATEST, 0)
        before = occurrences.count_between(-1, last, 0)
        after = occurrences.count_between(last, LATEST, 0)
        assert (total or 0) == (before or 0) + (after or 0)


@pytest.mark.parametrize("rule", MANY)
@pytest.mark.parametrize("moment", [-(10**40), -1, EARLIEST, LATEST, LATEST + 1, 10**40])
def test_no_moment_is_too_far_to_be_asked_about(rule: str, moment: int) -> None:
    occurrences = recurrence(f"DTSTART:20300106T023007\nRRULE:{rule}", NEW_YORK)

    following = occurrences.next_after(moment, 0)
    assert following is None or moment < following <= LATEST
    last = occurrences.last_until(moment, -(10**41), 0)
    count = occurrences.count_between(-(10**41), moment, 0)
    assert count is not None
    assert (count == 0) == (last is None)


@pytest.mark.parametrize("rule", MANY)
def test_an_old_start_costs_nothing(rule: str) -> None:
    # Given rules that began in 1970 (or far before), in a zone that changes its clocks
    occurrences = recurrence(f"DTSTART:19700101T023007\nRRULE:{rule}", NEW_YORK)
    moments = [instant_of(datetime(year, 5, 17), UTC) for year in range(1971, 2200, 8)]
    for moment in moments:
        occurrences.next_after(moment, 0)

    # When the next instant is asked for again and again
    began = time.process_time()
    for moment in moments:
        occurrences.next_after(moment, 0)
        occurrences.last_until(moment, 0, 0)
    spent = time.process_time() - began

    # Then each answer takes far less than its 5 ms
    assert spent / len(moments) / 2 < 0.005


def test_a_start_long_before_the_planned_years_keeps_its_phase() -> None:
    text = "DTSTART:16010105T090000\nRRULE:FREQ=YEARLY;INTERVAL=7"
    first = next(at for at in rrulestr(text) if at.year >= 1970)

    assert shown(text, "UTC", most=1) == [f"{first:%Y-%m-%d %H:%M}"]


def test_a_count_of_a_million_is_exact() -> None:
    every = recurrence("DTSTART:20000101T000000\nRRULE:FREQ=MINUTELY;BYHOUR=9;COUNT=1000000", TOKYO)
    last = every.last_until(LATEST, 0, 0)

    assert every.count_between(0, LATEST, 0) == 1_000_000
    days, rest = divmod(1_000_000 - 1, 60)
    expected = datetime(2000, 1, 1, 9) + timedelta(days=days, minutes=rest)
    assert last == instant_of(expected, ZoneInfo(TOKYO))
