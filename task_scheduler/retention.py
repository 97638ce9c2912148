"""Retention: old runs go, a small batch at a time.

Responsible for: which runs and skips are old, by age and by number a task, when to look for them,
and walking over the ledger without ever holding it long. A task's last failure always stays, and
so does a run that is not counted for the charts yet.

A walk begins every hour, and before that whenever many runs have been added since the last one: how
much is kept follows from the configuration, not from how fast the tasks come. Counting goes along
with the runs.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from enum import Enum, auto
from itertools import islice
from typing import Protocol

from task_scheduler.core.model import SECOND, Microseconds
from task_scheduler.core.ports import Clock, Store
from task_scheduler.rollups import SLOT, RollUps

__all__ = ["Collected", "Retention", "RunFiles"]

_BATCH = 500
_PAGE = 2_000
_TASKS = 20
"""Tasks looked at in one step: each costs a walk over what it keeps."""
_REST: Microseconds = 3_600 * SECOND
"""Between two walks, unless runs come fast."""
_SURPLUS = 10_000
"""Runs added since the last walk began that begin the next one."""
_CHART_DAYS = 400
"""How long the half hours of charts stay: a year can be laid beside the one before."""
_FRUITLESS = 20
"""Batches in a row without an old run after which the rest is taken to be young too."""
_SHARE = 9
"""Times as long as a step took does the ledger belong to what is due, before the next step."""
_SHARE_BEHIND = 2
"""The same where runs are added faster than a walk takes them away."""
_PAUSE: Microseconds = SECOND // 5
"""The longest pause between two steps, of a slow disk."""


class RunFiles(Protocol):
    """The files of runs: one folder an attempt, named ``<run id>-<token>``."""

    def attempt_names(self) -> Iterator[str]:
        """Give the names of all attempts of which something is left."""
        ...

    def prune(self, names: Iterable[str]) -> None:
        """Delete all that is left of these attempts."""
        ...


@dataclass(slots=True)
class Collected:
    """What a walk that somebody asked for took away; `ended` is set once it is over."""

    runs: int = 0
    skips: int = 0
    folders: int = 0
    """Of attempts: what they wrote."""
    ended: threading.Event = field(default_factory=threading.Event)


class _Phase(Enum):
    """What a walk does, in this order."""

    COUNT = auto()
    AGE = auto()
    NUMBER = auto()
    CHARTS = auto()
    FILES = auto()


class Retention:
    """Count, prune by age, by number, the charts, the files, then rest.

    Each `step` is one short transaction.

    `last_run_id` tells the greatest id given to a run: by it the runs added since are counted.
    """

    def __init__(
        self,
        store: Store,
        *,
        clock: Clock,
        days: float,
        runs_per_task: int,
        files: RunFiles,
        last_run_id: Callable[[], int],
    ) -> None:
        self._store = store
        self._clock = clock
        self._age = round(days * 86_400 * SECOND)
        self._keep = runs_per_task
        self._files = files
        self._last_run_id = last_run_id
        self._roll_ups = RollUps(store, last_run_id=last_run_id)
        # The first step begins the first walk.
        self._is_resting = True
        self._phase = _Phase.COUNT
        self._next_at: Microseconds = 0
        self._count_at: Microseconds = 0
        self._began_with = 0
        self._wish: Collected | None = None
        """Of whoever asked for a walk; it counts from where it begins."""
        self._is_wish_begun = False

    def ask(self) -> Collected:
        """Let a whole walk begin with the next step, in any thread; return what it will take away.

        Who asks while another's walk goes on is answered by that one.
        """
        wish = self._wish
        if wish is None:
            wish = self._wish = Collected()
        return wish

    @property
    def is_asked(self) -> bool:
        """Whether somebody waits for the end of a walk."""
        return self._wish is not None

    @property
    def next_at(self) -> Microseconds:
        """The boot-clock moment of the next step; it may come nearer while runs are added."""
        if self._wish is not None and not self._is_wish_begun:
            return 0
        if self._roll_ups.is_due:
            return self._count_at
        is_crowded = self._is_resting and self._last_run_id() - self._began_with >= _SURPLUS
        return 0 if is_crowded else self._next_at

    def step(self) -> int:
        """Remove at most one batch; return how many runs went. Raises what the store raises."""
        began = self._clock.boottime()
        if self._wish is not None and not self._is_wish_begun:
            self._is_wish_begun = True
            self._begin()
        if self._roll_ups.is_due:
            self._roll_ups.step()
            self._count_at = self._after_pause(began)
            self._next_at = max(self._next_at, self._count_at)
            return 0
        if self._is_resting:
            self._begin()
        removed: list[int] = []
        if self._phase is _Phase.COUNT:
            self._roll_ups.step()
            self._phase = _Phase.AGE if self._age else _Phase.NUMBER
        else:
            with self._store.transaction():
                removed = self._prune()
        if self._phase is _Phase.FILES:
            # After the commit: a file without its run is litter, a run without its file a lie.
            self._sweep()
        if self._wish is not None:
            self._wish.runs += len(removed)
        self._next_at = self._after_pause(began)
        if self._is_resting:
            self._next_at += _REST
            self._grant()
        return len(removed)

    def _grant(self) -> None:
        """Tell whoever asked that the walk is over, unless it was asked for meanwhile."""
        if self._wish is not None and self._is_wish_begun:
            wish, self._wish, self._is_wish_begun = self._wish, None, False
            wish.ended.set()

    def _after_pause(self, began: Microseconds) -> Microseconds:
        """Return when the next step may be, after one that began then."""
        now = self._clock.boottime()
        is_behind = self._last_run_id() - self._began_with >= _SURPLUS
        share = _SHARE_BEHIND if is_behind or self._wish is not None else _SHARE
        return now + min(_PAUSE, (now - began) * share)

    def _prune(self) -> list[int]:
        removed: list[int] = []
        match self._phase:
            case _Phase.AGE:
                removed = self._by_age(self._clock.now() - self._age)
            case _Phase.NUMBER:
                removed = self._by_number()
            case _Phase.CHARTS:
                self._charts()
        if removed:
            self._store.execute("delete_attempts", rows=removed)
            self._store.execute("delete_runs", rows=removed)
        return removed

    def _begin(self) -> None:
        """Stand at the beginning of a walk."""
        self._is_resting = False
        self._began_with = self._last_run_id()
        self._after = 0
        self._fruitless = 0
        self._after_task: str | None = ""
        self._crowded: list[str] = []
        self._names: Iterator[str] | None = None
        self._chart = ["", 0]
        self._phase = _Phase.COUNT

    def _by_age(self, before: Microseconds) -> list[int]:
        last, rows = self._store.fetch(
            "prune_candidates", before=before, after=self._after, limit=_BATCH
        )
        skips = self._store.execute("prune_skips", before=before, limit=_BATCH)
        self._count_skips(skips)
        removed = [run_id for run_id in rows if run_id is not None]
        # Runs that stay (last failures) may lie before old ones.
        self._fruitless = 0 if removed else self._fruitless + 1
        if (last is None or self._fruitless >= _FRUITLESS) and skips < _BATCH:
            self._phase = _Phase.NUMBER
        self._after = last or self._after
        return removed

    def _by_number(self) -> list[int]:
        """Walk over the tasks a page at a time; the tallies tell which have no surplus."""
        if not self._keep:
            self._phase = _Phase.CHARTS
            return []
        if not self._crowded:
            self._after_task, self._crowded = self._store.fetch(
                "next_tasks", after=self._after_task, keep=self._keep, limit=_PAGE
            )
        removed: list[int] = []
        for _ in range(min(_TASKS, len(self._crowded))):
            room = _BATCH - len(removed)
            task_id = self._crowded[-1]
            removed += self._store.fetch(
                "prune_surplus", task_id=task_id, keep=self._keep, limit=room
            )
            skips = self._store.execute(
                "prune_surplus_skips", task_id=task_id, keep=self._keep, limit=_BATCH
            )
            self._count_skips(skips)
            if len(removed) >= _BATCH or skips >= _BATCH:
                return removed
            self._crowded.pop()
        if self._after_task is None and not self._crowded:
            self._phase = _Phase.CHARTS
        return removed

    def _count_skips(self, count: int) -> None:
        if self._wish is not None:
            self._wish.skips += count

    def _charts(self) -> None:
        """Walk over the half hours a page at a time; those of long ago go."""
        task_id, slot = self._chart
        last = self._store.fetch("rollup_page", task_id=task_id, slot=slot, limit=_PAGE)
        if last is None:
            self._phase = _Phase.FILES
            return
        before = (self._clock.now() - _CHART_DAYS * 86_400 * SECOND) // SLOT
        self._store.execute(
            "prune_rollups",
            task_id=task_id,
            slot=slot,
            last_id=last[0],
            last_slot=last[1],
            before=before,
        )
        self._chart = last

    def _sweep(self) -> None:
        """Delete what is left of runs that the ledger gave up, by this walk or one that broke off.

        Ids beyond the ledger's last are left alone: they speak of a ledger that was put back.
        """
        self._names = self._names or self._files.attempt_names()
        names = list(islice(self._names, _BATCH))
        ids = {name: int(name.partition("-")[0]) for name in names}
        gone = set(
            self._store.fetch("runs_given_up", rows=sorted(set(ids.values()))) if names else []
        )
        given_up = [name for name, run_id in ids.items() if run_id in gone]
        self._files.prune(given_up)
        if self._wish is not None:
            self._wish.folders += len(given_up)
        self._is_resting = len(names) < _BATCH
