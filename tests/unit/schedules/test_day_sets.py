"""Sets of days: each against the calendar of the standard library, day by day."""

from __future__ import annotations

from calendar import isleap, monthrange
from collections.abc import Callable
from datetime import date, timedelta

import pytest

from task_scheduler.schedules.day_sets import (
    DAY_COUNT,
    FIRST_DAY,
    every_day,
    every_week,
    in_months,
    month_spans,
    on_month_days,
    on_phases,
    on_week_numbers,
    on_weekdays,
    on_weekdays_of_month,
    on_weekdays_of_year,
    on_year_days,
    spans_each,
    year_spans,
)

DAYS = [date(1969, 1, 1) + timedelta(days=bit) for bit in range(DAY_COUNT)]
EPOCH = date(1970, 1, 1)


def year_day(day: date) -> int:
    return day.timetuple().tm_yday


def from_end(day: date) -> tuple[int, int]:
    """Return the number of a day from the end of its month and of its year, -1 the last."""
    month = monthrange(day.year, day.month)[1]
    return day.day - month - 1, year_day(day) - (365 + isleap(day.year)) - 1


def week(day: date, week_start: int) -> tuple[int, int]:
    """Return the number of a day's week from the start and from the end of the week's year.

    The year of a week is that of its fourth day, and the days of a year before that one, in
    sevens, are the weeks before it.
    """
    fourth = day - timedelta(days=(day.weekday() - week_start) % 7 - 3)
    number = (year_day(fourth) - 1) // 7 + 1
    left = (date(fourth.year, 12, 31) - fourth).days // 7
    return number, -left - 1


def is_nth_of_month(day: date, nth: int, weekday: int) -> bool:
    place = (day.day - 1) // 7 + 1 if nth > 0 else -((-from_end(day)[0] - 1) // 7 + 1)
    return day.weekday() == weekday and place == nth


def is_nth_of_year(day: date, nth: int, weekday: int) -> bool:
    place = (year_day(day) - 1) // 7 + 1 if nth > 0 else -((-from_end(day)[1] - 1) // 7 + 1)
    return day.weekday() == weekday and place == nth


def months_since(day: date) -> int:
    return (day.year - 1970) * 12 + day.month - 1


CASES: list[tuple[str, int, Callable[[date], bool]]] = [
    ("in February and May", in_months((2, 5)), lambda day: day.month in (2, 5)),
    ("on the 31st", on_month_days((31,)), lambda day: day.day == 31),
    (
        "on the 1st and the third from the end",
        on_month_days((-3, 1)),
        lambda day: day.day == 1 or from_end(day)[0] == -3,
    ),
    ("on Saturdays and Mondays", on_weekdays((0, 5)), lambda day: day.weekday() in (0, 5)),
    (
        "on second Tuesdays and last Sundays",
        on_weekdays_of_month(((2, 1), (-1, 6))),
        lambda day: is_nth_of_month(day, 2, 1) or is_nth_of_month(day, -1, 6),
    ),
    ("on fifth Fridays", on_weekdays_of_month(((5, 4),)), lambda day: is_nth_of_month(day, 5, 4)),
    ("on 53rd Wednesdays", on_weekdays_of_year(((53, 2),)), lambda day: is_nth_of_year(day, 53, 2)),
    (
        "on 20th Mondays and 7th from the end",
        on_weekdays_of_year(((20, 0), (-7, 0))),
        lambda day: is_nth_of_year(day, 20, 0) or is_nth_of_year(day, -7, 0),
    ),
    (
        "on the days 60, 366 and -366 of the year",
        on_year_days((-366, 60, 366)),
        lambda day: year_day(day) in (60, 366) or from_end(day)[1] == -366,
    ),
    ("every 7th day", every_day(3, 7), lambda day: (day - EPOCH).days % 7 == 3),
    ("one day in 200 years", every_day(5, 10**9), lambda day: (day - EPOCH).days == 5),
    (
        "on two of eleven days",
        on_phases((0, 10), 11),
        lambda day: (day - EPOCH).days % 11 in (0, 10),
    ),
    (
        "every third week from Sunday on",
        every_week(3, 3, 6),
        lambda day: ((day - date(1970, 1, 4)).days // 7) % 3 == 0,
    ),
    (
        "every fourth year",
        spans_each(year_spans(), 1600, 4),
        lambda day: day.year % 4 == 0,
    ),
    (
        "every fifth month",
        spans_each(month_spans(), 12 * 1970 + 2, 5),
        lambda day: months_since(day) % 5 == 2,
    ),
]


@pytest.mark.parametrize(
    ("found", "is_named"), [case[1:] for case in CASES], ids=[c[0] for c in CASES]
)
def test_a_set_has_the_days_that_the_calendar_has(
    found: int, is_named: Callable[[date], bool]
) -> None:
    expected = sum(1 << bit for bit, day in enumerate(DAYS) if is_named(day))

    assert found == expected
    assert found.bit_length() <= DAY_COUNT
    assert (DAYS[0] - EPOCH).days == FIRST_DAY


@pytest.mark.parametrize("week_start", range(7))
def test_every_week_number_is_that_of_its_fourth_day(week_start: int) -> None:
    numbers = [week(day, week_start) for day in DAYS]
    for number in (1, 2, 27, 52, 53, -1, -2, -26, -52, -53):
        place = 0 if number > 0 else 1
        expected = sum(1 << bit for bit, found in enumerate(numbers) if found[place] == number)
        assert on_week_numbers((number,), week_start) == expected, number


def test_weeks_from_monday_on_are_those_of_iso_8601() -> None:
    assert [week(day, 0)[0] for day in DAYS] == [day.isocalendar().week for day in DAYS]
