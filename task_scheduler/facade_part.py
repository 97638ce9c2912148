"""What the parts of the facade have in common.

Responsible for: naming what `TaskScheduler` gives its parts, each of which is a class of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from task_scheduler.core.ports import Clock
from task_scheduler.launch_guard import LaunchGuard
from task_scheduler.ledger_view import LedgerView
from task_scheduler.runtime import Runtime
from task_scheduler.state_files import StateFiles
from task_scheduler.stores.sqlite import SqliteReader

if TYPE_CHECKING:
    from task_scheduler.config import Config

__all__ = ["FacadePart"]


class FacadePart:
    """A part of `TaskScheduler`, which makes all of this."""

    config: Config
    files: StateFiles
    view: LedgerView
    _runtime: Runtime
    _reader: SqliteReader
    _clock: Clock
    _guard: LaunchGuard
