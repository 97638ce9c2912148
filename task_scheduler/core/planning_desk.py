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
from task_scheduler.core.model import Entry, Microseconds, SkipReason
from task_scheduler.core.moments import Moments
from task_scheduler.core.planner import PlannedSkip, Seats
from task_scheduler.core.ports import Store
from task_scheduler.core.reception import Reception
from task_scheduler.core.skips import record_skips, skip_event

__all__ = ["PlanningDesk"]


_FLOOD = 512
"""As many places for claims there are where runs take a tenth of a millisecond or less."""
_FREE = Seats()
"""What most tasks have that are due: nothing of them lives."""


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
        self.is_cut = False
        """Whether more cursors were due at the last look than could be taken at a time."""
        self._pause_from: Microseconds | None = None
        """Since when cursors that are due wait for what is in hand to be worked off."""

    def look_at(self) -> Microseconds | None:
        """Return when to look at the cursors, as far as the last tick knows."""
        plan_at = self._moments.plan_at
        if plan_at is None or self._pause_from is None or self._claims.room().is_ample:
            return plan_at
        return max(plan_at, self._pause_from + self._patience)

    def plan(self, work: Work) -> None:
        """Turn due moments into run rows and skips, and move the cursors with them."""
        limit = self._limit(work)
        rows = self._store.fetch("due_entries", now=work.now, limit=limit) if limit else []
        self.is_cut = 0 < limit <= len(rows)
        if not rows:
            return
        known_of = self._shelf.look_up([(row[0], row[1]) for row in rows])
        cursors: list[tuple[Any, ...]] = []
        skips: list[list[Any]] = []
        starts: list[Start] = []
        going_on: list[list[int | None]] = []
        replaced: list[Entry] = []
        look_ahead, overrun = self._limits.look_ahead, self._flights.overrun
        for task_id, _, due_at, _, taken, queued, oldest, cursor, lap in rows:
            known = known_of.get(task_id)
            if known is None:
                cursors.append((task_id, None, due_at, None, None))
                continue
            seats = _FREE
            if taken or queued or overrun:
                seats = Seats(taken + self._flights.seats_kept(task_id), queued)
            plan = self._shelf.plan(known, seats, due_at, work, cursor=cursor)
            if plan is None:
                error = self._shelf.error_of(task_id)
                cursors.append((task_id, None, due_at, work.now + self._limits.rule_retry, error))
                continue
            next_due_at, runs, skipped, is_replacing = plan
            for run in runs:
                starts.append(Start.of(known, run, lap, len(starts)))
            if next_due_at == due_at:
                # Nothing may be decided before its instant: the task still has a living run.
                plan_at: Microseconds | None = due_at
            else:
                plan_at = plan_moment(known.entry, next_due_at, look_ahead)
            last = runs[-1].at if runs else None
            if skipped:
                last = max([skip.last for skip in skipped] + [run.at for run in runs])
                blocker = oldest or self._flights.keeper_of(task_id)
                skips.extend(self._skip_row(known, skip, blocker, work) for skip in skipped)
                if blocker is not None and any(
                    skip.reason is SkipReason.OVERLAP and skip.first == due_at for skip in skipped
                ):
                    going_on.append([blocker, cursor])
            cursors.append((task_id, last, next_due_at, plan_at, None))
            if is_replacing:
                replaced.append(known.entry)
        if replaced:
            self._control.runs.replace(replaced, work)
        self._insert(starts, work)
        self._store.execute("move_cursors", rows=cursors)
        record_skips(self._store, self._joined(skips, going_on))
        self._reception.release(work)

    def _limit(self, work: Work) -> int:
        """Return how many cursors are to be looked at now.

        A flood of short runs is planned as fast as it is worked off: each is claimed where it is
        inserted, which is half the work. Where that comes to a halt, behind long runs, and behind
        a backlog, all that is due comes into the ledger at once, so that priority decides.
        """
        since, self._pause_from = self._pause_from, None
        batch, moments = self._limits.batch, self._moments
        if work.has_unclaimed:
            return batch
        if not moments.is_planning_due(work.now):
            return 0
        room = self._claims.room(work)
        if room.capacity < _FLOOD or moments.is_claiming_due(work.now):
            return batch
        if room.is_ample:
            return min(batch, room.places)
        self._pause_from = work.now if since is None else since
        return batch if work.now - self._pause_from >= self._patience else 0

    @property
    def _patience(self) -> Microseconds:
        """How long cursors wait for what is in hand to be worked off."""
        return 2 * self._limits.work_ahead

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
        starts.sort()
        # Behind a backlog everything queues up in the ledger, so that priority decides.
        has_backlog = self._moments.is_claiming_due(work.now)
        has_backlog = has_backlog or work.has_unclaimed
        room = self._claims.room(work)
        rows, flights = [], []
        horizon = work.now + self._limits.look_ahead
        for start in starts:
            entry = start.known.entry
            claim = None
            is_near = start.due_at <= horizon or start.due_at == start.at
            is_free = start.waiting_for is None and is_near and not has_backlog
            if is_free and start.terms.is_claimed_ahead and room.take(entry.executor):
                claim = self._claims.claim_planned(start, work)
            if claim is not None:
                flights.append(Flight(claim, entry))
                rows.append(start.row(claim.run_id, claim))
            else:
                work.has_unclaimed = True
                rows.append(start.row(self._identities.next_run_id(), None))
        if self._store.execute("insert_runs", rows=rows) != len(rows):
            # An instant that was planned before (an edit brought it back) does not run again.
            present = set(self._store.fetch("present_runs", rows=[row[0] for row in rows]))
            for flight in flights:
                if flight.claim.run_id not in present:
                    work.after.append(partial(self._claims.marks.release, flight.claim.slot))
            flights = [f for f in flights if f.claim.run_id in present]
        work.claims.extend(flights)
