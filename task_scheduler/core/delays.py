"""Fixed delay: the time to the next run counts from the end of the last one.

Responsible for: the one instant that such an entry has at a time, and setting it when its task has
come to rest, in the transaction that records why: an end, a skip, a resume, an edit, a restart.
While a run of the task is unfinished there is no next instant, and none can be missed.
"""

from __future__ import annotations

from typing import Any

from task_scheduler.core.entries import EntryShelf, plan_moment
from task_scheduler.core.flights import Flights, Work
from task_scheduler.core.limits import EngineLimits
from task_scheduler.core.ports import Store

__all__ = ["Delays"]


class Delays:
    """Set the next instants of entries with a fixed delay."""

    def __init__(
        self, store: Store, shelf: EntryShelf, flights: Flights, limits: EngineLimits
    ) -> None:
        self._store = store
        self._shelf = shelf
        self._flights = flights
        self._limits = limits
        self._is_known = False
        """Whether the entries of the ledger were looked at: what ended may have been noted by
        another process, or in a tick of which nobody knows whether it was committed."""

    def doubt(self) -> None:
        """Look at all of them at the next tick."""
        self._is_known = False

    def arm(self, work: Work) -> None:
        """Set the next instants of tasks that have come to rest in this tick."""
        if not self._is_known:
            stored = self._store.fetch("delayed_tasks")
            self._shelf.delayed.update(stored)
            work.rested.update(stored)
            work.after.append(self._note)
        tasks = sorted(
            task_id
            for task_id in work.rested & self._shelf.delayed
            if not self._flights.seats_kept(task_id)
        )
        found = self._store.fetch("unarmed_delays", ids=tasks, now=work.now) if tasks else []
        if not found:
            return
        known_of = self._shelf.look_up([(row[0], row[1]) for row in found])
        rows: list[list[Any]] = []
        for task_id, _, base in found:
            known = known_of.get(task_id)
            if known is None or known.occurrences is None:
                continue
            due_at = known.occurrences.next_after(base, base)
            plan_at = plan_moment(known.entry, due_at, self._limits.look_ahead)
            rows.append([task_id, base, due_at, plan_at])
            # Its anchor changes under the same revision.
            self._flights.unlearn(task_id)
        self._store.execute("arm_delays", rows=rows)

    def _note(self) -> None:
        self._is_known = True
