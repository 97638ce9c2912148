"""The text of cron expressions, and the calendar that follows from it."""

from __future__ import annotations

import time
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
        ("0 0 0 1 1 ? 2030", "2030-01-01 00:00:00"),
        ("0 0 0 1 1 ? 2026,2028-2200/4", "2028-01-01 00:00:00"),
        ("0 0 31 12 ? 2199", "2199-12-31 00:00:00"),
        ("0 0 ? 12 MON 2027", "2027-12-06 00:00:00"),
        ("0 0 L * *", "2026-01-31 00:00:00"),
        ("0 0 L 2 *", "2026-02-28 00:00:00"),
        ("0 0 L-3 * *", "2026-01-28 00:00:00"),
        ("0 0 L-30 2-12 *", "2026-03-01 00:00:00"),
        ("0 0 1,L * *", "2026-01-31 00:00:00"),
        ("0 0 LW * *", "2026-01-30 00:00:00"),
        ("0 0 15W 2 *", "2026-02-16 00:00:00"),  # the 15th is a Sunday
        ("0 0 14W 2 *", "2026-02-13 00:00:00"),  # a Saturday
        ("0 0 1W 2 *", "2026-02-02 00:00:00"),  # a Sunday, and no day before it
        ("0 0 1W 8 *", "2026-08-03 00:00:00"),  # a Saturday, and no Friday before it
        ("0 0 31W 2-5 *", "2026-03-31 00:00:00"),  # February has no 31st
        ("0 0 31W 5-6 *", "2026-05-29 00:00:00"),  # a Sunday, and no Monday after it
        ("0 0 * * 5#3", "2026-01-16 00:00:00"),
        ("0 0 * * mon#1", "2026-01-05 00:00:00"),
        ("0 0 * * 7#5", "2026-03-29 00:00:00"),
        ("0 0 * * 5L", "2026-01-30 00:00:00"),
        ("0 0 * * SUNL,MON#2", "2026-01-12 00:00:00"),
        ("0 0 ? * 0L", "2026-01-25 00:00:00"),
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
    "0 0 0 1 1 * 2030 1": "8 fields",
    "0 0 0 1 1 * 1969": "'1969' is no valid year; allowed: 1970-2200",
    "0 0 0 1 1 * 2201": "'2201' is no valid year",
    "0 0 0 1 1 * H": "'H' is no valid year",
    "0 0 0 29 2 * 2027": "no day of the years '2027' fits day of month '29', month '2'",
    "0 0 L-31 * *": "'L-31' in the field day of month lies before the month",
    "0 0 L-30 2 *": "'L-30' does not come in month '2'",
    "0 0 31W 2 *": "'31W' does not come in month '2'",
    "0 0 32W * *": "'32' is no valid day of month",
    "0 0 0W * *": "'0' is no valid day of month",
    "0 0 L5 * *": "'L5' is no valid day of month",
    "0 0 * * L": "'L' in the field day of week does not say which weekday",
    "0 0 * * 8L": "'8L' is no valid day of week",
    "0 0 * * FOOL": "'FOO' is no valid day of week",
    "0 0 * * 5#6": "'5#6' in the field day of week: after # stands which one",
    "0 0 * * 5#": "'5#' in the field day of week",
    "0 0 * * #1": "'' is no valid day of week",
    "0 0 * * 1-5#1": "'1-5' is no valid day of week",
    "5L * * * *": "'5L' is no valid minute",
    "H * * * *": "'H' in the field minute is chosen from the task's id, and there is none here",
    "~ * * * *": "'~' in the field minute is chosen from the task's id",
    "H(5) * * * *": "'' is no valid minute",
    "H(9-3) * * * *": r"'H\(9-3\)' in the field minute goes backwards",
    "9~3 * * * *": "'9~3' in the field minute goes backwards",
    "H/0 * * * *": "the step in 'H/0' of the field minute",
    "H(0-70) * * * *": "'70' is no valid minute",
    "HH * * * *": "'HH' is no valid minute",
    "H-5 * * * *": "'H' is no valid minute",
    "@every": "'' is no length of time",
    "@every 5": "'5' is no length of time",
    "@every 5x": "'5x' is no length of time",
    "@every 0s": "'0s' is no length of time",
    "@every -5m": "'-5m' is no length of time",
    "@every 99999999999d": "is no length of time",
    "@rebot": "Did you mean '@reboot'",
    "0 0 * * ſun": "'ſun' is no valid day of week",
    "*," * 1500: "has 3000 characters, at most 2000",
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
    "@": "no known alias",
    f"{'9' * 1900} * * * *": r"is no valid minute",
    f"*/{'9' * 1900} * * * *": r"1 to 60",
}


@pytest.mark.parametrize("text", WRONG, ids=lambda text: text[:20] or "empty")
def test_a_wrong_expression_names_field_value_and_range(text: str) -> None:
    with pytest.raises(ScheduleError, match=WRONG[text]) as caught:
        parse_cron(text)

    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("text", ["0 0 0 29 2 MON 2023-2027", "0 0 0 1 1 5#2 2030-2200"])
def test_dates_that_no_year_has_are_refused_where_both_days_must_match(text: str) -> None:
    with pytest.raises(ScheduleError, match="would never run"):
        parse_cron(text, day_and=True)


def test_both_days_must_match_where_that_is_asked_for() -> None:
    # Friday the 13th.
    times = parse_cron("0 0 13 * FRI", day_and=True).times
    found = times.at_or_after(local(datetime(2026, 1, 1)))

    assert found == local(datetime(2026, 2, 13))


def test_an_interval_and_a_start_name_no_times() -> None:
    every, reboot = parse_cron("@every 1h 30m"), parse_cron("@REBOOT")

    assert every.every == 5400 * 10**6
    assert not every.is_reboot
    assert reboot.is_reboot
    assert reboot.every is None
    for expression in (every, reboot):
        with pytest.raises(ScheduleError, match="names no times of the calendar"):
            _ = expression.times


SPREAD = ["H H * * *", "H(0-29) ~ * * *", "H/15 * * * *", "10~40/7 1~5 H H H", "~ * ~ * ~"]


@pytest.mark.parametrize("text", SPREAD)
def test_spread_values_stay_the_same_for_a_task_and_differ_between_tasks(text: str) -> None:
    expressions = [parse_cron(text, f"task-{number}") for number in range(50)]
    found = {expression.times.at_or_after(0) for expression in expressions}

    assert all(expression.needs_seed for expression in expressions)
    assert len(found) > 5
    assert parse_cron(text, "task-7").times.at_or_after(0) == expressions[7].times.at_or_after(0)


def test_spread_values_are_part_of_the_promise() -> None:
    # They must never change: a task would move to another time with an upgrade.
    assert [after_with_seed(text, "pump") for text in SPREAD] == GOLDEN


def after_with_seed(text: str, seed: str) -> str:
    found = parse_cron(text, seed).times.at_or_after(local(datetime(2026, 1, 1)))
    assert found is not None
    return str(EPOCH + timedelta(seconds=found))


GOLDEN = [
    "2026-01-01 11:52:00",
    "2026-01-01 11:22:00",
    "2026-01-01 00:07:00",
    "2026-05-02 05:10:00",
    "2026-01-06 00:52:00",
]


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("H * * * *", 0, 59),
        ("H(0-29) * * * *", 0, 29),
        ("50~ * * * *", 50, 59),
        ("~9 * * * *", 0, 9),
    ],
)
def test_spread_values_fill_their_range_and_never_leave_it(text: str, low: int, high: int) -> None:
    minutes = {parse_cron(text, str(seed)).times.at_or_after(0) for seed in range(600)}

    assert minutes == {minute * 60 for minute in range(low, high + 1)}


def test_a_spread_step_starts_within_its_first_step_and_goes_to_the_end() -> None:
    for seed in range(50):
        times = parse_cron("H/15 * * * *", str(seed)).times
        first = times.at_or_after(0)
        assert first is not None
        assert first < 15 * 60
        assert times.count_before(3600) - times.count_before(0) == 4


def test_a_bare_h_chooses_a_day_that_every_month_has() -> None:
    for seed in range(200):
        times = parse_cron("0 0 H 2 *", str(seed)).times
        assert (
            times.count_before(local(datetime(2027, 1, 1)))
            - times.count_before(local(datetime(2026, 1, 1)))
            == 1
        )


def test_a_step_of_h_is_a_wildcard_and_a_value_of_h_is_none() -> None:
    assert not parse_cron("H/15 3 * * *", "pump").is_fixed
    assert parse_cron("H 3 * * *", "pump").is_fixed
    assert parse_cron("H(0-29)/10 3 * * *", "pump").is_fixed


def test_an_expression_without_h_is_the_same_for_every_task() -> None:
    assert parse_cron("0 3 * * MON", "a") is parse_cron("0 3 * * MON", "b")
    assert not parse_cron("0 3 * * THU", "a").needs_seed


def test_an_impossible_day_is_fine_where_the_weekday_is_another_way() -> None:
    assert after("0 0 31 2 MON", 2026, 1, 1) == "2026-02-02 00:00:00"


@settings(max_examples=300, deadline=None)
@given(
    text=st.text(alphabet="0123456789*/-,? @LWMONa#\tH()~", max_size=30)
    | st.lists(
        st.sampled_from(
            ["*", "?", "L", "LW", "15W", "5#3", "MONL", "H", "~", "H/7", "1-5", "2", "29"]
        ),
        min_size=5,
        max_size=7,
    ).map(" ".join)
    | st.text(max_size=40)
)
def test_text_of_any_kind_is_read_or_refused(text: str) -> None:
    read = read_or_refused(text)

    assert isinstance(read, str) or read.at_or_after(0) is not None


def read_or_refused(text: str) -> CronTimes | str:
    """Return the times of an expression, or the key of the sentence that refuses it."""
    try:
        return parse_cron(text, "pump").times
    except ScheduleError as error:
        return error.key


@pytest.mark.parametrize(
    "text",
    [
        "1," * 999 + "1 * * * *",
        "H(" * 900 + " * * * *",
        "~" * 1900 + " * * * *",
        "/" * 1900 + " * * * *",
        "#" * 1900,
        "@every " + "1h" * 900,
        "@every " + "1" * 1900,
        "-" * 10**6,
        "H/" * 500_000,
    ],
    ids=lambda text: text[:10],
)
def test_a_long_text_takes_no_time(text: str) -> None:
    begin = time.process_time()
    read_or_refused(text)

    assert time.process_time() - begin < 0.05


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
