"""A store that measures its commits.

Responsible for: the time from the last step of a transaction to its end on the disk. Everything
else it passes on as it is.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from types import TracebackType

from task_scheduler.core.ports import Clock, Store
from task_scheduler.observe.measures import Measure

__all__ = ["MeasuredStore"]


class MeasuredStore:
    """A `Store` as another one, whose commits are counted."""

    def __init__(self, store: Store, clock: Clock, commits: Measure) -> None:
        self.fetch = store.fetch
        self.execute = store.execute
        self._store = store
        self._clock = clock
        self._commits = commits

    def transaction(self) -> AbstractContextManager[None]:
        """Begin a transaction of the other one."""
        return _MeasuredTransaction(self._store.transaction(), self._clock, self._commits)


class _MeasuredTransaction:
    """A transaction whose end is timed where it succeeds."""

    __slots__ = ("_clock", "_commits", "_inner")

    def __init__(self, inner: AbstractContextManager[None], clock: Clock, commits: Measure) -> None:
        self._inner = inner
        self._clock = clock
        self._commits = commits

    def __enter__(self) -> None:
        """Begin."""
        self._inner.__enter__()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool | None:
        """Commit, or roll back what failed."""
        began = self._clock.boottime()
        is_handled = self._inner.__exit__(kind, error, trace)
        if error is None:
            self._commits.observe(self._clock.boottime() - began)
        return is_handled
