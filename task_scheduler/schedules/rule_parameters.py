"""The parameters of schedule rules: the kinds, what each takes, and what all of them take.

Responsible for: the table of parameters, and checking those values that mean the same in every
kind. Knows neither the class that users make rules with nor how instants are found.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from task_scheduler.errors import ScheduleError
from task_scheduler.i18n import translate
from task_scheduler.schedules.instants import DAY, SECOND, instant_of, is_within_range
from task_scheduler.schedules.zones import Zone, local_zone, zone_named

__all__ = [
    "KNOWN",
    "MODIFIERS",
    "MOMENTS",
    "OWN",
    "UNITS",
    "ScheduleType",
    "check_modifiers",
    "choice_of",
    "instant_named",
    "instants_named",
    "moment_from_text",
    "number_of",
    "period_of",
    "refuse_foreign",
    "refuse_unknown",
    "shown",
    "text_of",
    "type_of",
    "zone_name_of",
    "zone_of",
]

Given = Mapping[str, Any]
"""The parameters that a rule was given, without those that are None."""


class ScheduleType(StrEnum):
    """The kinds of built-in rules."""

    INTERVAL = "interval"
    ONCE = "once"
    CRON = "cron"
    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"
    ON_CALENDAR = "on_calendar"
    RRULE = "rrule"
    SOLAR = "solar"
    ALL_OF = "all_of"
    ANY_OF = "any_of"


UNITS = {"days": DAY, "hours": 3600 * SECOND, "minutes": 60 * SECOND, "seconds": SECOND}
"""The parts of an interval, in microseconds; the largest first."""

OWN: Mapping[ScheduleType, tuple[str, ...]] = {
    ScheduleType.INTERVAL: (*UNITS, "anchor", "kind"),
    ScheduleType.ONCE: ("run_at",),
    ScheduleType.CRON: ("cron", "day_and", "gap", "fold"),
    ScheduleType.DAILY: ("daily", "gap", "fold"),
    ScheduleType.WEEKLY: ("weekly", "gap", "fold"),
    ScheduleType.MONTHLY: ("monthly", "gap", "fold"),
    ScheduleType.ON_CALENDAR: ("on_calendar", "gap", "fold"),
    ScheduleType.RRULE: ("rrule", "gap", "fold"),
    ScheduleType.SOLAR: ("solar", "latitude", "longitude", "offset_seconds"),
    ScheduleType.ALL_OF: ("rules",),
    ScheduleType.ANY_OF: ("rules",),
}
"""The parameters of each kind."""
MODIFIERS = (
    "timezone",
    "start_at",
    "end_at",
    "max_runs",
    "exclude",
    "include",
    "roll",
    "jitter_seconds",
)
"""The parameters of every kind."""
KNOWN = tuple(dict.fromkeys(name for names in (*OWN.values(), MODIFIERS) for name in names))
MOMENTS = ("run_at", "start_at", "end_at")
"""Those that are datetimes."""

_LONGEST_INTERVAL = 36_500 * DAY
_MOST_RUNS = 1_000_000
_MOST_ROLLED_RUNS = 10_000
"""They are counted one by one, about 100 microseconds each."""
_LONGEST_JITTER = 86_400
_MOST_INSTANTS = 10_000
_SHOWN_LENGTH = 80


def type_of(given: object) -> ScheduleType:
    """Return the kind of a name; raises ScheduleError."""
    try:
        return ScheduleType(given)  # type: ignore[arg-type]
    except (ValueError, TypeError):
        known = ", ".join(ScheduleType)
        near = difflib.get_close_matches(str(given)[:_SHOWN_LENGTH], list(ScheduleType), n=1)
        raise ScheduleError(
            "schedules.unknown_type", value=shown(given), known=known, hint=_hint(near)
        ) from None


def refuse_unknown(names: Iterable[object]) -> None:
    """Refuse names that no kind of rule has; raises ScheduleError with the likeliest."""
    unknown = sorted(str(name) for name in names if name not in KNOWN)
    if unknown:
        near = difflib.get_close_matches(unknown[0][:_SHOWN_LENGTH], KNOWN, n=1)
        raise ScheduleError(
            "schedules.unknown_parameters",
            names=shown(unknown).strip("[]"),
            known=", ".join(sorted(KNOWN)),
            hint=_hint(near),
        )


def refuse_foreign(kind: ScheduleType, given: Given) -> None:
    """Refuse what belongs to another kind of rule; raises ScheduleError."""
    own = (*OWN[kind], *MODIFIERS)
    foreign = sorted(name for name in given if name not in own)
    if foreign:
        raise ScheduleError(
            "schedules.foreign_parameters",
            kind=str(kind),
            names=", ".join(foreign),
            own=", ".join(own),
        )


def check_modifiers(kind: ScheduleType, given: Given) -> None:
    """Refuse modifiers that make no sense, alone or together; raises ScheduleError."""
    for name in ("exclude", "include"):
        names = given.get(name, ())
        if not isinstance(names, list | tuple) or not all(isinstance(one, str) for one in names):
            raise ScheduleError("schedules.not_calendar_names", name=name, value=shown(names))
    choice_of("roll", given, ("next", "previous"))
    if "roll" in given and not (given.get("exclude") or given.get("include")):
        raise ScheduleError("schedules.roll_without_calendar")
    if "max_runs" in given:
        runs = given["max_runs"]
        most = _MOST_ROLLED_RUNS if "roll" in given else _MOST_RUNS
        if isinstance(runs, bool) or not isinstance(runs, int) or not 1 <= runs <= most:
            raise ScheduleError("schedules.bad_max_runs", value=shown(runs), most=most)
    if "jitter_seconds" in given:
        number_of("jitter_seconds", given["jitter_seconds"], least=0, most=_LONGEST_JITTER)
    start, end = (
        instant_named(name, given[name], given) if name in given else None
        for name in ("start_at", "end_at")
    )
    if start is not None and end is not None and end < start:
        raise ScheduleError(
            "schedules.ends_before_start",
            name="end_at",
            end=shown(given["end_at"]),
            start=shown(given["start_at"]),
        )
    if kind is ScheduleType.INTERVAL and given.get("kind") == "fixed_delay":
        counted = [name for name in ("anchor", "max_runs") if name in given]
        if counted:
            raise ScheduleError("schedules.fixed_delay_counted", name=counted[0])


def period_of(given: Given) -> int:
    """Return the interval in microseconds, the sum of its parts; raises ScheduleError."""
    period = 0
    parts = {name: given[name] for name in UNITS if name in given}
    if not parts:
        raise ScheduleError("schedules.missing_interval")
    for name, value in parts.items():
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise ScheduleError("schedules.not_a_number", name=name, value=shown(value))
        if value < 0 or (isinstance(value, float) and not math.isfinite(value)):
            raise ScheduleError("schedules.bad_interval_part", name=name, value=shown(value))
        # Exactly, whatever the size: a product of floats would overflow or lose microseconds.
        numerator, denominator = value.as_integer_ratio()
        period += (2 * numerator * UNITS[name] + denominator) // (2 * denominator)
    if period < 1:
        raise ScheduleError("schedules.zero_interval", given=_parts_shown(parts))
    if period > _LONGEST_INTERVAL:
        raise ScheduleError("schedules.long_interval", given=_parts_shown(parts))
    return period


def number_of(name: str, value: object, *, least: float, most: float) -> float:
    """Return a number within bounds; raises ScheduleError."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not least <= value <= most:  # type: ignore[operator]
        raise ScheduleError(
            "schedules.number_out_of_bounds", name=name, value=shown(value), least=least, most=most
        )
    return value  # type: ignore[return-value]


def choice_of(name: str, given: Given, known: tuple[str, ...]) -> str | None:
    """Return a value that is one of some words, or None where it is not given."""
    value = given.get(name)
    if value is None or (isinstance(value, str) and value in known):
        return value
    raise ScheduleError(
        "schedules.unknown_choice", name=name, value=shown(value), known=", ".join(known)
    )


def text_of(name: str, given: Given) -> str:
    """Return a value that must be given, as text; raises ScheduleError with an example."""
    value = given.get(name)
    if isinstance(value, str):
        return value
    if name == "cron":
        raise ScheduleError(
            "schedules.cron_not_text" if name in given else "schedules.missing_cron",
            value=shown(value),
        )
    raise ScheduleError(
        "schedules.not_text_parameter" if name in given else "schedules.missing_parameter",
        name=name,
        value=shown(value),
        example=translate(f"schedules.example_{name}"),
    )


def instant_named(name: str, moment: object, given: Given) -> int:
    """Return the instant of a datetime, a naive one in the rule's zone; raises ScheduleError."""
    if not isinstance(moment, datetime):
        raise ScheduleError("schedules.not_a_datetime", name=name, value=shown(moment))
    instant = instant_of(moment, zone_of(given).tz)
    if not is_within_range(instant):
        raise ScheduleError("schedules.out_of_range", name=name, value=shown(moment))
    return instant


def instants_named(name: str, moments: object, given: Given) -> tuple[int, ...]:
    """Return the instants of one datetime or of a list of them, sorted, each once."""
    if not isinstance(moments, list | tuple):
        return (instant_named(name, moments, given),)
    if not 0 < len(moments) <= _MOST_INSTANTS:
        raise ScheduleError("schedules.bad_run_at_count", count=len(moments), most=_MOST_INSTANTS)
    return tuple(sorted({instant_named(name, moment, given) for moment in moments}))


def moment_from_text(name: str, text: str) -> datetime:
    """Return the datetime of an ISO 8601 text; raises ScheduleError."""
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise ScheduleError("schedules.not_iso", name=name, value=shown(text)) from None


def zone_name_of(given: object) -> str | None:
    """Return the name of a zone that was given as a name or an object; raises ScheduleError."""
    if given is None or (isinstance(given, str) and given):
        return given
    if isinstance(given, ZoneInfo) and given.key:
        return given.key
    if given is UTC:
        return "UTC"
    raise ScheduleError("schedules.not_a_zone", value=shown(given))


def zone_of(given: Given) -> Zone:
    """Return the zone of a rule: its own, else the machine's."""
    name = given.get("timezone")
    return local_zone() if name is None else zone_named(name)


def shown(value: object) -> str:
    """Return a value for an error message; a long one is cut."""
    try:
        text = str(value) if isinstance(value, datetime) else repr(value)
    except ValueError:  # an int of more than 4,300 digits
        text = f"<{type(value).__name__}>"
    return text if len(text) <= _SHOWN_LENGTH else f"{text[:_SHOWN_LENGTH]}..."


def _hint(near: list[Any]) -> str:
    return translate("schedules.did_you_mean", name=str(near[0])) if near else ""


def _parts_shown(parts: Mapping[str, object]) -> str:
    return ", ".join(f"{name}={shown(value)}" for name, value in parts.items())
