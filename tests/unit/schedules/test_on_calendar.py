"""Calendar events: against what systemd-analyze said (systemd 252), and what it would not say."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from task_scheduler.errors import ScheduleError
from task_scheduler.schedules.cron_occurrences import CronOccurrences
from task_scheduler.schedules.instants import SECOND, datetime_at, instant_of
from task_scheduler.schedules.on_calendar import CalendarExpression, parse_on_calendar
from task_scheduler.schedules.zones import zone_named

VECTORS = json.loads(Path(__file__).with_name("systemd_252.json").read_text(encoding="utf-8"))
"""Event, its normalized form (none where it was refused) and its first runs from 2024 on."""

BASE = instant_of(datetime(2024, 1, 1), UTC)

DELIBERATE = {
    "00:00:00.5": "on_calendar_fraction",
    "00:00:0.000001/2": "on_calendar_fraction",
    "anually": "on_calendar_word",
    "*-02-30": "on_calendar_impossible",
    "*-02-31 00:00": "on_calendar_impossible",
    "2003-02-29": "on_calendar_impossible",
    "Wed..Sat,Tue 12-10-15 1:2:3": "on_calendar_impossible",
    " 12:00": "",
    "12:00 ": "",
}
"""Where we mean to differ, and how: the key of our refusal, or none where we alone accept."""


def occurrences_of(expression: CalendarExpression, zone: str = "UTC") -> CronOccurrences:
    return CronOccurrences(
        expression.times,
        zone_named(expression.zone or zone),
        is_run_after_gap=expression.is_fixed,
        is_twice_in_fold=not expression.is_fixed,
    )


def runs_of(text: str, count: int, zone: str = "UTC", since: int = BASE) -> list[str]:
    occurrences = occurrences_of(parse_on_calendar(text), zone)
    found = []
    following = occurrences.next_after(since, 0)
    while following is not None and len(found) < count:
        found.append(datetime_at(following, UTC).strftime("%Y-%m-%d %H:%M:%S"))
        following = occurrences.next_after(following, 0)
    return found


AGREED = [vector for vector in VECTORS if vector[0] not in DELIBERATE]


@pytest.mark.parametrize(("text", "normalized", "runs"), AGREED, ids=[v[0] for v in AGREED])
def test_an_event_is_what_systemd_says(text: str, normalized: str | None, runs: list[str]) -> None:
    if normalized is None:
        with pytest.raises(ScheduleError):
            parse_on_calendar(text)
        return
    assert parse_on_calendar(text).normalized == normalized
    assert runs_of(text, 4) == runs


@pytest.mark.parametrize("text", DELIBERATE)
def test_where_we_differ_from_systemd_we_mean_to(text: str) -> None:
    key = DELIBERATE[text]
    if not key:
        assert parse_on_calendar(text).normalized == "*-*-* 12:00:00"
        return
    with pytest.raises(ScheduleError) as caught:
        parse_on_calendar(text)
    assert caught.value.key == f"schedules.{key}"


@pytest.mark.parametrize(("text", "normalized", "runs"), AGREED, ids=[v[0] for v in AGREED])
def test_the_normalized_form_means_the_same(
    text: str, normalized: str | None, runs: list[str]
) -> None:
    if normalized is not None:
        expression = parse_on_calendar(normalized)
        assert expression.normalized == normalized
        assert runs_of(normalized, 4) == runs
        if not text.startswith("@"):
            assert expression.is_fixed == parse_on_calendar(text).is_fixed


WRONG = {
    "": "'' stands where nothing more is expected",
    "   ": "Write weekdays, date, time and time zone",
    "dayly": "Did you mean 'daily'",
    "Thurs": "Did you mean 'Thursday'",
    "12:00 Asia/Tokio": "Did you mean 'Asia/Tokyo'",
    "Sat..Mon": "the weekdays 'Sat..Mon' go backwards",
    "Mon Tue": "'Tue' is no date",
    "12:00 *-*-*": r"'\*-\*-\*' stands where nothing more is expected",
    "25:00": "'25' is no valid hour; allowed: 0-23",
    "*-*-5..1": r"the range '5\.\.1' of the day of month goes backwards",
    "*:0/0": "the repetition in '0/0' of the minute must be a whole number from 1 on",
    "*:59/1": "the repetition in '59/1' of the minute .* meets a second value",
    "*-*~29": "'29' is no valid day of month; allowed: 1-28",
    "1969-1-1": "'1969' is no valid year; allowed: 1970-2199",
    "*-02-30": r"would never come: no day fits '\*-02-30 00:00:00'",
    "2003-02-29": "would never come",
    "Mon 2024-01-02": "would never come",
    "@-5": "'@-5' is no moment",
    "@99999999999": "is no moment",
    "@5 6": "is no moment",
    "٣:00": "'٣' is no valid hour",
    f"{'1,' * 1500}1:00": "has 3004 characters, at most 2000",
}


@pytest.mark.parametrize("text", WRONG, ids=lambda text: text[:20] or "empty")
def test_a_wrong_event_names_part_value_and_remedy(text: str) -> None:
    with pytest.raises(ScheduleError, match=WRONG[text]) as caught:
        parse_on_calendar(text)

    assert len(str(caught.value)) < 500


@pytest.mark.parametrize(
    ("text", "is_fixed"),
    [
        ("daily", True),
        ("hourly", False),
        ("*:0/15", False),
        ("00/2:00", False),
        ("8..18/2:00", True),
        ("08:00/5", False),
        ("08:00", True),
    ],
)
def test_an_event_names_times_of_the_day_or_follows_time(text: str, is_fixed: bool) -> None:
    assert parse_on_calendar(text).is_fixed is is_fixed


def test_changes_of_clocks_are_those_of_cron() -> None:
    # New York: 02:00-03:00 is skipped on 8 March 2026, 01:00-02:00 comes twice on 1 November.
    spring, autumn = (instant_of(datetime(2026, *day), UTC) for day in ((3, 8), (11, 1)))

    assert runs_of("02:30 America/New_York", 1, since=spring) == ["2026-03-08 07:00:00"]
    assert runs_of("01:30 America/New_York", 2, since=autumn) == [
        "2026-11-01 05:30:00",
        "2026-11-02 06:30:00",
    ]
    assert runs_of("*:30", 3, "America/New_York", autumn + 5 * 3600 * SECOND) == [
        "2026-11-01 05:30:00",
        "2026-11-01 06:30:00",
        "2026-11-01 07:30:00",
    ]


@settings(max_examples=300, deadline=None)
@given(text=st.text(alphabet="0123456789*-~:,./ @MonTueaily", max_size=30) | st.text(max_size=30))
def test_text_of_any_kind_is_read_or_refused(text: str) -> None:
    try:
        expression = parse_on_calendar(text)
    except ScheduleError:
        return
    assert expression.times.at_or_after(-(10**12)) is not None
    assert parse_on_calendar(expression.normalized).normalized == expression.normalized


@pytest.mark.parametrize(
    "text",
    ["-" * 1900, "," * 1900, "1" * 1900, "Mon," * 470, "1.." * 600, ":" * 10**6, "0/" * 10**6],
    ids=lambda text: text[:6],
)
def test_a_long_text_takes_no_time(text: str) -> None:
    begin = time.process_time()
    with pytest.raises(ScheduleError):
        parse_on_calendar(f"{text}x")

    assert time.process_time() - begin < 0.05
