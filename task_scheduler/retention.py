"""Retention: old runs go, a small batch at a time.

Responsible for: which runs are old, by age and by number a task, and walking over the ledger
without ever holding it long. A task's last failure always stays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from task_scheduler.core.model import SECOND, Microseconds
from task_scheduler.core.ports import Store

__all__ = ["Retention"]

_BATCH = 500
_PAGE = 2_000
_REST: Microseconds = 3_600 * SECOND
"""Between two walks."""
_FRUITLESS = 20
"""Batches in a row without an old run after which the rest is taken to be young too."""
_PAUSE: Microseconds = SECOND // 5
"""Between two batches of one walk: the ledger is mostly free for what is due."""
_DAY: Microseconds = 86_400 * SECOND


class Retention:
    """Prune by age first, then by number, then rest; each `step` is one short transaction."""

    def __init__(
        self,
        store: Store,
        *,
        days: float,
        runs_per_task: int,
        forget_files: Callable[[Iterable[int]], None],
    ) -> None:
        self._store = store
        self._age = round(days * _DAY)
        self._keep = runs_per_task
        self._forget_files = forget_files
        self._begin()
        self.next_at: Microseconds = 0
        """The boot-clock moment of the next step."""

    def step(self, now: Microseconds, boottime: Microseconds) -> int:
        """Remove at most one batch; return how many runs went. Raises what the store raises."""
        with self._store.transaction():
            removed = self._by_age(now) if not self._is_age_done else self._by_number()
            if removed:
                self._store.execute("delete_attempts", rows=removed)
                self._store.execute("delete_runs", rows=removed)
        # After the commit: a file without its run is litter, a run without its file a lie.
        self._forget_files(removed)
        is_over = self._is_age_done and self._after_task is None
        self.next_at = boottime + (_REST if is_over else _PAUSE)
        if is_over:
            self._begin()
        return len(removed)

    def _begin(self) -> None:
        """Stand at the beginning of a walk."""
        self._after = 0
        self._fruitless = 0
        self._after_task: str | None = ""
        self._crowded: list[str] = []
        self._is_age_done = not self._age

    def _by_age(self, now: Microseconds) -> list[int]:
        before = now - self._age
        last, rows = self._store.fetch(
            "prune_candidates", before=before, after=self._after, limit=_BATCH
        )
        self._store.execute("prune_skips", before=before, limit=_BATCH)
        removed = [run_id for run_id in rows if run_id is not None]
        # Runs that stay (last failures) may lie before old ones.
        self._fruitless = 0 if removed else self._fruitless + 1
        self._is_age_done = last is None or self._fruitless >= _FRUITLESS
        self._after = last or 0
        return removed

    def _by_number(self) -> list[int]:
        """Walk over the tasks a page at a time; the tallies tell which have no surplus."""
        if not self._keep:
            self._after_task = None
            return []
        if not self._crowded:
            self._after_task, self._crowded = self._store.fetch(
                "next_tasks", after=self._after_task, keep=self._keep, limit=_PAGE
            )
        while self._crowded:
            removed: list[int] = self._store.fetch(
                "prune_surplus", task_id=self._crowded[-1], keep=self._keep, limit=_BATCH
            )
            if removed:
                return removed
            self._crowded.pop()
        return []
