"""The real store, which fails when it is told to: at a step, or just before or after a commit.

Responsible for: making the outcome of a transaction as uncertain as it can be.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from task_scheduler.errors import StoreUnavailableError
from task_scheduler.stores.sqlite import MEMORY, SqliteStore

__all__ = ["FaultyStore", "ProcessDies"]


class ProcessDies(BaseException):
    """The scheduler's process is gone in the middle of whatever it did."""


class FaultyStore:
    """The real store, which fails when it is told to."""

    def __init__(self, store: SqliteStore) -> None:
        self.store = store
        self.steps = 0
        self.most_steps = 0
        self.fault: tuple[str, int, type[BaseException]] | None = None
        """(where, at which step, what): where is ``step``, ``before`` or ``after`` the commit."""
        self.was_committed = False

    @contextmanager
    def transaction(self) -> Iterator[None]:
        self.steps = 0
        self.was_committed = False
        with self.store.transaction():
            yield
            self._fail("before")
        self.was_committed = True
        self.most_steps = max(self.most_steps, self.steps)
        self._fail("after")

    def fetch(self, statement: str, **parameters: Any) -> Any:
        self._fail("step")
        return self.store.fetch(statement, **parameters)

    def execute(self, statement: str, **parameters: Any) -> int:
        self._fail("step")
        return self.store.execute(statement, **parameters)

    def _fail(self, where: str) -> None:
        self.steps += where == "step"
        if self.fault is None or self.fault[0] != where:
            return
        if where == "step" and self.fault[1] > self.steps:
            return
        _, _, error = self.fault
        self.fault = None
        if error is ProcessDies:
            raise ProcessDies
        raise StoreUnavailableError("errors.store_full", path=MEMORY)
