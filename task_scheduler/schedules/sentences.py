"""Sentences: a schedule rule in plain words, in English, 中文 or 日本語.

Responsible for: which sentence belongs to a rule in its plain form, and the clauses of what is the
same in every kind: zone, start, end, calendars, jitter. Every sentence is a pattern of the
catalogue ``sentences``, so that each language has its own order of words. Reads no clock and finds
no instants.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from task_scheduler.errors import ScheduleError
from task_scheduler.schedules.calendar_times import (
    CalendarTimes,
    ClockTimes,
    Days,
    of_cron,
    of_on_calendar,
)
from task_scheduler.schedules.cron_expression import parse_cron
from task_scheduler.schedules.instants import SECOND
from task_scheduler.schedules.on_calendar import parse_on_calendar
from task_scheduler.schedules.phrases import UNITS, Phrases, phrases_in
from task_scheduler.schedules.rule_parameters import period_of
from task_scheduler.schedules.sentences_calendar import calendar_sentence
from task_scheduler.schedules.sentences_recurrence import recurrence_sentence
from task_scheduler.schedules.sugar import month_days_of, nth_weekdays_of, split
from task_scheduler.schedules.wall_clock import times_of, weekdays_of
from task_scheduler.schedules.zones import zone_named

__all__ = ["describe"]

Plain = Mapping[str, Any]

_LARGEST_COUNT = 120
"""90 minutes are 90 minutes, and 1,500 are 1 day and 1 hour."""
_MOST_MOMENTS = 5
_OWN_WORDS = {"japan", "china", "weekends"}
"""The calendars that have a name in every language."""
_COUNTRY_PREFIX = "holidays:"
_OWN_ZONE = ("on_calendar", "rrule")
"""Kinds whose text may name a zone, so that they tell it themselves."""


def describe(plain_rule: Plain, *, language: str | None = None, task_id: str | None = None) -> str:
    """Return the sentence of a rule in its plain form, without capital and full stop.

    `language` is one of ``en``, ``zh``, ``ja`` or a locale's tag; None: the current language.
    `task_id` decides what ``H`` and ``~`` of cron stand for. Raises ScheduleError for a cron
    expression, an event or a recurrence that cannot be read.
    """
    return _Sentence(phrases_in(language), plain_rule, task_id).written()


class _Sentence:
    """The sentence of one rule."""

    def __init__(self, phrases: Phrases, plain: Plain, task_id: str | None) -> None:
        self._phrases = phrases
        self._say = phrases.say
        self._plain = plain
        self._task_id = task_id
        name = plain.get("timezone")
        self._zone = zone_named(name) if isinstance(name, str) else None

    def written(self) -> str:
        """Return what the kind says, and after it the clauses."""
        kinds: dict[object, Callable[[], str]] = {
            "interval": self._interval,
            "once": self._once,
            "cron": self._cron,
            "daily": self._daily,
            "weekly": self._weekly,
            "monthly": self._monthly,
            "on_calendar": self._on_calendar,
            "rrule": self._recurrence,
            "solar": self._solar,
            "any_of": lambda: self._combined("any_of"),
            "all_of": lambda: self._combined("all_of"),
        }
        kind = kinds.get(self._plain.get("type"))
        if kind is None:
            return str(self._plain.get("description") or self._plain.get("type", ""))
        return self._with_clauses(kind())

    # -- kinds ----------------------------------------------------------------------------------

    def _interval(self) -> str:
        period = period_of(self._plain)
        if self._plain.get("kind") == "fixed_delay":
            return self._say("after_end", length=self._phrases.length(period / SECOND))
        text = self._every(period)
        anchor = self._plain.get("anchor", "start")
        if anchor == "epoch":
            return self._say("from_epoch", rule=text)
        if anchor != "start":
            return self._say("from_time", rule=text, time=self._phrases.times(times_of(anchor)))
        return text

    def _every(self, period: int) -> str:
        """Say a period in the largest unit that it is a whole number of, or in several."""
        seconds, rest = divmod(period, SECOND)
        if rest:
            return self._say("every_seconds", count=f"{period / SECOND:.6f}".rstrip("0"))
        for unit, length in UNITS:
            count, rest = divmod(seconds, length)
            if not rest and (count <= _LARGEST_COUNT or unit == "days"):
                return self._phrases.every(unit, count)
        return self._say("every_length", length=self._phrases.length(seconds))

    def _once(self) -> str:
        given = self._plain["run_at"]
        moments = sorted(given) if isinstance(given, list | tuple) else [given]
        texts = [self._moment(moment) for moment in moments]
        if len(texts) == 1:
            return self._say("once", moment=texts[0])
        if len(texts) <= _MOST_MOMENTS:
            return self._say("at_moments", moments=self._phrases.all_of(texts))
        return self._say("at_many_moments", count=len(texts), first=texts[0], last=texts[-1])

    def _cron(self) -> str:
        text = self._plain["cron"]
        day_and = bool(self._plain.get("day_and", False))
        try:
            expression = parse_cron(text, self._task_id, day_and=day_and)
        except ScheduleError as error:
            if error.key == "schedules.cron_needs_seed":
                return self._say("cron_spread", cron=text)
            raise
        if expression.is_reboot:
            return self._say("at_boot")
        if expression.every is not None:
            return self._every(expression.every)
        times = of_cron(expression, self._task_id, day_and=day_and)
        return calendar_sentence(self._phrases, times)

    def _daily(self) -> str:
        return self._sugar(self._plain["daily"], Days())

    def _weekly(self) -> str:
        days, times = split(self._plain["weekly"], "weekly")
        mask = weekdays_of(days)
        weekdays = tuple(day for day in range(7) if mask >> day & 1)
        return self._sugar(times, Days(weekdays=() if len(weekdays) == 7 else weekdays))

    def _monthly(self) -> str:
        days, times = split(self._plain["monthly"], "monthly")
        named, ordinals = month_days_of(days), nth_weekdays_of(days)
        return self._sugar(
            times, Days(month_days=named, nth_weekdays=ordinals, is_either=bool(named and ordinals))
        )

    def _sugar(self, times: str, days: Days) -> str:
        clock = ClockTimes(listed=times_of(times))
        return calendar_sentence(self._phrases, CalendarTimes(clock, days))

    def _on_calendar(self) -> str:
        expression = parse_on_calendar(self._plain["on_calendar"])
        text = calendar_sentence(self._phrases, of_on_calendar(expression))
        # A zone in the expression is nearer to it than the rule's.
        zone = expression.zone or self._plain.get("timezone")
        return text if zone is None else self._say("in_zone", rule=text, zone=zone)

    def _recurrence(self) -> str:
        return recurrence_sentence(self._phrases, self._plain)

    def _solar(self) -> str:
        event = self._say(f"solar_{self._plain['solar']}")
        seconds = self._plain.get("offset_seconds", 0)
        if seconds:
            name = "solar_before" if seconds < 0 else "solar_after"
            event = self._say(name, event=event, length=self._phrases.length(abs(seconds)))
        latitude, longitude = self._plain["latitude"], self._plain["longitude"]
        north = "north" if latitude >= 0 else "south"
        east = "east" if longitude >= 0 else "west"
        return self._say(
            "solar_offset" if seconds else "solar",
            event=event,
            latitude=self._say(north, degrees=f"{abs(latitude):g}"),
            longitude=self._say(east, degrees=f"{abs(longitude):g}"),
        )

    def _combined(self, name: str) -> str:
        parts: Sequence[Plain] = self._plain["rules"]
        rules = [_Sentence(self._phrases, part, self._task_id).written() for part in parts]
        if len(rules) == 1:
            return rules[0]
        text = rules[0]
        for rule in rules[1:]:
            text = self._say(f"{name}_rules", first=text, last=rule)
        return text

    # -- clauses --------------------------------------------------------------------------------

    def _with_clauses(self, text: str) -> str:
        plain = self._plain
        if plain.get("timezone") is not None and plain.get("type") not in _OWN_ZONE:
            text = self._say("in_zone", rule=text, zone=plain["timezone"])
        if plain.get("start_at") is not None and plain.get("type") != "rrule":
            text = self._say("from_moment", rule=text, moment=self._moment(plain["start_at"]))
        if plain.get("end_at") is not None:
            text = self._say("until_moment", rule=text, moment=self._moment(plain["end_at"]))
        if plain.get("max_runs") is not None:
            runs = plain["max_runs"]
            name = "at_most_once" if runs == 1 else "at_most"
            text = self._say(name, rule=text, count=runs)
        text = self._with_calendars(text)
        if plain.get("jitter_seconds"):
            length = self._phrases.length(plain["jitter_seconds"])
            text = self._say("with_jitter", rule=text, length=length)
        for name in ("gap", "fold"):
            if plain.get(name) is not None:
                text = self._say(f"{name}_{plain[name]}", rule=text)
        return text

    def _with_calendars(self, text: str) -> str:
        roll = self._plain.get("roll")
        # A run is moved when it falls on any of them; it is left out on all of them.
        joined = self._phrases.all_of if roll is None else self._phrases.any_of
        include, exclude = (
            joined([self._calendar(one) for one in self._plain.get(name) or ()])
            for name in ("include", "exclude")
        )
        if include:
            name = "only_during" if roll is None else f"roll_outside_{roll}"
            text = self._say(name, rule=text, calendars=include)
        if exclude:
            name = "not_during" if roll is None else f"roll_{roll}"
            text = self._say(name, rule=text, calendars=exclude)
        return text

    def _calendar(self, name: str) -> str:
        if name in _OWN_WORDS:
            return self._say(f"calendar_{name}")
        if name.startswith(_COUNTRY_PREFIX):
            return self._say("calendar_holidays", country=name.removeprefix(_COUNTRY_PREFIX))
        return self._say("calendar_named", name=name)

    def _moment(self, given: object) -> str:
        """Return a moment on the clock of the rule's zone, else as it was written."""
        moment = given if isinstance(given, datetime) else datetime.fromisoformat(str(given))
        if self._zone is not None and moment.tzinfo is not None:
            return self._phrases.moment(moment.astimezone(self._zone.tz))
        return self._phrases.moment(moment, has_offset=True)
