"""Sentences about recurrences of RFC 5545.

Responsible for: telling the parts of a rule as calendar times where they are such, and the others
in clauses of their own: how often, from when, until when, which of them only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from task_scheduler.schedules.calendar_times import (
    ALL_HOURS,
    ALL_MINUTES,
    ALL_MONTHS,
    ALL_WEEKDAYS,
    CalendarTimes,
    ClockTimes,
    Days,
)
from task_scheduler.schedules.phrases import Phrases
from task_scheduler.schedules.recurrence_text import (
    Frequency,
    Moment,
    RecurrenceRule,
    RecurrenceText,
    read_recurrence,
)
from task_scheduler.schedules.sentences_calendar import calendar_sentence
from task_scheduler.schedules.zones import local_zone, zone_named

__all__ = ["recurrence_sentence"]

_MOST_DATES = 3
_UNITS = ("years", "months", "weeks", "days", "hours", "minutes", "seconds")
"""What each frequency counts."""


def recurrence_sentence(phrases: Phrases, plain: Mapping[str, Any]) -> str:
    """Return the sentence of the lines DTSTART, RRULE, RDATE and EXDATE of a plain rule."""
    name, start = plain.get("timezone"), plain.get("start_at")
    zone = local_zone() if name is None else zone_named(name)
    start_at = datetime.fromisoformat(start) if isinstance(start, str) else start
    written = read_recurrence(plain["rrule"], zone, start_at)
    parts = [_of_rule(phrases, rule, written) for rule in written.rules]
    if written.dates:
        parts.append(_dates(phrases, written.dates, "at_moments", "at_many_moments"))
    text = parts[0]
    for part in parts[1:]:
        text = phrases.say("any_of_rules", first=text, last=part)
    if written.excluded:
        without = _dates(phrases, written.excluded, "these_moments", "these_many_moments")
        text = phrases.say("without_moments", rule=text, moments=without)
    if not written.start.is_floating:
        name = str(getattr(written.start.zone.tz, "key", written.start.zone.tz))
    return text if name is None else phrases.say("in_zone", rule=text, zone=name)


def _dates(phrases: Phrases, moments: Sequence[Moment], few: str, many: str) -> str:
    ordered = sorted(moments, key=lambda moment: moment.local)
    if len(ordered) <= _MOST_DATES:
        texts = [_moment(phrases, moment) for moment in ordered]
        return phrases.say(few, moments=phrases.all_of(texts))
    first, last = (_moment(phrases, moment) for moment in (ordered[0], ordered[-1]))
    return phrases.say(many, count=len(ordered), first=first, last=last)


def _moment(phrases: Phrases, moment: Moment) -> str:
    if moment.is_date:
        return phrases.date(moment.local)
    return phrases.moment(moment.local)


def _of_rule(phrases: Phrases, rule: RecurrenceRule, written: RecurrenceText) -> str:
    start = written.start.local
    if rule.frequency >= Frequency.HOURLY and rule.interval > 1:
        text = _grid(phrases, rule)
    else:
        times = CalendarTimes(_clock(rule, start), _days(rule, start))
        cycle = _cycle(phrases, rule, times.days)
        of_year = _of_year(phrases, rule, times.days)
        text = calendar_sentence(phrases, times, on=cycle or of_year)
        if cycle is None and of_year is not None and times.days.has_month_days:
            month_days = phrases.all_of(phrases.month_days(times.days.month_days))
            text = phrases.say("only_month_days", rule=text, values=month_days)
        if rule.interval > 1 and cycle is None:
            name = f"only_each_{_UNITS[rule.frequency].removesuffix('s')}"
            text = phrases.say(name, rule=text, count=rule.interval)
    text = _with_limits(phrases, text, rule)
    begin = _moment(phrases, written.start)
    name = "counted_from" if rule.interval > 1 else "from_moment"
    text = phrases.say(name, rule=text, moment=begin)
    if rule.until is not None:
        until = rule.until
        local = until.local if until.is_floating else until.local.replace(tzinfo=until.zone.tz)
        if not until.is_floating:
            local = local.astimezone(written.start.zone.tz)
        end = phrases.date(local) if until.is_date else phrases.moment(local)
        text = phrases.say("until_moment", rule=text, moment=end)
    if rule.count is not None:
        name = "at_most_once" if rule.count == 1 else "at_most"
        text = phrases.say(name, rule=text, count=rule.count)
    return text


# -- days and times -----------------------------------------------------------------------------


def _clock(rule: RecurrenceRule, start: datetime) -> ClockTimes:
    """Return the times of day of a rule that runs on each of its days alike."""
    frequency = rule.frequency
    hours = ALL_HOURS if frequency >= Frequency.HOURLY else (start.hour,)
    minutes = ALL_MINUTES if frequency >= Frequency.MINUTELY else (start.minute,)
    seconds = ALL_MINUTES if frequency >= Frequency.SECONDLY else (start.second,)
    return ClockTimes(rule.hours or hours, rule.minutes or minutes, rule.seconds or seconds)


def _days(rule: RecurrenceRule, start: datetime) -> Days:
    """Return the days of a rule; what it leaves open is that of DTSTART."""
    frequency = rule.frequency
    nth = tuple(pair for pair in rule.weekdays if pair[0])
    weekdays = tuple(day for number, day in rule.weekdays if not number)
    month_days, months = rule.month_days, rule.months or ALL_MONTHS
    has_days = bool(rule.weekdays or rule.month_days or rule.year_days or rule.week_numbers)
    if not has_days and frequency <= Frequency.MONTHLY:
        month_days = (start.day,)
        if frequency is Frequency.YEARLY:
            months = rule.months or (start.month,)
    if not rule.weekdays and (frequency is Frequency.WEEKLY or rule.week_numbers):
        weekdays = (start.weekday(),)
    if weekdays == ALL_WEEKDAYS:
        weekdays = ()
    return Days(month_days=month_days, weekdays=weekdays, nth_weekdays=nth, months=months)


def _cycle(phrases: Phrases, rule: RecurrenceRule, days: Days) -> str | None:
    """Return the days of a rule of every n-th period in one phrase; None: a clause must tell it."""
    frequency, count = rule.frequency, rule.interval
    is_whole = days.months == ALL_MONTHS
    kinds = [days.has_month_days, bool(days.weekdays), bool(days.nth_weekdays)]
    if count == 1 or sum(kinds) > 1:
        return None
    if frequency is Frequency.DAILY and is_whole and not any(kinds):
        return phrases.every("days", count)
    if frequency is Frequency.WEEKLY and is_whole:
        names = phrases.weekdays(days.weekdays or ALL_WEEKDAYS)
        return phrases.say("cycle_weeks", days=names, count=count)
    if frequency is Frequency.MONTHLY and is_whole and not days.weekdays and any(kinds):
        return phrases.say("cycle_months", days=_days_named(phrases, days), count=count)
    if frequency is Frequency.YEARLY and days.has_month_days and not is_whole:
        name = "dates_of_month" if len(days.months) == 1 else "dates_of_months"
        months, names = phrases.months(days.months), _days_named(phrases, days)
        text = phrases.say(f"{name}_some_years", days=names, months=months)
        return phrases.say("cycle_years", days=text, count=count)
    if frequency is Frequency.YEARLY and days.nth_weekdays and is_whole:
        return phrases.say("cycle_years", days=_days_named(phrases, days), count=count)
    return None


def _days_named(phrases: Phrases, days: Days) -> str:
    """Return the days of a month or the n-th weekdays, whichever there are."""
    if days.nth_weekdays:
        return phrases.all_of(phrases.nth_weekdays(days.nth_weekdays))
    return phrases.all_of(phrases.month_days(days.month_days))


def _of_year(phrases: Phrases, rule: RecurrenceRule, days: Days) -> str | None:
    """Return n-th weekdays of the year, which stand in no month; None where there are none."""
    if not days.nth_weekdays or rule.frequency is not Frequency.YEARLY or rule.months:
        return None
    nth = phrases.all_of(phrases.nth_weekdays(days.nth_weekdays))
    text = phrases.say("of_each_year", days=nth)
    if not days.weekdays:
        return text
    weekly = phrases.say("weekly", weekdays=phrases.weekdays(days.weekdays))
    return phrases.say("or_days", first=weekly, last=text)


def _grid(phrases: Phrases, rule: RecurrenceRule) -> str:
    """Return "every 6 hours" and what of it counts, field by field."""
    text = phrases.every(_UNITS[rule.frequency], rule.interval)
    for name, values in (
        ("minutes", rule.minutes),
        ("hours", rule.hours),
        ("seconds", rule.seconds),
        ("months", rule.months),
    ):
        if values:
            unit = name.removesuffix("s")
            words = phrases.months(values) if name == "months" else phrases.numbers(values, unit)
            text = phrases.say(f"only_{name}", rule=text, values=words)
    if rule.month_days:
        days = phrases.all_of(phrases.month_days(rule.month_days))
        text = phrases.say("only_month_days", rule=text, values=days)
    if rule.weekdays:
        weekdays = phrases.weekdays([day for _, day in rule.weekdays])
        text = phrases.say("only_weekdays", rule=text, values=weekdays)
    return text


# -- clauses ------------------------------------------------------------------------------------


def _with_limits(phrases: Phrases, text: str, rule: RecurrenceRule) -> str:
    """Add what no calendar time has a place for."""
    if rule.week_numbers:
        weeks = _positions(phrases, rule.week_numbers, "week")
        text = phrases.say("only_weeks", rule=text, values=weeks)
    if rule.year_days:
        days = _positions(phrases, rule.year_days, "year_day")
        text = phrases.say("only_year_days", rule=text, values=days)
    if rule.set_positions:
        positions = _positions(phrases, rule.set_positions, "position")
        period = _UNITS[rule.frequency].removesuffix("s")
        text = phrases.say(f"positions_of_{period}", rule=text, values=positions)
    return text


def _positions(phrases: Phrases, values: Sequence[int], name: str) -> str:
    """Return ordinals, those from the end last, such as "first and last"."""
    words = []
    for value in [*(one for one in values if one > 0), *(one for one in values if one < 0)]:
        if value == -1:
            words.append(phrases.say(f"{name}_last"))
        elif value < 0:
            words.append(phrases.say(f"{name}_from_end", count=-value))
        else:
            words.append(phrases.say(name, count=value))
    return phrases.all_of(words)
