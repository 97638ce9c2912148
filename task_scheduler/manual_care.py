"""What people do by hand and programs seldom need: tasks in their declared form, runs done again.

Responsible for: that part of the facade. What an entry may be is the configuration's business.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from task_scheduler.errors import DefinitionError
from task_scheduler.facade_part import FacadePart
from task_scheduler.ledger_view import RETRY_PREFIX
from task_scheduler.registration import Wanted

if TYPE_CHECKING:
    from task_scheduler.config.entries import Declared

__all__ = ["ManualCare"]

_LIVING = frozenset({"waiting", "running"})
_DONE = frozenset({"failed", "timed_out", "lost", "cancelled", "skipped"})
"""The states of runs that did not do what they should, and will not do it any more."""


class ManualCare(FacadePart):
    """The part of `TaskScheduler` for those who work by hand."""

    _add: Callable[..., None]
    run_task: Callable[..., int]

    def put_declared(self, declared: Declared, *, origin: str = "cli") -> None:
        """Add a task in its declared form, or change the one of the same id.

        `origin` tells who declared it: what the ``config`` declares is archived when it is deleted
        there. Raises what `add_task` raises.
        """
        rules = declared.rules if declared.is_enabled else ()
        self._add(Wanted([declared.task], [rules]), origin=origin)

    def retry_run(self, run_id: int) -> int:
        """Ask for a run again that is over and did not succeed; return the id of the new run.

        That one has all its attempts before it, and names the old one (`retry_of`). While it lives
        it is the answer to whoever asks again. Raises RunNotFoundError, and DefinitionError for a
        run that is not over or has succeeded.
        """
        run = self.view.run(run_id)
        if run["state"] not in _DONE:
            is_living = run["state"] in _LIVING
            key = "manual.retry_living" if is_living else "manual.retry_succeeded"
            raise DefinitionError(key, run_id=run_id, task_id=run["task_id"])
        task_id = run["task_id"]
        number = 1
        while True:
            request_id = f"{RETRY_PREFIX}{run_id}" + (f"-{number}" if number > 1 else "")
            present = self._reader.fetch("run_by_key", task_id=task_id, key=f"manual:{request_id}")
            if present is None or self._lives(present):
                return self.run_task(task_id, request_id=request_id)
            number += 1

    def _lives(self, run_id: int) -> bool:
        found: dict[str, Any] = self.view.run(run_id)
        return found["state"] in _LIVING
