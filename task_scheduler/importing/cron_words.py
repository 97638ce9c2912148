"""Cron fields of others in the words of ours: APScheduler's, Celery's and Quartz'.

Responsible for: their numbering of weekdays, steps and special days. Names of weekdays are used
throughout, so that nobody has to know where a week begins.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from task_scheduler.importing.frozen_objects import Frozen

__all__ = ["CronError", "cron_of_apscheduler", "cron_of_quartz", "cron_of_sets"]

_FROM_MONDAY = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_FROM_SUNDAY = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_BOUNDS = {
    "year": (1970, 2099),
    "month": (1, 12),
    "day": (1, 31),
    "day_of_week": (0, 6),
    "hour": (0, 23),
    "minute": (0, 59),
    "second": (0, 59),
}


class CronError(ValueError):
    """A field that has no counterpart."""

    def __init__(self, field: str, value: str) -> None:
        super().__init__(f"{field}={value}")
        self.field = field
        self.value = value


# -- APScheduler 3 ----------------------------------------------------------------------------


def cron_of_apscheduler(fields: Sequence[Frozen]) -> str:
    """Return the expression of the frozen fields of a `CronTrigger`; raises CronError."""
    texts: dict[str, str] = {}
    weekdays: list[str] = []
    for field in fields:
        name = str(field.attribute("name"))
        terms = []
        for term in field.attribute("expressions"):
            kind = term.name.rpartition(".")[2]
            if kind == "WeekdayPositionExpression":
                weekdays.append(_weekday_position(term))
            else:
                terms.append(_term(name, kind, term))
        texts[name] = ",".join(terms)
    if weekdays:
        if texts["day"] or texts["day_of_week"] != "*":
            # A weekday of the month or a day of it: no single expression says that.
            raise CronError("day", f"{','.join(weekdays)} {texts['day']}".strip())
        texts["day"], texts["day_of_week"] = "*", ",".join(weekdays)
    if texts["week"] != "*":
        raise CronError("week", texts["week"])
    return _joined(texts)


def _term(field: str, kind: str, term: Frozen) -> str:
    step = term.attribute("step")
    if kind == "LastDayOfMonthExpression":
        return "L"
    if kind == "AllExpression":
        first, last = None, None
    elif kind in ("RangeExpression", "MonthRangeExpression", "WeekdayRangeExpression"):
        first, last = term.attribute("first"), term.attribute("last")
    else:
        raise CronError(field, kind)
    if field == "week":
        return "*" if kind == "AllExpression" and not step else f"{first}-{last}/{step}"
    low, high = _BOUNDS[field]
    if first is None and not step:
        return "*"
    begin = low if first is None else first
    end = high if last is None else last
    if field == "day_of_week":
        return ",".join(_FROM_MONDAY[day] for day in range(begin, end + 1, step or 1))
    if first is None:
        return f"*/{step}"
    span = str(begin) if begin == end else f"{begin}-{end}"
    return f"{span}/{step}" if step else span


def _weekday_position(term: Frozen) -> str:
    """Return ``fri#2`` for the second Friday and ``friL`` for the last."""
    weekday = _FROM_MONDAY[term.attribute("weekday")]
    position = term.attribute("option_num")
    return f"{weekday}L" if position == 5 else f"{weekday}#{position + 1}"


def _joined(texts: dict[str, str]) -> str:
    five = " ".join(texts[name] for name in ("minute", "hour", "day", "month", "day_of_week"))
    if texts["year"] != "*":
        return f"{texts['second']} {five} {texts['year']}"
    return five if texts["second"] == "0" else f"{texts['second']} {five}"


# -- Celery -----------------------------------------------------------------------------------


def cron_of_sets(
    *,
    minute: Iterable[int],
    hour: Iterable[int],
    day_of_week: Iterable[int],
    day_of_month: Iterable[int],
    month_of_year: Iterable[int],
) -> str:
    """Return the expression of the sets that Celery makes of a `crontab`; 0 is Sunday."""
    minutes = _of_set("minute", minute)
    hours = _of_set("hour", hour)
    days, months = _of_set("day", day_of_month), _of_set("month", month_of_year)
    weekdays = sorted(set(day_of_week))
    week = "*" if len(weekdays) == 7 else ",".join(_FROM_SUNDAY[day] for day in weekdays)
    return f"{minutes} {hours} {days} {months} {week}"


def _of_set(field: str, values: Iterable[int]) -> str:
    low, high = _BOUNDS[field]
    given = sorted(set(values))
    if given == list(range(low, high + 1)):
        return "*"
    step = given[1] - given[0] if len(given) > 2 else 0
    if step > 1 and given == list(range(low, high + 1, step)):
        return f"*/{step}"
    if len(given) > 2 and given == list(range(given[0], given[-1] + 1)):
        return f"{given[0]}-{given[-1]}"
    return ",".join(map(str, given))


# -- Quartz -----------------------------------------------------------------------------------


def cron_of_quartz(expression: str) -> str:
    """Return a Quartz expression of 6 or 7 fields in ours; raises CronError."""
    parts = expression.split()
    if len(parts) not in (6, 7):
        raise CronError("cron", expression)
    second, minute, hour, day, month, weekday, *year = parts
    fields = [second, minute, hour, _any(day), month, _quartz_weekdays(_any(weekday))]
    if year and year[0] != "*":
        return " ".join([*fields, year[0]])
    return " ".join(fields if second != "0" else fields[1:])


def _any(text: str) -> str:
    return "*" if text == "?" else text


def _quartz_weekdays(text: str) -> str:
    """Return weekdays by name; Quartz counts them from Sunday, which is 1."""
    return ",".join(_quartz_weekday(term) for term in text.split(","))


def _quartz_weekday(term: str) -> str:
    if term == "*" or term.startswith("*/"):
        return term if term == "*" else _steps_of_week(0, 6, term[2:])
    if term.upper() == "L":
        return "sat"
    base, slash, step = term.partition("/")
    if match := re.fullmatch(r"(\w+?)(L|#[1-5])", base, re.IGNORECASE):
        return _weekday(match[1]) + match[2].upper()
    first, dash, last = base.partition("-")
    begin = _index(first)
    end = _index(last) if dash else (6 if slash else begin)
    if not slash and not dash:
        return _FROM_SUNDAY[begin]
    return _steps_of_week(begin, end if end >= begin else end + 7, step or "1")


def _steps_of_week(begin: int, end: int, step: str) -> str:
    if not step.isdigit() or not int(step):
        raise CronError("day_of_week", step)
    return ",".join(_FROM_SUNDAY[day % 7] for day in range(begin, end + 1, int(step)))


def _weekday(text: str) -> str:
    return _FROM_SUNDAY[_index(text)]


def _index(text: str) -> int:
    if text.isdigit() and 1 <= int(text) <= 7:
        return int(text) - 1
    try:
        return _FROM_SUNDAY.index(text.lower()[:3])
    except ValueError:
        raise CronError("day_of_week", text) from None
