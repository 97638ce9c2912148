"""Schedule rules: when a task is due, as users write it.

Responsible for: the public class, its plain JSON form and its answers to users. What it takes
stands in `rule_parameters`, the way to its instants in `rule_occurrences`, its sentence in
`sentences`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, tzinfo
from typing import Any

from task_scheduler.errors import ScheduleError
from task_scheduler.i18n import translate
from task_scheduler.schedules.calendars.registry import BUILT_IN, Calendars
from task_scheduler.schedules.instants import SECOND, datetime_at, instant_of
from task_scheduler.schedules.occurrences import Occurrences
from task_scheduler.schedules.rule_occurrences import Surroundings, build, needs_surroundings
from task_scheduler.schedules.rule_parameters import (
    KNOWN,
    MOMENTS,
    UNITS,
    ScheduleType,
    moment_from_text,
    period_of,
    refuse_unknown,
    shown,
    type_of,
    zone_name_of,
)
from task_scheduler.schedules.user_occurrences import UserOccurrences
from task_scheduler.schedules.zones import Zone, local_zone, zone_named

__all__ = [
    "ScheduleRule",
    "ScheduleType",
    "current_moment",
    "describe",
    "from_plain",
    "is_same_for_all",
    "occurrences_of",
    "to_plain",
]

_BUILT_IN_TYPES = frozenset(map(str, ScheduleType))
_DEEPEST = 5
"""Rules within rules within rules."""
_MOST_RULES = 100


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
      are added up. `anchor` says from where it counts: ``start`` (`start_at`, else the moment the
      task is added), ``epoch``, or a time of day as ``06:30``. With ``kind="fixed_delay"`` the time
      counts from the end of the last run: `is_fixed_delay` tells the engine.
    - ``ScheduleRule(ScheduleType.ONCE, run_at=datetime(2030, 1, 1, 9))``, or a list of datetimes.
    - ``ScheduleRule(ScheduleType.CRON, cron="0 3 * * *", timezone="Asia/Tokyo")``, see
      `cron_expression`; with `day_and` a day must match both fields of days.
    - ``daily="08:00,20:30"``, ``weekly="mon,fri 08:00"``, ``monthly="1,last 08:00"``.
    - ``on_calendar="Mon..Fri 08:00"``, as systemd writes it.
    - ``rrule="FREQ=WEEKLY;BYDAY=MO"``, of RFC 5545; `start_at` stands in for its DTSTART.
    - ``solar="sunset"``, with `latitude`, `longitude` and `offset_seconds`.
    - ``ScheduleRule(ScheduleType.ANY_OF, rules=[...])``, ``ALL_OF``: see `combination`.

    `gap` (``run_after``, ``skip``) and `fold` (``once``, ``twice``) say what happens where clocks
    are changed, see `cron_occurrences`. Every rule takes:

    - `timezone`, the zone of its times; without it, the machine's.
    - `start_at` and `end_at`, both included, and `max_runs`, counted from its first instant.
    - `exclude` and `include`, names of calendars whose days and times it leaves out or keeps to,
      and `roll`, ``next`` or ``previous``: an excluded day's time moves to that business day.
    - `jitter_seconds`: runs are put off by up to so much, see `jitter`.

    A subclass that overrides `get_next_run_time` decides for itself, and its other arguments are
    its own business. Raises ScheduleError for missing, foreign or senseless arguments.
    """

    def __init__(
        self,
        schedule_type: ScheduleType | str,
        *,
        seconds: float | None = None,
        minutes: float | None = None,
        hours: float | None = None,
        days: float | None = None,
        anchor: str | None = None,
        kind: str | None = None,
        run_at: datetime | Sequence[datetime] | None = None,
        cron: str | None = None,
        day_and: bool | None = None,
        daily: str | None = None,
        weekly: str | None = None,
        monthly: str | None = None,
        on_calendar: str | None = None,
        rrule: str | None = None,
        solar: str | None = None,
        latitude: float | None = None,
        longitude: float | None = None,
        offset_seconds: float | None = None,
        rules: Sequence[ScheduleRule] | None = None,
        gap: str | None = None,
        fold: str | None = None,
        timezone: str | tzinfo | None = None,
        start_at: datetime | None = None,
        end_at: datetime | None = None,
        max_runs: int | None = None,
        exclude: str | Sequence[str] | None = None,
        include: str | Sequence[str] | None = None,
        roll: str | None = None,
        jitter_seconds: float | None = None,
    ) -> None:
        self.schedule_type = type_of(schedule_type)
        self.seconds, self.minutes, self.hours, self.days = seconds, minutes, hours, days
        self.anchor, self.kind = anchor, kind
        self.run_at, self.cron, self.day_and = run_at, cron, day_and
        self.daily, self.weekly, self.monthly = daily, weekly, monthly
        self.on_calendar, self.rrule = on_calendar, rrule
        self.solar, self.latitude, self.longitude = solar, latitude, longitude
        self.offset_seconds, self.rules = offset_seconds, rules
        self.gap, self.fold = gap, fold
        self.timezone = zone_name_of(timezone)
        self.start_at, self.end_at, self.max_runs = start_at, end_at, max_runs
        self.exclude, self.include = _names(exclude), _names(include)
        self.roll, self.jitter_seconds = roll, jitter_seconds
        if self.timezone is not None:
            zone_named(self.timezone)
        self._built_in: Occurrences | None = None
        self._is_same_everywhere = False
        """Whether those are its instants whatever the calendars and the task."""
        if not _is_user_rule(self):
            found = _build(self, Surroundings(None, ""))
            if not needs_surroundings(_given(self)):
                self._built_in = found
                self._is_same_everywhere = True

    @property
    def is_fixed_delay(self) -> bool:
        """Whether the time to the next run counts from the end of the last one.

        Then the engine asks ``next_after(end, anchor=end)`` when a run has ended; `first` holds as
        for any rule.
        """
        return not _is_user_rule(self) and self.kind == "fixed_delay"

    def get_next_run_time(self, last_run: datetime | None = None) -> datetime | None:
        """Return the first run after `last_run`, or without one the first run; None: no more runs.

        Aware where the rule has a zone or an aware datetime, or `last_run` is aware; else naive
        local time. Knows the calendars that always are there, and no others.
        """
        built_in = _own_occurrences(self)
        zone = _zone_of(self).tz
        if last_run is None:
            found = built_in.first(_first_moment(self, zone))
        elif isinstance(last_run, datetime):
            moment = instant_of(last_run, zone)
            found = built_in.next_after(moment, moment)
        else:
            raise ScheduleError("schedules.not_a_datetime", name="last_run", value=shown(last_run))
        if found is None:
            return None
        answered = _zone_of_answer(self, last_run)
        if answered is not None:
            return datetime_at(found, answered)
        return datetime_at(found, zone).replace(tzinfo=None)

    @property
    def is_reboot(self) -> bool:
        """Whether it is due once after each boot of the machine, and at no instant before that."""
        if _is_user_rule(self) or not isinstance(self.cron, str):
            return False
        return self.cron.strip().lower() == "@reboot"

    def __repr__(self) -> str:
        given = [(name, getattr(self, name, None)) for name in KNOWN]
        text = "".join(f", {name}={value!r}" for name, value in given if value is not None)
        kind = getattr(self, "schedule_type", None)
        return f"{type(self).__name__}({str(kind)!r}{text})"


def occurrences_of(
    rule: ScheduleRule, calendars: Calendars = BUILT_IN, *, task_id: str | None = None
) -> Occurrences:
    """Return the instants of a rule; those of a user's subclass are asked from it one by one.

    `calendars` are what its `exclude` and `include` name, `task_id` decides what ``H`` stands for
    in a cron expression. Raises ScheduleError for a calendar that is not there.
    """
    if not isinstance(rule, ScheduleRule):
        raise ScheduleError("schedules.not_a_rule", value=shown(rule))
    if _is_user_rule(rule):
        zone = _zone_of(rule)
        return UserOccurrences(rule, zone, is_naive=getattr(rule, "timezone", None) is None)
    known = rule._built_in  # noqa: SLF001  our own
    if known is not None and rule._is_same_everywhere:  # noqa: SLF001
        return known
    return _build(rule, Surroundings(calendars, task_id))


def to_plain(rule: ScheduleRule) -> dict[str, Any] | None:
    """Return the JSON form of a rule; None for a user's subclass, which is bound to its code.

    Datetimes are written with their offset, so that they stay the same instant on every machine.
    """
    if _is_user_rule(rule):
        return None
    given = _given(rule)
    plain: dict[str, Any] = {"type": str(rule.schedule_type)}
    if rule.schedule_type is ScheduleType.INTERVAL:
        whole, rest = divmod(period_of(given), SECOND)
        plain["seconds"] = whole + rest / SECOND if rest else whole
    zone = _zone_of(rule).tz
    for name, value in given.items():
        if name in UNITS:
            continue
        if name in MOMENTS:
            plain[name] = _moment_to_plain(value, zone)
        elif name == "rules":
            plain[name] = [to_plain(part) for part in value]
        else:
            plain[name] = list(value) if isinstance(value, list | tuple) else value
    return plain


def from_plain(plain: Mapping[str, Any]) -> ScheduleRule:
    """Return the rule of its JSON form; raises ScheduleError where it is none."""
    return _from_plain(plain, 0)


def is_same_for_all(plain: Mapping[str, Any]) -> bool:
    """Whether a rule, in its JSON form, has the same instants whatever task it is of.

    False where that is not sure: ``H`` in a cron expression stands for each task's own number, and
    nobody knows what a user's rule does.
    """
    cron = plain.get("cron")
    # Of a damaged row it may be anything.
    is_built_in = str(plain.get("type")) in _BUILT_IN_TYPES
    return is_built_in and "rules" not in plain and "h" not in str(cron or "").lower()


def describe(rule: ScheduleRule, *, task_id: str | None = None) -> str:
    """Return the sentence of a rule in the current language, without capital and full stop.

    `task_id` decides what ``H`` of a cron expression stands for.
    """
    # Whoever only makes rules does not load what it takes to tell them.
    from task_scheduler.schedules import sentences

    plain = to_plain(rule)
    if plain is None:
        return translate("schedules.by_user_rule", rule=type(rule).__qualname__)
    return sentences.describe(plain, task_id=task_id)


def _from_plain(plain: object, depth: int) -> ScheduleRule:
    if not isinstance(plain, Mapping):
        raise ScheduleError("schedules.not_a_plain_rule", value=shown(plain))
    values = dict(plain)
    kind = values.pop("type", None)
    refuse_unknown(values)
    for name in MOMENTS:
        given = values.get(name)
        if isinstance(given, str):
            values[name] = moment_from_text(name, given)
        elif isinstance(given, list):
            values[name] = [
                moment_from_text(name, one) if isinstance(one, str) else one for one in given
            ]
    rules = values.get("rules")
    if isinstance(rules, list):
        if depth >= _DEEPEST:
            raise ScheduleError("schedules.rules_too_deep", name="rules", most=_DEEPEST)
        values["rules"] = [_from_plain(part, depth + 1) for part in rules]
    return ScheduleRule(kind, **values)


def _moment_to_plain(value: Any, zone: tzinfo) -> Any:
    if isinstance(value, list | tuple):
        return [_moment_to_plain(one, zone) for one in value]
    return datetime_at(instant_of(value, zone), value.tzinfo or zone).isoformat()


def _names(given: str | Sequence[str] | None) -> Any:
    """Return names of calendars as a list; what is none is refused with the rest."""
    if isinstance(given, str):
        return [given]
    return list(given) if isinstance(given, list | tuple) else given


def _is_user_rule(rule: ScheduleRule) -> bool:
    """Whether its class, or the object itself, has a `get_next_run_time` of its own."""
    if "get_next_run_time" in getattr(rule, "__dict__", {}):
        return True
    return type(rule).get_next_run_time is not ScheduleRule.get_next_run_time


def _given(rule: ScheduleRule) -> dict[str, Any]:
    """Return the parameters of a built-in rule that are not None."""
    given = {name: getattr(rule, name) for name in KNOWN}
    return {name: value for name, value in given.items() if value is not None}


def _own_occurrences(rule: ScheduleRule) -> Occurrences:
    """Return the instants of the rule's own parameters, of a user's subclass too."""
    if rule._built_in is None:  # noqa: SLF001  our own
        rule._built_in = _build(rule, Surroundings())  # noqa: SLF001
    return rule._built_in  # noqa: SLF001


def _build(rule: ScheduleRule, surroundings: Surroundings) -> Occurrences:
    parts = []
    if rule.schedule_type in (ScheduleType.ALL_OF, ScheduleType.ANY_OF):
        parts = [_build(part, surroundings) for part in _checked_rules(rule.rules)]
    return build(rule.schedule_type, _given(rule), surroundings, parts)


def _checked_rules(rules: object) -> Sequence[ScheduleRule]:
    """Return the rules that are combined; raises ScheduleError where they are none."""
    if not isinstance(rules, list | tuple) or not 0 < len(rules) <= _MOST_RULES:
        raise ScheduleError(
            "schedules.bad_rules", name="rules", value=shown(rules), most=_MOST_RULES
        )
    for rule in rules:
        if not isinstance(rule, ScheduleRule):
            raise ScheduleError("schedules.not_a_rule", name="rules", value=shown(rule))
        if _is_user_rule(rule) or rule.is_fixed_delay or rule.is_reboot:
            raise ScheduleError("schedules.not_combinable", name="rules", value=shown(rule))
    return rules


def _zone_of(rule: ScheduleRule) -> Zone:
    # A user's subclass may have left out super().__init__().
    name = getattr(rule, "timezone", None)
    return local_zone() if name is None else zone_named(name)


def _zone_of_answer(rule: ScheduleRule, last_run: datetime | None) -> tzinfo | None:
    """Return the zone to answer a user in; None: naive local time."""
    if rule.timezone is not None:
        return zone_named(rule.timezone).tz
    run_at = rule.run_at if isinstance(rule.run_at, datetime | None) else rule.run_at[0]
    for moment in (run_at, rule.start_at, last_run):
        if moment is not None and moment.tzinfo is not None:
            return moment.tzinfo
    return None


def _first_moment(rule: ScheduleRule, zone: tzinfo) -> int:
    """Return the moment from which the first run is looked for."""
    if rule.start_at is not None:
        return instant_of(rule.start_at, zone)
    return 0 if rule.schedule_type is ScheduleType.ONCE else current_moment()
