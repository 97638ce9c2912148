"""Skips: occurrences without an attempt, recorded and told.

Responsible for: the rows and the events of skips, and of waiting runs that are given up. Why
something is skipped is decided elsewhere.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from task_scheduler.core.events import Event, RunSettled, RunSkipped
from task_scheduler.core.flights import Flight, Work
from task_scheduler.core.model import Entry, Microseconds, Outcome, SkipReason
from task_scheduler.core.planner import PlannedSkip
from task_scheduler.core.ports import Store

__all__ = ["GivenUp", "give_up", "record_skips", "skip_event"]


@dataclass(frozen=True, slots=True)
class GivenUp:
    """A waiting run that will not start (again)."""

    run_id: int
    task_id: str
    name: str
    at: Microseconds
    attempts: int
    reason: SkipReason

    @classmethod
    def of_flight(cls, flight: Flight, reason: SkipReason) -> GivenUp:
        """Return the giving up of a claim that was taken back before it started."""
        claim = flight.claim
        return cls(
            claim.run_id, claim.task_id, flight.name, claim.scheduled_at, claim.attempt - 1, reason
        )

    def event(self, now: Microseconds) -> Event:
        """Return what is told: a run that had an attempt was cancelled, another one skipped."""
        if self.attempts:
            return RunSettled(
                self.task_id,
                self.name,
                self.run_id,
                self.attempts,
                Outcome.CANCELLED,
                str(self.reason),
                0,
                now,
            )
        return RunSkipped(self.task_id, self.name, self.reason, self.at, self.at, 1, now)


def give_up(store: Store, runs: Sequence[GivenUp], work: Work) -> None:
    """End waiting runs without (another) attempt, and count and tell it."""
    if not runs:
        return
    store.execute("skip_runs", rows=[[run.run_id, run.reason, work.now] for run in runs])
    _count(store, [(run.task_id, 1) for run in runs if not run.attempts])
    begun = [run.run_id for run in runs if run.attempts]
    if begun:
        store.execute("count_cancelled", rows=begun)
    work.vacated.update(run.task_id for run in runs)
    work.events.extend(run.event(work.now) for run in runs)


def record_skips(store: Store, rows: list[list[Any]]) -> None:
    """Write rows of `insert_skips`, and count them for their tasks where they can be counted."""
    if not rows:
        return
    store.execute("insert_skips", rows=rows)
    _count(store, [(row[0], row[4] or 0) for row in rows])


def skip_event(entry: Entry, skip: PlannedSkip, now: Microseconds) -> RunSkipped:
    """Return the event that tells of a skip."""
    return RunSkipped(
        entry.task_id, entry.name, skip.reason, skip.first, skip.last, skip.count, now
    )


def _count(store: Store, skipped: Iterable[tuple[str, int]]) -> None:
    counts: Counter[str] = Counter()
    for task_id, count in skipped:
        counts[task_id] += count
    if counts:
        store.execute("count_skips", rows=list(counts.items()))
