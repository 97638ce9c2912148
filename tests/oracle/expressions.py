"""Expressions with their meaning: written from a meaning, never read.

Responsible for: drawing cron expressions and calendar events together with what they mean, as sets
of minutes and hours and a question about a date. Nothing of the project is used here: the meaning
is what the oracle scans with, and a parser in common would make the same mistake on both sides.
"""

from __future__ import annotations

import random
from calendar import monthrange
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

DayTest = Callable[[date], bool]

MONTH_NAMES = (
    *("JAN", "FEB", "MAR", "APR", "MAY", "JUN"),
    *("JUL", "AUG", "SEP", "OCT", "NOV", "DEC"),
)
WEEKDAY_NAMES = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
EVENT_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


@dataclass(frozen=True)
class Expression:
    """A text and its meaning."""

    text: str
    kind: str
    """``cron5``, ``cron6``, ``cron7`` or ``event``."""
    seconds: frozenset[int]
    minutes_of_day: frozenset[int]
    is_day: DayTest
    is_fixed: bool
    """Whether it names times of the day: Debian's rule for changes of clocks goes by it."""
    gap: str | None = None
    fold: str | None = None

    @property
    def runs_after_gap(self) -> bool:
        """Whether it runs at the end of a gap that has its times."""
        return self.is_fixed if self.gap is None else self.gap == "run_after"

    @property
    def runs_twice(self) -> bool:
        """Whether it runs again when its times come again."""
        return not self.is_fixed if self.fold is None else self.fold == "twice"


def corpus(seed: int, size: int) -> list[Expression]:
    """Draw expressions of all kinds, no text with its policies twice, the same for a seed."""
    draw = random.Random(f"expressions {seed}")
    found: dict[tuple[str, str | None, str | None], Expression] = {}
    while len(found) < size:
        kind = draw.choice(["cron5"] * 5 + ["cron6"] * 2 + ["cron7"] + ["event"] * 2)
        expression = _event(draw) if kind == "event" else _cron(draw, kind)
        found.setdefault((expression.text, expression.gap, expression.fold), expression)
    return list(found.values())


def _policies(draw: random.Random) -> dict[str, str | None]:
    if draw.random() < 0.5:
        return {"gap": None, "fold": None}
    return {"gap": draw.choice(["run_after", "skip"]), "fold": draw.choice(["once", "twice"])}


def _cron(draw: random.Random, kind: str) -> Expression:
    second_text, seconds = ("", [0]) if kind == "cron5" else _seconds(draw)
    minute_text, minutes = _numbers(draw, 0, 59, draw.choice([0, 15, 30, 45, 59]))
    hour_text, hours = _numbers(draw, 0, 23, draw.choice([0, 1, 2, 3, 4, 23]))
    day_text, is_day_of_month = _days(draw)
    month_text, months = _named(draw, 1, 12, MONTH_NAMES, draw.choice([0.0, 0.0, 0.6]))
    weekday_text, is_weekday = _weekdays(draw)
    year_text, years = _years(draw) if kind == "cron7" else ("", None)
    is_both = day_text[0] in "*?" or weekday_text[0] in "*?"

    def is_day(day: date) -> bool:
        one, other = is_day_of_month(day), is_weekday(day)
        fits = (one and other) if is_both else (one or other)
        return fits and day.month in months and (years is None or day.year in years)

    parts = [second_text, minute_text, hour_text, day_text, month_text, weekday_text, year_text]
    return Expression(
        " ".join(part for part in parts if part),
        kind,
        frozenset(seconds),
        frozenset(hour * 60 + minute for hour in hours for minute in minutes),
        is_day,
        is_fixed=not minute_text.startswith("*") and not hour_text.startswith("*"),
        **_policies(draw),
    )


def _numbers(draw: random.Random, low: int, high: int, favourite: int) -> tuple[str, list[int]]:
    """Draw a field of numbers: its text and the values it stands for."""
    start, end = sorted((draw.randint(low, high), draw.randint(low, high)))
    step = draw.randint(1, high - low + 1)
    small = draw.choice([1, 2, 3, 5, 7, 10, 15, 20, 30])
    shape = draw.choice(["*", "*/", "one", "one", "one", "range", "stepped", "from", "list"])
    if shape == "*":
        return "*", list(range(low, high + 1))
    if shape == "*/":
        small = min(small, high - low + 1)
        return f"*/{small}", list(range(low, high + 1, small))
    if shape == "range":
        return f"{start}-{end}", list(range(start, end + 1))
    if shape == "stepped":
        return f"{start}-{end}/{step}", list(range(start, end + 1, step))
    if shape == "from":
        return f"{start}/{step}", list(range(start, high + 1, step))
    if shape == "list":
        values = [favourite, *draw.sample(range(low, high + 1), draw.randint(1, 4))]
        return ",".join(map(str, values)), values
    return str(favourite), [favourite]


def _seconds(draw: random.Random) -> tuple[str, list[int]]:
    return _numbers(draw, 0, 59, draw.choice([0, 30]))


def _named(
    draw: random.Random, low: int, high: int, names: Sequence[str], chance: float
) -> tuple[str, set[int]]:
    if draw.random() >= chance:
        return "*", set(range(low, high + 1))
    start, end = sorted((draw.randint(low, high), draw.randint(low, high)))
    if draw.random() < 0.5:
        return f"{names[start - low]}-{names[end - low].lower()}", set(range(start, end + 1))
    return f"{start},{names[end - low]}", {start, end}


def _years(draw: random.Random) -> tuple[str, set[int] | None]:
    step = draw.choice([2, 3, 4])
    start = draw.randint(1970, 1980)
    return draw.choice(
        [
            ("*", None),
            (f"{start}-2150", set(range(start, 2151))),
            (f"{start}/{step}", set(range(start, 2201, step))),
        ]
    )


def _days(draw: random.Random) -> tuple[str, DayTest]:
    """Draw the field for the day of month: its text and its test."""
    shape = draw.choice(["*"] * 8 + ["?", "*/", "range", "list", "L", "L-", "LW", "W", "mixed"])
    number, before = draw.randint(1, 28), draw.randint(1, 7)
    if shape in ("*", "?"):
        return shape, lambda day: True
    if shape == "*/":
        return "*/2", lambda day: day.day % 2 == 1
    if shape == "range":
        last = draw.randint(number, 31)
        return f"{number}-{last}", lambda day: number <= day.day <= last
    if shape == "list":
        values = {number, draw.randint(24, 31), 30}
        return ",".join(map(str, values)), lambda day: day.day in values
    if shape == "L":
        return "L", lambda day: days_left(day) == 0
    if shape == "L-":
        return f"L-{before}", lambda day: days_left(day) == before
    if shape == "LW":
        return "LW", is_last_working_day
    if shape == "W":
        return f"{number}W", lambda day: is_nearest_working_day(day, number)
    return f"{number},L", lambda day: day.day == number or days_left(day) == 0


def days_left(day: date) -> int:
    """Return how many days its month has after a day."""
    return monthrange(day.year, day.month)[1] - day.day


def is_last_working_day(day: date) -> bool:
    """Whether no day from Monday to Friday comes after it in its month, and it is one."""
    later = [day + timedelta(days=n) for n in range(1, days_left(day) + 1)]
    return day.weekday() < 5 and all(other.weekday() >= 5 for other in later)


def is_nearest_working_day(day: date, number: int) -> bool:
    """Whether it is the day from Monday to Friday nearest to a numbered day of its month."""
    days = range(1, monthrange(day.year, day.month)[1] + 1)
    working = [n for n in days if day.replace(day=n).weekday() < 5]
    return day.day == min(working, key=lambda n: abs(n - number))


def _weekdays(draw: random.Random) -> tuple[str, DayTest]:
    """Draw the field for the day of week: its text and its test."""
    shape = draw.choice(["*"] * 8 + ["?", "one", "range", "list", "#", "L", "mixed"])
    number = draw.choice([0, 0, 0, 7, 1, 2, 3, 4, 5, 6])
    weekday, nth = number % 7, draw.randint(1, 5)
    name = draw.choice([str(number), WEEKDAY_NAMES[weekday]])

    def is_weekday(day: date) -> bool:
        return day.isoweekday() % 7 == weekday

    if shape in ("*", "?"):
        return shape, lambda day: True
    if shape == "one":
        return name, is_weekday
    if shape == "range":
        return f"{name}-SAT" if number < 7 else "FRI-SUN", (
            (lambda day: day.isoweekday() % 7 >= weekday)
            if number < 7
            else (lambda day: day.isoweekday() >= 5)
        )
    if shape == "list":
        return f"{name},WED", lambda day: is_weekday(day) or day.isoweekday() == 3
    if shape == "#":
        return f"{name}#{nth}", lambda day: is_weekday(day) and (day.day + 6) // 7 == nth
    if shape == "L":
        return f"{name}L", lambda day: is_weekday(day) and days_left(day) < 7
    return (
        f"{name}L,MON#1",
        lambda day: (
            (is_weekday(day) and days_left(day) < 7) or (day.isoweekday() == 1 and day.day <= 7)
        ),
    )


def _event(draw: random.Random) -> Expression:
    """Draw a calendar event of systemd."""
    weekday_text, weekdays = _event_weekdays(draw)
    date_text, is_date = _event_date(draw)
    hour_text, hours, is_hour_open = _event_numbers(draw, 0, 23, draw.choice([0, 1, 2, 3, 23]))
    minute_text, minutes, is_minute_open = _event_numbers(draw, 0, 59, draw.choice([0, 30, 45]))
    second_text, seconds = "", [0]
    if draw.random() < 0.3:
        second_text, seconds, _ = _event_numbers(draw, 0, 59, draw.choice([0, 30]))
    time = f"{hour_text}:{minute_text}" + (f":{second_text}" if second_text else "")
    return Expression(
        " ".join(part for part in (weekday_text, date_text, time) if part),
        "event",
        frozenset(seconds),
        frozenset(hour * 60 + minute for hour in hours for minute in minutes),
        lambda day: day.weekday() in weekdays and is_date(day),
        is_fixed=not is_hour_open and not is_minute_open,
        **_policies(draw),
    )


def _event_weekdays(draw: random.Random) -> tuple[str, Iterable[int]]:
    start, end = sorted((draw.randint(0, 6), draw.randint(0, 6)))
    days = EVENT_WEEKDAYS
    return draw.choice(
        [
            ("", range(7)),
            ("", range(7)),
            ("", range(7)),
            (f"{days[start]}..{days[end]}", range(start, end + 1)),
            (f"{days[end]},{days[start].lower()}", (start, end)),
            ("Sunday", (6,)),
        ]
    )


def _event_date(draw: random.Random) -> tuple[str, DayTest]:
    month, number = draw.randint(1, 11), draw.randint(2, 23)
    small = draw.randint(1, 9)
    return draw.choice(
        [
            ("", lambda day: True),
            ("", lambda day: True),
            ("*-*-*", lambda day: True),
            (f"*-{number}..31", lambda day: day.day >= number),
            (f"*-*-{small}/3", lambda day: day.day >= small and (day.day - small) % 3 == 0),
            (f"*-{month}/1-*", lambda day: day.month >= month),
            (f"*~{small}", lambda day: days_left(day) == small - 1),
            (f"*-*~{small + 1}/1", lambda day: days_left(day) <= small),
            (f"*-*~1..{small + 1}", lambda day: days_left(day) <= small),
            (
                f"{1970 + small}/2-*-*",
                lambda day: day.year >= 1970 + small and day.year % 2 == small % 2,
            ),
            ("*-3,4,9..11-*", lambda day: day.month in (3, 4, 9, 10, 11)),
            (
                f"*-3,4,9,10,11-{small}..{number + 8}",
                lambda day: day.month in (3, 4, 9, 10, 11) and small <= day.day <= number + 8,
            ),
        ]
    )


def _event_numbers(
    draw: random.Random, low: int, high: int, favourite: int
) -> tuple[str, list[int], bool]:
    """Draw a field of numbers: its text, its values, and whether it goes on without an end."""
    start, end = sorted((draw.randint(low, high), draw.randint(low, high)))
    step = draw.randint(1, high - low)
    # A repetition without end must come to a second value.
    start_open = min(start, high - 1)
    step_open = min(step, high - start_open)
    shape = draw.choice(["*", "one", "one", "one", "range", "stepped", "from", "list"])
    if shape == "*":
        return "*", list(range(low, high + 1)), True
    if shape == "range":
        return f"{start}..{end}", list(range(start, end + 1)), False
    if shape == "stepped":
        return f"{start:02}..{end:02}/{step}", list(range(start, end + 1, step)), False
    if shape == "from":
        return f"{start_open}/{step_open}", list(range(start_open, high + 1, step_open)), True
    if shape == "list":
        values = [favourite, *draw.sample(range(low, high + 1), draw.randint(1, 4))]
        return ",".join(map(str, values)), values, False
    return f"{favourite:02}", [favourite], False
