"""Declared entries: the tasks that a configuration file describes, with their times.

Responsible for: the pydantic models of an entry of each type, and making tasks and rules of them.
Whether a cron expression or a path makes sense is decided by the rules and tasks themselves.
"""

from __future__ import annotations

import functools
import os
import re
import sys
from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

from pydantic import AfterValidator, BeforeValidator, Field, TypeAdapter, WithJsonSchema
from pydantic.annotated_handlers import GetJsonSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError

from task_scheduler.config.problems import KeyPath
from task_scheduler.config.sections import Model, PolicyKeys, Seconds, Text
from task_scheduler.errors import ScheduleError, TaskSchedulerError
from task_scheduler.schedules.rule import ScheduleRule, from_plain
from task_scheduler.tasks.command import CommandTask
from task_scheduler.tasks.function import FunctionTask
from task_scheduler.tasks.json_values import is_json
from task_scheduler.tasks.log_cleanup import LogCleanupTask
from task_scheduler.tasks.script import ScriptTask
from task_scheduler.tasks.task import BaseTask, check_name, check_task_id

__all__ = [
    "ENTRY",
    "TIMES",
    "Declared",
    "EntryConfig",
    "EntryError",
    "Folders",
    "RuleConfig",
    "entry_types",
]

TIMES = ("every", "cron", "at", "schedule")
"""The keys that say when; an entry has one of them."""

_SHORT_FORMS = {
    "every": ("interval", "seconds"),
    "cron": ("cron", "cron"),
    "at": ("once", "run_at"),
}
_REFERENCE = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*")
_LONGEST = 36_500 * 86_400


@dataclass(frozen=True, slots=True)
class Declared:
    """A task of the configuration and when it is due."""

    task: BaseTask
    rules: tuple[ScheduleRule, ...]
    is_enabled: bool


class Folders(NamedTuple):
    """Where relative paths of entries start, and where the scheduler's logs lie."""

    base: Path
    logs: Path


class EntryError(Exception):
    """What a task or a rule found wrong with an entry, and the key at which it stands."""

    def __init__(self, path: KeyPath, error: TaskSchedulerError) -> None:
        super().__init__(path, error)
        self.path = path
        self.error = error


class _OneOrMore:
    """Says in the JSON Schema of a list that its only item may stand alone."""

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """Allow an item, or a list of them."""
        several = handler(schema)
        return {"anyOf": [several["items"], several]}


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, Mapping) else value


def _argument(value: Any) -> Any:
    # is_json: neither NaN nor half a character reaches a program.
    if isinstance(value, bool) or not (isinstance(value, str | int | float) and is_json(value)):
        raise PydanticCustomError("config.must_be_argument", "no argument")
    return value


def _function_reference(value: Any) -> Any:
    if not isinstance(value, str) or _REFERENCE.fullmatch(value) is None:
        raise PydanticCustomError("config.must_be_function", "no reference")
    return value


def _plain_json(value: Any) -> Any:
    if not is_json(value):
        raise PydanticCustomError("config.must_be_json", "no JSON")
    return value


_Argument = Annotated[
    Any, BeforeValidator(_argument), WithJsonSchema({"type": ["string", "number"]})
]
_Length = Annotated[float, Field(ge=0, le=_LONGEST)]


class RuleConfig(Model):
    """One schedule rule in its plain form, see `schedules.rule`."""

    type: Literal["interval", "once", "cron"]
    seconds: _Length | None = None
    minutes: _Length | None = None
    hours: _Length | None = None
    days: _Length | None = None
    start_at: Text | None = None
    run_at: Text | None = None
    cron: Text | None = None
    timezone: Text | None = None
    gap: Literal["run_after", "skip"] | None = None
    fold: Literal["once", "twice"] | None = None


class EntryConfig(PolicyKeys):
    """What every declared task has: a name, a time, and policies of its own."""

    name: Text | None = None
    description: str = ""
    enabled: bool = True
    every: Annotated[Annotated[float, Field(gt=0, le=_LONGEST)], Seconds] | None = None
    cron: Text | None = None
    at: Text | None = None
    schedule: Annotated[list[RuleConfig], BeforeValidator(_as_list), _OneOrMore()] = Field(
        default_factory=list, validate_default=False
    )
    timezone: Text | None = None
    start_at: Text | None = None

    places: ClassVar[Mapping[str, str]] = {
        "tasks.bad_name": "name",
        "tasks.unshowable_name": "name",
        "tasks.never_in_thread": "isolation",
        "tasks.never_in_process": "isolation",
        "tasks.unresolved_function": "function",
        "tasks.not_callable": "function",
        "tasks.not_importable": "isolation",
        "tasks.arguments_not_json": "args",
        "tasks.arguments_too_long": "args",
        "tasks.shell_string": "command",
        "tasks.bad_command": "command",
        "tasks.bad_env": "env",
        "tasks.bad_env_name": "env",
        "tasks.bad_pattern": "patterns",
        "tasks.bad_patterns": "patterns",
        "schedules.unknown_zone": "timezone",
        "schedules.not_a_zone": "timezone",
    }
    """The key at which an error of a task or rule stands, where it does not say so itself."""

    def declare(self, task_id: str, folders: Folders) -> Declared:
        """Return task and rules; a function is imported now. Raises EntryError."""
        rules = self.rules()
        try:
            task = self._task(task_id, folders)
        except TaskSchedulerError as error:
            raise EntryError(self._place_of(error), error) from error
        return Declared(task, rules, self.enabled)

    def check(self, task_id: str, folders: Folders) -> list[EntryError]:
        """Return what is wrong with time and task, without importing code of the user."""
        problems: list[EntryError] = []
        for make in self._rule_makers():
            try:
                make()
            except EntryError as error:
                problems.append(error)
        try:
            check_task_id(task_id)
            check_name(task_id, task_id if self.name is None else self.name)
            self._check_task(task_id, folders)
        except TaskSchedulerError as error:
            problems.append(EntryError(self._place_of(error), error))
        return problems

    def rules(self) -> tuple[ScheduleRule, ...]:
        """Return when it is due; raises EntryError."""
        return tuple(make() for make in self._rule_makers())

    def times(self) -> tuple[str, ...]:
        """Return the keys that say when; an empty `schedule` says that only a request runs it."""
        given = self.model_fields_set
        return tuple(key for key in TIMES if key in given and getattr(self, key) is not None)

    def policy_options(self) -> dict[str, Any]:
        """Return the policies that the entry gives itself."""
        names = [name for name in PolicyKeys.model_fields if name in self.model_fields_set]
        return {name: getattr(self, name) for name in names}

    def _rule_makers(self) -> list[Callable[[], ScheduleRule]]:
        if "schedule" in self.model_fields_set:
            return [functools.partial(self._rule, index) for index in range(len(self.schedule))]
        return [self._only_rule]

    def _only_rule(self) -> ScheduleRule:
        time = self.times()[0]
        kind, name = _SHORT_FORMS[time]
        plain = {"type": kind, name: getattr(self, time)}
        shared = {"timezone": self.timezone, "start_at": self.start_at}
        plain.update((key, value) for key, value in shared.items() if value is not None)
        try:
            return from_plain(plain)
        except ScheduleError as error:
            raise EntryError(self._place_of(error) or (time,), error) from error

    def _rule(self, index: int) -> ScheduleRule:
        plain = self.schedule[index].model_dump(exclude_none=True)
        # A zone of the whole entry holds for each of its rules that names none.
        if self.timezone is not None:
            plain.setdefault("timezone", self.timezone)
        try:
            return from_plain(plain)
        except ScheduleError as error:
            is_cron = error.key.startswith("schedules.cron_")
            named = "cron" if is_cron else error.values.get("name")
            name = self.places.get(error.key, named)
            inner = (name,) if name in self.schedule[index].model_fields_set else ()
            raise EntryError(("schedule", index, *inner), error) from error

    def _place_of(self, error: TaskSchedulerError) -> KeyPath:
        """Return the key that an error speaks of; empty: the entry as a whole."""
        named = str(error.values.get("what") or error.values.get("name") or "").partition("[")[0]
        name = self.places.get(error.key, "at" if named == "run_at" else named)
        return (name,) if name in self.model_fields_set else ()

    def _check_task(self, task_id: str, folders: Folders) -> None:
        self._task(task_id, folders)

    @abstractmethod
    def _task(self, task_id: str, folders: Folders) -> BaseTask:
        """Make the task."""

    def _common(self) -> dict[str, Any]:
        return {"description": self.description, **self.policy_options()}


class _ProcessEntry(EntryConfig):
    """What entries of programs share."""

    working_dir: Text = "."
    env: dict[str, _Argument] = Field(default_factory=dict)


class ScriptEntry(_ProcessEntry):
    """A script file."""

    type: Literal["script"]
    script_path: Text
    args: list[_Argument] = Field(default_factory=list)
    interpreter: Text | None = None

    def _task(self, task_id: str, folders: Folders) -> BaseTask:
        interpreter = self.interpreter
        if interpreter is not None and os.sep in interpreter:
            interpreter = _from(folders.base, interpreter)
        return ScriptTask(
            task_id,
            self.name,
            _from(folders.base, self.script_path),
            self.args,
            _from(folders.base, self.working_dir),
            env=self.env,
            interpreter=interpreter,
            **self._common(),
        )


class CommandEntry(_ProcessEntry):
    """A program with its arguments."""

    type: Literal["command"]
    command: Annotated[list[_Argument], Field(min_length=1)]

    def _task(self, task_id: str, folders: Folders) -> BaseTask:
        return CommandTask(
            task_id,
            self.name,
            self.command,
            working_dir=_from(folders.base, self.working_dir),
            env=self.env,
            **self._common(),
        )


class FunctionEntry(EntryConfig):
    """A Python function that can be imported."""

    type: Literal["function"]
    function: Annotated[
        str,
        BeforeValidator(_function_reference),
        WithJsonSchema({"type": "string", "pattern": r"^[^:\s]+:[^:\s]+$"}),
    ]
    args: Annotated[list[Any], AfterValidator(_plain_json)] = Field(default_factory=list)
    kwargs: Annotated[dict[str, Any], AfterValidator(_plain_json)] = Field(default_factory=dict)

    def _check_task(self, task_id: str, folders: Folders) -> None:
        """Leave it at what the model checked: more would run code of the user."""

    def _task(self, task_id: str, folders: Folders) -> BaseTask:
        # Last, so that it hides nothing: a module beside the file is found as a script is.
        if str(folders.base) not in sys.path:
            sys.path.append(str(folders.base))
        return FunctionTask(
            task_id, self.name, self.function, self.args, self.kwargs, **self._common()
        )


class LogCleanupEntry(EntryConfig):
    """Old files of a log folder; by default that of the `logging` section."""

    type: Literal["log_cleanup"]
    log_dir: Text | None = None
    days: Annotated[float, Field(ge=0, le=36_525)] = 7
    patterns: Annotated[list[Text], Field(min_length=1)] = Field(
        default_factory=lambda: ["*.log", "*.log.*"]
    )
    recursive: bool = False
    dry_run: bool = False

    def _task(self, task_id: str, folders: Folders) -> BaseTask:
        return LogCleanupTask(
            task_id,
            self.name,
            folders.logs if self.log_dir is None else _from(folders.base, self.log_dir),
            days=self.days,
            patterns=self.patterns,
            recursive=self.recursive,
            dry_run=self.dry_run,
            **self._common(),
        )


AnyEntry = Annotated[
    ScriptEntry | CommandEntry | FunctionEntry | LogCleanupEntry, Field(discriminator="type")
]
ENTRY: TypeAdapter[EntryConfig] = TypeAdapter(AnyEntry)
"""Reads an entry of any type."""


def entry_types() -> dict[str, type[EntryConfig]]:
    """Return the model of each type."""
    return {
        "script": ScriptEntry,
        "command": CommandEntry,
        "function": FunctionEntry,
        "log_cleanup": LogCleanupEntry,
    }


def _from(folder: Path, path: str) -> str:
    """Return a path as seen from a folder; ``~`` is left to the task."""
    return path if path.startswith("~") else os.path.join(folder, path)  # noqa: PTH118  Path keeps `..`
