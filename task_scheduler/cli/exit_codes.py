"""The exit codes: what a script may rely on.

Responsible for: their numbers, and which of them an error is. Their sentences are
``cli.exit_<number>``; `tsk help exit-codes` prints them.
"""

from __future__ import annotations

import os
from enum import IntEnum
from pathlib import Path

from task_scheduler.errors import (
    ConfigError,
    DefinitionError,
    NetworkFileSystemError,
    RunNotFoundError,
    ScheduleError,
    SchedulerStoppedError,
    SchemaTooNewError,
    StandbyRefusedError,
    StoreDamagedError,
    StoreError,
    StoreUnavailableError,
    TaskNotFoundError,
)

__all__ = ["ExitCode", "code_of", "is_denied"]


class ExitCode(IntEnum):
    """How a command ended."""

    FINE = 0
    PROBLEM = 1
    USAGE = 2
    NOT_FOUND = 3
    UNREACHABLE = 4
    NOT_ALLOWED = 5
    CONFLICT = 6
    INVALID = 7
    TIMED_OUT = 8
    RUN_FAILED = 9
    STUCK = 10
    INTERRUPTED = 130


_CODES: tuple[tuple[type[Exception], ExitCode], ...] = (
    (TaskNotFoundError, ExitCode.NOT_FOUND),
    (RunNotFoundError, ExitCode.NOT_FOUND),
    (FileNotFoundError, ExitCode.NOT_FOUND),
    (SchedulerStoppedError, ExitCode.UNREACHABLE),
    (ConnectionError, ExitCode.UNREACHABLE),
    (PermissionError, ExitCode.NOT_ALLOWED),
    (StandbyRefusedError, ExitCode.CONFLICT),
    (StoreUnavailableError, ExitCode.CONFLICT),
    (FileExistsError, ExitCode.CONFLICT),
    (StoreDamagedError, ExitCode.INVALID),
    (SchemaTooNewError, ExitCode.INVALID),
    (NetworkFileSystemError, ExitCode.INVALID),
    (ConfigError, ExitCode.INVALID),
    (ScheduleError, ExitCode.INVALID),
    (DefinitionError, ExitCode.INVALID),
)
"""The first that fits decides."""


def is_denied(error: BaseException) -> bool:
    """Whether a ledger could not be used because this user may not; SQLite does not tell."""
    if not isinstance(error, StoreError):
        return False
    path = Path(str(error.values.get("path", "")))
    is_shut = os.access(path, os.F_OK) and not os.access(path, os.R_OK)
    return isinstance(error.__cause__, PermissionError) or is_shut


def code_of(error: BaseException) -> ExitCode:
    """Return the exit code of an error; what has none of its own is a problem found."""
    if isinstance(error, KeyboardInterrupt):
        return ExitCode.INTERRUPTED
    if is_denied(error):
        return ExitCode.NOT_ALLOWED
    if isinstance(error, StoreError) and error.key == "errors.state_folder_foreign":
        return ExitCode.NOT_ALLOWED
    if isinstance(error, ConfigError) and error.key == "config.missing_file":
        return ExitCode.NOT_FOUND
    return next((code for kind, code in _CODES if isinstance(error, kind)), ExitCode.PROBLEM)
