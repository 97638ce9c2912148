"""Recurrences of RFC 5545: RRULE, RDATE and EXDATE as instants, found without a walk.

Responsible for: turning the parts of a rule into sets of days (`day_sets`) and times of day, and
these into occurrences. No rule is ever walked from its DTSTART on:

- The days of a rule from YEARLY to DAILY are one set of bits: the days of every INTERVAL-th year,
  month, week or day since DTSTART's, and the days that each BY-part names, combined with ``&``.
- BYSETPOS picks among days and times of day; which time a position falls on is the same in every
  period, so a rule with it is one set of days for each of its positions' times.
- HOURLY, MINUTELY and SECONDLY rules without a limiting part are a grid, by arithmetic alone. With
  one, the times of day repeat after INTERVAL / gcd(INTERVAL, units of a day) days: a table of the
  times of each of those, and one set of days. More than 1,440 different days, as only some
  SECONDLY rules have, are refused.
- COUNT is turned into the local time of the last one when the rule is read: by bisection over the
  number of times before a moment, which is a number of bits.

So `next_after` is a shift of a set and a bisection of times of day, whatever the distance.

COUNT counts local times as the calendar has them, before clocks that are changed leave one out or
let one come twice, and before EXDATE. DTSTART itself runs only where the rule names it; without an
RRULE it is the first of the RDATEs. An EXDATE removes its local time, both times where it comes
twice. Without a choice, rules from YEARLY to DAILY name times of the day (``run_after``, ``once``)
and the others are about time passing (``skip``, ``twice``), as with cron.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from math import gcd

from task_scheduler.errors import ScheduleError
from task_scheduler.schedules.day_sets import (
    FIRST_DAY,
    Span,
    every_day,
    every_week,
    in_months,
    month_spans,
    on_days,
    on_month_days,
    on_phases,
    on_week_numbers,
    on_weekdays,
    on_weekdays_of_month,
    on_weekdays_of_year,
    on_year_days,
    spans_each,
    week_spans,
    year_spans,
)
from task_scheduler.schedules.instants import LATEST, SECOND, datetime_at
from task_scheduler.schedules.local_times import (
    DAY_SECONDS,
    BoundedTimes,
    CycleTimes,
    DayTimes,
    DisjointTimes,
    GridTimes,
    LocalOccurrences,
    LocalTimes,
    NamedTimes,
)
from task_scheduler.schedules.occurrences import Occurrences, union
from task_scheduler.schedules.recurrence_text import (
    Frequency,
    Moment,
    RecurrenceRule,
    RecurrenceText,
    read_recurrence,
)
from task_scheduler.schedules.zones import Zone

__all__ = ["recurrence_occurrences"]

_UNITS = {Frequency.HOURLY: 3600, Frequency.MINUTELY: 60, Frequency.SECONDLY: 1}
_MOST_PHASES = 1_440
"""As many as a MINUTELY rule can have; a SECONDLY one of an odd interval would have 86,400."""
_FIRST_LOCAL = FIRST_DAY * DAY_SECONDS
_LAST_LOCAL = LATEST // SECOND + DAY_SECONDS
_LAST_SECOND = LATEST // SECOND


def recurrence_occurrences(
    text: str,
    zone: Zone,
    *,
    start_at: datetime | None = None,
    gap: str | None = None,
    fold: str | None = None,
) -> Occurrences:
    """Return the instants of the lines DTSTART, RRULE, RDATE and EXDATE.

    `zone` is that of times written without ``TZID`` or ``Z``; `start_at` stands in for DTSTART;
    `gap` is ``run_after`` or ``skip``, `fold` is ``once`` or ``twice``. Raises ScheduleError
    naming the part, its place and the remedy, also where a rule would never run.
    """
    written = read_recurrence(text, zone, start_at)
    parts = [_of_rule(rule, written, gap=gap, fold=fold) for rule in written.rules]
    return union([*parts, *_of_dates(written, gap=gap, fold=fold)])


def _of_rule(
    rule: RecurrenceRule, written: RecurrenceText, *, gap: str | None, fold: str | None
) -> Occurrences:
    zone = written.start.zone
    start = _local_seconds(written.start.local)
    if start > _LAST_LOCAL:
        raise ScheduleError("schedules.rrule_late_start", value=str(written.start.local))
    times = _times_of(rule, written.start.local)
    end, last = _LAST_LOCAL, _LAST_SECOND
    if rule.until is not None and rule.until.is_floating:
        end = min(end, _local_seconds(rule.until.local))
    elif rule.until is not None:
        last = min(last, rule.until.instant // SECOND)
    if rule.count is not None:
        end = min(end, _end_of_count(times, start, rule))
    bounded = BoundedTimes(times, start, end)
    local = {_local_in(zone, moment) for moment in written.excluded}
    excluded = sorted(one for one in local if bounded.at_or_after(one) == one)
    is_fixed = rule.frequency <= Frequency.DAILY
    found = LocalOccurrences(
        replace(bounded, excluded=tuple(excluded)),
        zone,
        is_run_after_gap=is_fixed if gap is None else gap == "run_after",
        is_twice_in_fold=not is_fixed if fold is None else fold == "twice",
        last=last,
    )
    if found.next_after(-1, 0) is None:
        raise ScheduleError("schedules.rrule_never", rule=rule.text)
    return found


def _of_dates(
    written: RecurrenceText, *, gap: str | None, fold: str | None
) -> list[LocalOccurrences]:
    """Return the instants of RDATE, those of each zone together."""
    dates = written.dates if written.rules else (written.start, *written.dates)
    excluded = {moment.instant for moment in written.excluded}
    by_zone: dict[Zone, set[int]] = {}
    for moment in dates:
        if moment.instant not in excluded:
            by_zone.setdefault(moment.zone, set()).add(_local_seconds(moment.local))
    return [
        LocalOccurrences(
            NamedTimes(tuple(sorted(times))),
            zone,
            is_run_after_gap=gap != "skip",
            is_twice_in_fold=fold == "twice",
        )
        for zone, times in by_zone.items()
    ]


def _times_of(rule: RecurrenceRule, start: datetime) -> LocalTimes:
    """Return the local times of a rule without its bounds."""
    try:
        if rule.frequency in _UNITS:
            return _within_days(rule, start)
        return _of_days(rule, start)
    except _NeverError:
        raise ScheduleError("schedules.rrule_never", rule=rule.text) from None


class _NeverError(Exception):
    """A part picks from nothing."""


def _end_of_count(times: LocalTimes, start: int, rule: RecurrenceRule) -> int:
    """Return the local time of the last one that COUNT allows."""
    if start < _FIRST_LOCAL and not isinstance(times, GridTimes):
        raise ScheduleError("schedules.rrule_old_count", rule=rule.text)
    wanted = times.count_before(start) + (rule.count or 0)
    low, high = start, _LAST_LOCAL
    if times.count_before(high + 1) < wanted:
        return high
    while low < high:
        middle = (low + high) // 2
        if times.count_before(middle + 1) < wanted:
            low = middle + 1
        else:
            high = middle
    return low


def _of_days(rule: RecurrenceRule, start: datetime) -> LocalTimes:
    """Return the times of a rule from YEARLY to DAILY."""
    times = array(
        "I",
        sorted(
            hour * 3600 + minute * 60 + second
            for hour in rule.hours or (start.hour,)
            for minute in rule.minutes or (start.minute,)
            for second in rule.seconds or (start.second,)
        ),
    )
    days = _every(rule, start) & _named_days(_completed(rule, start))
    if not rule.set_positions:
        return DayTimes(days, times)
    if rule.frequency is Frequency.DAILY:
        return DayTimes(days, _picked(times, rule.set_positions))
    return _picked_days(rule, days, times)


def _completed(rule: RecurrenceRule, start: datetime) -> RecurrenceRule:
    """Fill in what RFC 5545 takes from DTSTART where no part says on which day."""
    if rule.week_numbers and not (rule.weekdays or rule.month_days or rule.year_days):
        return replace(rule, weekdays=((0, start.weekday()),))
    if rule.week_numbers or rule.year_days or rule.month_days or rule.weekdays:
        return rule
    if rule.frequency is Frequency.YEARLY:
        months = rule.months or (start.month,)
        return replace(rule, months=months, month_days=(start.day,))
    if rule.frequency is Frequency.MONTHLY:
        return replace(rule, month_days=(start.day,))
    if rule.frequency is Frequency.WEEKLY:
        return replace(rule, weekdays=((0, start.weekday()),))
    return rule


def _every(rule: RecurrenceRule, start: datetime) -> int:
    """Return the days of every INTERVAL-th year, month, week or day since DTSTART's."""
    day = _local_seconds(start) // DAY_SECONDS
    if rule.frequency is Frequency.YEARLY:
        return spans_each(year_spans(), start.year, rule.interval)
    if rule.frequency is Frequency.MONTHLY:
        return spans_each(month_spans(), 12 * start.year + start.month - 1, rule.interval)
    if rule.frequency is Frequency.WEEKLY:
        return every_week(day, rule.interval, rule.week_start)
    return every_day(day, rule.interval)


def _named_days(rule: RecurrenceRule) -> int:
    """Return the days that every BY-part names."""
    days = every_day(0, 1)
    if rule.months:
        days &= in_months(rule.months)
    if rule.week_numbers:
        days &= on_week_numbers(rule.week_numbers, rule.week_start)
    if rule.year_days:
        days &= on_year_days(rule.year_days)
    if rule.month_days:
        days &= on_month_days(rule.month_days)
    if rule.weekdays:
        days &= _named_weekdays(rule)
    return days


def _named_weekdays(rule: RecurrenceRule) -> int:
    plain = tuple(weekday for ordinal, weekday in rule.weekdays if not ordinal)
    ordinals = tuple(pair for pair in rule.weekdays if pair[0])
    days = on_weekdays(plain) if plain else 0
    if not ordinals:
        return days
    is_of_year = rule.frequency is Frequency.YEARLY and not rule.months
    return days | (on_weekdays_of_year if is_of_year else on_weekdays_of_month)(ordinals)


def _picked(times: Sequence[int], positions: tuple[int, ...]) -> array[int]:
    """Return the times at these positions, from 1 on or from the end."""
    count = len(times)
    found = {
        times[position - 1 if position > 0 else position]
        for position in positions
        if abs(position) <= count
    }
    if not found:
        raise _NeverError
    return array("I", sorted(found))


def _picked_days(rule: RecurrenceRule, days: int, times: array[int]) -> LocalTimes:
    """Return what BYSETPOS picks from each year, month or week.

    Position p of a period with t times a day is time ``(p - 1) % t`` of its day ``(p - 1) // t``,
    both counted from the end for a negative one.
    """
    places: dict[int, set[int]] = {}
    for position in rule.set_positions:
        nth, time = divmod(abs(position) - 1, len(times))
        at = times[time if position > 0 else -1 - time]
        places.setdefault(at, set()).add(nth if position > 0 else -1 - nth)
    bits: dict[int, set[int]] = {at: set() for at in places}
    digits = f"{days:b}"[::-1]
    for span in _spans_of(rule):
        named = [bit for bit in range(span.begin, min(span.end, len(digits))) if digits[bit] == "1"]
        for at, indexes in places.items():
            bits[at].update(named[nth] for nth in indexes if -len(named) <= nth < len(named))
    parts = [DayTimes(on_days(found), array("I", [at])) for at, found in bits.items() if found]
    if not parts:
        raise _NeverError
    return parts[0] if len(parts) == 1 else DisjointTimes(tuple(parts))


def _spans_of(rule: RecurrenceRule) -> tuple[Span, ...]:
    if rule.frequency is Frequency.YEARLY:
        return year_spans()
    if rule.frequency is Frequency.MONTHLY:
        return month_spans()
    return week_spans(rule.week_start)


def _within_days(rule: RecurrenceRule, start: datetime) -> LocalTimes:
    """Return the times of an HOURLY, MINUTELY or SECONDLY rule."""
    unit = _UNITS[rule.frequency]
    base = _local_seconds(start) // unit * unit
    offsets = _offsets_of(rule, start)
    is_limited = bool(
        rule.months
        or rule.year_days
        or rule.month_days
        or rule.weekdays
        or rule.hours
        or (rule.minutes and unit <= 60)
        or (rule.seconds and unit == 1)
    )
    if not is_limited:
        return GridTimes(base, rule.interval * unit, offsets)
    # The grid of the units comes to the same times of day after `cycle` days.
    per_day = DAY_SECONDS // unit
    shared = gcd(rule.interval, per_day)
    cycle = rule.interval // shared
    hours, minutes, seconds = (frozenset(part) for part in (rule.hours, rule.minutes, rule.seconds))
    by_day: dict[int, list[int]] = {}
    for turn in range(per_day // shared):
        day, time = divmod(base + turn * rule.interval * unit, DAY_SECONDS)
        if (
            (not hours or time // 3600 in hours)
            and (unit > 60 or not minutes or time // 60 % 60 in minutes)
            and (unit > 1 or not seconds or time % 60 in seconds)
        ):
            by_day.setdefault(day % cycle, []).append(time)
    if len(by_day) > _MOST_PHASES:
        raise ScheduleError(
            "schedules.rrule_uneven",
            rule=rule.text,
            interval=rule.interval,
            freq=rule.frequency.name,
            count=len(by_day),
            most=_MOST_PHASES,
        )
    times = {
        phase: array("I", sorted(time + offset for time in units for offset in offsets))
        for phase, units in by_day.items()
    }
    return CycleTimes(on_phases(times, cycle) & _named_days(rule), cycle, times)


def _offsets_of(rule: RecurrenceRule, start: datetime) -> tuple[int, ...]:
    """Return the seconds within each hour, minute or second at which a rule runs."""
    minutes: tuple[int, ...] = (0,)
    seconds: tuple[int, ...] = (0,)
    if rule.frequency is Frequency.HOURLY:
        minutes = rule.minutes or (start.minute,)
    if rule.frequency is not Frequency.SECONDLY:
        seconds = rule.seconds or (start.second,)
    offsets = sorted(minute * 60 + second for minute in minutes for second in seconds)
    return tuple(_picked(offsets, rule.set_positions) if rule.set_positions else offsets)


def _local_seconds(local: datetime) -> int:
    return (local - datetime(1970, 1, 1)) // timedelta(seconds=1)


def _local_in(zone: Zone, moment: Moment) -> int:
    """Return a moment on the wall clock of a zone."""
    if moment.zone is zone:
        return _local_seconds(moment.local)
    return _local_seconds(datetime_at(moment.instant, zone.tz).replace(tzinfo=None))
