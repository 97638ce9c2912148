"""Declared entries: the tasks that a configuration file describes, with their times.

Responsible for: the pydantic models of an entry of each type, and making tasks and rules of them.
Whether a cron expression or a path makes sense is decided by the rules and tasks themselves.
"""

from __future__ import annotations

import os
import re
import sys
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.machinery import BuiltinImporter, FrozenImporter, PathFinder
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

from pydantic import AfterValidator, BeforeValidator, Field, TypeAdapter, WithJsonSchema
from pydantic_core import PydanticCustomError

from task_scheduler.config.alerts import Url
from task_scheduler.config.entry_times import EntryError, TimeKeys
from task_scheduler.config.problems import KeyPath
from task_scheduler.config.python import PythonKeys
from task_scheduler.config.sections import Bytes, PolicyKeys, Text
from task_scheduler.config.security import (
    ConfinementKeys,
    confinement_option,
    confinement_options,
)
from task_scheduler.core.tags import TAG_PATTERN, checked_tags
from task_scheduler.errors import DefinitionError, TaskSchedulerError
from task_scheduler.schedules.calendars.registry import Calendars
from task_scheduler.schedules.rule import ScheduleRule
from task_scheduler.tasks.command import CommandTask
from task_scheduler.tasks.function import FunctionTask, MissingFunction
from task_scheduler.tasks.http_task import HttpTask, checked_statuses
from task_scheduler.tasks.json_values import is_json
from task_scheduler.tasks.log_cleanup import LogCleanupTask
from task_scheduler.tasks.script import ScriptTask
from task_scheduler.tasks.task import BaseTask, check_name, check_task_id

__all__ = [
    "ENTRY",
    "Declared",
    "EntryConfig",
    "Folders",
    "entry_types",
]

_REFERENCE = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*")


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


def _tags(value: Any) -> Any:
    if not isinstance(value, list) or checked_tags(value) is None:
        raise PydanticCustomError("config.must_be_tags", "no tags")
    return value


def _upper(value: Any) -> Any:
    return value.upper() if isinstance(value, str) else value


def _status(value: Any) -> Any:
    try:
        return checked_statuses("", value)
    except DefinitionError as error:
        raise PydanticCustomError("config.must_be_status", "no status") from error


_STATUS = {
    "anyOf": [
        {"type": "integer", "minimum": 100, "maximum": 599},
        {"type": "string", "pattern": r"^\s*([1-5]xx|[1-5][0-9]{2}(-[1-5][0-9]{2})?)\s*$"},
    ]
}
_Statuses = Annotated[
    Any,
    BeforeValidator(_status),
    WithJsonSchema(
        {"anyOf": [*_STATUS["anyOf"], {"type": "array", "items": _STATUS, "minItems": 1}]}
    ),
]
_Argument = Annotated[
    Any, BeforeValidator(_argument), WithJsonSchema({"type": ["string", "number"]})
]


_Tags = Annotated[
    list[str],
    BeforeValidator(_tags),
    WithJsonSchema(
        {"type": "array", "items": {"type": "string", "pattern": TAG_PATTERN}, "maxItems": 32}
    ),
]


class EntryConfig(TimeKeys, PolicyKeys):
    """What every declared task has: a name, a time, and policies of its own."""

    name: Text | None = None
    description: str = ""
    tags: _Tags = Field(default_factory=list)
    """Words by which tasks are found together."""
    enabled: bool = True
    ping_url: Url | None = None
    """Where the beginning and the end of each run is told; see `alerts`."""

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
        "tasks.http_bad_url": "url",
        "tasks.http_user_in_url": "url",
        "tasks.http_secret_host": "url",
        "tasks.http_two_bodies": "body",
        "tasks.http_bad_body": "body",
        "tasks.http_bad_headers": "headers",
        "tasks.http_bad_header": "headers",
        "tasks.http_header_is_ours": "headers",
        "tasks.http_bad_auth": "auth",
        "tasks.http_open_password": "auth",
    }
    """The key at which an error of a task stands, where it does not say so itself."""

    def declare(
        self,
        task_id: str,
        folders: Folders,
        calendars: Calendars,
        *,
        is_code_needed: bool = True,  # noqa: ARG002  of functions
    ) -> Declared:
        """Return task and rules; a function is imported now. Raises EntryError.

        Unless its code is needed, one that cannot be imported makes a task that cannot run.
        """
        rules = self.rules(task_id, calendars)
        try:
            task = self._task(task_id, folders)
        except TaskSchedulerError as error:
            raise EntryError(self._place_of(error), error) from error
        return Declared(task, rules, self.enabled)

    def check(self, task_id: str, folders: Folders, calendars: Calendars) -> list[EntryError]:
        """Return what is wrong with time and task, without importing code of the user."""
        problems = self.rule_errors(task_id, calendars)
        try:
            check_task_id(task_id)
            check_name(task_id, task_id if self.name is None else self.name)
            self._check_task(task_id, folders)
        except TaskSchedulerError as error:
            problems.append(EntryError(self._place_of(error), error))
        return problems

    def missing_module(self, folders: Folders) -> EntryError | None:  # noqa: ARG002  of functions
        """Return that the module of a function is not there; found without importing it."""
        return None

    def policy_options(self) -> dict[str, Any]:
        """Return the policies that the entry gives itself."""
        names = [name for name in PolicyKeys.model_fields if name in self.model_fields_set]
        return {name: getattr(self, name) for name in names}

    def _place_of(self, error: TaskSchedulerError) -> KeyPath:
        """Return the key that an error speaks of; empty: the entry as a whole."""
        named = str(error.values.get("what") or error.values.get("name") or "").partition("[")[0]
        name = self.places.get(error.key, named)
        return (name,) if name in self.model_fields_set else ()

    def _check_task(self, task_id: str, folders: Folders) -> None:
        self._task(task_id, folders)

    @abstractmethod
    def _task(self, task_id: str, folders: Folders) -> BaseTask:
        """Make the task."""

    def _common(self) -> dict[str, Any]:
        return {
            "description": self.description,
            "tags": self.tags,
            **self.policy_options(),
            **confinement_options(self),
        }


class _ProcessEntry(EntryConfig, ConfinementKeys):
    """What entries of programs share."""

    working_dir: Text = "."
    env: dict[str, _Argument] = Field(default_factory=dict)


class ScriptEntry(_ProcessEntry):
    """A script file."""

    type: Literal["script"]
    script_path: Text
    args: list[_Argument] = Field(default_factory=list)
    interpreter: Text | None = None
    sha256: confinement_option("sha256") = None  # type: ignore[valid-type]
    python: PythonKeys = Field(default_factory=PythonKeys)

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
            python=self.python.model_dump(exclude_none=True),
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


class FunctionEntry(EntryConfig, ConfinementKeys):
    """A Python function that can be imported."""

    type: Literal["function"]
    function: Annotated[
        str,
        BeforeValidator(_function_reference),
        WithJsonSchema({"type": "string", "pattern": r"^[^:\s]+:[^:\s]+$"}),
    ]
    args: Annotated[list[Any], AfterValidator(_plain_json)] = Field(default_factory=list)
    kwargs: Annotated[dict[str, Any], AfterValidator(_plain_json)] = Field(default_factory=dict)

    def declare(
        self,
        task_id: str,
        folders: Folders,
        calendars: Calendars,
        *,
        is_code_needed: bool = True,
    ) -> Declared:
        """Return task and rules as any entry does."""
        try:
            return super().declare(task_id, folders, calendars)
        except EntryError as error:
            if is_code_needed or error.error.key != "tasks.unresolved_function":
                raise
            missing = MissingFunction(self.function, error.error)
        task = FunctionTask(task_id, self.name, missing, self.args, self.kwargs, **self._common())
        return Declared(task, self.rules(task_id, calendars), self.enabled)

    def _check_task(self, task_id: str, folders: Folders) -> None:
        """Leave it at what the model checked: more would run code of the user."""

    def missing_module(self, folders: Folders) -> EntryError | None:
        """Return that the outermost package of the function is not there."""
        name = self.function.partition(":")[0].partition(".")[0]
        is_there = name in sys.modules or any(
            PathFinder.find_spec(name, path) for path in (None, [str(folders.base)])
        )
        if is_there or BuiltinImporter.find_spec(name) or FrozenImporter.find_spec(name):
            return None
        reason = f"ModuleNotFoundError: No module named {name!r}"
        error = DefinitionError("tasks.unresolved_function", reference=self.function, reason=reason)
        return EntryError(("function",), error)

    def _task(self, task_id: str, folders: Folders) -> BaseTask:
        # Last, so that it hides nothing: a module beside the file is found as a script is.
        if str(folders.base) not in sys.path:
            sys.path.append(str(folders.base))
        return FunctionTask(
            task_id, self.name, self.function, self.args, self.kwargs, **self._common()
        )


class HttpEntry(EntryConfig):
    """An HTTP request."""

    type: Literal["http"]
    url: Text
    method: Annotated[
        Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"], BeforeValidator(_upper)
    ] = "GET"
    headers: dict[str, str] = Field(default_factory=dict)
    body: str | None = None
    json_body: Annotated[Any, AfterValidator(_plain_json)] = Field(default=None, alias="json")
    auth: Annotated[list[Text] | None, Field(min_length=2, max_length=2)] = None
    expected_status: _Statuses = "2xx"
    max_response_bytes: Annotated[int, Field(ge=0, le=1 << 30), Bytes] = 1 << 20
    follow_redirects: bool = True
    verify: bool | Text = True

    def _task(self, task_id: str, folders: Folders) -> BaseTask:
        verify = self.verify
        if isinstance(verify, str):
            verify = _from(folders.base, verify)
        return HttpTask(
            task_id,
            self.name,
            self.url,
            self.method,
            headers=self.headers,
            body=self.body,
            json=self.json_body,
            auth=self.auth,
            expected_status=self.expected_status,
            max_response_bytes=self.max_response_bytes,
            follow_redirects=self.follow_redirects,
            verify=verify,
            **self._common(),
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
    ScriptEntry | CommandEntry | FunctionEntry | HttpEntry | LogCleanupEntry,
    Field(discriminator="type"),
]
ENTRY: TypeAdapter[EntryConfig] = TypeAdapter(AnyEntry)
"""Reads an entry of any type."""


def entry_types() -> dict[str, type[EntryConfig]]:
    """Return the model of each type."""
    return {
        "script": ScriptEntry,
        "command": CommandEntry,
        "function": FunctionEntry,
        "http": HttpEntry,
        "log_cleanup": LogCleanupEntry,
    }


def _from(folder: Path, path: str) -> str:
    """Return a path as seen from a folder; ``~`` is left to the task."""
    return path if path.startswith("~") else os.path.join(folder, path)  # noqa: PTH118  Path keeps `..`
