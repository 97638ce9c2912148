"""The section `security`, and the keys by which entries are confined.

Responsible for: their types, bounds and defaults. What an option means is `tasks.confinement`'s.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationInfo, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

from task_scheduler.config.amounts import DURATION_PATTERN, SIZE_PATTERN, parse_duration, parse_size
from task_scheduler.config.sections import Model, Text, absolute
from task_scheduler.confinement.control_groups import AUTO, OFF
from task_scheduler.errors import ConfigError, DefinitionError
from task_scheduler.launch_guard import SecurityRules
from task_scheduler.targets import TargetPolicy
from task_scheduler.tasks.confinement import LIMIT_NAMES, confinement_of
from task_scheduler.vault import SecretSource

__all__ = [
    "ConfinementKeys",
    "SecuritySection",
    "TargetsConfig",
    "confinement_option",
    "confinement_options",
]


def _file(value: Any, info: ValidationInfo) -> Any:
    return None if value is None else absolute(value, info)


def _group(value: Any, info: ValidationInfo) -> Any:
    return value if value in (AUTO, OFF) else str(absolute(value, info))


def _checked(name: str) -> Callable[[Any], Any]:
    def check(value: Any) -> Any:
        if value is None:
            return None
        try:
            if name == "limits":
                value = _in_numbers(value)
            return confinement_of("", {name: value})[name]
        except (DefinitionError, ConfigError) as error:
            raise PydanticCustomError(
                f"config.must_be_{name}",
                "not that",
                {"known": ", ".join(LIMIT_NAMES)},
            ) from error

    return check


def _in_numbers(limits: Any) -> Any:
    """Return limits in seconds and bytes, which may be written as ``1m``, ``256MB``, ``50%``."""
    if not isinstance(limits, dict):
        return limits
    found = dict(limits)
    for name, value in limits.items():
        if isinstance(value, str) and name.endswith("_bytes"):
            found[name] = parse_size(value)
        elif isinstance(value, str) and name.endswith("_seconds"):
            found[name] = max(1, round(parse_duration(value)))
        elif isinstance(value, str) and name.endswith("_percent"):
            percent = re.fullmatch(_PERCENT, value)
            found[name] = int(percent[1]) if percent else value
    return found


_PERCENT = r"\s*([0-9]{1,6})\s*%\s*"
_ACCOUNT = {"anyOf": [{"type": "string", "minLength": 1}, {"type": "integer", "minimum": 0}]}
_AMOUNT = {"type": "integer", "minimum": 1}
_SCHEMAS: dict[str, dict[str, Any]] = {
    "user": _ACCOUNT,
    "group": _ACCOUNT,
    "umask": {"anyOf": [{"type": "string", "pattern": "^0?o?[0-7]{1,4}$"}, {"type": "integer"}]},
    "nice": {"type": "integer", "minimum": -20, "maximum": 19},
    "limits": {
        "type": "object",
        "properties": {
            name: {"anyOf": [_AMOUNT, {"type": "string", "pattern": pattern}]}
            for name, pattern in (
                ("cpu_seconds", DURATION_PATTERN),
                ("memory_bytes", SIZE_PATTERN),
                ("file_size_bytes", SIZE_PATTERN),
                ("cpu_percent", f"^{_PERCENT}$"),
            )
        }
        | dict.fromkeys(("open_files", "processes"), _AMOUNT),
        "additionalProperties": False,
    },
    "network": {
        "anyOf": [
            {"enum": ["all", "none", "loopback"]},
            {
                "type": "object",
                "properties": {"tcp": {"type": "array", "items": {"type": ["string", "integer"]}}},
                "required": ["tcp"],
                "additionalProperties": False,
            },
        ]
    },
    "no_new_privileges": {"type": "boolean"},
    "sha256": {"type": "string", "pattern": "^[0-9a-fA-F]{64}$"},
}


def confinement_option(name: str) -> Any:
    """Return the type of an option of a confinement; null is not given."""
    schema = WithJsonSchema({"anyOf": [_SCHEMAS[name], {"type": "null"}]})
    return Annotated[Any, BeforeValidator(_checked(name)), schema]


class ConfinementKeys(Model):
    """As whom, with how much and over which network a program runs."""

    user: confinement_option("user") = None  # type: ignore[valid-type]
    group: confinement_option("group") = None  # type: ignore[valid-type]
    umask: confinement_option("umask") = None  # type: ignore[valid-type]
    nice: confinement_option("nice") = None  # type: ignore[valid-type]
    limits: confinement_option("limits") = None  # type: ignore[valid-type]
    network: confinement_option("network") = None  # type: ignore[valid-type]
    no_new_privileges: confinement_option("no_new_privileges") = None  # type: ignore[valid-type]


class SecretConfig(Model):
    """Where a secret lies: exactly one of these."""

    file: Annotated[Path | None, BeforeValidator(_file)] = None
    env: Text | None = None
    credential: Text | None = None

    @model_validator(mode="after")
    def _one(self) -> SecretConfig:
        if len(self.model_fields_set) != 1:
            raise PydanticCustomError("config.must_be_secret", "not one")
        return self

    def source(self) -> SecretSource:
        """Return it as the vault takes it."""
        [kind] = self.model_fields_set
        return SecretSource(kind, str(getattr(self, kind)))


def _both_schemes() -> list[Literal["http", "https"]]:
    return ["http", "https"]


class TargetsConfig(Model):
    """Where requests may go."""

    schemes: Annotated[list[Literal["http", "https"]], Field(min_length=1)] = Field(
        default_factory=_both_schemes
    )
    hosts: list[Text] | None = None
    """The only hosts that a request may go to; None: any."""
    allowed: list[Text] = Field(default_factory=list)
    """Hosts and networks of this house that also a stranger, or a redirect, may name."""

    def policy(self) -> TargetPolicy:
        """Return it as requests are judged."""
        return TargetPolicy(
            is_trusted=True,
            schemes=tuple(self.schemes),
            hosts=_tuple(self.hosts),
            allowed=tuple(self.allowed),
        )


class SecuritySection(Model):
    """What tasks may do, and which code runs at all."""

    enforce: bool = False
    """Whether a script's file that is not safe is refused, instead of warned of."""
    script_roots: list[Annotated[Path, BeforeValidator(absolute)]] = Field(default_factory=list)
    """The folders below which scripts lie; none: anywhere."""
    function_modules: list[Text] | None = None
    """The modules, or packages, of whose functions a task may name one; None: any."""
    environment: list[Text] | None = None
    """Names, or patterns of names, of the variables that tasks inherit from the scheduler."""
    secrets: dict[str, SecretConfig] = Field(default_factory=dict)
    """Where the secrets lie that tasks name as ``${secret:NAME}``."""
    targets: TargetsConfig = Field(default_factory=TargetsConfig)
    """Where requests of tasks may go."""
    control_groups: Annotated[str, BeforeValidator(_group)] = AUTO
    """Where tasks with limits get groups of their own: auto, off, or the folder of a group."""
    confinement: ConfinementKeys = Field(default_factory=ConfinementKeys)
    """Of every task that does not ask for another."""

    def rules(self) -> SecurityRules:
        """Return the section as the scheduler uses it."""
        return SecurityRules(
            is_enforced=self.enforce,
            script_roots=tuple(map(str, self.script_roots)),
            function_modules=_tuple(self.function_modules),
            environment=_tuple(self.environment),
            confinement=confinement_options(self.confinement),
            secrets={name: secret.source() for name, secret in self.secrets.items()},
            targets=self.targets.policy(),
            control_groups=self.control_groups,
        )


def _tuple(names: list[str] | None) -> tuple[str, ...] | None:
    return None if names is None else tuple(names)


def confinement_options(keys: ConfinementKeys | Any) -> dict[str, Any]:
    """Return the options that were given, as keywords of a task."""
    names = [*ConfinementKeys.model_fields, "sha256"]
    return {name: value for name in names if (value := getattr(keys, name, None)) is not None}
