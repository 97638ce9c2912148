"""Backfill: the occurrences of a past range that never ran become runs.

Responsible for: which of them are missing, and how they queue behind each other. What has a run of
its own that began, or may still begin, is left alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from task_scheduler.core import planner
from task_scheduler.core.entries import EntryShelf, StoredEntry
from task_scheduler.core.flights import Flights, Work
from task_scheduler.core.inbox import BackfillRange
from task_scheduler.core.model import Microseconds, RunState, WaitingFor
from task_scheduler.core.planner import Admission, Seats
from task_scheduler.core.ports import Store
from task_scheduler.core.run_commands import RunCommands
from task_scheduler.errors import DefinitionError
from task_scheduler.schedules.occurrences import Occurrences

__all__ = ["Backfill"]


class Backfill:
    """Plan what was never planned, or was skipped."""

    def __init__(
        self,
        store: Store,
        shelf: EntryShelf,
        flights: Flights,
        runs: RunCommands,
        *,
        next_run_id: Callable[[], int],
    ) -> None:
        self._store = store
        self._shelf = shelf
        self._flights = flights
        self._runs = runs
        self._next_run_id = next_run_id

    def apply(self, command: BackfillRange, old: StoredEntry, work: Work) -> dict[str, int]:
        """Insert the missing runs of a range; return how many were planned and were there.

        Raises DefinitionError for a range that is none or has too much in it, and where the
        task's code is not here or its rule fails.
        """
        task_id = command.task_id
        if not command.start < command.end <= work.now:
            raise DefinitionError("errors.backfill_range", task_id=task_id)
        if not old.is_resolved:
            raise DefinitionError("errors.task_unresolved", task_id=task_id)
        owed = self._owed(command, old)
        rows = self._store.fetch(
            "runs_between", task_id=task_id, first=command.start, last=command.end - 1
        )
        # A run that was given up before it began did not run; its row stays as it is.
        present = {at for at, is_skipped in rows if not is_skipped}
        given_up = {at for at, is_skipped in rows if is_skipped} - present
        missing = [at for at in owed if at not in present]
        answer = {"planned": len(missing), "present": len(owed) - len(missing)}
        if missing and not command.is_dry_run:
            self._insert(old, missing, given_up, work)
        return answer

    def _owed(self, command: BackfillRange, old: StoredEntry) -> list[Microseconds]:
        known = self._flights.known(command.task_id, old.revision)
        occurrences = known.occurrences if known else self._shelf.occurrences_of(old.entry)
        if occurrences is None:
            error = self._shelf.error_of(command.task_id) or ""
            raise DefinitionError("errors.backfill_rule", task_id=command.task_id, error=error)
        try:
            owed = _between(occurrences, command, old.anchor)
        except Exception as error:  # fence: rule
            raise DefinitionError(
                "errors.backfill_rule", task_id=command.task_id, error=str(error)
            ) from error
        if len(owed) > command.limit:
            raise DefinitionError(
                "errors.backfill_limit", task_id=command.task_id, limit=command.limit
            )
        return owed

    def _insert(
        self,
        old: StoredEntry,
        missing: list[Microseconds],
        given_up: set[Microseconds],
        work: Work,
    ) -> None:
        entry = old.entry
        seats = self._runs.seats_of(entry)
        if planner.admit(entry.policies, seats) is not Admission.RUN and self._runs.recall_ahead(
            entry.task_id, work
        ):
            seats = self._runs.seats_of(entry)
        rows: list[list[Any]] = []
        for at in missing:
            # Each was asked for: where it may not come now, it queues, whatever the policy says
            # of runs that come at their own time.
            is_free = planner.admit(entry.policies, seats) is Admission.RUN
            seats = Seats(seats.taken + is_free, seats.queued + (not is_free))
            rows.append(
                [
                    self._next_run_id(),
                    entry.task_id,
                    f"{at}.again" if at in given_up else str(at),
                    "backfill",
                    RunState.WAITING,
                    at,
                    work.now,
                    None if is_free else WaitingFor.OVERLAP,
                    entry.policies.priority,
                    entry.executor,
                    None,
                    None,
                    None,
                ]
            )
        self._store.execute("insert_runs", rows=rows)


def _between(
    occurrences: Occurrences, command: BackfillRange, anchor: Microseconds
) -> list[Microseconds]:
    """Return the occurrences of a range, one more than the limit at most."""
    found: list[Microseconds] = []
    at = occurrences.next_after(command.start - 1, anchor)
    while at is not None and at < command.end and len(found) <= command.limit:
        found.append(at)
        at = occurrences.next_after(at, anchor)
    return found
