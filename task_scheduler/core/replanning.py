"""Replanning: the rules are as they were, and yet their moments have changed.

Responsible for: asking the rules of all entries anew after the rules of a time zone or a calendar
changed, and moving their next moments. What is due already is left to the planner, what has been
taken in hand goes on: an instant that was promised is kept.
"""

from __future__ import annotations

from task_scheduler.core import planner
from task_scheduler.core.entries import EntryShelf, plan_moment
from task_scheduler.core.flights import Flights, Known, Work
from task_scheduler.core.inbox import ReplanEntries
from task_scheduler.core.limits import EngineLimits
from task_scheduler.core.model import Microseconds
from task_scheduler.core.ports import Store

__all__ = ["Replanning"]


class Replanning:
    """Move the cursors of entries whose rules read the clock."""

    def __init__(
        self, store: Store, shelf: EntryShelf, flights: Flights, limits: EngineLimits
    ) -> None:
        self._store = store
        self._shelf = shelf
        self._flights = flights
        self._limits = limits

    def apply(self, _: ReplanEntries, work: Work) -> int:
        """Ask every rule that follows the calendar for its next moment; return how many moved."""
        self._flights.unlearn_all()
        rows = self._store.fetch("calendar_entries", now=work.now)
        known_of = self._shelf.look_up([(row[0], row[1]) for row in rows])
        moved = []
        for task_id, _, anchor, cursor, next_due_at in rows:
            known = known_of.get(task_id)
            if known is None or known.occurrences is None:
                continue  # it is asked again when it is planned, and tells its error then
            due_at = self._next(known, anchor, cursor, work)
            if due_at != next_due_at:
                plan_at = plan_moment(known.entry, due_at, self._limits.look_ahead)
                moved.append([task_id, anchor, cursor, due_at, plan_at, None])
        self._store.execute("rewind_cursors", rows=moved)
        return len(moved)

    def _next(
        self, known: Known, anchor: Microseconds, cursor: Microseconds | None, work: Work
    ) -> Microseconds | None:
        """Return where the entry stands now; where its rule raises, it is asked again at once."""
        assert known.occurrences is not None
        try:
            if cursor is None:
                found = known.occurrences.first(anchor)
                if found is not None and found < work.now:
                    found = known.occurrences.next_after(work.now, anchor)
                return found
            return planner.cursor_after_edit(
                known.occurrences, cursor=cursor, anchor=anchor, now=work.now
            )
        except Exception as error:  # fence: rule
            self._shelf.keep_error(known.entry, error, work)
            return work.now
