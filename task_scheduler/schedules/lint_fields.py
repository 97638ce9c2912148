"""Findings about the fields of a cron expression, a calendar event or a rule of days.

Responsible for: what the fields say that few people mean: either of two fields of days, every
minute of an hour, steps that break off, days that many months do not have.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from task_scheduler.schedules.calendar_times import (
    ALL_HOURS,
    ALL_MINUTES,
    ALL_MONTHS,
    CalendarTimes,
    Days,
    of_cron,
    of_on_calendar,
)
from task_scheduler.schedules.cron_expression import parse_cron
from task_scheduler.schedules.findings import Finding, Level, finding
from task_scheduler.schedules.on_calendar import parse_on_calendar
from task_scheduler.schedules.phrases import Phrases, step_of
from task_scheduler.schedules.sugar import month_days_of, split

__all__ = ["field_findings"]

_MOST_MEANT_HOURS = 3
"""So many hours written one by one: whoever wants every minute of them writes a range."""
_SECONDS = {"second": 1, "minute": 60, "hour": 3_600}
_SHORTEST_MONTHS = (0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def field_findings(
    phrases: Phrases, plain: Mapping[str, Any], task_id: str | None
) -> list[Finding]:
    """Return the findings about the fields of a rule in its plain form."""
    kinds: dict[object, Callable[[], list[Finding]]] = {
        "cron": lambda: _of_cron(phrases, plain, task_id),
        "on_calendar": lambda: _of_event(phrases, plain["on_calendar"]),
        "monthly": lambda: _short_months(
            phrases, Days(month_days=month_days_of(split(plain["monthly"], "monthly")[0])), "last"
        ),
    }
    of_kind = kinds.get(plain.get("type"))
    return of_kind() if of_kind is not None else []


def _of_cron(phrases: Phrases, plain: Mapping[str, Any], task_id: str | None) -> list[Finding]:
    day_and = bool(plain.get("day_and", False))
    # Without a task's id any other tells as much about the fields.
    expression = parse_cron(plain["cron"], task_id or "", day_and=day_and)
    if expression.calendar is None:
        return []
    times = of_cron(expression, task_id or "", day_and=day_and)
    found = []
    if times.days.is_either and times.days.has_month_days and times.days.has_weekdays:
        found.append(finding(phrases, "day_or", place="day_of_week"))
    second, minute, hour = expression.fields[:3]
    words = plain["cron"].split()
    if len(words) > 1:
        found += _every_minute(phrases, times, (second, minute, hour), words)
    found += _uneven(phrases, times, expression.fields)
    return found + _rare_days(phrases, times.days, "L")


def _of_event(phrases: Phrases, text: str) -> list[Finding]:
    times = of_on_calendar(parse_on_calendar(text))
    return _uneven(phrases, times, ()) + _rare_days(phrases, times.days, "~01")


def _every_minute(
    phrases: Phrases, times: CalendarTimes, fields: Sequence[str], words: list[str]
) -> list[Finding]:
    """Name ``* 9 * * *``, which runs 60 times, and ``* 0 9 * * *`` with seconds."""
    second, minute, hour = fields
    has_seconds = len(words) == 7 or (len(words) == 6 and "?" not in (words[2], words[4]))
    is_range = "-" in hour or "*" in hour or "/" in hour
    if minute == "*" and not is_range and len(times.clock.hours) <= _MOST_MEANT_HOURS:
        meant = ["0", "0", *words[2:]] if has_seconds else ["0", *words[1:]]
        at = phrases.times(one * 3600 for one in times.clock.hours)
        return [finding(phrases, "every_minute", place="minute", meant=" ".join(meant), times=at)]
    if second == "*" and minute != "*" and "-" not in minute and "/" not in minute:
        meant = ["0", *words[1:]]
        return [finding(phrases, "every_second", place="second", meant=" ".join(meant))]
    return []


def _uneven(phrases: Phrases, times: CalendarTimes, fields: Sequence[str]) -> list[Finding]:
    """Name steps that break off at the end of the hour, day, month or year."""
    clock, days = times.clock, times.days
    found = []
    for name, values, count, is_whole, index in (
        ("second", clock.seconds, 60, clock.minutes == ALL_MINUTES, 0),
        ("minute", clock.minutes, 60, clock.hours == ALL_HOURS or len(clock.hours) > 1, 1),
        ("hour", clock.hours, 24, True, 2),
        ("month", tuple(month - 1 for month in days.months), 12, True, 4),
    ):
        step = _open_step(values, fields[index] if fields else "")
        rest = count - values[-1] + values[0]
        if step is not None and is_whole and 0 < rest < step:
            found.append(
                finding(
                    phrases,
                    f"uneven_{name}",
                    place=name,
                    step=step,
                    every=phrases.every(f"{name}s", step) if name != "month" else "",
                    rest=_length(phrases, name, rest),
                    first=_shown(phrases, name, values[0]),
                    last=_shown(phrases, name, values[-1]),
                )
            )
    numbers = tuple(day for day in days.month_days if day > 0)
    step = _open_step(numbers, fields[3] if fields else "")
    # A row that ends long before the month does is meant to.
    if step is not None and step > 1 and numbers[-1] + step > 31:
        last = phrases.say(f"day_{numbers[-1]}")
        first = phrases.say(f"day_{numbers[0]}")
        found.append(
            finding(phrases, "uneven_day", place="day_of_month", step=step, first=first, last=last)
        )
    return found


def _open_step(values: tuple[int, ...], field: str) -> int | None:
    """Return the step of three or more values, or of two that were written with one."""
    if len(values) == 2 and field.startswith("*/"):
        return values[1] - values[0]
    step = step_of(values)
    return step if step is not None and step > 1 else None


def _length(phrases: Phrases, name: str, count: int) -> str:
    if name == "month":
        return phrases.say("length_month" if count == 1 else "length_months", count=count)
    return phrases.length(count * _SECONDS[name])


def _shown(phrases: Phrases, name: str, value: int) -> str:
    if name == "month":
        return phrases.say(f"month_{value + 1}")
    if name == "hour":
        return phrases.time(value * 3600)
    return phrases.say("minute", minute=value) if name == "minute" else f"{value}"


def _rare_days(phrases: Phrases, days: Days, remedy: str) -> list[Finding]:
    is_leap_day = days.months == (2,) and days.month_days == (29,)
    has_others = (
        days.nearest_working or days.is_last_working or (days.is_either and days.has_weekdays)
    )
    if is_leap_day and not has_others:
        return [finding(phrases, "leap_day", place="day_of_month", remedy=remedy)]
    return _short_months(phrases, days, remedy)


def _short_months(phrases: Phrases, days: Days, remedy: str) -> list[Finding]:
    """Name days that some of the months do not have."""
    numbers = [day for day in days.month_days if day > 0]
    has_others = len(numbers) < len(days.month_days) or days.nearest_working or days.is_last_working
    if not numbers or has_others or (days.is_either and days.has_weekdays):
        return []
    day = min(numbers)
    left_out = [month for month in days.months if _SHORTEST_MONTHS[month] < day]
    if day < 29 or not left_out:
        return []
    # A single date, such as 31 December, is meant so; 29 February was told before.
    if days.months != ALL_MONTHS and len(left_out) == len(days.months):
        return []
    return [
        finding(
            phrases,
            "short_months",
            place="day_of_month",
            level=Level.NOTE if len(days.months) < 12 else Level.WARNING,
            day=phrases.say(f"day_{day}"),
            months=phrases.months(left_out),
            remedy=remedy,
        )
    ]
