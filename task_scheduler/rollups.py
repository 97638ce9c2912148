"""Roll-ups: how many runs ended how in each half hour, for charts that look months back.

Responsible for: counting the runs that are over, each once, in short transactions beside the work,
and for when there is something to count. What is counted outlives the runs; retention gives up
none that is not. Why so and not at the end of each run: docs/decisions/0004.
"""

from __future__ import annotations

from collections.abc import Callable

from task_scheduler.core.model import SECOND, Microseconds
from task_scheduler.core.ports import Store

__all__ = ["SLOT", "RollUps"]

SLOT: Microseconds = 1_800 * SECOND
"""The length of a slot. Half an hour: whole days and hours of nearly every time zone are made of
them."""

_PAGE = 2_000
"""Runs counted in one step: a few milliseconds."""


class RollUps:
    """Count the runs that are over, a page at a time.

    They are passed in the order of their ids; those that are not over yet are remembered and looked
    at again. `last_run_id` tells the greatest id given to a run.
    """

    def __init__(self, store: Store, *, last_run_id: Callable[[], int]) -> None:
        self._store = store
        self._last_run_id = last_run_id
        self._counted: int | None = None
        self._since = 0
        """Up to which of the remembered ones the last step looked."""

    @property
    def counted(self) -> int:
        """The run up to which all are counted that are over, but for the remembered ones."""
        if self._counted is None:
            self._counted = self._store.fetch("counted_to")
        return self._counted

    @property
    def is_due(self) -> bool:
        """Whether a whole page of runs was added since the last step."""
        return self._last_run_id() - self.counted >= _PAGE

    def step(self) -> bool:
        """Count a page in one transaction; whether there is another. Raises what the store does."""
        after, since = self.counted, self._since
        upto = min(after + _PAGE, self._last_run_id())
        with self._store.transaction():
            last = self._store.fetch("uncounted_page", since=since, limit=_PAGE)
            self._store.execute("count_runs", after=after, upto=upto, since=since, limit=_PAGE)
            self._store.execute("forget_uncounted", since=since, limit=_PAGE)
            self._store.execute("pass_uncounted", after=after, upto=upto)
            self._store.execute("move_counted", upto=upto)
        self._counted = upto
        self._since = last or 0
        return upto < self._last_run_id()
