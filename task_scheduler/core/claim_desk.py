"""The claim desk: who gets a worker.

Responsible for: how many claims may be in hand, claims of runs that are just planned, and of due
runs that wait in the ledger, the most important first. All inside the engine's transaction.
"""

from __future__ import annotations

from task_scheduler.core.claims import Start, claim_of, terms_of
from task_scheduler.core.entries import EntryShelf
from task_scheduler.core.flights import Flight, Flights, Work
from task_scheduler.core.identities import Identities
from task_scheduler.core.limits import EngineLimits, Room
from task_scheduler.core.model import Claim
from task_scheduler.core.moments import Moments
from task_scheduler.core.pools import Pools
from task_scheduler.core.ports import Marks, Store
from task_scheduler.core.rates import RateDesk
from task_scheduler.core.reception import Reception

__all__ = ["ClaimDesk"]


class ClaimDesk:
    """Reserve runs for workers; the engine calls."""

    def __init__(
        self,
        store: Store,
        shelf: EntryShelf,
        flights: Flights,
        limits: EngineLimits,
        *,
        marks: Marks,
        moments: Moments,
        identities: Identities,
        reception: Reception,
    ) -> None:
        self.marks = marks
        self.pools = Pools(store, flights, limits)
        self._store = store
        self._shelf = shelf
        self._flights = flights
        self._limits = limits
        self._moments = moments
        self._identities = identities
        self._reception = reception
        self._rates = RateDesk(store)

    def room(self, work: Work | None = None) -> Room:
        """Return what may be taken in hand now, or at the end of a tick's work."""
        flights, limits = self._flights, self._limits
        in_hand, processes = len(flights.in_hand), flights.process_count
        if work is not None:
            ended = flights.in_hand.keys() & work.ended
            in_hand += len(work.claims) - len(ended)
            if processes:
                processes -= sum(flights.in_hand[r].claim.executor == "process" for r in ended)
            processes += sum([flight.claim.executor == "process" for flight in work.claims])
        # Two batches at most: while one is worked off, a tick records the other.
        span = limits.work_ahead * limits.workers
        ahead = min(2 * limits.batch, int(span / self._reception.usual_duration))
        capacity = limits.workers + ahead
        return Room(
            capacity - in_hand,
            limits.workers - processes,
            # Too many threads that nobody can stop: no more functions until some of them end.
            is_open_to_threads=len(flights.overrun) <= limits.workers,
            capacity=capacity,
        )

    def claim(self, work: Work) -> None:
        """Reserve due runs that are waiting in the ledger."""
        horizon = work.now + self._limits.look_ahead
        is_expected = self._moments.is_claiming_due(horizon)
        room = self.room(work)
        threads, processes = room.left_for("thread"), room.left_for("process")
        is_expected = is_expected or work.has_unclaimed or self.pools.has_parked
        if max(threads, processes) <= 0 or not is_expected:
            return
        places = self.pools.places(work)
        self.pools.release(places)
        rows = self._store.fetch(
            "claimable_runs",
            horizon=horizon,
            limit=min(self._limits.batch, max(threads, processes)),
            thread_room=threads,
            process_room=processes,
            occupied=sorted(self._flights.closed_tasks()),
        )
        known_of = self._shelf.look_up([(row[1], row[9]) for row in rows])
        rates = self._rates.read([known.entry for known in known_of.values()], work.now)
        claimed = []
        for row in rows:
            run_id, task_id, key, at, due_at, attempt, _, _, recoveries, *_, origin = row
            known = known_of.get(task_id)
            if known is None or not rates.admits(known.entry, due_at):
                continue
            if not places.admits(known.entry) or not room.take(known.entry.executor):
                continue
            slot = self._take_slot(work)
            if slot is None:
                break
            claim = claim_of(
                known.entry,
                terms_of(known.entry.policies),
                run_id,
                key,
                at=at,
                due_at=due_at,
                attempt=attempt + 1,
                token=self._identities.next_token(),
                slot=slot,
                clock_offset=work.clock_offset,
            )
            pool = known.entry.policies.pool
            claimed.append([run_id, claim.token, slot, claim.executor, pool])
            work.claims.append(Flight(claim, known.entry, recoveries, origin, pool=pool))
            places.take(known.entry)
            rates.note(work.claims[-1])
        if claimed:
            self._store.execute("claim_runs", rows=claimed)
        is_moved = self.pools.park(places, horizon)
        is_moved = rates.record(self._store, horizon) or is_moved
        work.is_stuck = not claimed and not is_moved

    def claim_planned(self, start: Start, work: Work) -> Claim | None:
        """Claim a run that is just planned; None where there is no mark for it."""
        slot = self._take_slot(work)
        if slot is None:
            return None
        return claim_of(
            start.known.entry,
            start.terms,
            self._identities.next_run_id(),
            start.key,
            at=start.at,
            due_at=start.due_at,
            attempt=1,
            token=self._identities.next_token(),
            slot=slot,
            clock_offset=work.clock_offset,
        )

    def _take_slot(self, work: Work) -> int | None:
        slot = self.marks.take()
        if slot is not None:
            work.taken_slots.append(slot)
        return slot
