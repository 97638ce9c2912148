"""Checking a merged configuration: every problem at its place, or the settings.

Responsible for: asking the models, converting what is text only by origin, and saying what pydantic
found in the user's language. What is right stands in the models.
"""

from __future__ import annotations

import difflib
import functools
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple, TypeVar

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from task_scheduler.config.alerts import alert_problems, nested_keys
from task_scheduler.config.calendar_files import CalendarError
from task_scheduler.config.calendars import CalendarConfig, WindowConfig, calendar_of
from task_scheduler.config.entries import ENTRY, EntryConfig, Folders, entry_types
from task_scheduler.config.entry_times import LISTS, TIMES, EntryError, RuleConfig, TimeKeys
from task_scheduler.config.layers import Merged
from task_scheduler.config.monitoring import monitoring_keys, monitoring_problems
from task_scheduler.config.problems import KeyPath, Place, Problem, dotted, hint_for, shown
from task_scheduler.config.sections import PolicyKeys, SyslogConfig
from task_scheduler.config.security import (
    ConfinementKeys,
    SecretConfig,
    SecuritySection,
    TargetsConfig,
)
from task_scheduler.config.settings import SECTIONS, TWINS, Places, Settings, known_keys
from task_scheduler.i18n import translate
from task_scheduler.schedules.calendars.named_calendar import Calendar
from task_scheduler.schedules.calendars.registry import Calendars

__all__ = ["Checked", "Read", "checked", "entry_problem"]

_T = TypeVar("_T")
_PLACES = functools.partial(TypeAdapter(Places).validate_python, strict=True)

_REASONS = {
    "int_type": "config.must_be_whole",
    "int_from_float": "config.must_be_whole",
    "float_type": "config.must_be_number",
    "finite_number": "config.must_be_number",
    "bool_type": "config.must_be_bool",
    "string_type": "config.must_be_text",
    "string_too_short": "config.must_not_be_empty",
    "too_short": "config.must_not_be_empty",
    "list_type": "config.must_be_list",
    "dict_type": "config.must_be_object",
    "model_type": "config.must_be_object",
    "model_attributes_type": "config.must_be_object",
}
_BOUNDS = {
    "greater_than": ("config.must_exceed", "gt"),
    "greater_than_equal": ("config.must_be_at_least", "ge"),
    "less_than_equal": ("config.must_be_at_most", "le"),
}
_IN_JSON = {
    "schedules.missing_place": "config.missing_place",
    "schedules.roll_without_calendar": "config.roll_without_calendar",
    "schedules.rrule_two_starts": "config.rrule_two_starts",
}
"""What a rule says with keywords of Python, as a configuration is written."""
_WORDS = {
    **dict.fromkeys(("true", "yes", "on", "1"), True),
    **dict.fromkeys(("false", "no", "off", "0"), False),
}
_SURELY = 0.8
"""How alike two keys are of which one was surely meant as the other."""
_NOTHING = frozenset({"", "null", "none"})
_LONGEST_NUMBER = 40
"""Characters: no setting has a longer number, and Python refuses to read some that are longer."""


Read = Mapping[str, tuple[CalendarConfig, Calendar]]
"""The calendars of a configuration, each with what it was made of."""


class Checked(NamedTuple):
    """The settings and calendars of a configuration, or everything that is wrong with it."""

    settings: Settings | None
    calendars: Read
    problems: list[Problem]


def checked(merged: Merged, folder: Path, read: Read = MappingProxyType({})) -> Checked:
    """Return the settings and calendars, or everything that is wrong.

    Of the calendars in `read` that are still the same, the files are not read again. Text that
    stands for a number or the like is replaced in `merged`.
    """
    check = _Check(merged, folder, read)
    settings = check.run()
    return Checked(None if check.problems else settings, check.calendars, check.problems)


def entry_problem(merged: Merged, task_id: str, error: EntryError) -> Problem:
    """Return what a task or rule said of an entry, with the place of the key it speaks of."""
    raw = merged.values["entries"][task_id]
    path: KeyPath = ("entries", task_id, *_real_path(error.path, raw))
    sentence = str(error.error)
    if error.error.key in _IN_JSON:
        sentence = translate(_IN_JSON[error.error.key], **error.error.values)
    return Problem(merged.place(path), dotted(path), sentence)


class _Check:
    """One pass over one configuration."""

    def __init__(self, merged: Merged, folder: Path, read: Read) -> None:
        self._merged = merged
        self._folder = folder
        self._read = read
        self.calendars: dict[str, tuple[CalendarConfig, Calendar]] = {}
        self._seen: set[tuple[Place, str]] = set()
        self.problems: list[Problem] = []
        for problem in merged.problems:
            self._note(problem)

    def run(self) -> Settings | None:
        values = self._merged.values
        context = {"folder": self._folder}
        sections: dict[str, Any] = {}
        for name, model in SECTIONS.items():
            validate = functools.partial(model.model_validate, context=context)
            sections[name] = self._validated(validate, (name,))
        named = {name: self._calendar(name) for name in values["calendars"]}
        calendars = Calendars(named)
        pools = {name: self._validated(_PLACES, ("pools", name)) for name in values["pools"]}
        entries = {}
        for task_id in values["entries"]:
            entry = self._validated(ENTRY.validate_python, ("entries", task_id))
            entries[task_id] = entry
            logging = sections["logging"]
            logs = self._folder if logging is None else logging.log_dir
            checked_entry = entry or self._rest_of(task_id)
            folders = Folders(self._folder, logs)
            self._check_entry(task_id, checked_entry, folders, calendars)
        self._check_pools(("tasks",), sections["tasks"], pools)
        for task_id, entry in entries.items():
            self._check_pools(("entries", task_id), entry, pools)
        self._check_functions(entries, sections["security"])
        if sections["alerts"] is not None:
            for found in alert_problems(sections["alerts"], calendars):
                at: KeyPath = ("alerts", *found.path)
                self._note(Problem(self._merged.place(at), dotted(at), found.sentence))
        if sections["monitoring"] is not None:
            for wrong in monitoring_problems(sections["monitoring"]):
                at = ("monitoring", *wrong.path)
                self._note(Problem(self._merged.place(at), dotted(at), wrong.sentence))
        if self.problems:
            self._check_modules(entries, Folders(self._folder, self._folder))
            return None
        configs = {name: config for name, (config, _) in self.calendars.items()}
        return Settings.model_construct(**sections, entries=entries, calendars=configs, pools=pools)

    def _check_functions(
        self, entries: Mapping[str, Any], security: SecuritySection | None
    ) -> None:
        """Note functions from where none may come; without a list a configuration may name any."""
        if security is None or security.function_modules is None:
            return
        rules = security.rules()
        for task_id, entry in entries.items():
            reference = getattr(entry, "function", None)
            if reference is None or rules.allows_function(reference):
                continue
            at: KeyPath = ("entries", task_id, "function")
            sentence = translate("tasks.function_not_allowed", reference=reference)
            self._note(Problem(self._merged.place(at), dotted(at), sentence))

    def _check_pools(
        self, path: KeyPath, policies: PolicyKeys | None, pools: Mapping[str, Any]
    ) -> None:
        """Note a pool that there is not."""
        name = None if policies is None else policies.pool
        if name is None or name in pools:
            return
        at: KeyPath = (*path, "pool")
        known = ", ".join(pools)
        sentence = translate(
            "config.unknown_pool",
            key=dotted(at),
            pool=name,
            hint=hint_for(name, list(pools)),
            known=known,
        )
        self._note(Problem(self._merged.place(at), dotted(at), sentence))

    def _calendar(self, name: str) -> Calendar:
        """Return a calendar; an empty one in place of a wrong one, which was noted."""
        path = ("calendars", name)
        config = self._validated(CalendarConfig.model_validate, path)
        if config is None:
            return Calendar()
        known = self._read.get(name)
        if known is not None and known[0] == config:
            self.calendars[name] = known
            return known[1]
        try:
            calendar = calendar_of(config, self._folder)
        except CalendarError as error:
            at: KeyPath = (*path, *error.path)
            place = error.place or self._merged.place(at)
            self._note(Problem(place, dotted(at), error.sentence))
            return Calendar()
        self.calendars[name] = config, calendar
        return calendar

    def _rest_of(self, task_id: str) -> EntryConfig | TimeKeys | None:
        """Return a wrong entry without the keys that are wrong, or at least its times.

        So that what its task and rules find is told along with them.
        """
        raw = self._merged.values["entries"][task_id]
        try:
            return ENTRY.validate_python(raw)
        except ValidationError as error:
            wrong = {self._path_of(("entries", task_id), e["loc"])[2:3] for e in error.errors()}
        if not isinstance(raw, dict) or any((time,) in wrong for time in TIMES):
            return None
        rest = {key: value for key, value in raw.items() if (key,) not in wrong}
        try:
            return ENTRY.validate_python(rest)
        except ValidationError:
            pass
        names = TimeKeys.model_fields
        try:
            return TimeKeys.model_validate({k: v for k, v in rest.items() if k in names})
        except ValidationError:
            return None

    def _check_entry(
        self, task_id: str, entry: TimeKeys | None, folders: Folders, calendars: Calendars
    ) -> None:
        if entry is None:
            return
        path = ("entries", task_id)
        times = entry.times()
        if len(times) > 1 or not (times or self._merged.values["entries"][task_id].get("after")):
            keys = ", ".join(TIMES)
            name = "config.several_times" if times else "config.no_time"
            place = self._merged.place((*path, *times[1:2]), of_key=True)
            sentence = translate(name, key=dotted(path), given=", ".join(times), known=keys)
            self._note(Problem(place, dotted(path), sentence))
        if isinstance(entry, EntryConfig):
            errors = entry.check(task_id, folders, calendars)
        else:
            errors = entry.rule_errors(task_id, calendars)
        for error in errors:
            self._note(entry_problem(self._merged, task_id, error))

    def _check_modules(self, entries: Mapping[str, EntryConfig | None], folders: Folders) -> None:
        """Note functions whose module is not there, where something else is wrong too.

        Alone they are told when they are imported: a missing one stops no other task.
        """
        for task_id, entry in entries.items():
            error = None if entry is None else entry.missing_module(folders)
            if error is not None:
                self._note(entry_problem(self._merged, task_id, error))

    def _validated(self, validate: Callable[[Any], _T], path: tuple[str, ...]) -> _T | None:
        """Return what a model makes of the part at a path; None if it finds it wrong."""
        holder: dict[str, Any] = self._merged.values
        for part in path[:-1]:
            holder = holder[part]
        try:
            return validate(_canonical(path, holder[path[-1]]))
        except ValidationError as error:
            if not self._convert(path, error.errors(include_url=False)):
                self._explain(path, error)
                return None
        try:
            return validate(_canonical(path, holder[path[-1]]))
        except ValidationError as error:
            self._explain(path, error)
            return None

    def _convert(self, base: tuple[str, ...], errors: list[ErrorDetails]) -> bool:
        """Replace text by what it stands for where a model wants that; whether anything was."""
        is_changed = False
        for error in errors:
            path = self._path_of(base, error["loc"])
            if self._merged.text_at(path) is None or not isinstance(error["input"], str):
                continue
            value = _converted(error["input"], error["type"])
            holder: Any = self._merged.values
            for part in path[:-1]:
                holder = holder[part]
            if value != holder[path[-1]]:
                holder[path[-1]] = value
                is_changed = True
        return is_changed

    def _explain(self, base: tuple[str, ...], error: ValidationError) -> None:
        for details in error.errors(include_url=False):
            path = self._path_of(base, details["loc"])
            kind = details["type"]
            if kind == "extra_forbidden":
                place = self._merged.place(path, of_key=True)
                sentence = self._unknown_key(path)
            elif kind in ("missing", "union_tag_not_found"):
                if kind == "union_tag_not_found":
                    path = (*path, "type")
                place = self._merged.place(path, of_key=True)
                sentence = translate(
                    "config.missing_key", key=dotted(path), hint=_example(path[-1])
                )
            else:
                if kind == "union_tag_invalid":
                    path = (*path, "type")
                place = self._merged.place(path)
                sentence = self._wrong_value(path, details)
            self._note(Problem(place, dotted(path), sentence))

    def _wrong_value(self, path: KeyPath, details: ErrorDetails) -> str:
        kind = details["type"]
        context = details.get("ctx", {})
        value = self._value_at(path, details["input"])
        if kind == "union_tag_invalid":
            reason = _one_of(value, list(entry_types()))
        elif kind == "literal_error":
            reason = _one_of(value, [word.strip("'") for word in _words(context["expected"])])
        elif kind in _BOUNDS:
            sentence, name = _BOUNDS[kind]
            reason = translate(sentence, bound=_plain(context[name]))
        elif kind.startswith("config."):
            reason = translate(kind, **context)
        else:
            reason = translate(_REASONS[kind]) if kind in _REASONS else details["msg"]
        text = self._merged.text_at(path) or shown(value)
        return translate("config.wrong_value", key=dotted(path), value=text, reason=reason)

    def _unknown_key(self, path: KeyPath) -> str:
        key, section = path[-1], path[0]
        holder = dotted(path[:-1])
        if section == "calendars":
            model = (
                CalendarConfig if len(path) == len(("calendars", "name", "key")) else WindowConfig
            )
            known = [field.alias or name for name, field in model.model_fields.items()]
        elif path[:2] == ("security", "secrets"):
            known = list(SecretConfig.model_fields)
        elif path[:2] == ("security", "targets"):
            known = list(TargetsConfig.model_fields)
        elif path[:2] == ("security", "confinement"):
            known = list(ConfinementKeys.model_fields)
        elif section == "alerts" and len(path) > 2:
            known = nested_keys(path)
        elif section == "monitoring" and len(path) > 2:
            known = monitoring_keys(path)
        elif path[:2] == ("logging", "syslog") and len(path) > 2:
            known = list(SyslogConfig.model_fields)
        elif section != "entries":
            known = known_keys(str(section))
            for other in SECTIONS:
                if key in known_keys(other):
                    return translate("config.misplaced_key", key=dotted(path), section=other)
        elif len(path) == len(("entries", "id", "key")):
            raw = self._merged.values["entries"][str(path[1])]
            known = _keys_of(entry_types()[raw["type"]])
        else:
            known = list(RuleConfig.model_fields)
        hint = hint_for(key, known)
        if difflib.get_close_matches(str(key), known, n=1, cutoff=_SURELY):
            # What was meant is found: dozens of other keys would only hide it.
            return translate("config.unknown_key_near", key=dotted(path), hint=hint)
        return translate(
            "config.unknown_key", key=dotted(path), hint=hint, holder=holder, known=", ".join(known)
        )

    def _value_at(self, path: KeyPath, fallback: Any) -> Any:
        """Return a value as it was given: a model may have seen a converted one."""
        found: Any = self._merged.values
        try:
            for part in path:
                found = found[part]
        except (KeyError, IndexError, TypeError):
            return fallback
        return found

    def _path_of(self, base: tuple[str, ...], location: tuple[int | str, ...]) -> KeyPath:
        """Return the path of what pydantic speaks of."""
        raw: Any = self._merged.values
        for part in base:
            raw = raw[part]
        if base == ("tasks",) and location and location[0] not in raw:
            return (*base, TWINS.get(str(location[0]), location[0]), *location[1:])
        # Of an entry, pydantic names its type first.
        inner = location[1:] if base[0] == "entries" and location else location
        return (*base, *_real_path(inner, raw))

    def _note(self, problem: Problem) -> None:
        """Keep a problem, unless something is known to be wrong with that very value."""
        mark = (problem.place, problem.key)
        if mark not in self._seen:
            self._seen.add(mark)
            self.problems.append(problem)


def _real_path(path: tuple[int | str, ...], raw: Any) -> KeyPath:
    """Return a path without the index of a list's only item that stands alone in the file."""
    found: list[int | str] = []
    for part in path:
        if isinstance(part, int) and found and found[-1] in LISTS and not isinstance(raw, list):
            continue
        found.append(part)
        try:
            raw = raw[part]
        except (KeyError, IndexError, TypeError):
            raw = []
    return tuple(found)


def _canonical(path: tuple[str, ...], raw: Any) -> Any:
    """Return a section under the names of its model."""
    if path != ("tasks",) or "default_timeout" not in raw:
        return raw
    return {("timeout" if key == "default_timeout" else key): value for key, value in raw.items()}


def _converted(text: str, kind: str) -> Any:
    """Return what a text stands for, where something of that kind is wanted."""
    word = text.strip().lower()
    if kind == "bool_type":
        return _WORDS.get(word, text)
    if kind in ("list_type", "dict_type", "model_type"):
        return _from_json(text)
    if word in _NOTHING:
        return None
    if len(word) > _LONGEST_NUMBER:
        return text
    for read in (int, float):
        try:
            return read(word)
        except ValueError:
            continue
    return text


def _from_json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _one_of(value: Any, words: list[str]) -> str:
    allowed = ", ".join(json.dumps(word) for word in words)
    return translate("config.must_be_one_of", allowed=allowed, hint=hint_for(value, words))


def _words(expected: str) -> list[str]:
    """Return the words that pydantic lists as ``'a', 'b' or 'c'``."""
    return expected.replace(" or ", ", ").split(", ")


def _keys_of(model: type[EntryConfig]) -> list[str]:
    """Return the keys of an entry, those of its type first and the policies last."""
    fields = model.model_fields
    shared = [key for key in EntryConfig.model_fields if key not in PolicyKeys.model_fields]
    own = [fields[key].alias or key for key in fields if key not in EntryConfig.model_fields]
    return [*own, *shared, *PolicyKeys.model_fields]


def _example(key: int | str) -> str:
    if key != "type":
        return ""
    return translate("config.one_of_types", known=", ".join(entry_types()))


def _plain(bound: Any) -> str:
    return str(int(bound)) if bound == int(bound) else str(bound)
