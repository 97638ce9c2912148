"""The least of a history that still shows a violation.

Responsible for: leaving out rows, whole tasks first and then ever smaller pieces, as long as the
checker names the same invariant for the same row. What remains explains itself, or shows at once
that the checker is wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from tests.checker.evidence import Violation
from tests.checker.history import History, Task
from tests.checker.verdict import violations

_OF_LEDGER = ("runs", "attempts", "skips", "epochs")
_BESIDE = (
    "lines",
    "operations",
    "faults",
    "sightings",
    "counts",
    "outputs",
    "usages",
    "leftovers",
)

Rows = list[tuple[str, Any]]


def shrink(history: History, violation: Violation) -> History:
    """Return the least that still breaks the invariant at the same row."""
    wanted = (violation.invariant, violation.row)

    def is_shown(tasks: Sequence[Task], rows: Rows) -> bool:
        found = violations(_with(history, tasks, rows))
        return any((other.invariant, other.row) == wanted for other in found)

    tasks, rows = list(history.tasks), _rows_of(history)
    for task in history.tasks:
        alone = [row for row in rows if _is_of(history, row[1], task)]
        if is_shown([task], alone):
            tasks, rows = [task], alone
            break
    size = max(1, len(rows) // 2)
    while True:
        is_smaller = False
        begin = 0
        while begin < len(rows):
            fewer = rows[:begin] + rows[begin + size :]
            if is_shown(tasks, fewer):
                rows, is_smaller = fewer, True
            else:
                begin += size
        if size == 1 and not is_smaller:
            return _with(history, tasks, rows)
        size = max(1, size // 2)


def rows_of(history: History) -> list[Any]:
    """Return all rows of a history but its tasks, by their moments."""
    return [row for _, row in _rows_of(history)]


def _rows_of(history: History) -> Rows:
    found = [(name, row) for name in _OF_LEDGER for row in getattr(history.ledger, name)]
    found += [("entries", row) for row in history.ledger.entries or ()]
    return found + [(name, row) for name in _BESIDE for row in getattr(history, name)]


def _is_of(history: History, row: Any, task: Task) -> bool:
    """Whether a row tells of a task, or of all of them."""
    if hasattr(row, "task_id"):
        return bool(row.task_id == task.task_id)
    if hasattr(row, "run_id"):
        runs = history.ledger.runs
        return any(run.run_id == row.run_id for run in runs if run.task_id == task.task_id)
    return True


def _with(history: History, tasks: Sequence[Task], rows: Rows) -> History:
    kept: dict[str, list[Any]] = {name: [] for name in (*_OF_LEDGER, *_BESIDE, "entries")}
    for name, row in rows:
        kept[name].append(row)
    ledger: dict[str, Any] = {name: kept[name] for name in _OF_LEDGER}
    # Entries that were dropped are not judged: an empty list would say that there are none.
    ledger["entries"] = kept["entries"] or None
    beside: dict[str, Any] = {name: kept[name] for name in _BESIDE}
    return replace(history, tasks=tasks, ledger=replace(history.ledger, **ledger), **beside)
