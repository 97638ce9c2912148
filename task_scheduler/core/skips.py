"""Skips: occurrences without an attempt, recorded and told.

Responsible for: the rows and the event of a skip. Why something is skipped is decided elsewhere.
"""

from __future__ import annotations

from typing import Any

from task_scheduler.core.events import RunSkipped
from task_scheduler.core.model import Entry, Microseconds
from task_scheduler.core.planner import PlannedSkip
from task_scheduler.core.ports import Store

__all__ = ["record_skips", "skip_event"]


def record_skips(store: Store, rows: list[list[Any]]) -> None:
    """Write rows of `insert_skips`, and count them for their tasks where they can be counted."""
    if not rows:
        return
    store.execute("insert_skips", rows=rows)
    counts: dict[str, int] = {}
    for row in rows:
        counts[row[0]] = counts.get(row[0], 0) + (row[4] or 0)
    store.execute("count_skips", rows=list(counts.items()))


def skip_event(entry: Entry, skip: PlannedSkip, now: Microseconds) -> RunSkipped:
    """Return the event that tells of a skip."""
    return RunSkipped(
        entry.task_id, entry.name, skip.reason, skip.first, skip.last, skip.count, now
    )
