"""Findings about the nights on which clocks are changed.

Responsible for: naming the coming changes of a rule's zone that skip or repeat its times, and what
becomes of them. The local times of a rule are found as the instants of its twin in UTC.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC
from typing import Any

from task_scheduler.errors import ScheduleError
from task_scheduler.schedules.calendars.registry import Calendars
from task_scheduler.schedules.findings import Finding, Level, finding
from task_scheduler.schedules.instants import SECOND, datetime_at
from task_scheduler.schedules.occurrences import Occurrences
from task_scheduler.schedules.on_calendar import parse_on_calendar
from task_scheduler.schedules.phrases import Phrases
from task_scheduler.schedules.rule import from_plain, occurrences_of
from task_scheduler.schedules.zones import Period, Zone, local_zone, zone_named

__all__ = ["clock_changes"]

_YEARS = 2 * 366 * 86_400
_HOUR = 3_600
_MOST_TIMES = 3
_WALL_CLOCK_KINDS = ("cron", "daily", "weekly", "monthly", "on_calendar", "rrule", "interval")
_DROPPED = ("start_at", "end_at", "max_runs", "gap", "fold", "jitter_seconds")
"""What has no say in which local times a rule names."""
_ZONE_OF_LINE = re.compile(r";TZID=(\"[^\"]*\"|[^:;]*)", re.IGNORECASE)


@dataclass(slots=True)
class _Nights:
    """Nights on which the same becomes of a rule's times."""

    dates: list[int] = field(default_factory=list)
    times: set[int] = field(default_factory=set)
    moved: int = 0


def clock_changes(
    phrases: Phrases,
    plain: Mapping[str, Any],
    occurrences: Occurrences,
    *,
    now: int,
    calendars: Calendars,
    task_id: str | None,
) -> list[Finding]:
    """Return the findings of the two years from `now` on."""
    found = _zone_and_twin(plain)
    if found is None:
        return _drift(phrases, plain, now)
    zone, twin_plain = found
    try:
        twin = occurrences_of(from_plain(twin_plain), calendars, task_id=task_id)
    except ScheduleError:
        return []
    nights: dict[str, _Nights] = {}
    for period in _changes(zone, now // SECOND):
        length = abs(period.offset - period.before)
        begin = period.start + min(period.offset, period.before)
        times = _instants(twin, begin, begin + length)
        if not times or _is_about_time_passing(twin, begin, length):
            continue
        kind = _kind_of(period, occurrences, len(times), now)
        if kind is None:
            continue
        night = nights.setdefault(kind, _Nights())
        night.dates.append(times[0])
        night.times.update(time % 86_400 for time in times)
        night.moved = (period.start + period.offset) % 86_400
    name = str(getattr(zone.tz, "key", "")) or phrases.say("this_machine")
    return [_told(phrases, kind, night, name) for kind, night in nights.items()]


def _told(phrases: Phrases, kind: str, night: _Nights, zone: str) -> Finding:
    times = sorted(night.times)
    few = phrases.times(times) if len(times) <= _MOST_TIMES else phrases.range_of_times(times)
    dates = [phrases.date(datetime_at(date * SECOND, UTC)) for date in night.dates]
    return finding(
        phrases,
        f"clocks_{kind}",
        place="timezone",
        level=Level.WARNING if kind in ("skipped", "doubled") else Level.NOTE,
        zone=zone,
        times=few,
        dates=phrases.all_of(dates),
        moved=phrases.time(night.moved),
    )


def _kind_of(period: Period, occurrences: Occurrences, count: int, now: int) -> str | None:
    """Return what becomes of some times that a change skips or repeats; None: nothing at all."""
    length = abs(period.offset - period.before)
    if period.offset > period.before:
        moved = occurrences.next_after(period.start * SECOND - 1, now)
        return "moved" if moved == period.start * SECOND else "skipped"
    runs = len(_instants(occurrences, period.start - length, period.start + length, anchor=now))
    if not runs:
        return None
    return "doubled" if runs > count else "once"


def _changes(zone: Zone, second: int) -> Iterator[Period]:
    """Yield the periods that begin with a change of the clocks."""
    end = second + _YEARS
    period = zone.period_at(second)
    while period.end < end:
        period = zone.period_at(period.end)
        if period.before != period.offset:
            yield period


def _instants(
    occurrences: Occurrences, begin: int, end: int, *, anchor: int | None = None
) -> list[int]:
    """Return the seconds of the instants from `begin` to before `end`."""
    found: list[int] = []
    start = begin * SECOND
    instant = occurrences.next_after(start - 1, start if anchor is None else anchor)
    while instant is not None and instant < end * SECOND and len(found) < _HOUR:
        found.append(instant // SECOND)
        instant = occurrences.next_after(instant, start if anchor is None else anchor)
    return found


def _is_about_time_passing(twin: Occurrences, begin: int, length: int) -> bool:
    """Whether a rule goes on hour by hour around a change: then nobody waits for one of them."""
    around = _instants(twin, begin - 3 * _HOUR, begin + length + 3 * _HOUR)
    edges = [begin - 3 * _HOUR - 1, *around, begin + length + 3 * _HOUR]
    return all(b - a <= _HOUR + 1 for a, b in itertools.pairwise(edges))


def _zone_and_twin(plain: Mapping[str, Any]) -> tuple[Zone, dict[str, Any]] | None:
    """Return a rule's zone, and the same rule in UTC; None where it has no times of the wall."""
    kind = plain.get("type")
    if kind not in _WALL_CLOCK_KINDS:
        return None
    name = plain.get("timezone")
    zone = local_zone() if name is None else zone_named(name)
    twin = {key: value for key, value in plain.items() if key not in _DROPPED}
    if kind == "interval" and plain.get("anchor", "start") in ("start", "epoch"):
        return None
    if kind == "cron" and plain["cron"].strip().lower().startswith(("@every", "@reboot")):
        return None
    if kind == "on_calendar":
        expression = parse_on_calendar(plain["on_calendar"])
        if expression.zone is not None:
            zone = zone_named(expression.zone)
            twin["on_calendar"] = expression.normalized.rsplit(" ", 1)[0]
    if kind == "rrule":
        named = _ZONE_OF_LINE.search(plain["rrule"])
        if named is not None:
            zone = zone_named(named[1].strip('"'))
            twin["rrule"] = _ZONE_OF_LINE.sub("", plain["rrule"])
        if "start_at" in plain:
            twin["start_at"] = plain["start_at"]
    return zone, {**twin, "timezone": "UTC"}


def _drift(phrases: Phrases, plain: Mapping[str, Any], now: int) -> list[Finding]:
    """Say that an interval of whole days does not keep its time of day."""
    seconds = plain.get("seconds", 0)
    if plain.get("type") != "interval" or plain.get("kind") == "fixed_delay" or seconds % 86_400:
        return []
    name = plain.get("timezone")
    zone = local_zone() if name is None else zone_named(name)
    change = next(_changes(zone, now // SECOND), None)
    if change is None or not seconds:
        return []
    date = phrases.date(datetime_at(change.start * SECOND, zone.tz))
    return [
        finding(
            phrases,
            "interval_drifts",
            level=Level.NOTE,
            length=phrases.length(seconds),
            date=date,
        )
    ]
