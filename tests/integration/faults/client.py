"""The client of a scheduler under faults: it asks all the time and keeps what it was answered.

Responsible for: runs asked for by a key of their own, tasks added, and the log of both. What was
acknowledged must be there in the end.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from typing import Any

from task_scheduler import CommandTask
from task_scheduler.control import HolderGoneError, request_of
from task_scheduler.core.inbox import AddEntries
from task_scheduler.core.model import Policies
from task_scheduler.errors import TaskSchedulerError
from task_scheduler.tasks.registry import entry_of
from tests import checker
from tests.integration.faults.world import World, now

_EVERY_SECONDS = 0.05


class Client:
    """One thread that asks, until it is stopped."""

    def __init__(self, world: World) -> None:
        self.operations: list[checker.Operation] = []
        self.added: list[checker.Task] = []
        self.acknowledged = 0
        self._world = world
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name="client", daemon=True)

    def start(self) -> None:
        """Begin to ask."""
        self._thread.start()

    def stop(self) -> None:
        """Ask no more; returns when the last answer has come."""
        self._end.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        numbers = itertools.count()
        for task_id in self._turns():
            if self._end.wait(_EVERY_SECONDS):
                return
            if task_id is None:
                self._add(f"added-{next(numbers)}")
            else:
                key = f"key-{next(numbers)}"
                asked = now()
                outcome = self._ask("run", task_id=task_id, request_id=key)
                name = f"manual:{key}"
                operation = checker.Operation("run", task_id, asked, now(), outcome, name)
                self.operations.append(operation)

    def _turns(self) -> Iterator[str | None]:
        return itertools.cycle(["asked", "asked", "asked-program", "asked", None])

    def _add(self, task_id: str) -> None:
        entry = entry_of(
            CommandTask(task_id, task_id, ["true"]), [], Policies(), has_user_rule=False
        )
        op, values = request_of(AddEntries(entries=[entry]))
        asked = now()
        outcome = self._ask(op, **values)
        revision = checker.Revision((), checker.Policies(), asked, now(), outcome)
        self.added.append(checker.Task(task_id, "process", (revision,)))

    def _ask(self, op: str, **values: Any) -> str:
        """Ask once; `indeterminate` where the answer is a failure that may have come afterwards."""
        try:
            self._world.ask(op, **values)
        except (HolderGoneError, OSError, TaskSchedulerError):
            # A commit that failed may stand in the log of the ledger all the same.
            return "indeterminate"
        self.acknowledged += 1
        return "ok"
