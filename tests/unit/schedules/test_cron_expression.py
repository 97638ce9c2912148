"""The text of cron expressions, and the calendar that follows from it."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from task_scheduler.errors import ScheduleError
from task_scheduler.schedules.cron_expression import parse_cron
from task_scheduler.schedules.cron_times import CronTimes

EPOCH = datetime(1970, 1, 1)
FIELDS = {"minute": (0, 59), "hour": (0, 23), "day": (1, 31), "month": (1, 12), "weekday": (0, 7)}


def local(moment: datetime) -> int:
    return int((moment - EPOCH).total_seconds())


def after(text: str, *moment: int) -> str:
    """Return the first time that an expression matches at or after a local time."""
    found = parse_cron(text).times.at_or_after(local(datetime(*moment)))
    assert found is not None
    return str(EPOCH + timedelta(seconds=found))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0 3 * * *", "2026-01-02 03:00:00"),
        ("*/15 * * * *", "2026-01-01 12:15:00"),
        ("5/20 * * * *", "2026-01-01 12:05:00"),
        ("10-20/5,59 9-10 * * *", "2026-01-02 09:10:00"),
        ("0 0 29 feb *", "2028-02-29 00:00:00"),
        ("0 0 * * SUN", "2026-01-04 00:00:00"),
        ("0 0 * * 0", "2026-01-04 00:00:00"),
        ("0 0 * * 7", "2026-01-04 00:00:00"),
        ("0 0 ? * 7", "2026-01-04 00:00:00"),
        ("0 0 * * Fri-Sun", "2026-01-02 00:00:00"),
        ("0 0 * * 5-7", "2026-01-02 00:00:00"),
        ("30 * * * * *", "2026-01-01 12:00:30"),
        ("*/20 30 13 1 1 ?", "2026-01-01 13:30:00"),
        ("@hourly", "2026-01-01 13:00:00"),
        ("@daily", "2026-01-02 00:00:00"),
        ("@midnight", "2026-01-02 00:00:00"),
        ("@weekly", "2026-01-04 00:00:00"),
        (" @Monthly ", "2026-02-01 00:00:00"),
        ("@yearly", "2027-01-01 00:00:00"),
        ("@annually", "2027-01-01 00:00:00"),
        ("*/60 * * * *", "2026-01-01 13:00:00"),
    ],
)
def test_an_expression_matches_next(text: str, expected: str) -> None:
    assert after(text, 2026, 1, 1, 12, 0, 1) == expected


def test_either_day_matches_where_both_are_restricted() -> None:
    # The 13th, and every Friday: 13 January 2026 is a Tuesday, 16 January a Friday.
    assert after("0 0 13 * FRI", 2026, 1, 10) == "2026-01-13 00:00:00"
    assert after("0 0 13 * FRI", 2026, 1, 14) == "2026-01-16 00:00:00"


def test_both_days_must_match_where_one_begins_with_a_star() -> None:
    # Every second day of the month, if it is a Friday; Friday the 16th is an even day.
    assert after("0 0 */2 * FRI", 2026, 1, 10) == "2026-01-23 00:00:00"
    assert after("0 0 13 * */7", 2026, 1, 10) == "2026-09-13 00:00:00"


def test_the_29th_of_february_on_a_weekday_is_found_decades_away() -> None:
    assert after("0 0 29 2 */6", 2026, 1, 1) == "2032-02-29 00:00:00"
    times = parse_cron("0 0 29 2 *").times
    assert times.at_or_after(local(datetime(2096, 3, 1))) == local(datetime(2104, 2, 29))
    assert times.at_or_before(local(datetime(2104, 2, 28))) == local(datetime(2096, 2, 29))


def test_the_search_ends_where_the_calendar_ends() -> None:
    times = parse_cron("0 0 29 2 *").times

    assert times.at_or_after(local(datetime(2201, 1, 1))) is None
    assert times.at_or_after(10**30) is None
    assert times.at_or_before(local(datetime(1969, 5, 1))) is None
    assert times.at_or_before(-(10**30)) is None
    assert times.count_before(10**30) == 232 // 4 - 2
    assert times.count_before(-(10**30)) == 0


WRONG = {
    "": "0 fields",
    "* * * *": "4 fields",
    "0 0 0 1 1 * 2030": "7 fields",
    "60 * * * *": "'60' is no valid minute; allowed: 0-59",
    "* 24 * * *": "'24' is no valid hour; allowed: 0-23",
    "* * 0 * *": "'0' is no valid day of month; allowed: 1-31",
    "* * 32 * *": "'32' is no valid day of month; allowed: 1-31",
    "* * * 13 *": r"'13' is no valid month; allowed: 1-12 \(JAN-DEC\)",
    "* * * FOO *": "'FOO' is no valid month",
    "* * * * 8": r"'8' is no valid day of week; allowed: 0-7 \(SUN-SAT\)",
    "* * * * MONDAY": "'MONDAY' is no valid day of week",
    "60 * * * * *": "'60' is no valid second; allowed: 0-59",
    "1,,2 * * * *": "'' is no valid minute",
    "-5 * * * *": "'' is no valid minute",
    "5- * * * *": "'' is no valid minute",
    "1-2-3 * * * *": "'2-3' is no valid minute",
    "*-5 * * * *": r"'\*' is no valid minute",
    "1.5 * * * *": "'1.5' is no valid minute",
    "² * * * *": "'²' is no valid minute",
    "٣ * * * *": "'٣' is no valid minute",
    "* 22-2 * * *": "'22-2' in the field hour goes backwards",
    "* * * * FRI-MON": "'FRI-MON' in the field day of week goes backwards",
    "*/0 * * * *": r"'\*/0' of the field minute .* 1 to 60",
    "*/90 * * * *": r"'\*/90' of the field minute .* 1 to 60",
    "*/ * * * *": r"'\*/' of the field minute",
    "*/x * * * *": r"'\*/X' of the field minute",
    "*/2/2 * * * *": r"'\*/2/2' of the field minute",
    "? * * * *": r"'\?' in the field minute",
    "0 0 ?/2 * *": r"'\?/2' in the field day of month",
    "0 0 31 2 *": "'31' does not come in month '2', whose longest has 29 days",
    "0 0 30-31 FEB *": "'30-31' does not come in month 'FEB'",
    "0 0 31 4,6,9,11 *": "allowed: 1-30",
    "0 0 31 2 */2": "'31' does not come",
    "@hourli": "Did you mean '@hourly'",
    "@reboot": "'@reboot' is no known alias",
    "@": "no known alias",
    f"{'9' * 5000} * * * *": r"is no valid minute",
    f"*/{'9' * 5000} * * * *": r"1 to 60",
}


@pytest.mark.parametrize("text", WRONG, ids=lambda text: text[:20] or "empty")
def test_a_wrong_expression_names_field_value_and_range(text: str) -> None:
    with pytest.raises(ScheduleError, match=WRONG[text]) as caught:
        parse_cron(text)

    assert len(str(caught.value)) < 400


def test_an_impossible_day_is_fine_where_the_weekday_is_another_way() -> None:
    assert after("0 0 31 2 MON", 2026, 1, 1) == "2026-02-02 00:00:00"


@settings(max_examples=300, deadline=None)
@given(text=st.text(alphabet="0123456789*/-,? @LWMONa#\t", max_size=30))
def test_text_of_any_kind_is_read_or_refused(text: str) -> None:
    read = read_or_refused(text)

    assert isinstance(read, str) or read.at_or_after(0) is not None


def read_or_refused(text: str) -> CronTimes | str:
    """Return the times of an expression, or the key of the sentence that refuses it."""
    try:
        return parse_cron(text).times
    except ScheduleError as error:
        return error.key


@st.composite
def fields(draw: st.DrawFn, low: int, high: int) -> tuple[str, set[int]]:
    """Draw the text of one field and, by its own reading, the values it stands for."""
    texts, values = [], set()
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(low, high))
        end = draw(st.integers(start, high))
        step = draw(st.integers(1, high - low + 1))
        shape = draw(st.sampled_from(["one", "range", "stepped", "star", "from"]))
        text, found = {
            "one": (f"{start}", [start]),
            "range": (f"{start}-{end}", range(start, end + 1)),
            "stepped": (f"{start}-{end}/{step}", range(start, end + 1, step)),
            "star": (f"*/{step}", range(low, high + 1, step)),
            "from": (f"{start}/{step}", range(start, high + 1, step)),
        }[shape]
        texts.append(text)
        values |= set(found)
    return ",".join(texts), values


@settings(max_examples=120, deadline=None)
@given(
    drawn=st.tuples(*(fields(low, high) for low, high in FIELDS.values())),
    start=st.datetimes(datetime(1970, 1, 1), datetime(2199, 12, 1)),
)
def test_the_calendar_agrees_with_a_scan_of_every_minute(
    drawn: tuple[tuple[str, set[int]], ...], start: datetime
) -> None:
    # Given an expression, and what matches it by trying every minute of five days
    texts = [text for text, _ in drawn]
    minutes, hours, days, months, weekdays = (values for _, values in drawn)
    weekdays = {weekday % 7 for weekday in weekdays}
    is_both = texts[2].startswith("*") or texts[4].startswith("*")

    def is_match(moment: datetime) -> bool:
        in_days, in_weekdays = moment.day in days, moment.isoweekday() % 7 in weekdays
        is_day = (in_days and in_weekdays) if is_both else (in_days or in_weekdays)
        in_time = moment.minute in minutes and moment.hour in hours
        return in_time and moment.month in months and is_day

    start = start.replace(second=0, microsecond=0)
    scanned = [start + timedelta(minutes=minute) for minute in range(5 * 1440)]
    expected = [local(moment) for moment in scanned if is_match(moment)]
    times = read_or_refused(" ".join(texts))
    if times == "schedules.cron_impossible_date":
        assert not expected
        return
    assert isinstance(times, CronTimes)

    # When the masks are searched forwards and backwards
    begin, end = local(start), local(scanned[-1])
    forwards, backwards = [], []
    found = times.at_or_after(begin)
    while found is not None and found <= end:
        forwards.append(found)
        found = times.at_or_after(found + 1)
    found = times.at_or_before(end)
    while found is not None and found >= begin:
        backwards.append(found)
        found = times.at_or_before(found - 1)

    # Then both found what the scan found, and as many
    assert forwards == expected
    assert backwards == expected[::-1]
    assert times.count_before(end + 1) - times.count_before(begin) == len(expected)
