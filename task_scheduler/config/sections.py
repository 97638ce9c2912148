"""The sections of a configuration file: their keys, types, bounds and defaults.

Responsible for: the pydantic models of `scheduler`, `tasks`, `logging` and `storage`, and the types
of values that users may write in more than one way. Does not know where a value comes from.

The models are strict: ``"10"`` is no number and ``true`` no integer. Text from the environment is
converted before it gets here.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, WithJsonSchema
from pydantic.annotated_handlers import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from task_scheduler.config.amounts import (
    DURATION_PATTERN,
    SIZE_PATTERN,
    parse_duration,
    parse_size,
)
from task_scheduler.core.model import Policies
from task_scheduler.core.policies import policies_from
from task_scheduler.core.rates import rate_of
from task_scheduler.errors import ConfigError, PolicyError
from task_scheduler.i18n import LANGUAGES

if TYPE_CHECKING:
    from task_scheduler.observe.log_shipping import Shipping

__all__ = [
    "MEMORY",
    "Bytes",
    "LoggingSection",
    "Model",
    "PolicyKeys",
    "SchedulerSection",
    "Seconds",
    "StorageSection",
    "SyslogConfig",
    "TasksSection",
    "Text",
    "absolute",
    "syslog_place",
]

MEMORY = ":memory:"
"""The storage path of a ledger that lives as long as its process."""

# As a user would write them; the models make a Path and bytes of them, which mypy cannot see.
_LOGS: Any = "logs"
_TEN_MEGABYTES: Any = "10MB"

_CENTURY = 100 * 365.25 * 86_400
_DAY = 86_400
_POLICIES = Policies()
"""The defaults live with the policies themselves."""


class Model(BaseModel):
    """What every part of a configuration is: strict, frozen, without unknown keys."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        validate_default=True,
        allow_inf_nan=False,
        # Most commands read a few sections of a config, and pay for the shapes of no others.
        defer_build=True,
    )


@dataclass(frozen=True, slots=True)
class _Amount:
    """A number that may also be written as text with units, for the type it annotates."""

    convert: Callable[[Any], Any]
    pattern: str
    others: tuple[dict[str, Any], ...] = ()
    """What else may stand there, for the JSON Schema."""

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """Convert before the number is checked."""
        return core_schema.no_info_before_validator_function(self.convert, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """Allow both forms."""
        text = {"type": "string", "pattern": self.pattern}
        return {"anyOf": [handler(schema), text, *self.others]}


def _to_seconds(value: Any) -> Any:
    try:
        return parse_duration(value)
    except ConfigError as error:
        raise PydanticCustomError("config.bad_duration", "no duration") from error


def _to_timeout(value: Any) -> Any:
    """Return seconds, or None for both ways of saying that there is no limit."""
    return (None if value is None else _to_seconds(value)) or None


def _to_bytes(value: Any) -> Any:
    try:
        return parse_size(value)
    except ConfigError as error:
        raise PydanticCustomError("config.bad_size", "no size") from error


Seconds = _Amount(_to_seconds, DURATION_PATTERN)
"""Annotates a float: seconds, or text such as ``5m``."""
_Timeout = _Amount(_to_timeout, DURATION_PATTERN, ({"const": 0},))
Bytes = _Amount(_to_bytes, SIZE_PATTERN)
"""Annotates an int: bytes, or text such as ``10MB``."""


def absolute(value: Any, info: ValidationInfo) -> Any:
    """Return a path made absolute from the configuration's folder; ``~`` is the user's home."""
    if not isinstance(value, str) or not value.strip() or "\0" in value:
        raise PydanticCustomError("config.must_be_path", "no path")
    folder = (info.context or {}).get("folder", Path.cwd())
    return Path(os.path.abspath(os.path.join(folder, os.path.expanduser(value))))  # noqa: PTH100, PTH111, PTH118  Path keeps `..`


def _storage_path(value: Any, info: ValidationInfo) -> Any:
    return MEMORY if value == MEMORY else str(absolute(value, info))


def _file_name(value: Any) -> Any:
    if not isinstance(value, str) or not value.strip() or "\0" in value or value.endswith("/"):
        raise PydanticCustomError("config.must_be_path", "no path")
    return value


def _language(value: Any) -> Any:
    tag = value.replace("-", "_").split("_")[0].split(".")[0] if isinstance(value, str) else None
    if value is not None and tag not in LANGUAGES:
        known = ", ".join(LANGUAGES)
        raise PydanticCustomError("config.must_be_language", "no language", {"known": known})
    return value


def _rate(value: Any) -> Any:
    if value is not None and not (isinstance(value, str) and rate_of(value)):
        raise PydanticCustomError("config.must_be_rate", "no rate")
    return value


def _after(value: Any) -> Any:
    try:
        policies_from({"after": value}, _POLICIES)
    except PolicyError as error:
        raise PydanticCustomError("config.must_be_after", "no tasks") from error
    return value


def _syslog_address(value: Any) -> Any:
    try:
        if isinstance(value, str):
            syslog_place(value)
            return value
    except ValueError:
        pass
    raise PydanticCustomError("config.must_be_syslog", "no address")


def syslog_place(text: str) -> str | tuple[str, int]:
    """Return the path of a socket, or host and port of ``udp://host:514``; raises ValueError."""
    if text.startswith("/") and "\0" not in text:
        return text
    parts = urlsplit(text)
    if parts.scheme != "udp" or not parts.hostname or parts.path.strip("/") or parts.query:
        raise ValueError(text)
    return parts.hostname, parts.port or 514


def _journal(value: Any) -> Any:
    if isinstance(value, bool) or (isinstance(value, str) and value.startswith("/")):
        return value
    raise PydanticCustomError("config.must_be_journald", "neither")


Text = Annotated[str, Field(min_length=1)]
_LANGUAGE_SCHEMA = WithJsonSchema(
    {
        "anyOf": [
            {"type": "string", "pattern": f"^({'|'.join(LANGUAGES)})([-_.].*)?$"},
            {"type": "null"},
        ]
    }
)
_SYSLOG_SCHEMA = WithJsonSchema({"type": "string", "pattern": r"^(/|udp://[^/?#]+/?$)"})
_JOURNAL_SCHEMA = WithJsonSchema(
    {"anyOf": [{"type": "boolean"}, {"type": "string", "pattern": "^/"}]}
)
_RATE_SCHEMA = WithJsonSchema(
    {
        "anyOf": [
            {"type": "string", "pattern": r"^\s*[0-9]{1,5}\s*/\s*([0-9]|ms|s|m|h|d|w)[0-9a-z. ]*$"},
            {"type": "null"},
        ]
    }
)
_PARENT: dict[str, Any] = {
    "anyOf": [
        {"type": "string", "minLength": 1},
        {
            "type": "object",
            "properties": {
                "task": {"type": "string", "minLength": 1},
                "on": {"enum": ["success", "failure", "always"]},
            },
            "required": ["task"],
            "additionalProperties": False,
        },
    ]
}
_AFTER_SCHEMA = WithJsonSchema(
    {"anyOf": [*_PARENT["anyOf"], {"type": "array", "items": _PARENT}, {"type": "null"}]}
)
_AbsolutePath = Annotated[Path, BeforeValidator(absolute)]
_Wait = Annotated[float, Field(ge=0, le=_CENTURY), Seconds]


class SchedulerSection(Model):
    """How the scheduler itself works."""

    max_workers: Annotated[int, Field(ge=1, le=1000)] = 10
    """Functions that run at the same time."""
    check_interval: Annotated[float, Field(ge=0.001, le=3600), Seconds] = 1
    enable_monitoring: bool = True
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] = "INFO"
    language: Annotated[str | None, BeforeValidator(_language), _LANGUAGE_SCHEMA] = None
    stop_timeout_seconds: Annotated[float, Field(ge=0, le=_DAY), Seconds] = 30
    stall_exit_seconds: Annotated[float, Field(ge=0, le=_DAY), Seconds] = 120
    """`tsk up` ends when its engine was stuck for so long; 0: never."""
    memory_warning: Annotated[int, Field(ge=1, le=1 << 50), Bytes] | None = None
    """Bytes of the scheduler's own process above which it is told."""
    memory_limit: Annotated[int, Field(ge=1, le=1 << 50), Bytes] | None = None
    """Bytes above which `tsk up` ends in order, to be started anew."""
    gc_interval_seconds: Annotated[float, Field(ge=0, le=_DAY), Seconds] = 0
    """How often garbage is collected beside Python's own collecting; 0: never."""
    watch_config: bool = True
    """Whether `tsk up` reads the configuration again when its files change."""


class PolicyKeys(Model):
    """What becomes of a run that goes otherwise than planned; see `core.policies`."""

    timeout: Annotated[Annotated[float, Field(ge=0.001, le=_CENTURY)] | None, _Timeout] = (
        _POLICIES.timeout_seconds
    )
    max_retries: Annotated[int, Field(ge=0, le=1_000_000)] = _POLICIES.max_retries
    retry_delay: _Wait = _POLICIES.retry_delay_seconds
    backoff: Literal["constant", "exponential"] = "constant"
    retry_jitter: Annotated[float, Field(ge=0, le=1)] = _POLICIES.retry_jitter
    retry_max_delay_seconds: _Wait = _POLICIES.retry_max_delay_seconds
    misfire: Literal["run_once", "run_all", "skip"] = "run_once"
    misfire_grace_seconds: _Wait = _POLICIES.misfire_grace_seconds
    catch_up_window_seconds: _Wait = _POLICIES.catch_up_window_seconds
    catch_up_limit: Annotated[int, Field(ge=1, le=1_000_000)] = _POLICIES.catch_up_limit
    overlap: Literal["skip", "queue", "allow", "replace"] = "skip"
    overlap_limit: Annotated[int, Field(ge=0, le=1_000_000)] = _POLICIES.overlap_limit
    on_lost: Literal["at_least_once", "at_most_once"] = "at_least_once"
    kill_grace_seconds: Annotated[float, Field(ge=0, le=_DAY), Seconds] = (
        _POLICIES.kill_grace_seconds
    )
    isolation: Literal["thread", "process"] = "thread"
    priority: Annotated[int, Field(ge=-1_000_000, le=1_000_000)] = _POLICIES.priority
    pool: Text | None = None
    rate_limit: Annotated[str | None, BeforeValidator(_rate), _RATE_SCHEMA] = None
    after: Annotated[Any, BeforeValidator(_after), _AFTER_SCHEMA] = None
    after_mode: Literal["all", "any"] = "all"


class TasksSection(PolicyKeys):
    """The policies of tasks that do not give their own."""


class SyslogConfig(Model):
    """Where a syslog listens: a socket of this machine, or another one over UDP."""

    address: Annotated[str, BeforeValidator(_syslog_address), _SYSLOG_SCHEMA] = "/dev/log"
    facility: Literal[
        "user", "daemon", "cron", "local0", "local1", "local2", "local3", "local4", "local5",
        "local6", "local7",
    ] = "daemon"  # fmt: skip
    form: Literal["rfc3164", "rfc5424"] | None = None
    """None: as it is usual there: the old form on a socket, the new one over UDP."""


class LoggingSection(Model):
    """Where the scheduler's log goes, and in what form."""

    log_dir: _AbsolutePath = _LOGS
    log_file: Annotated[str, BeforeValidator(_file_name)] = "scheduler.log"
    max_log_size: Annotated[int, Field(ge=0, le=1 << 50), Bytes] = _TEN_MEGABYTES
    """Bytes at which a new file is begun; 0: never."""
    backup_count: Annotated[int, Field(ge=0, le=10_000)] = 5
    format: Literal["text", "json"] = "text"
    console: bool = True
    journald: Annotated[bool | str, BeforeValidator(_journal), _JOURNAL_SCHEMA] = False
    """Or the path of its socket."""
    syslog: SyslogConfig | None = None

    @property
    def path(self) -> Path:
        """Return the log file's absolute path."""
        return self.log_dir / self.log_file

    def shipping(self) -> list[Shipping]:
        """Return to which other programs records go."""
        from task_scheduler.observe.log_shipping import JOURNAL, Shipping  # rarely asked for

        found = []
        if self.journald:
            found.append(Shipping(JOURNAL if self.journald is True else self.journald))
        if (syslog := self.syslog) is not None:
            found.append(Shipping(syslog_place(syslog.address), syslog.facility, syslog.form))
        return found


class StorageSection(Model):
    """Where the ledger lies, and how long it remembers."""

    path: Annotated[str, BeforeValidator(_storage_path)] = ".scheduler/scheduler.db"
    retention_days: Annotated[float, Field(ge=0, le=36_525)] = 30
    """0: for ever."""
    retention_runs: Annotated[int, Field(ge=0, le=1_000_000_000)] = 10_000
    """The newest runs kept of each task; 0: no limit."""
    output_limit: Annotated[int, Field(ge=1000, le=1 << 50), Bytes] = _TEN_MEGABYTES
    """Bytes kept of what one attempt prints."""
