"""Sentences about calendar times: on which days, at which times.

Responsible for: choosing the pattern that fits. Each is a sentence of its own in every language;
what no other pattern fits is told field by field.
"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from task_scheduler.schedules.calendar_times import (
    ALL_HOURS,
    ALL_MINUTES,
    ALL_MONTHS,
    CalendarTimes,
    ClockTimes,
    Days,
)
from task_scheduler.schedules.phrases import Phrases, Run, runs_of, step_of

__all__ = ["calendar_sentence"]

_MOST_LISTED = 6
"""More times of day are told by a pattern, where one fits."""
_MOST_LISTED_OF_ONE_MINUTE = 12
_SHORTEST_ROW = 4
_MOST_WINDOWS = 3


class _Times(NamedTuple):
    """What is said about the times of day."""

    text: str
    kind: str
    """``at``: a list of times; ``window``: it begins with a time; ``plain``: anything else."""


class _Days(NamedTuple):
    """What is said about the days; empty: every day."""

    text: str
    is_compound: bool = False
    """Whether it has parts of its own, so that a comma must follow."""


def calendar_sentence(phrases: Phrases, times: CalendarTimes, *, on: str | None = None) -> str:
    """Return the sentence of calendar times; `on` is said of the days instead of their words."""
    found = _times(phrases, times.clock)
    days = times.days
    date = _single_date(phrases, days) if on is None else on
    if date is not None:
        text = _on_days(phrases, _Days(date), found)
    else:
        text = _on_days(phrases, _days(phrases, days), found, months=_months(phrases, days))
        if days.years:
            name = "only_year" if len(days.years) == 1 else "only_years"
            text = phrases.say(name, rule=text, years=phrases.numbers(days.years))
    return _at_seconds(phrases, text, times.clock, found)


# -- the whole ----------------------------------------------------------------------------------


def _on_days(phrases: Phrases, days: _Days, times: _Times, *, months: str = "") -> str:
    """Join days and times in the order of the language."""
    if times.kind == "at" and days.text:
        name = "days_and_at" if days.is_compound else "days_at"
        return phrases.say(name, days=days.text, times=times.text)
    if times.kind == "at" and months:
        return phrases.say("every_day_in_at", months=months, times=times.text)
    if times.kind == "at":
        return phrases.say("every_day_at", times=times.text)
    head = "window" if times.kind == "window" else "times"
    if days.text:
        return phrases.say(f"{head}_on_days", times=times.text, days=days.text)
    if months:
        return phrases.say(f"{head}_in_months", times=times.text, months=months)
    return times.text


def _at_seconds(phrases: Phrases, text: str, clock: ClockTimes, times: _Times) -> str:
    """Add the seconds that the pattern of the times has no place for."""
    if clock.listed or clock.seconds == (0,) or _is_dense(clock.seconds):
        return text
    if times.kind == "at" and _is_listed(clock):
        return text
    name = "at_second" if len(clock.seconds) == 1 else "at_seconds"
    return phrases.say(name, times=text, seconds=phrases.numbers(clock.seconds, "second"))


# -- days ---------------------------------------------------------------------------------------


def _single_date(phrases: Phrases, days: Days) -> str | None:
    """Return the date where there is only one."""
    is_single = len(days.years) == len(days.months) == len(days.month_days) == 1
    others = days.nearest_working or days.is_last_working or days.has_weekdays
    if not is_single or others or days.month_days[0] < 0:
        return None
    return phrases.date(datetime(days.years[0], days.months[0], days.month_days[0]))


def _months(phrases: Phrases, days: Days) -> str:
    return "" if days.months == ALL_MONTHS else phrases.months(days.months)


def _days(phrases: Phrases, days: Days) -> _Days:
    of_month = _month_days(phrases, days)
    of_week = _weekdays(phrases, days)
    if not of_month or not of_week:
        return of_month or of_week or _Days("")
    if days.is_either:
        return _Days(phrases.say("or_days", first=of_month.text, last=of_week.text), True)
    if days.nth_weekdays:
        return _Days(phrases.say("both_days", first=of_month.text, last=of_week.text), True)
    names = phrases.weekday_choice(days.weekdays)
    return _Days(phrases.say("days_if_weekday", days=of_month.text, weekdays=names), True)


def _month_days(phrases: Phrases, days: Days) -> _Days | None:
    items = phrases.month_days(days.month_days)
    items += [
        phrases.say("nearest_working", day=phrases.say(f"day_{day}"))
        for day in days.nearest_working
    ]
    if days.is_last_working:
        items.append(phrases.say("last_working"))
    return _Days(_of_months(phrases, days, items, "dates")) if items else None


def _weekdays(phrases: Phrases, days: Days) -> _Days | None:
    if not days.has_weekdays:
        return None
    parts = []
    if days.weekdays:
        names, months = phrases.weekdays(days.weekdays), _months(phrases, days)
        parts.append(
            phrases.say("weekly_in", weekdays=names, months=months)
            if months
            else phrases.say("weekly", weekdays=names)
        )
    if days.nth_weekdays:
        parts.append(_of_months(phrases, days, phrases.nth_weekdays(days.nth_weekdays), "nth"))
    if len(parts) == 1:
        return _Days(parts[0])
    return _Days(phrases.say("or_days", first=parts[0], last=parts[1]), True)


def _of_months(phrases: Phrases, days: Days, items: list[str], kind: str) -> str:
    """Return days of every month, or of some months of every year or of some years."""
    text, months = phrases.all_of(items), _months(phrases, days)
    if not months:
        return phrases.say("monthly", days=text)
    name = f"{kind}_of_month" if len(days.months) == 1 else f"{kind}_of_months"
    return phrases.say(f"{name}_some_years" if days.years else name, days=text, months=months)


# -- times of day -------------------------------------------------------------------------------


def _times(phrases: Phrases, clock: ClockTimes) -> _Times:
    if clock.listed:
        return _Times(phrases.times(clock.listed), "at")
    if _is_listed(clock):
        return _Times(phrases.times(_seconds_of_day(clock)), "at")
    if _is_dense(clock.seconds):
        return _dense_seconds(phrases, clock)
    return _minutes(phrases, clock)


def _is_listed(clock: ClockTimes) -> bool:
    """Whether the times are told one by one, seconds included."""
    hours, minutes, seconds = clock.hours, clock.minutes, clock.seconds
    if len(hours) * len(minutes) * len(seconds) > _MOST_LISTED or _is_dense(seconds):
        return False
    is_row = step_of(minutes) is not None
    is_row_of_hours = (
        len(minutes) == 1 and len(hours) >= _SHORTEST_ROW and step_of(hours) is not None
    )
    return not is_row and not is_row_of_hours


def _seconds_of_day(clock: ClockTimes) -> list[int]:
    return [
        hour * 3600 + minute * 60 + second
        for hour in clock.hours
        for minute in clock.minutes
        for second in clock.seconds
    ]


def _is_dense(values: tuple[int, ...]) -> bool:
    return _even_step(values) is not None


def _even_step(values: tuple[int, ...]) -> int | None:
    """Return n where these are every n-th of 60 from 0 on, without a jolt at the hour."""
    step = values[1] - values[0] if len(values) > 1 else 0
    return step if step and values == tuple(range(0, 60, step)) and 60 % step == 0 else None


def _dense_seconds(phrases: Phrases, clock: ClockTimes) -> _Times:
    """Tell "every 10 seconds", within stretches of minutes where not all are named."""
    every = phrases.every("seconds", _even_step(clock.seconds) or 1)
    if clock.minutes == ALL_MINUTES:
        return _within_hours(phrases, clock, every)
    windows = runs_of(hour * 60 + minute for hour in clock.hours for minute in clock.minutes)
    if len(windows) <= _MOST_WINDOWS:
        return _within(phrases, [Run(run.first * 60, run.last * 60 + 59) for run in windows], every)
    minutes = phrases.numbers(clock.minutes, "minute")
    if clock.hours == ALL_HOURS:
        return _Times(phrases.say("every_in_minutes", every=every, minutes=minutes), "plain")
    hours = phrases.numbers(clock.hours, "hour")
    text = phrases.say("every_in_minutes_of_hours", every=every, minutes=minutes, hours=hours)
    return _Times(text, "window")


def _minutes(phrases: Phrases, clock: ClockTimes) -> _Times:
    """Tell the minutes; what is said of the seconds comes after."""
    hours, minutes = clock.hours, clock.minutes
    step = _even_step(minutes)
    if step is not None:
        return _within_hours(phrases, clock, phrases.every("minutes", step))
    if len(minutes) == 1:
        return _hourly(phrases, clock)
    row = step_of(minutes)
    windows = runs_of(hour * 60 + minute for hour in hours for minute in minutes)
    if row == 1 and len(windows) <= _MOST_WINDOWS:
        every = phrases.every("minutes", 1)
        return _within(phrases, [Run(run.first * 60, run.last * 60) for run in windows], every)
    if row is not None and len(hours) == 1:
        return _row(phrases, clock, phrases.every("minutes", row))
    if row is not None:
        first, last = (phrases.say("minute", minute=one) for one in (minutes[0], minutes[-1]))
        every = phrases.every("minutes", row)
        return _in_hours(phrases, clock, "minute_row", every=every, first=first, last=last)
    return _in_hours(phrases, clock, "at_minutes", minutes=phrases.minutes(minutes))


def _hourly(phrases: Phrases, clock: ClockTimes) -> _Times:
    """Tell one minute of some hours."""
    hours, minute = clock.hours, clock.minutes[0]
    if hours == ALL_HOURS and minute == 0:
        return _Times(phrases.say("hourly"), "plain")
    if hours == ALL_HOURS:
        minutes = phrases.minutes(clock.minutes)
        return _Times(phrases.say("at_minutes_hourly", minutes=minutes), "plain")
    row = step_of(hours)
    if row is not None and len(hours) >= _SHORTEST_ROW:
        return _row(phrases, clock, phrases.every("hours", row))
    runs = runs_of(hours)
    if len(hours) > _MOST_LISTED and len(runs) <= _MOST_WINDOWS and all(a < b for a, b in runs):
        spans = [Run(run.first * 60 + minute, run.last * 60 + minute) for run in runs]
        return _spans(phrases, phrases.every("hours", 1), spans)
    if len(hours) <= _MOST_LISTED_OF_ONE_MINUTE:
        return _Times(phrases.times(hour * 3600 + minute * 60 for hour in hours), "at")
    return _in_hours(phrases, clock, "at_minutes", minutes=phrases.minutes(clock.minutes))


def _row(phrases: Phrases, clock: ClockTimes, every: str) -> _Times:
    """Tell times at equal distances from the first to the last of the day."""
    minutes = [hour * 60 + minute for hour in clock.hours for minute in clock.minutes]
    return _spans(phrases, every, [Run(minutes[0], minutes[-1])])


def _spans(phrases: Phrases, every: str, spans: list[Run]) -> _Times:
    """Tell times at equal distances between some minutes of the day, both included."""
    texts = [
        phrases.say("span", first=phrases.time(one.first * 60), last=phrases.time(one.last * 60))
        for one in spans
    ]
    return _Times(phrases.say("every_from_to", every=every, spans=phrases.all_of(texts)), "window")


def _within_hours(phrases: Phrases, clock: ClockTimes, every: str) -> _Times:
    """Tell something that goes on through whole hours."""
    if clock.hours == ALL_HOURS:
        return _Times(every, "plain")
    runs = runs_of(clock.hours)
    if len(runs) > _MOST_WINDOWS:
        hours = phrases.numbers(clock.hours, "hour")
        return _Times(phrases.say("every_in_hours", every=every, hours=hours), "window")
    return _within(phrases, _windows_of(runs), every)


def _windows_of(runs: list[Run]) -> list[Run]:
    return [Run(run.first * 3600, run.last * 3600 + 3540) for run in runs]


def _within(phrases: Phrases, windows: list[Run], every: str) -> _Times:
    """Tell something that goes on through stretches of the day, given in seconds."""
    text = phrases.say("every_within", every=every, windows=_windows(phrases, windows))
    return _Times(text, "window")


def _windows(phrases: Phrases, windows: list[Run]) -> str:
    has_seconds = any(window.last % 60 for window in windows)
    return phrases.all_of(
        [
            phrases.say(
                "window",
                first=phrases.time(window.first, has_seconds=has_seconds),
                last=phrases.time(window.last, has_seconds=has_seconds),
            )
            for window in windows
        ]
    )


def _in_hours(phrases: Phrases, clock: ClockTimes, name: str, **values: str) -> _Times:
    """Tell minutes of every hour, or of those that are named."""
    if clock.hours == ALL_HOURS:
        return _Times(phrases.say(f"{name}_hourly", **values), "plain")
    runs = runs_of(clock.hours)
    if len(runs) > _MOST_WINDOWS:
        hours = phrases.numbers(clock.hours, "hour")
        return _Times(phrases.say(f"{name}_in_hours", hours=hours, **values), "window")
    windows = _windows(phrases, _windows_of(runs))
    return _Times(phrases.say(f"{name}_within", windows=windows, **values), "window")
