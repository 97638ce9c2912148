"""Schedule rules: when a task is due, as users write it.

Responsible for: the public classes, checking what they are given, their plain JSON form and their
sentence. The arithmetic is that of `occurrences`, `cron_occurrences` and `user_occurrences`.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from task_scheduler.errors import ScheduleError
from task_scheduler.i18n import translate
from task_scheduler.schedules.cron_expression import parse_cron
from task_scheduler.schedules.cron_occurrences import CronOccurrences
from task_scheduler.schedules.instants import (
    DAY,
    SECOND,
    datetime_at,
    instant_of,
    is_within_range,
)
from task_scheduler.schedules.occurrences import (
    IntervalOccurrences,
    Occurrences,
    OnceOccurrences,
)
from task_scheduler.schedules.user_occurrences import UserOccurrences
from task_scheduler.schedules.zones import Zone, local_zone, zone_named

__all__ = [
    "ScheduleRule",
    "ScheduleType",
    "current_moment",
    "describe",
    "from_plain",
    "occurrences_of",
    "to_plain",
]

_UNITS = {"days": DAY, "hours": 3600 * SECOND, "minutes": 60 * SECOND, "seconds": SECOND}
_LONGEST_INTERVAL = 36_500 * DAY
_SHOWN_LENGTH = 80


class ScheduleType(StrEnum):
    """The kinds of built-in rules."""

    INTERVAL = "interval"
    ONCE = "once"
    CRON = "cron"


_PARAMETERS = {
    ScheduleType.INTERVAL: (*_UNITS, "start_at", "timezone"),
    ScheduleType.ONCE: ("run_at", "timezone"),
    ScheduleType.CRON: ("cron", "timezone", "gap", "fold"),
}
_MOMENTS = ("run_at", "start_at")


def current_moment() -> int:
    """Return the present, in microseconds since the Unix epoch.

    Only for users who ask a rule for its next run without naming a moment; the scheduler itself
    always names one.
    """
    # Lazily: nothing else in schedules/ may know a clock.
    from task_scheduler.clock import SystemClock

    return SystemClock().now()


class ScheduleRule:
    """When a task is due.

    - ``ScheduleRule(ScheduleType.INTERVAL, seconds=30)``: `seconds`, `minutes`, `hours` and `days`
      are added up; `start_at` fixes the first run, else it is the moment the task is added.
    - ``ScheduleRule(ScheduleType.ONCE, run_at=datetime(2030, 1, 1, 9))``.
    - ``ScheduleRule(ScheduleType.CRON, cron="0 3 * * *", timezone="Asia/Tokyo")``: 5 fields, or 6
      with seconds first; `gap` (``run_after``, ``skip``) and `fold` (``once``, ``twice``) say what
      happens where clocks are changed, see `schedules.cron_occurrences`.

    `timezone` is the zone of naive datetimes and of cron; without it, the machine's. A subclass
    that overrides `get_next_run_time` decides for itself, and its other arguments are its own
    business. Raises ScheduleError for missing, foreign or senseless arguments.
    """

    def __init__(
        self,
        schedule_type: ScheduleType | str,
        *,
        seconds: float | None = None,
        minutes: float | None = None,
        hours: float | None = None,
        days: float | None = None,
        run_at: datetime | None = None,
        cron: str | None = None,
        timezone: str | tzinfo | None = None,
        start_at: datetime | None = None,
        gap: str | None = None,
        fold: str | None = None,
    ) -> None:
        self.schedule_type = _type_of(schedule_type)
        self.seconds, self.minutes, self.hours, self.days = seconds, minutes, hours, days
        self.run_at, self.start_at = run_at, start_at
        self.cron, self.gap, self.fold = cron, gap, fold
        self.timezone = _zone_name(timezone)
        if self.timezone is not None:
            zone_named(self.timezone)
        self._built_in = None if _is_user_rule(self) else _build(self)

    def get_next_run_time(self, last_run: datetime | None = None) -> datetime | None:
        """Return the first run after `last_run`, or without one the first run; None: no more runs.

        Aware where the rule has a zone or an aware datetime, or `last_run` is aware; else naive
        local time.
        """
        built_in = _build(self) if self._built_in is None else self._built_in
        zone = _zone_of(self).tz
        if last_run is None:
            found = built_in.first(_first_moment(self, zone))
        elif isinstance(last_run, datetime):
            moment = instant_of(last_run, zone)
            found = built_in.next_after(moment, moment)
        else:
            raise ScheduleError("schedules.not_a_datetime", name="last_run", value=_shown(last_run))
        if found is None:
            return None
        answered = _zone_of_answer(self, last_run)
        if answered is not None:
            return datetime_at(found, answered)
        return datetime_at(found, zone).replace(tzinfo=None)

    def __repr__(self) -> str:
        names = [name for names in _PARAMETERS.values() for name in names]
        given = [(name, getattr(self, name, None)) for name in dict.fromkeys(names)]
        shown = "".join(f", {name}={value!r}" for name, value in given if value is not None)
        kind = getattr(self, "schedule_type", None)
        return f"{type(self).__name__}({str(kind)!r}{shown})"


def occurrences_of(rule: ScheduleRule) -> Occurrences:
    """Return the instants of a rule; those of a user's subclass are asked from it one by one."""
    if not isinstance(rule, ScheduleRule):
        raise ScheduleError("schedules.not_a_rule", value=_shown(rule))
    if _is_user_rule(rule):
        zone = _zone_of(rule)
        return UserOccurrences(rule, zone, is_naive=getattr(rule, "timezone", None) is None)
    return _build(rule) if rule._built_in is None else rule._built_in  # noqa: SLF001  our own


def to_plain(rule: ScheduleRule) -> dict[str, Any] | None:
    """Return the JSON form of a rule; None for a user's subclass, which is bound to its code.

    Datetimes are written with their offset, so that they stay the same instant on every machine.
    """
    if _is_user_rule(rule):
        return None
    plain: dict[str, Any] = {"type": str(rule.schedule_type)}
    if rule.schedule_type is ScheduleType.INTERVAL:
        whole, rest = divmod(_period_of(rule), SECOND)
        plain["seconds"] = whole + rest / SECOND if rest else whole
    for name in ("cron", "timezone", "gap", "fold"):
        value = getattr(rule, name)
        if value is not None:
            plain[name] = str(value)
    zone = _zone_of(rule).tz
    for name in _MOMENTS:
        moment = getattr(rule, name)
        if moment is not None:
            instant = instant_of(moment, zone)
            plain[name] = datetime_at(instant, moment.tzinfo or zone).isoformat()
    return plain


def from_plain(plain: Mapping[str, Any]) -> ScheduleRule:
    """Return the rule of its JSON form; raises ScheduleError where it is none."""
    if not isinstance(plain, Mapping):
        raise ScheduleError("schedules.not_a_plain_rule", value=_shown(plain))
    values = dict(plain)
    kind = values.pop("type", None)
    known = sorted({name for names in _PARAMETERS.values() for name in names})
    unknown = sorted(str(name) for name in values if name not in known)
    if unknown:
        near = difflib.get_close_matches(unknown[0][:_SHOWN_LENGTH], known, n=1)
        raise ScheduleError(
            "schedules.unknown_parameters",
            names=_shown(unknown).strip("[]"),
            known=", ".join(known),
            hint=translate("schedules.did_you_mean", name=near[0]) if near else "",
        )
    for name in _MOMENTS:
        if isinstance(values.get(name), str):
            values[name] = _moment_from(name, values[name])
    return ScheduleRule(kind, **values)


def describe(rule: ScheduleRule) -> str:
    """Return a short sentence about a rule in the current language."""
    if _is_user_rule(rule):
        return translate("schedules.by_user_rule", rule=type(rule).__qualname__)
    if rule.schedule_type is ScheduleType.CRON:
        text = translate("schedules.by_cron", cron=rule.cron)
    elif rule.schedule_type is ScheduleType.ONCE:
        text = translate("schedules.once_at", moment=_written(rule.run_at))
    else:
        text = _describe_interval(_period_of(rule))
        if rule.start_at is not None:
            moment = _written(rule.start_at)
            text = translate("schedules.from_moment", rule=text, moment=moment)
    if rule.timezone is None:
        return text
    return translate("schedules.in_zone", rule=text, zone=rule.timezone)


def _describe_interval(period: int) -> str:
    """Say a period in the largest unit that it is a whole number of."""
    for unit, length in _UNITS.items():
        count, rest = divmod(period, length)
        if not rest and count == 1:
            return translate(f"schedules.every_{unit.removesuffix('s')}")
        if not rest:
            return translate(f"schedules.every_{unit}", count=count)
    return translate("schedules.every_seconds", count=f"{period / SECOND:.6f}".rstrip("0"))


def _written(moment: datetime | None) -> str:
    return "" if moment is None else moment.isoformat(sep=" ")


def _is_user_rule(rule: ScheduleRule) -> bool:
    """Whether its class, or the object itself, has a `get_next_run_time` of its own."""
    if "get_next_run_time" in getattr(rule, "__dict__", {}):
        return True
    return type(rule).get_next_run_time is not ScheduleRule.get_next_run_time


def _type_of(given: object) -> ScheduleType:
    try:
        return ScheduleType(given)  # type: ignore[arg-type]
    except (ValueError, TypeError):
        known = ", ".join(ScheduleType)
        raise ScheduleError("schedules.unknown_type", value=_shown(given), known=known) from None


def _zone_name(given: object) -> str | None:
    if given is None or (isinstance(given, str) and given):
        return given
    if isinstance(given, ZoneInfo) and given.key:
        return given.key
    if given is UTC:
        return "UTC"
    raise ScheduleError("schedules.not_a_zone", value=_shown(given))


def _zone_of(rule: ScheduleRule) -> Zone:
    # A user's subclass may have left out super().__init__().
    name = getattr(rule, "timezone", None)
    return local_zone() if name is None else zone_named(name)


def _zone_of_answer(rule: ScheduleRule, last_run: datetime | None) -> tzinfo | None:
    """Return the zone to answer a user in; None: naive local time."""
    if rule.timezone is not None:
        return zone_named(rule.timezone).tz
    for moment in (rule.run_at, rule.start_at, last_run):
        if moment is not None and moment.tzinfo is not None:
            return moment.tzinfo
    return None


def _first_moment(rule: ScheduleRule, zone: tzinfo) -> int:
    """Return the moment from which the first run is looked for."""
    if rule.start_at is not None:
        return instant_of(rule.start_at, zone)
    return 0 if rule.schedule_type is ScheduleType.ONCE else current_moment()


def _build(rule: ScheduleRule) -> Occurrences:
    """Check the arguments of a built-in rule and return its instants."""
    _refuse_foreign_parameters(rule)
    if rule.schedule_type is ScheduleType.INTERVAL:
        period = _period_of(rule)
        if rule.start_at is None:
            return IntervalOccurrences(period)
        return IntervalOccurrences(period, _instant("start_at", rule.start_at, rule))
    if rule.schedule_type is ScheduleType.ONCE:
        if rule.run_at is None:
            raise ScheduleError("schedules.missing_run_at")
        return OnceOccurrences(_instant("run_at", rule.run_at, rule))
    return _build_cron(rule)


def _build_cron(rule: ScheduleRule) -> Occurrences:
    if rule.cron is None:
        raise ScheduleError("schedules.missing_cron")
    if not isinstance(rule.cron, str):
        raise ScheduleError("schedules.cron_not_text", value=_shown(rule.cron))
    expression = parse_cron(rule.cron)
    gap = _choice("gap", rule.gap, ("run_after", "skip"))
    fold = _choice("fold", rule.fold, ("once", "twice"))
    return CronOccurrences(
        expression.times,
        _zone_of(rule),
        is_run_after_gap=expression.is_fixed if gap is None else gap == "run_after",
        is_twice_in_fold=not expression.is_fixed if fold is None else fold == "twice",
    )


def _choice(name: str, given: object, known: tuple[str, ...]) -> str | None:
    if given is None or (isinstance(given, str) and given in known):
        return given
    raise ScheduleError(
        "schedules.unknown_choice", name=name, value=_shown(given), known=", ".join(known)
    )


def _refuse_foreign_parameters(rule: ScheduleRule) -> None:
    own = _PARAMETERS[rule.schedule_type]
    names = {name for names in _PARAMETERS.values() for name in names}
    foreign = [name for name in sorted(names - set(own)) if getattr(rule, name) is not None]
    if foreign:
        raise ScheduleError(
            "schedules.foreign_parameters",
            kind=str(rule.schedule_type),
            names=", ".join(foreign),
            own=", ".join(own),
        )


def _period_of(rule: ScheduleRule) -> int:
    """Return the interval in microseconds, the sum of its parts."""
    period = 0
    parts = {name: getattr(rule, name) for name in _UNITS}
    given = {name: value for name, value in parts.items() if value is not None}
    if not given:
        raise ScheduleError("schedules.missing_interval")
    for name, value in given.items():
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise ScheduleError("schedules.not_a_number", name=name, value=_shown(value))
        if value < 0 or (isinstance(value, float) and not math.isfinite(value)):
            raise ScheduleError("schedules.bad_interval_part", name=name, value=_shown(value))
        # Exactly, whatever the size: a product of floats would overflow or lose microseconds.
        numerator, denominator = value.as_integer_ratio()
        period += (2 * numerator * _UNITS[name] + denominator) // (2 * denominator)
    if period < 1:
        raise ScheduleError("schedules.zero_interval", given=_parts_shown(given))
    if period > _LONGEST_INTERVAL:
        raise ScheduleError("schedules.long_interval", given=_parts_shown(given))
    return period


def _parts_shown(parts: Mapping[str, object]) -> str:
    return ", ".join(f"{name}={_shown(value)}" for name, value in parts.items())


def _instant(name: str, moment: object, rule: ScheduleRule) -> int:
    if not isinstance(moment, datetime):
        raise ScheduleError("schedules.not_a_datetime", name=name, value=_shown(moment))
    instant = instant_of(moment, _zone_of(rule).tz)
    if not is_within_range(instant):
        raise ScheduleError("schedules.out_of_range", name=name, value=_shown(moment))
    return instant


def _moment_from(name: str, text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise ScheduleError("schedules.not_iso", name=name, value=_shown(text)) from None


def _shown(value: object) -> str:
    """Return a value for an error message; a long one is cut."""
    try:
        text = str(value) if isinstance(value, datetime) else repr(value)
    except ValueError:  # an int of more than 4,300 digits
        text = f"<{type(value).__name__}>"
    return text if len(text) <= _SHOWN_LENGTH else f"{text[:_SHOWN_LENGTH]}..."
