"""When an entry is due: the keys of time, in an entry itself and in the rules of its `schedule`.

Responsible for: the pydantic models of those keys, and making rules of them. Whether a cron
expression or a calendar's name makes sense is decided by the rules themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field
from pydantic.annotated_handlers import GetJsonSchemaHandler
from pydantic_core import CoreSchema

from task_scheduler.config.problems import KeyPath
from task_scheduler.config.sections import Model, Seconds, Text
from task_scheduler.errors import ScheduleError, TaskSchedulerError
from task_scheduler.schedules.calendars.registry import Calendars
from task_scheduler.schedules.keywords import EXTRAS, TIME_KEYWORDS
from task_scheduler.schedules.rule import ScheduleRule, from_plain, occurrences_of
from task_scheduler.schedules.rule_parameters import MODIFIERS

__all__ = ["LISTS", "TIMES", "TIME_KEYS", "EntryError", "RuleConfig", "TimeKeys", "time_keys_of"]

TIMES = (*TIME_KEYWORDS, "schedule")
"""The keys that say when; an entry has one of them."""
TIME_KEYS = frozenset((*TIMES, *MODIFIERS, *EXTRAS))
"""All keys that say something of when an entry is due."""
LISTS = frozenset({"schedule", "at", "run_at", "exclude", "include", "rules"})
"""The keys whose only item may stand alone."""

_LONGEST = 36_500 * 86_400
_PLACES: Mapping[str, str] = {
    "schedules.unknown_zone": "timezone",
    "schedules.not_a_zone": "timezone",
}
"""The key at which an error of a rule stands, where it does not say so itself."""


_STAND_IN = {"type": "daily", "daily": "00:00"}
"""A time that is right, in place of one that is not, to find what else is wrong with its rule."""


class EntryError(Exception):
    """What a task or a rule found wrong with an entry, and the key at which it stands."""

    def __init__(self, path: KeyPath, error: TaskSchedulerError) -> None:
        super().__init__(path, error)
        self.path = path
        self.error = error


_PlaceOf = Callable[[ScheduleError], KeyPath]


class _OneOrMore:
    """Says in the JSON Schema of a list that its only item may stand alone."""

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """Allow an item, or a list of them."""
        several = handler(schema)
        return {"anyOf": [several["items"], several]}


def _as_list(value: Any) -> Any:
    return value if value is None or isinstance(value, list) else [value]


_Texts = Annotated[list[Text], BeforeValidator(_as_list), _OneOrMore()]
_Length = Annotated[float, Field(ge=0, le=_LONGEST)]


class _Modifiers(Model):
    """What goes with every rule, and with some kinds."""

    timezone: Text | None = None
    start_at: Text | None = None
    end_at: Text | None = None
    max_runs: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    exclude: _Texts = Field(default_factory=list)
    include: _Texts = Field(default_factory=list)
    roll: Literal["next", "previous"] | None = None
    jitter_seconds: Annotated[Annotated[float, Field(ge=0, le=86_400)], Seconds] | None = None
    anchor: Text | None = None
    kind: Literal["fixed_rate", "fixed_delay"] | None = None
    gap: Literal["run_after", "skip"] | None = None
    fold: Literal["once", "twice"] | None = None
    day_and: bool | None = None
    latitude: Annotated[float, Field(ge=-90, le=90)] | None = None
    longitude: Annotated[float, Field(ge=-180, le=180)] | None = None
    offset_seconds: Annotated[float, Field(ge=-86_400, le=86_400)] | None = None


class RuleConfig(_Modifiers):
    """One schedule rule in its plain form, see `schedules.rule`."""

    type: Literal[
        "interval", "once", "cron", "daily", "weekly", "monthly", "on_calendar", "rrule", "solar",
        "all_of", "any_of",
    ]  # fmt: skip
    seconds: _Length | None = None
    minutes: _Length | None = None
    hours: _Length | None = None
    days: _Length | None = None
    run_at: _Texts = Field(default_factory=list)
    cron: Text | None = None
    daily: Text | None = None
    weekly: Text | None = None
    monthly: Text | None = None
    on_calendar: Text | None = None
    rrule: Text | None = None
    solar: Text | None = None
    rules: Annotated[list[RuleConfig], BeforeValidator(_as_list), _OneOrMore()] = Field(
        default_factory=list
    )

    def plain(self) -> dict[str, Any]:
        """Return the plain form of the rule as it was given."""
        values = {name: getattr(self, name) for name in RuleConfig.model_fields}
        plain = {name: value for name, value in values.items() if value not in (None, [])}
        if self.rules:
            plain["rules"] = [rule.plain() for rule in self.rules]
        return _with_single_moment(plain)


class TimeKeys(_Modifiers):
    """The keys of an entry that say when it is due."""

    every: Annotated[Annotated[float, Field(gt=0, le=_LONGEST)], Seconds] | None = None
    cron: Text | None = None
    at: _Texts = Field(default_factory=list)
    daily: Text | None = None
    weekly: Text | None = None
    monthly: Text | None = None
    on_calendar: Text | None = None
    rrule: Text | None = None
    solar: Text | None = None
    schedule: Annotated[list[RuleConfig], BeforeValidator(_as_list), _OneOrMore()] = Field(
        default_factory=list, validate_default=False
    )

    time_places: ClassVar[Mapping[str, str]] = _PLACES

    def times(self) -> tuple[str, ...]:
        """Return the keys that say when; an empty `schedule` says that only a request runs it."""
        given = self.model_fields_set
        return tuple(key for key in TIMES if key in given and getattr(self, key) is not None)

    def rules(self, task_id: str, calendars: Calendars) -> tuple[ScheduleRule, ...]:
        """Return the rules; raises EntryError, for unknown calendars too."""
        found = []
        for plain, place_of in self._plain_rules():
            try:
                found.append(_checked(plain, task_id, calendars))
            except ScheduleError as error:
                raise EntryError(place_of(error), error) from error
        return tuple(found)

    def rule_errors(self, task_id: str, calendars: Calendars) -> list[EntryError]:
        """Return everything that is wrong with the rules."""
        return [
            error
            for plain, place_of in self._plain_rules()
            for error in _errors_of(plain, place_of, task_id, calendars)
        ]

    def _plain_rules(self) -> list[tuple[dict[str, Any], _PlaceOf]]:
        """Return the plain form of each rule, and where in the entry its errors stand."""
        if "schedule" in self.model_fields_set:
            return [self._plain_rule(index) for index in range(len(self.schedule))]
        return [self._only_rule()] if self.times() else []  # none: it runs after others alone

    def _only_rule(self) -> tuple[dict[str, Any], _PlaceOf]:
        time = self.times()[0]
        kind, parameter = TIME_KEYWORDS[time]
        plain = {"type": str(kind), parameter: getattr(self, time)}
        plain.update(self._given((*MODIFIERS, *EXTRAS)))

        def place_of(error: ScheduleError) -> KeyPath:
            named = str(error.values.get("name") or "")
            name = _PLACES.get(error.key, time if named == parameter else named)
            return (name,) if name in self.model_fields_set else (time,)

        return _with_single_moment(plain), place_of

    def _plain_rule(self, index: int) -> tuple[dict[str, Any], _PlaceOf]:
        given = self.schedule[index]
        plain = given.plain()
        # What goes with the whole entry holds for each of its rules that says nothing else.
        for name, value in self._given(MODIFIERS).items():
            plain.setdefault(name, value)

        def place_of(error: ScheduleError) -> KeyPath:
            name = _PLACES.get(error.key, str(error.values.get("name") or ""))
            if name not in given.model_fields_set:
                # It speaks of the text by which a rule of its kind is told.
                name = given.type
            return ("schedule", index, *((name,) if name in given.model_fields_set else ()))

        return plain, place_of

    def _given(self, names: tuple[str, ...]) -> dict[str, Any]:
        values = {name: getattr(self, name) for name in names if name in self.model_fields_set}
        return {name: value for name, value in values.items() if value is not None}


def time_keys_of(rules: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the keys of an entry that say what rules in their plain form say."""
    if len(rules) == 1:
        rule = dict(rules[0])
        kind = rule.pop("type")
        for key, (known, parameter) in TIME_KEYWORDS.items():
            if str(known) == kind and parameter in rule and rule.keys() <= {parameter, *TIME_KEYS}:
                return {key: rule.pop(parameter), **rule}
    return {"schedule": [dict(rule) for rule in rules]}


def _checked(plain: dict[str, Any], task_id: str, calendars: Calendars) -> ScheduleRule:
    """Return a rule whose calendars are all there; raises ScheduleError."""
    rule = from_plain(plain)
    occurrences_of(rule, calendars, task_id=task_id)
    return rule


def _errors_of(
    plain: dict[str, Any], place_of: _PlaceOf, task_id: str, calendars: Calendars
) -> list[EntryError]:
    """Return what is wrong with a rule: without what was found wrong, it is asked again."""
    found: list[EntryError] = []
    while True:
        try:
            _checked(plain, task_id, calendars)
        except ScheduleError as error:
            path = place_of(error)
            if any(path == known.path for known in found):
                return found  # it follows from what is known
            found.append(EntryError(path, error))
            wrong = path[-1]
            if wrong not in MODIFIERS:
                kept = {name: plain[name] for name in MODIFIERS if name in plain}
                plain = {**_STAND_IN, **kept}
            else:
                # Rolling needs calendars: without them it would be an error of its own.
                gone = {wrong, "roll"} if wrong in ("exclude", "include") else {wrong}
                plain = {name: value for name, value in plain.items() if name not in gone}
        else:
            return found


def _with_single_moment(plain: dict[str, Any]) -> dict[str, Any]:
    """Return a plain rule whose only moment stands alone."""
    moments = plain.get("run_at")
    if isinstance(moments, list) and len(moments) == 1:
        plain["run_at"] = moments[0]
    return plain
