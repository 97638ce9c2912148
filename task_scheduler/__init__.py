"""Run scripts, commands and functions on time, with a durable ledger of every planned run.

Responsible for: the public names. Each is imported at its first use, so that a program which needs
one of them (a supervisor, `tsk --help`) does not pay for the others.
"""

from __future__ import annotations

import importlib
import typing

from task_scheduler.version import __version__

if typing.TYPE_CHECKING:
    from task_scheduler.errors import (
        ConfigError,
        DefinitionError,
        PolicyError,
        RunNotFoundError,
        ScheduleError,
        StandbyRefusedError,
        StoreError,
        TaskNotFoundError,
        TaskSchedulerError,
    )
    from task_scheduler.scheduler import TaskScheduler
    from task_scheduler.schedules.rule import ScheduleRule, ScheduleType
    from task_scheduler.tasks.command import CommandTask
    from task_scheduler.tasks.context import RunContext, current_run
    from task_scheduler.tasks.function import FunctionTask
    from task_scheduler.tasks.http_task import HttpTask
    from task_scheduler.tasks.log_cleanup import LogCleanupTask
    from task_scheduler.tasks.script import ScriptTask
    from task_scheduler.tasks.task import BaseTask

__all__ = [  # noqa: RUF022  grouped: the scheduler, what runs, when, inside a run, what goes wrong, which release
    "TaskScheduler",
    "BaseTask",
    "CommandTask",
    "FunctionTask",
    "HttpTask",
    "LogCleanupTask",
    "ScriptTask",
    "ScheduleRule",
    "ScheduleType",
    "RunContext",
    "current_run",
    "ConfigError",
    "DefinitionError",
    "PolicyError",
    "RunNotFoundError",
    "ScheduleError",
    "StandbyRefusedError",
    "StoreError",
    "TaskNotFoundError",
    "TaskSchedulerError",
    "__version__",
]

_HOMES = {
    "scheduler": ("TaskScheduler",),
    "tasks.task": ("BaseTask",),
    "tasks.command": ("CommandTask",),
    "tasks.function": ("FunctionTask",),
    "tasks.http_task": ("HttpTask",),
    "tasks.log_cleanup": ("LogCleanupTask",),
    "tasks.script": ("ScriptTask",),
    "tasks.context": ("RunContext", "current_run"),
    "schedules.rule": ("ScheduleRule", "ScheduleType"),
    "errors": tuple(name for name in __all__ if name.endswith("Error")),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> typing.Any:
    """Import the module that a public name lives in."""
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOME_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
