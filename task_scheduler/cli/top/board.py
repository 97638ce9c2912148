"""The tasks of the live view: filtered, in order, with a cursor that stays with its task.

Responsible for: which tasks are shown and where the cursor is. Knows neither terminal nor ledger.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from task_scheduler.cli.standing import is_failing

__all__ = ["SORTS", "Board"]

_Task = Mapping[str, Any]

SORTS = ("needs", "task", "last", "next", "runs", "status")
"""What tasks may be ordered by; the first: those that need somebody come first."""
_DESCENDING = frozenset({"last", "runs"})
"""The newest and the most come first."""
_RANKS = {"unresolved": 1, "running": 3, "idle": 4, "paused": 5, "finished": 6}
_FAILING, _LATE = 0, 2


class Board:
    """What is known of the tasks, and what of it is looked at."""

    def __init__(self, *, search: str = "") -> None:
        self.tasks: dict[str, _Task] = {}
        self.last_of: dict[str, _Task] = {}
        self.search = search
        self.sort = SORTS[0]
        self.is_reversed = False
        self.is_failed_only = False
        self.selected: set[str] = set()
        self.shown: list[str] = []
        """The ids that are shown, in their order."""
        self.cursor = 0
        self._now = ""

    def take(
        self, tasks: Sequence[_Task], last_of: Mapping[str, _Task], *, now: str, is_whole: bool
    ) -> None:
        """Take what was read: of all tasks, or of some, which stay where they stand.

        `now` is ISO 8601 in the zone of the tasks: what was due before it is late.
        """
        self._now = now
        if is_whole:
            self.tasks, self.last_of = {}, {}
        for task in tasks:
            self.tasks[task["task_id"]] = task
        self.last_of.update(last_of)
        if is_whole:
            self.selected &= self.tasks.keys()
            self.arrange()

    def arrange(self) -> None:
        """Filter and order anew; the cursor stays with its task while that is shown."""
        before = self.current
        wanted = self.search.casefold()
        found = [
            task_id
            for task_id, task in self.tasks.items()
            if (not wanted or _has(task, wanted))
            and (not self.is_failed_only or is_failing(self.last_of.get(task_id)))
        ]
        found.sort()
        found.sort(key=self._key(), reverse=self.is_reversed ^ (self.sort in _DESCENDING))
        self.shown = found
        if before is not None and before in self.tasks and before in found:
            self.cursor = found.index(before)
        self.move(0)

    @property
    def current(self) -> str | None:
        """The task at the cursor."""
        return self.shown[self.cursor] if 0 <= self.cursor < len(self.shown) else None

    def move(self, by: int) -> None:
        """Move the cursor, as far as there are tasks."""
        self.cursor = max(0, min(len(self.shown) - 1, self.cursor + by))

    def meant(self) -> list[str]:
        """Return the tasks that an action is about: the selected ones, else that at the cursor."""
        chosen = [task_id for task_id in self.shown if task_id in self.selected]
        return chosen or ([self.current] if self.current is not None else [])

    def toggle(self) -> None:
        """Select the task at the cursor, or let it go, and step to the next one."""
        if self.current is not None:
            self.selected ^= {self.current}
            self.move(1)

    def turn_sort(self) -> None:
        """Order by the next of the columns."""
        self.sort = SORTS[(SORTS.index(self.sort) + 1) % len(SORTS)]
        self.arrange()

    def is_late(self, task: _Task) -> bool:
        """Whether a task should have begun by now."""
        following = task["next_run_time"]
        is_planned = task["status"] == "idle" and following is not None
        return bool(is_planned and self._now and following < self._now)

    def _key(self) -> Callable[[str], Any]:
        """Return what to order ids by; moments of one zone are in order as text."""
        tasks, last_of = self.tasks, self.last_of
        match self.sort:
            case "task":
                return lambda task_id: task_id
            case "last":
                return lambda task_id: tasks[task_id]["last_run_time"] or ""
            case "next":
                return lambda task_id: (
                    tasks[task_id]["next_run_time"] is None or tasks[task_id]["status"] == "paused",
                    tasks[task_id]["next_run_time"] or "",
                )
            case "runs":
                return lambda task_id: tasks[task_id]["run_count"]
            case "status":
                return lambda task_id: tasks[task_id]["status"]
        return lambda task_id: self._rank(tasks[task_id], last_of.get(task_id))

    def _rank(self, task: _Task, last: _Task | None) -> int:
        if is_failing(last) or task["rule_error"]:
            return _FAILING
        return _LATE if self.is_late(task) else _RANKS.get(task["status"], 4)


def _has(task: _Task, wanted: str) -> bool:
    return wanted in task["task_id"].casefold() or wanted in task["name"].casefold()
