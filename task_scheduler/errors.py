"""The one error tree.

::

    TaskSchedulerError
    ├── ConfigError (ValueError)             a config file, an option or an override is wrong
    ├── DefinitionError (ValueError)         a task cannot be what it was asked to be
    │   └── PolicyError                      a policy's value is wrong
    ├── ScheduleError (ValueError)           a schedule rule cannot be what it was asked to be
    ├── TaskNotFoundError (LookupError)      no task has this id
    ├── RunNotFoundError (LookupError)       no run has this id
    ├── StoreError                           the ledger cannot be used
    │   ├── StoreUnavailableError            for now: locked, full, read-only; tried again by itself
    │   ├── StoreDamagedError                the file is not a sound database; never deleted by us
    │   ├── SchemaTooNewError                written by a newer release
    │   ├── NetworkFileSystemError           a file lock cannot be trusted there
    │   └── ForkedError                      a store opened before a fork is used in the child
    ├── StandbyRefusedError                  this process offers functions the holder does not know
    ├── SchedulerStoppedError                the scheduler stopped before it could answer
    ├── RemoteError                          the scheduler in the other process failed
    ├── SupervisionError                     the launcher cannot be started
    └── TargetRefusedError                   an outgoing request must not reach its host

Every error carries the key of its sentence and the values in it, so that it can be shown in any
language, sent through a socket and told apart without parsing, and a code that stays
(`error_codes`). Expected outcomes of runs are values (`core.model.Outcome`), never errors.
"""

from __future__ import annotations

from typing import Any

from task_scheduler.error_codes import code_for
from task_scheduler.i18n import translate

__all__ = [
    "ConfigError",
    "DefinitionError",
    "ForkedError",
    "NetworkFileSystemError",
    "PolicyError",
    "RemoteError",
    "RunNotFoundError",
    "ScheduleError",
    "SchedulerStoppedError",
    "SchemaTooNewError",
    "StandbyRefusedError",
    "StoreDamagedError",
    "StoreError",
    "StoreUnavailableError",
    "SupervisionError",
    "TargetRefusedError",
    "TaskNotFoundError",
    "TaskSchedulerError",
]


class TaskSchedulerError(Exception):
    """The root: anything this package raises on purpose.

    `key` names a sentence of the message catalogues and `values` fills it, for example
    ``TaskNotFoundError("errors.task_not_found", task_id="pump", hint="")``.
    """

    def __init__(self, key: str, /, **values: Any) -> None:
        super().__init__(key, values)
        self.key = key
        self.values = values

    @property
    def code(self) -> str:
        """Its stable code, such as ``E2101``: `tsk help E2101` tells more."""
        return code_for(self)

    def __str__(self) -> str:
        return translate(self.key, **self.values)


class ConfigError(TaskSchedulerError, ValueError):
    """A config file, an option or an environment override is wrong."""


class DefinitionError(TaskSchedulerError, ValueError):
    """A task cannot be what it was asked to be."""


class PolicyError(DefinitionError):
    """A policy's value is wrong."""


class ScheduleError(TaskSchedulerError, ValueError):
    """A schedule rule cannot be what it was asked to be."""


class TaskNotFoundError(TaskSchedulerError, LookupError):
    """No task has this id."""

    def __str__(self) -> str:
        # With the nearest id at hand (`hint`, quoted) it is another sentence.
        return translate(f"{self.key}_near" if self.values.get("hint") else self.key, **self.values)


class RunNotFoundError(TaskSchedulerError, LookupError):
    """No run has this id."""


class StoreError(TaskSchedulerError):
    """The ledger cannot be used."""


class StoreUnavailableError(StoreError):
    """The ledger cannot be used for now; the scheduler tries again by itself."""


class StoreDamagedError(StoreError):
    """The ledger's file is not a sound database; it is left as it is."""


class SchemaTooNewError(StoreError):
    """The ledger was written by a newer release."""


class NetworkFileSystemError(StoreError):
    """The ledger lies on a network file system, where its lock cannot be trusted."""


class ForkedError(StoreError):
    """A store or lock of the parent process is used in a forked child."""


class StandbyRefusedError(TaskSchedulerError):
    """This process offers functions that the holder of the ledger does not know."""


class SchedulerStoppedError(TaskSchedulerError):
    """The scheduler stopped before it could answer."""


class RemoteError(TaskSchedulerError):
    """The scheduler in the other process answered with a failure of its own."""


class SupervisionError(TaskSchedulerError):
    """The processes that start and watch scripts cannot be started."""


class TargetRefusedError(TaskSchedulerError):
    """An outgoing HTTP request names a host that it must not reach."""
