"""Cron rules in zones: against cronsim, against a scan of every minute, and the named nights."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim
from hypothesis import given, settings
from hypothesis import strategies as st

from task_scheduler.schedules.cron_expression import parse_cron
from task_scheduler.schedules.cron_occurrences import CronOccurrences
from task_scheduler.schedules.instants import SECOND, datetime_at, instant_of
from task_scheduler.schedules.occurrences import Occurrences
from task_scheduler.schedules.on_calendar import parse_on_calendar
from task_scheduler.schedules.rule import ScheduleRule, occurrences_of
from task_scheduler.schedules.zones import Zone, zone_named

ZONES = [
    "UTC",
    "Asia/Tokyo",
    "America/New_York",
    "America/St_Johns",
    "America/Sao_Paulo",
    "Europe/London",
    "Europe/Dublin",
    "Africa/Casablanca",
    "Africa/Cairo",
    "Asia/Beirut",
    "Asia/Gaza",
    "Asia/Tehran",
    "Australia/Lord_Howe",
    "Pacific/Auckland",
    "Pacific/Chatham",
    "Pacific/Apia",
    "Antarctica/Troll",
    "America/Scoresbysund",
]
EXPRESSIONS = [
    "0 3 * * *",
    "30 2 * * *",
    "0,30 1,2 * * *",
    "0 0 * * *",
    "59 23 * * *",
    "15 0-5 * * *",
    "*/20 * * * *",
    "*/30 2 * * *",
    "45 * * * *",
    "0 */2 * * *",
    "10 2 * * 0",
    "30 1 8-14 3,11 *",
    "0 12 29 2 *",
    "5-25/10 0,2 1,31 * 0,6",
]

CRONSIM_DIFFERS = "Australia/Lord_Howe"
"""On the night when Lord Howe's clocks go back half an hour, cronsim takes wildcard rules from hour
to hour in steps of 3600 s, and passes over half an hour. There the scan of every minute judges."""

FIXED = (timezone(timedelta(hours=1)), timezone(timedelta(0)))


def instant(*parts: int) -> int:
    return instant_of(datetime(*parts), UTC)


def changes_of(zone: str, since: int, until: int) -> list[int]:
    """Return the seconds at which a zone changes its clocks, between two seconds."""
    found = []
    second = since
    while second < until:
        period = zone_named(zone).period_at(second)
        if period.before != period.offset and period.start >= since:
            found.append(period.start)
        second = period.end
    return list(dict.fromkeys(found))


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


@pytest.mark.parametrize("zone", ZONES)
def test_around_every_change_of_clocks_we_agree_with_cronsim(zone: str) -> None:
    since, until = instant(2004, 1, 1) // SECOND, instant(2030, 1, 1) // SECOND
    # Given the days around each change (where a zone has none, some others)
    middles = changes_of(zone, since, until)[-16:] or [instant(2024, 3, 1) // SECOND]
    for middle in middles:
        begin, end = (middle - 36 * 3600) * SECOND, (middle + 36 * 3600) * SECOND
        for text in EXPRESSIONS:
            if zone == CRONSIM_DIFFERS and "*" in "".join(text.split()[:2]):
                continue
            occurrences = occurrences_of(ScheduleRule("cron", cron=text, timezone=zone))

            # When both evaluate the expression from two days before
            early = datetime_at(begin - 48 * 3600 * SECOND, ZoneInfo(zone))
            theirs = set()
            for moment in CronSim(text, early):
                at = instant_of(moment, UTC)
                if at > end:
                    break
                theirs.add(at)

            # Then they agree on every instant
            expected = sorted(at for at in theirs if begin < at)
            assert walk(occurrences, begin, end) == expected, (text, middle)


POLICIES = [(gap, fold) for gap in ("run_after", "skip") for fold in ("once", "twice")]


def scanned(text: str, zone: str, begin: int, end: int, *, gap: str, fold: str) -> list[int]:
    """Return what a rule of minutes and hours does in ``(begin, end]``, minute by minute.

    An independent reading of the two policies: it looks at local times only, one after the other.
    """
    fields = text.split()
    minutes, hours = ({int(n) for n in field.split(",")} for field in fields[:2])
    tz = ZoneInfo(zone)

    def is_match(moment: datetime) -> bool:
        return moment.minute in minutes and moment.hour in hours

    found = []
    previous = datetime_at(begin, tz)
    for at in range(begin + 60 * SECOND, end + 1, 60 * SECOND):
        moment = datetime_at(at, tz)
        naive, skipped = moment.replace(tzinfo=None), previous.replace(tzinfo=None)
        runs = is_match(naive) and (fold == "twice" or moment.fold == 0)
        skipped += timedelta(minutes=1)
        while gap == "run_after" and skipped < naive:
            runs = runs or is_match(skipped)
            skipped += timedelta(minutes=1)
        if runs:
            found.append(at)
        previous = moment
    return found


@settings(max_examples=80, deadline=None)
@given(
    zone=st.sampled_from(ZONES[2:]),
    number=st.integers(0, 39),
    minutes=st.sets(st.integers(0, 59), min_size=1, max_size=4),
    hours=st.sets(st.integers(0, 23), min_size=1, max_size=3)
    | st.sampled_from([{0, 1, 2, 3}, set(range(24))]),
    policies=st.sampled_from(POLICIES),
)
def test_every_choice_of_policies_agrees_with_a_scan_of_every_minute(
    zone: str, number: int, minutes: set[int], hours: set[int], policies: tuple[str, str]
) -> None:
    gap, fold = policies
    # Given three days around a change of clocks
    changes = changes_of(zone, instant(1990, 1, 1) // SECOND, instant(2035, 1, 1) // SECOND)
    middle = changes[number % len(changes)]
    begin, end = (middle - 36 * 3600) * SECOND, (middle + 36 * 3600) * SECOND
    text = f"{','.join(map(str, minutes))} {','.join(map(str, hours))} * * *"

    occurrences = occurrences_of(ScheduleRule("cron", cron=text, timezone=zone, gap=gap, fold=fold))
    found = walk(occurrences, begin, end)

    assert found == scanned(text, zone, begin, end, gap=gap, fold=fold)
    assert walk_back(occurrences, begin, end) == found
    assert occurrences.count_between(begin, end, 0) == len(found)
    # And every part of the stretch is counted as it is walked.
    for at in range(middle - 7200, middle + 7200, 900):
        expected = len([one for one in found if one <= at * SECOND])
        assert occurrences.count_between(begin, at * SECOND, 0) == expected
        assert occurrences.count_between(at * SECOND, end, 0) == len(found) - expected


OTHERS = [
    "*/7 * * * * *",
    "30 15 2 * * *",
    "0 0 0 1 1 *",
    "0 0 0 29 2 ? 2000-2200/20",
    "0 0 31 12 ? 2199",
    "0 0 L-30 * ?",
    "0 2 LW * *",
    "30 1 15W 3,11 *",
    "0 0 * 12 5#5",
    "30 23 * * 6L",
    "H H * * *",
    "H/20 ~ * * *",
]
EVENTS = ["*-02~1 02:30", "Sun *-3,11-* 0..3:0/20", "2011-12-29..31 12:00", "Sat *-*~7/1 01:15:30"]


def every_kind(text: str, zone: str, gap: str | None, fold: str | None) -> CronOccurrences:
    """Return the instants of a cron expression or calendar event; without a choice, Debian's."""
    expression = parse_on_calendar(text) if text in EVENTS else parse_cron(text, "pump")
    return CronOccurrences(
        expression.times,
        zone_named(zone),
        is_run_after_gap=expression.is_fixed if gap is None else gap == "run_after",
        is_twice_in_fold=not expression.is_fixed if fold is None else fold == "twice",
    )


@st.composite
def moments(draw: st.DrawFn, zone: str) -> int:
    """Draw any moment, or one near a change of clocks."""
    changes = changes_of(zone, 0, instant(2040, 1, 1) // SECOND)
    if not changes or draw(st.booleans()):
        return draw(st.integers(-(10**15), instant(2201, 12, 31)))
    return draw(st.sampled_from(changes)) * SECOND + draw(st.integers(-(10**11), 10**11))


@settings(max_examples=250, deadline=None)
@given(
    data=st.data(),
    zone=st.sampled_from([*ZONES, "Pacific/Kwajalein", "America/Caracas", "Asia/Pyongyang"]),
    text=st.sampled_from([*EXPRESSIONS, *OTHERS, *EVENTS]),
    policies=st.sampled_from([(None, None), *POLICIES]),
)
def test_next_and_last_are_each_others_inverse(
    data: st.DataObject, zone: str, text: str, policies: tuple[str | None, str | None]
) -> None:
    gap, fold = policies
    moment = data.draw(moments(zone))
    occurrences = every_kind(text, zone, gap, fold)

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
    # And what is remembered changes no answer: a rule that was never asked says the same.
    fresh = every_kind(text, zone, gap, fold)
    assert occurrences.next_after(moment, 0) == fresh.next_after(moment, 0) == following


@settings(max_examples=100, deadline=None)
@given(
    data=st.data(),
    zone=st.sampled_from(ZONES),
    text=st.sampled_from([*EXPRESSIONS, *OTHERS, *EVENTS]),
    policies=st.sampled_from([(None, None), *POLICIES]),
    steps=st.integers(1, 60),
)
def test_a_count_is_the_length_of_the_walk(
    data: st.DataObject,
    zone: str,
    text: str,
    policies: tuple[str | None, str | None],
    steps: int,
) -> None:
    occurrences = every_kind(text, zone, *policies)
    begin = end = data.draw(moments(zone))
    found: list[int] = []
    while len(found) < steps:
        following = occurrences.next_after(end, 0)
        if following is None:
            break
        found.append(following)
        end = following

    assert occurrences.count_between(begin, end, 0) == len(found)
    assert walk_back(occurrences, begin, end) == found


@pytest.mark.parametrize(
    "text", ["0 0 29 2 *", "0 0 0 L-30 * ? *", "0 0 31 12 ? 2199", "0 0 ? 2 5#5", "* * * * *"]
)
@pytest.mark.parametrize("zone", ["America/New_York", "Africa/Casablanca", "Asia/Tokyo"])
def test_the_slowest_search_takes_a_millisecond(text: str, zone: str) -> None:
    times = parse_cron(text).times

    def cold() -> float:
        rule = CronOccurrences(
            times, Zone(ZoneInfo(zone)), is_run_after_gap=True, is_twice_in_fold=False
        )
        begin = time.process_time()
        rule.next_after(0, 0)
        rule.last_until(instant(2200, 12, 31), 0, 0)
        return time.process_time() - begin

    # Both searches, in a zone that was never asked; the quickest of some, for the sake of noise.
    assert min(cold() for _ in range(7)) < 0.002


NEW_YORK = "America/New_York"


def on(rule: ScheduleRule, *day: int) -> list[str]:
    """Return the local times with offset at which a rule runs on a day in New York."""
    tz = ZoneInfo(NEW_YORK)
    begin = instant_of(datetime(*day), tz) - 1
    end = instant_of(datetime(*day) + timedelta(days=1), tz) - 1
    found = walk(occurrences_of(rule), begin, end)
    return [datetime_at(at, tz).strftime("%H:%M%z") for at in found]


def cron(text: str, **policies: str) -> ScheduleRule:
    return ScheduleRule("cron", cron=text, timezone=NEW_YORK, **policies)


def test_a_nightly_job_runs_once_in_the_night_without_its_hour() -> None:
    assert on(cron("30 2 * * *"), 2026, 3, 8) == ["03:00-0400"]
    assert on(cron("0,15,30 2 * * *"), 2026, 3, 8) == ["03:00-0400"]
    assert on(cron("0 2,3 * * *"), 2026, 3, 8) == ["03:00-0400"]
    assert on(cron("30 2 * * *", gap="skip"), 2026, 3, 8) == []
    assert on(cron("* 30 2 * * *"), 2026, 3, 8) == ["03:00-0400"]


def test_a_nightly_job_runs_once_in_the_night_with_its_hour_twice() -> None:
    assert on(cron("30 1 * * *"), 2026, 11, 1) == ["01:30-0400"]
    assert on(cron("30 1 * * *", fold="twice"), 2026, 11, 1) == ["01:30-0400", "01:30-0500"]
    assert on(cron("0 2 * * *"), 2026, 11, 1) == ["02:00-0500"]


def test_a_wildcard_rule_follows_real_time() -> None:
    spring = on(cron("*/30 1-3 * * *"), 2026, 3, 8)
    autumn = on(cron("*/30 1 * * *"), 2026, 11, 1)

    assert spring == ["01:00-0500", "01:30-0500", "03:00-0400", "03:30-0400"]
    assert autumn == ["01:00-0400", "01:30-0400", "01:00-0500", "01:30-0500"]
    assert on(cron("*/30 1 * * *", fold="once"), 2026, 11, 1) == ["01:00-0400", "01:30-0400"]
    assert on(cron("*/30 2 * * *", gap="run_after"), 2026, 3, 8) == ["03:00-0400"]


def test_half_an_hour_back_loses_no_wildcard_run() -> None:
    # The night in which cronsim misses one: 02:00 +11:00 becomes 01:30 +10:30.
    rule = ScheduleRule("cron", cron="*/30 2 * * *", timezone="Australia/Lord_Howe")
    found = walk(occurrences_of(rule), instant(2022, 4, 2, 14), instant(2022, 4, 2, 20))

    assert found == [instant(2022, 4, 2, 15, 30), instant(2022, 4, 2, 16)]


def test_a_rule_of_every_minute_never_pauses_at_a_change_of_clocks() -> None:
    every = occurrences_of(cron("* * * * *"))
    for change in changes_of(
        NEW_YORK, instant(2026, 1, 1) // SECOND, instant(2028, 1, 1) // SECOND
    ):
        found = walk(every, (change - 7200) * SECOND, (change + 7200) * SECOND)
        assert {b - a for a, b in pairwise(found)} == {60 * SECOND}


def test_a_day_that_does_not_exist_is_a_gap_like_any_other() -> None:
    # Apia had no 30 December 2011.
    rule = ScheduleRule("cron", cron="0 9 30 12 *", timezone="Pacific/Apia")
    tz = ZoneInfo("Pacific/Apia")

    found = occurrences_of(rule).next_after(instant(2011, 6, 1), 0)

    assert found is not None
    assert str(datetime_at(found, tz)) == "2011-12-31 00:00:00+14:00"


def test_a_fold_is_one_wherever_our_own_search_cuts_the_time() -> None:
    # Given clocks that go back an hour half an hour before such a cut
    cut = 54 << 25

    class Backwards(tzinfo):
        def utcoffset(self, moment: datetime | None) -> timedelta:
            raise NotImplementedError

        def fromutc(self, moment: datetime) -> datetime:
            second = instant_of(moment.replace(tzinfo=None), UTC) // SECOND
            return moment.replace(tzinfo=FIXED[second >= cut - 1800])

    occurrences = CronOccurrences(
        parse_cron("*/10 * * * *").times,
        Zone(Backwards()),
        is_run_after_gap=True,
        is_twice_in_fold=False,
    )
    begin, end = (cut - 7200) * SECOND, (cut + 7200) * SECOND

    # Then the hour that comes again is left out to its end
    found = walk(occurrences, begin, end)
    pauses = [b - a for a, b in pairwise(found) if b - a != 600 * SECOND]
    assert pauses == [70 * 60 * SECOND]
    assert walk_back(occurrences, begin, end) == found
    assert occurrences.count_between(begin, end, 0) == len(found)
    assert occurrences.count_between(cut * SECOND, end, 0) == len(
        [at for at in found if at > cut * SECOND]
    )


def test_long_stretches_are_counted_exactly() -> None:
    # 24 runs a day, one less in spring and one more in autumn, is 24 a day.
    hourly = occurrences_of(cron("0 * * * *"))
    nightly = occurrences_of(cron("30 2 * * *"))
    tz = ZoneInfo(NEW_YORK)
    begin, end = (instant_of(datetime(year, 1, 1), tz) - 1 for year in (1971, 2171))
    days = (datetime(2171, 1, 1) - datetime(1971, 1, 1)).days

    assert hourly.count_between(begin, end, 0) == days * 24
    assert nightly.count_between(begin, end, 0) == days
