"""`Settings`: the whole checked configuration, frozen, and its defaults as plain data.

Responsible for: which sections there are, and the defaults as a user would write them. Does not
know where values come from.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from task_scheduler.config.alerts import AlertsSection
from task_scheduler.config.calendars import CalendarConfig
from task_scheduler.config.entries import AnyEntry
from task_scheduler.config.monitoring import MonitoringSection
from task_scheduler.config.python import PythonSection
from task_scheduler.config.sections import (
    LoggingSection,
    Model,
    SchedulerSection,
    StorageSection,
    TasksSection,
)
from task_scheduler.config.security import SecuritySection

__all__ = [
    "NAMED_SECTIONS",
    "SECTIONS",
    "TWINS",
    "Places",
    "Settings",
    "known_keys",
    "plain_defaults",
]

SECTIONS: dict[str, type[Model]] = {
    "scheduler": SchedulerSection,
    "tasks": TasksSection,
    "logging": LoggingSection,
    "storage": StorageSection,
    "security": SecuritySection,
    "alerts": AlertsSection,
    "python": PythonSection,
    "monitoring": MonitoringSection,
}
"""The sections of plain keys."""

Places = Annotated[int, Field(ge=1, le=100_000)]
"""How many attempts may use a pool at a time."""

NAMED_SECTIONS = ("entries", "calendars", "pools")
"""The sections whose keys are names that the user chooses."""

TWINS = {"default_timeout": "timeout", "timeout": "default_timeout"}
"""The two names of one key of the section `tasks`: the original's, and that of the policy."""


class Settings(Model):
    """The configuration of a scheduler: durations in seconds, sizes in bytes, paths absolute."""

    scheduler: SchedulerSection = Field(default_factory=SchedulerSection)
    tasks: TasksSection = Field(default_factory=TasksSection)
    logging: LoggingSection = Field(default_factory=LoggingSection)
    storage: StorageSection = Field(default_factory=StorageSection)
    security: SecuritySection = Field(default_factory=SecuritySection)
    alerts: AlertsSection = Field(default_factory=AlertsSection)
    python: PythonSection = Field(default_factory=PythonSection)
    monitoring: MonitoringSection = Field(default_factory=MonitoringSection)
    entries: dict[str, AnyEntry] = Field(default_factory=dict)
    calendars: dict[str, CalendarConfig] = Field(default_factory=dict)
    pools: dict[str, Places] = Field(default_factory=dict)


def known_keys(section: str) -> list[str]:
    """Return the keys that a section may have."""
    keys = list(SECTIONS[section].model_fields)
    return [*keys, "default_timeout"] if section == "tasks" else keys


def plain_defaults() -> dict[str, dict[str, Any]]:
    """Return every section with its defaults, as they would stand in the file."""
    plain: dict[str, dict[str, Any]] = {
        name: {
            key: _as_written(field.get_default(call_default_factory=True))
            for key, field in model.model_fields.items()
        }
        for name, model in SECTIONS.items()
    }
    # Under the original's name, which programs written for it read.
    tasks = plain["tasks"]
    plain["tasks"] = {"default_timeout": tasks.pop("timeout"), **tasks}
    plain.update((name, {}) for name in NAMED_SECTIONS)
    return plain


def _as_written(value: Any) -> Any:
    """Return 300 for 300.0: whole seconds are written as such; keys that are not given, not."""
    if isinstance(value, Model):
        return value.model_dump(exclude_none=True)
    return int(value) if isinstance(value, float) and value.is_integer() else value
