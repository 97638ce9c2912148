"""From the parameters of a rule to its instants.

Responsible for: checking what each kind of rule needs, and putting its instants together: those of
the kind, less those that calendars block, within their bounds. Knows nothing of the class that
users make rules with; the instants of combined rules are handed in.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from task_scheduler.errors import ScheduleError
from task_scheduler.schedules.bounds import BoundedOccurrences, LimitedOccurrences
from task_scheduler.schedules.calendars.named_calendar import Calendar
from task_scheduler.schedules.calendars.registry import BUILT_IN, Calendars
from task_scheduler.schedules.combination import all_of
from task_scheduler.schedules.cron_expression import parse_cron
from task_scheduler.schedules.cron_occurrences import CronOccurrences
from task_scheduler.schedules.exclusion import ExcludedOccurrences, Exclusion
from task_scheduler.schedules.instants import DAY, EARLIEST, LATEST, SECOND
from task_scheduler.schedules.local_times import GridTimes, LocalOccurrences
from task_scheduler.schedules.occurrences import (
    IntervalOccurrences,
    NamedOccurrences,
    Occurrences,
    OnceOccurrences,
    union,
)
from task_scheduler.schedules.on_calendar import parse_on_calendar
from task_scheduler.schedules.recurrence import recurrence_occurrences
from task_scheduler.schedules.rolling import RolledOccurrences
from task_scheduler.schedules.rule_parameters import (
    Given,
    ScheduleType,
    check_modifiers,
    choice_of,
    instant_named,
    instants_named,
    period_of,
    refuse_foreign,
    shown,
    text_of,
    zone_of,
)
from task_scheduler.schedules.solar import solar_occurrences
from task_scheduler.schedules.sugar import split
from task_scheduler.schedules.times_of_day import daily, monthly, weekly
from task_scheduler.schedules.wall_clock import time_of
from task_scheduler.schedules.zones import zone_named

__all__ = ["Surroundings", "build", "needs_surroundings"]

_HOUR = 3600 * SECOND
_SHORTEST_ROLLED = 60 * SECOND
_LONGEST_SUGAR = 1_000


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What instants follow from besides the rule itself."""

    calendars: Calendars | None = BUILT_IN
    """None: only what needs no calendar is checked, and nothing is left out."""
    task_id: str | None = None
    """Decides what ``H`` and ``~`` stand for in cron expressions."""


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What a kind is made of."""

    given: Given
    surroundings: Surroundings
    parts: Sequence[Occurrences]
    """The instants of the rules that are combined."""


def build(
    kind: ScheduleType,
    given: Given,
    surroundings: Surroundings,
    parts: Sequence[Occurrences] = (),
) -> Occurrences:
    """Check the parameters of a rule and return its instants; raises ScheduleError.

    `parts` are the instants of the combined rules.
    """
    refuse_foreign(kind, given)
    check_modifiers(kind, given)
    found = _BUILDERS[kind](_Wanted(given, surroundings, parts))
    found = _without_blocked(kind, given, surroundings, found)
    found = _within_bounds(kind, given, found)
    if "max_runs" in given:
        return LimitedOccurrences(found, given["max_runs"], zone_of(given))
    return found


def needs_surroundings(given: Given) -> bool:
    """Whether a rule's instants follow from more than its own parameters."""
    if given.get("exclude") or given.get("include") or "rules" in given:
        return True
    cron = given.get("cron")
    return isinstance(cron, str) and parse_cron(cron, "").needs_seed


def _without_blocked(
    kind: ScheduleType, given: Given, surroundings: Surroundings, found: Occurrences
) -> Occurrences:
    """Leave out, or move, what the calendars of a rule block."""
    roll = given.get("roll")
    if roll and kind is ScheduleType.INTERVAL and period_of(given) < _SHORTEST_ROLLED:
        raise ScheduleError("schedules.roll_of_short_interval", name="roll")
    if surroundings.calendars is None:
        return found
    excluded, included = (
        tuple(_calendar(surroundings.calendars, name, one) for one in given.get(name, ()))
        for name in ("exclude", "include")
    )
    if not excluded and not included:
        return found
    exclusion = Exclusion(zone_of(given), excluded, included)
    if roll is None:
        return ExcludedOccurrences(found, exclusion)
    return RolledOccurrences(found, exclusion, is_forward=roll == "next")


def _calendar(calendars: Calendars, name: str, wanted: str) -> Calendar:
    try:
        return calendars.named(wanted)
    except ScheduleError as error:
        # With the parameter that names it, for whoever shows where it stands.
        raise ScheduleError(error.key, **{"name": name, **error.values}) from None


def _within_bounds(kind: ScheduleType, given: Given, found: Occurrences) -> Occurrences:
    start, end = (
        instant_named(name, given[name], given) if name in given else None
        for name in ("start_at", "end_at")
    )
    if kind is ScheduleType.INTERVAL and "anchor" not in given and given.get("roll") != "previous":
        # It begins there by itself.
        start = None
    if start is None and end is None:
        return found
    return BoundedOccurrences(
        found, EARLIEST if start is None else start, LATEST if end is None else end
    )


def _interval(wanted: _Wanted) -> Occurrences:
    given = wanted.given
    period = period_of(given)
    choice_of("kind", given, ("fixed_rate", "fixed_delay"))
    anchor = given.get("anchor", "start")
    if anchor == "start":
        start = given.get("start_at")
        if start is None:
            return IntervalOccurrences(period)
        return IntervalOccurrences(period, instant_named("start_at", start, given))
    if anchor == "epoch":
        return IntervalOccurrences(period, EARLIEST)
    try:
        time = time_of(text_of("anchor", given))
    except ScheduleError:
        raise ScheduleError("schedules.bad_anchor", name="anchor", value=shown(anchor)) from None
    if period % SECOND or (DAY % period and period % DAY):
        raise ScheduleError("schedules.anchor_uneven", name="anchor", value=shown(anchor))
    # A time of day is one of the wall clock: it stays the same when clocks are changed. Up to an
    # hour it is about time passing all the same.
    is_fixed = period > _HOUR
    return LocalOccurrences(
        GridTimes(_first_day(given) * (DAY // SECOND) + time, period // SECOND, (0,)),
        zone_of(given),
        is_run_after_gap=is_fixed,
        is_twice_in_fold=not is_fixed,
    )


def _first_day(given: Given) -> int:
    """Return the local day of `start_at`, from which intervals of days are counted."""
    if "start_at" not in given:
        return 0
    instant = instant_named("start_at", given["start_at"], given)
    offset = zone_of(given).period_at(instant // SECOND).offset
    return (instant // SECOND + offset) // (DAY // SECOND)


def _once(wanted: _Wanted) -> Occurrences:
    given = wanted.given
    if "run_at" not in given:
        raise ScheduleError("schedules.missing_run_at")
    instants = instants_named("run_at", given["run_at"], given)
    return OnceOccurrences(instants[0]) if len(instants) == 1 else NamedOccurrences(instants)


def _cron(wanted: _Wanted) -> Occurrences:
    given = wanted.given
    text = text_of("cron", given)
    day_and = given.get("day_and", False)
    if not isinstance(day_and, bool):
        raise ScheduleError(
            "schedules.unknown_choice", name="day_and", value=shown(day_and), known="True, False"
        )
    expression = parse_cron(text, wanted.surroundings.task_id, day_and=day_and)
    if expression.is_reboot:
        # Which instants those are is known when they have come: the engine's business.
        return NamedOccurrences(())
    if expression.every is not None:
        if "start_at" not in given:
            return IntervalOccurrences(expression.every)
        return IntervalOccurrences(
            expression.every, instant_named("start_at", given["start_at"], given)
        )
    return CronOccurrences(
        expression.times,
        zone_of(given),
        is_run_after_gap=_is_run_after_gap(given, is_fixed=expression.is_fixed),
        is_twice_in_fold=_is_twice_in_fold(given, is_fixed=expression.is_fixed),
    )


def _on_calendar(wanted: _Wanted) -> Occurrences:
    given = wanted.given
    expression = parse_on_calendar(text_of("on_calendar", given))
    # A zone in the expression is nearer to it than the rule's.
    zone = zone_of(given) if expression.zone is None else zone_named(expression.zone)
    return CronOccurrences(
        expression.times,
        zone,
        is_run_after_gap=_is_run_after_gap(given, is_fixed=expression.is_fixed),
        is_twice_in_fold=_is_twice_in_fold(given, is_fixed=expression.is_fixed),
    )


def _rrule(wanted: _Wanted) -> Occurrences:
    given = wanted.given
    return recurrence_occurrences(
        text_of("rrule", given),
        zone_of(given),
        start_at=given.get("start_at"),
        **_clock_changes(given),
    )


def _daily(wanted: _Wanted) -> Occurrences:
    given = wanted.given
    return daily(_sugar("daily", given), zone=zone_of(given), **_clock_changes(given))


def _weekly(wanted: _Wanted) -> Occurrences:
    given = wanted.given
    days, times = split(_sugar("weekly", given), "weekly")
    return weekly(days, times, zone=zone_of(given), **_clock_changes(given))


def _monthly(wanted: _Wanted) -> Occurrences:
    given = wanted.given
    days, times = split(_sugar("monthly", given), "monthly")
    return monthly(days, times, zone=zone_of(given), **_clock_changes(given))


def _sugar(name: str, given: Given) -> str:
    text = text_of(name, given)
    if len(text) > _LONGEST_SUGAR:
        raise ScheduleError(
            "schedules.too_long_parameter", name=name, length=len(text), most=_LONGEST_SUGAR
        )
    return text


def _solar(wanted: _Wanted) -> Occurrences:
    given = wanted.given
    event = text_of("solar", given)
    for name in ("latitude", "longitude"):
        if name not in given:
            raise ScheduleError("schedules.missing_place", name=name)
    return solar_occurrences(
        event,
        latitude=given["latitude"],
        longitude=given["longitude"],
        offset_seconds=given.get("offset_seconds", 0),
    )


def _clock_changes(given: Given) -> dict[str, str | None]:
    return {
        "gap": choice_of("gap", given, ("run_after", "skip")),
        "fold": choice_of("fold", given, ("once", "twice")),
    }


def _is_run_after_gap(given: Given, *, is_fixed: bool) -> bool:
    gap = choice_of("gap", given, ("run_after", "skip"))
    return is_fixed if gap is None else gap == "run_after"


def _is_twice_in_fold(given: Given, *, is_fixed: bool) -> bool:
    fold = choice_of("fold", given, ("once", "twice"))
    return not is_fixed if fold is None else fold == "twice"


def _all_of(wanted: _Wanted) -> Occurrences:
    return all_of(wanted.parts)


def _any_of(wanted: _Wanted) -> Occurrences:
    return union(wanted.parts)


_BUILDERS: dict[ScheduleType, Callable[[_Wanted], Occurrences]] = {
    ScheduleType.INTERVAL: _interval,
    ScheduleType.ONCE: _once,
    ScheduleType.CRON: _cron,
    ScheduleType.DAILY: _daily,
    ScheduleType.WEEKLY: _weekly,
    ScheduleType.MONTHLY: _monthly,
    ScheduleType.ON_CALENDAR: _on_calendar,
    ScheduleType.RRULE: _rrule,
    ScheduleType.SOLAR: _solar,
    ScheduleType.ALL_OF: _all_of,
    ScheduleType.ANY_OF: _any_of,
}
