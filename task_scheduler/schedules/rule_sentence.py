"""The sentence of a rule, in the language of the process.

Responsible for: saying what a built-in rule does in words that stand in the catalogues. Decides
nothing about instants.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from task_scheduler.i18n import translate
from task_scheduler.schedules.instants import SECOND
from task_scheduler.schedules.rule_parameters import UNITS, Given, ScheduleType, period_of

__all__ = ["sentence_of"]

_SHOWN_MOMENTS = 3


def sentence_of(kind: ScheduleType, given: Given, parts: Sequence[str]) -> str:
    """Return a short sentence about a rule; `parts` are those of the rules that it combines."""
    text = _of_kind(kind, given, parts)
    for name, key in (("start_at", "from_moment"), ("end_at", "until_moment")):
        if name in given:
            text = translate(f"schedules.{key}", rule=text, moment=_written(given[name]))
    for name, key in (("exclude", "without_calendars"), ("include", "within_calendars")):
        if given.get(name):
            text = translate(f"schedules.{key}", rule=text, names=", ".join(given[name]))
    if "roll" in given:
        text = translate(f"schedules.rolled_{given['roll']}", rule=text)
    if "max_runs" in given:
        text = translate("schedules.at_most_runs", rule=text, count=given["max_runs"])
    if "jitter_seconds" in given:
        text = translate("schedules.with_jitter", rule=text, seconds=given["jitter_seconds"])
    if "timezone" not in given:
        return text
    return translate("schedules.in_zone", rule=text, zone=given["timezone"])


def _of_kind(kind: ScheduleType, given: Given, parts: Sequence[str]) -> str:
    if kind is ScheduleType.INTERVAL:
        return _interval(given)
    if kind is ScheduleType.ONCE:
        moments = given["run_at"]
        several = moments if isinstance(moments, list | tuple) else [moments]
        text = ", ".join(_written(moment) for moment in several[:_SHOWN_MOMENTS])
        dots = "..." if len(several) > _SHOWN_MOMENTS else ""
        return translate("schedules.once_at", moment=text + dots)
    if kind in (ScheduleType.ALL_OF, ScheduleType.ANY_OF):
        return translate(f"schedules.by_{kind}", rules="; ".join(parts))
    if kind is ScheduleType.SOLAR:
        offset = given.get("offset_seconds", 0)
        name = "by_solar_offset" if offset else "by_solar"
        return translate(
            f"schedules.{name}",
            event=given["solar"],
            latitude=given["latitude"],
            longitude=given["longitude"],
            offset=f"{offset:+g}",
        )
    return translate(f"schedules.by_{kind}", **{str(kind): given[str(kind)]})


def _interval(given: Given) -> str:
    """Say a period in the largest unit that it is a whole number of, and from where it counts."""
    text = _period(period_of(given))
    if given.get("kind") == "fixed_delay":
        return translate("schedules.after_the_end", rule=text)
    anchor = given.get("anchor", "start")
    if anchor == "start":
        return text
    if anchor == "epoch":
        return translate("schedules.from_epoch", rule=text)
    return translate("schedules.from_time_of_day", rule=text, time=anchor)


def _period(period: int) -> str:
    for unit, length in UNITS.items():
        count, rest = divmod(period, length)
        if not rest and count == 1:
            return translate(f"schedules.every_{unit.removesuffix('s')}")
        if not rest:
            return translate(f"schedules.every_{unit}", count=count)
    return translate("schedules.every_seconds", count=f"{period / SECOND:.6f}".rstrip("0"))


def _written(moment: datetime) -> str:
    return moment.isoformat(sep=" ")
