"""Rules from keywords: ``every="5m"``, ``cron="0 3 * * *"``, ``daily="08:00"`` and their like.

Responsible for: the keywords by which a task is given its times, and handing each modifier to the
rules that take it. What a rule may be stands in `rule`.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from datetime import datetime, timedelta, tzinfo
from typing import Any

from task_scheduler.errors import ScheduleError
from task_scheduler.i18n import translate
from task_scheduler.schedules.durations import duration_of
from task_scheduler.schedules.rule import ScheduleRule
from task_scheduler.schedules.rule_parameters import (
    MODIFIERS,
    MOMENTS,
    OWN,
    ScheduleType,
    moment_from_text,
    shown,
)

__all__ = ["EXTRAS", "TIME_KEYWORDS", "rules_from"]

TIME_KEYWORDS = {
    "every": (ScheduleType.INTERVAL, "seconds"),
    "at": (ScheduleType.ONCE, "run_at"),
    "cron": (ScheduleType.CRON, "cron"),
    "on_calendar": (ScheduleType.ON_CALENDAR, "on_calendar"),
    "rrule": (ScheduleType.RRULE, "rrule"),
    "solar": (ScheduleType.SOLAR, "solar"),
    "daily": (ScheduleType.DAILY, "daily"),
    "weekly": (ScheduleType.WEEKLY, "weekly"),
    "monthly": (ScheduleType.MONTHLY, "monthly"),
}
"""The keywords that each make a rule: its kind, and the parameter that takes the value."""

EXTRAS = tuple(
    dict.fromkeys(
        name
        for kind, taken in TIME_KEYWORDS.values()
        for name in OWN[kind]
        if name != taken and name not in ("minutes", "hours", "days")
    )
)
"""What goes along with some of them: ``anchor``, ``kind``, ``gap``, ``latitude`` and the like."""


def rules_from(
    *,
    every: float | str | timedelta | None = None,
    at: datetime | str | Sequence[datetime | str] | None = None,
    cron: str | None = None,
    on_calendar: str | None = None,
    rrule: str | None = None,
    solar: str | None = None,
    daily: str | None = None,
    weekly: str | None = None,
    monthly: str | None = None,
    timezone: str | tzinfo | None = None,
    **modifiers: Any,
) -> tuple[ScheduleRule, ...]:
    """Return a rule for each keyword of time that is given; raises ScheduleError.

    `every` is a number of seconds, a timedelta or text as ``1h30m``; `at` is one datetime or
    several, or ISO 8601 text. `modifiers` are those of every rule (`end_at`, `exclude`, ...) and
    those of a kind (`gap`, `latitude`, `anchor`, ...), which go to the rules that take them.
    """
    times = {
        "every": every,
        "at": at,
        "cron": cron,
        "on_calendar": on_calendar,
        "rrule": rrule,
        "solar": solar,
        "daily": daily,
        "weekly": weekly,
        "monthly": monthly,
    }
    wanted = [name for name, value in times.items() if value is not None]
    given = {name: value for name, value in modifiers.items() if value is not None}
    if timezone is not None:
        given["timezone"] = timezone
    _refuse_idle(given, wanted)
    for name in MOMENTS:
        if isinstance(given.get(name), str):
            given[name] = moment_from_text(name, given[name])
    rules = []
    for name in wanted:
        kind, parameter = TIME_KEYWORDS[name]
        taken = (*OWN[kind], *MODIFIERS)
        options = {key: value for key, value in given.items() if key in taken}
        rules.append(ScheduleRule(kind, **{parameter: _value_of(name, times[name])}, **options))
    return tuple(rules)


def _refuse_idle(given: dict[str, Any], wanted: Sequence[str]) -> None:
    """Refuse what no rule takes: it would be passed over in silence."""
    known = (*EXTRAS, *MODIFIERS)
    for name in given:
        if name not in known:
            near = difflib.get_close_matches(name, (*TIME_KEYWORDS, *known), n=1)
            raise ScheduleError(
                "schedules.unknown_keyword",
                name=name,
                hint=translate("schedules.did_you_mean", name=near[0]) if near else "",
                known=", ".join((*TIME_KEYWORDS, *known)),
            )
        takers = [word for word, (kind, _) in TIME_KEYWORDS.items() if name in OWN[kind]]
        if name in MODIFIERS:
            takers = list(TIME_KEYWORDS)
        if not set(takers) & set(wanted):
            raise ScheduleError("schedules.idle_keyword", name=name, takers=", ".join(takers))


def _value_of(name: str, value: Any) -> Any:
    """Return the value of a keyword as the rule takes it."""
    if name == "every":
        if isinstance(value, timedelta):
            return value.total_seconds()
        seconds = duration_of(value)
        if seconds is None:
            raise ScheduleError("schedules.bad_every", value=shown(value))
        return seconds
    if name == "at":
        if isinstance(value, list | tuple):
            return [_value_of(name, one) for one in value]
        return moment_from_text(name, value) if isinstance(value, str) else value
    return value
