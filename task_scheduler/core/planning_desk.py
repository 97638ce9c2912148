"""The planning desk: due moments become runs and skips in the ledger.

Responsible for: reading the entries that are due, recording what the planner decides for each,
moving the cursors with it, and inserting runs, claimed at once where a worker will be free. All
inside the engine's transaction.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from task_scheduler.core.claim_desk import ClaimDesk
from task_scheduler.core.claims import Start
from task_scheduler.core.control import Control
from task_scheduler.core.entries import EntryShelf, plan_moment
from task_scheduler.core.flights import Flight, Flights, Known, Work
from task_scheduler.core.identities import Identities
from task_scheduler.core.limits import EngineLimits
from task_scheduler.core.model import Entry, SkipReason
from task_scheduler.core.moments import Moments
from task_scheduler.core.planner import PlannedSkip, Seats
from task_scheduler.core.ports import Store
from task_scheduler.core.reception import Reception
from task_scheduler.core.skips import record_skips, skip_event

__all__ = ["PlanningDesk"]


class PlanningDesk:
    """Plan what is due; the engine calls, in its transaction."""

    def __init__(
        self,
        store: Store,
        shelf: EntryShelf,
        flights: Flights,
        limits: EngineLimits,
        *,
        moments: Moments,
        identities: Identities,
        control: Control,
        reception: Reception,
        claims: ClaimDesk,
    ) -> None:
        self._store = store
        self._shelf = shelf
        self._flights = flights
        self._limits = limits
        self._moments = moments
        self._identities = identities
        self._control = control
        self._reception = reception
        self._claims = claims

    def plan(self, work: Work) -> None:
        """Turn due moments into run rows and skips, and move the cursors with them."""
        is_due = work.has_unclaimed or self._moments.is_planning_due(work.now)
        rows = is_due and self._store.fetch("due_entries", now=work.now, limit=self._limits.batch)
        if not rows:
            return
        known_of = self._shelf.look_up([(row[0], row[1]) for row in rows])
        cursors: list[list[Any]] = []
        skips: list[list[Any]] = []
        starts: list[Start] = []
        going_on: list[list[int | None]] = []
        replaced: list[Entry] = []
        for task_id, _, due_at, _, seats_taken, queued, oldest, cursor, lap in rows:
            known = known_of.get(task_id)
            if known is None:
                cursors.append([task_id, None, due_at, None, None])
                continue
            taken = seats_taken + self._flights.seats_kept(task_id)
            plan = self._shelf.plan(known, Seats(taken, queued), due_at, work, cursor=cursor)
            if plan is None:
                error = self._shelf.error_of(task_id)
                cursors.append([task_id, None, due_at, work.now + self._limits.rule_retry, error])
                continue
            last = max([s.last for s in plan.skips] + [r.at for r in plan.runs], default=None)
            plan_at = plan_moment(known.entry, plan.next_due_at, self._limits.look_ahead)
            if plan.next_due_at == due_at:
                # Nothing may be decided before its instant: the task still has a living run.
                plan_at = due_at
            cursors.append([task_id, last, plan.next_due_at, plan_at, None])
            starts.extend(Start.of(known, run, lap) for run in plan.runs)
            blocker = oldest or self._flights.keeper_of(task_id)
            skips.extend(self._skip_row(known, skip, blocker, work) for skip in plan.skips)
            if blocker is not None and any(
                skip.reason is SkipReason.OVERLAP and skip.first == due_at for skip in plan.skips
            ):
                going_on.append([blocker, cursor])
            if plan.is_replacing:
                replaced.append(known.entry)
        if replaced:
            self._control.runs.replace(replaced, work)
        self._insert(starts, work)
        self._store.execute("move_cursors", rows=cursors)
        record_skips(self._store, self._joined(skips, going_on))
        self._reception.release(work)

    def _skip_row(
        self, known: Known, skip: PlannedSkip, blocker: int | None, work: Work
    ) -> list[Any]:
        entry = known.entry
        work.events.append(skip_event(entry, skip, work.now))
        by = blocker if skip.reason is SkipReason.OVERLAP else None
        return [entry.task_id, skip.reason, skip.first, skip.last, skip.count, by, work.now]

    def _joined(self, skips: list[list[Any]], going_on: list[list[int | None]]) -> list[list[Any]]:
        """Let a skip continue the range that the same run began, if nothing lies between."""
        if not going_on:
            return skips
        first_of = self._store.fetch("open_skips", rows=going_on)
        for row in skips:
            if row[5] is not None:
                row[2] = first_of.get(str(row[5]), row[2])
        return skips

    def _insert(self, starts: list[Start], work: Work) -> None:
        """Insert planned runs, claimed at once where a worker will be free for them."""
        if not starts:
            return
        starts.sort(key=lambda start: (-start.known.entry.policies.priority, start.due_at))
        # Behind a backlog everything queues up in the ledger, so that priority decides.
        has_backlog = self._moments.is_claiming_due(work.now)
        has_backlog = has_backlog or work.has_unclaimed
        room = self._claims.room(work)
        rows, flights = [], []
        horizon = work.now + self._limits.look_ahead
        for start in starts:
            entry = start.known.entry
            claim = None
            is_free = start.waiting_for is None and start.due_at <= horizon and not has_backlog
            if is_free and entry.policies.is_claimed_ahead and room.take(entry.executor):
                claim = self._claims.claim_planned(start, work)
            if claim is not None:
                flights.append(Flight(claim, entry))
            else:
                work.has_unclaimed = True
            run_id = claim.run_id if claim is not None else self._identities.next_run_id()
            rows.append(start.row(run_id, claim))
        if self._store.execute("insert_runs", rows=rows) != len(rows):
            # An instant that was planned before (an edit brought it back) does not run again.
            present = set(self._store.fetch("present_runs", rows=[row[0] for row in rows]))
            for flight in flights:
                if flight.claim.run_id not in present:
                    work.after.append(partial(self._claims.marks.release, flight.claim.slot))
            flights = [f for f in flights if f.claim.run_id in present]
        work.claims.extend(flights)
