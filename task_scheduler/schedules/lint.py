"""Lint: what in a rule is probably not meant, or will surprise.

Responsible for: the findings about any kind of rule: that it never runs again, that it is due
before the run before it has usually ended, that many are due at once. Those about the fields of a
rule are in `lint_fields`, those about changes of the clocks in `lint_clock_changes`. Decides
nothing: a rule with findings is a rule. Reads no clock: the present is an argument.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from task_scheduler.schedules.calendars.registry import BUILT_IN, Calendars
from task_scheduler.schedules.findings import Finding, Level, finding
from task_scheduler.schedules.instants import DAY, SECOND, datetime_at
from task_scheduler.schedules.lint_clock_changes import clock_changes
from task_scheduler.schedules.lint_fields import field_findings
from task_scheduler.schedules.occurrences import Occurrences
from task_scheduler.schedules.phrases import Phrases, phrases_in
from task_scheduler.schedules.rule import ScheduleRule, from_plain, occurrences_of, to_plain
from task_scheduler.schedules.zones import Zone, local_zone, zone_named

__all__ = ["Finding", "Level", "lint"]

_LOOKED_AT = 200
"""So many coming runs are looked at for their distances and for others beside them."""
_CROWD = 4
"""So many others at the same second are many."""
_LATEST_SLOT = 59


def lint(
    rule: ScheduleRule,
    *,
    now: int,
    calendars: Calendars = BUILT_IN,
    task_id: str | None = None,
    usual_seconds: float | None = None,
    busy: Iterable[int] = (),
    language: str | None = None,
) -> list[Finding]:
    """Return the findings about a rule, warnings first.

    `now` and `busy` are microseconds since the Unix epoch; `busy` has the instants of the other
    tasks in the coming day, each as often as a task is due. `usual_seconds` is how long a run
    mostly takes. `task_id` and `calendars` are as for `occurrences_of`. Raises ScheduleError where
    that does.
    """
    phrases = phrases_in(language)
    if rule.is_reboot:
        return []
    occurrences = occurrences_of(rule, calendars, task_id=task_id)
    zone = local_zone() if rule.timezone is None else zone_named(rule.timezone)
    plain = to_plain(rule)
    coming = _coming(occurrences, now)
    found = [] if coming else [_never(phrases, plain, now, zone)]
    found += _too_short(phrases, rule, coming, usual_seconds)
    found += _crowded(phrases, coming, busy, now, zone)
    for part in _parts(plain):
        own = occurrences_of(from_plain(part), calendars, task_id=task_id)
        found += field_findings(phrases, part, task_id)
        found += clock_changes(phrases, part, own, now=now, calendars=calendars, task_id=task_id)
    return sorted(found, key=lambda one: one.level is not Level.WARNING)


def _parts(plain: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """Return the rules whose times each run: a rule itself, or those of which any is enough.

    Rules that must all agree limit each other: what is odd about one alone is often meant.
    """
    if plain is None or plain.get("type") == "all_of":
        return []
    if plain.get("type") != "any_of":
        return [dict(plain)]
    return [found for part in plain["rules"] for found in _parts(part)]


def _coming(occurrences: Occurrences, now: int) -> list[int]:
    """Return the next instants of a rule that is added now."""
    found: list[int] = []
    moment = now - 1
    while len(found) < _LOOKED_AT:
        following = occurrences.next_after(moment, now)
        if following is None:
            break
        found.append(following)
        moment = following
    return found


def _never(phrases: Phrases, plain: Mapping[str, Any] | None, now: int, zone: Zone) -> Finding:
    """Say that a rule does not run any more, and by what where it is plain to see."""
    moment = phrases.moment(datetime_at(now, zone.tz))
    given = plain or {}
    for name, place in (("end_at", "end_at"), ("exclude", "exclude"), ("include", "include")):
        if given.get(name):
            return finding(phrases, "never_fires_by", place=place, moment=moment, name=name)
    return finding(phrases, "never_fires", place=str(given.get("type", "")), moment=moment)


def _too_short(
    phrases: Phrases, rule: ScheduleRule, coming: list[int], usual_seconds: float | None
) -> list[Finding]:
    if usual_seconds is None or len(coming) < 2 or rule.is_fixed_delay:
        return []
    shortest = min(later - earlier for earlier, later in itertools.pairwise(coming))
    if usual_seconds * SECOND <= shortest:
        return []
    return [
        finding(
            phrases,
            "longer_than_interval",
            usual=phrases.length(round(usual_seconds, 1)),
            distance=phrases.length(shortest / SECOND),
        )
    ]


def _crowded(
    phrases: Phrases, coming: list[int], busy: Iterable[int], now: int, zone: Zone
) -> list[Finding]:
    others = Counter(instant // SECOND for instant in busy)
    mine = [instant // SECOND for instant in coming if instant <= now + DAY]
    if not others or not mine:
        return []
    worst = max(mine, key=lambda second: others[second])
    count = others[worst]
    if count < _CROWD:
        return []
    distance = min((b - a for a, b in itertools.pairwise(mine)), default=3_600)
    slots = range(1, min(_LATEST_SLOT, (distance - 1) // 60) + 1)
    minutes = min(slots, key=lambda slot: _beside(others, mine, slot), default=0)
    at = phrases.time(_second_of_day(worst, zone))
    if not minutes or _beside(others, mine, minutes) >= _beside(others, mine, 0):
        return [finding(phrases, "crowded", count=count, time=at)]
    slot = phrases.time(_second_of_day(worst + minutes * 60, zone))
    left = _beside(others, mine, minutes)
    key = "crowded_with_better_slot" if left else "crowded_with_slot"
    return [finding(phrases, key, count=count, time=at, slot=slot)]


def _beside(others: Counter[int], mine: list[int], minutes: int) -> int:
    """Return how many others would at most be due with one of these runs, so much later."""
    return max(others[second + minutes * 60] for second in mine)


def _second_of_day(second: int, zone: Zone) -> int:
    return (second + zone.period_at(second).offset) % 86_400
