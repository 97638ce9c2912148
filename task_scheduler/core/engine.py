"""The engine: one tick turns facts and due moments into durable decisions.

Responsible for: the order settle, obey, plan, claim, and for doing all of a tick in one
transaction of at most ten steps whatever the batch. Nothing outside the ledger changes before the
commit; if the commit fails, everything that the tick took is where it was before.

Knows nothing of threads, files and processes: the runtime calls `tick` and sleeps until the
moment that it answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from task_scheduler.core.claims import Start, claim_of
from task_scheduler.core.clock_steps import ClockSteps
from task_scheduler.core.control import Control
from task_scheduler.core.delays import Delays
from task_scheduler.core.entries import EntryShelf, plan_moment
from task_scheduler.core.flights import Flight, Flights, Known, Work
from task_scheduler.core.inbox import Command, Fact, Inbox, Returned
from task_scheduler.core.limits import EngineLimits, Room
from task_scheduler.core.model import (
    SECOND,
    Claim,
    Entry,
    Microseconds,
    SkipReason,
)
from task_scheduler.core.planner import PlannedSkip, Seats
from task_scheduler.core.pools import Pools
from task_scheduler.core.ports import Catalog, Clock, Emit, Hands, Marks, Store
from task_scheduler.core.rates import RateDesk
from task_scheduler.core.reception import Reception
from task_scheduler.core.skips import record_skips, skip_event

__all__ = ["Engine"]


class Engine:
    """Decide and record; one thread calls it."""

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        catalog: Catalog,
        hands: Hands,
        marks: Marks,
        emit: Emit,
        limits: EngineLimits,
    ) -> None:
        self.inbox = Inbox()
        self.flights = Flights()
        self.limits = limits
        self.is_passive = False
        """Whether only commands are obeyed: nothing is planned, claimed or recovered."""
        self.is_held = False
        """Whether nothing is planned or claimed until the operator lets the ledger go on."""
        self._store = store
        self._clock = clock
        self._hands = hands
        self._marks = marks
        self._emit = emit
        self._token = 0
        self._run_id = 0
        self._plan_at: Microseconds | None = 0
        self._claim_at: Microseconds | None = 0
        self._resume_at: Microseconds | None = 0
        self._stuck_until: Microseconds = 0
        self._has_doubts = False
        """Whether the last tick failed: it may have been committed all the same."""
        self._doubtful_slots: list[int] = []
        self._has_queue = True
        """Whether runs may wait for seats that nobody in this process ever had."""
        self._shelf = EntryShelf(store, catalog, self.flights)
        self._control = Control(
            store,
            self._shelf,
            self.flights,
            hands,
            limits,
            next_run_id=self.next_run_id,
            on_release=self._release,
        )
        self._reception = Reception(store, self.flights, self._control)
        self._pools = Pools(store, self.flights, limits)
        self._rates = RateDesk(store)
        self._steps = ClockSteps(store, self._shelf, self.flights, hands, limits)
        self._delays = Delays(store, self._shelf, self.flights, limits)

    def open(
        self,
        *,
        epoch: int,
        last_run_id: int,
        boot_id: str = "",
        marks: Marks | None = None,
        is_held: bool = False,
    ) -> None:
        """Begin an epoch: tokens and run ids go on above everything the ledger has seen."""
        self.is_held = is_held
        self._steps.open(boot_id)
        self._delays.doubt()
        self._marks = self._marks if marks is None else marks
        self._token = epoch << 32
        self._run_id = last_run_id
        self._plan_at = self._claim_at = self._resume_at = 0

    def look_again(self) -> None:
        """Forget what the last tick knew of the next moments: the clock was set."""
        self._plan_at = self._claim_at = self._resume_at = 0
        self._stuck_until = 0

    def has_due_claims(self) -> bool:
        """Whether runs that are due wait in the ledger, as far as the last tick knows."""
        return self._claim_at is not None and self._claim_at <= self._clock.now()

    @property
    def fenced_count(self) -> int:
        """Completions that came with a token which owns nothing any more."""
        return self._reception.fenced_count

    @property
    def has_doubts(self) -> bool:
        """Whether the last tick that wrote failed: the ledger was not seen to work since."""
        return self._has_doubts

    @property
    def last_run_id(self) -> int:
        """The greatest id given to a run."""
        return self._run_id

    def next_run_id(self) -> int:
        """Return an id that no run ever had."""
        self._run_id += 1
        return self._run_id

    def next_token(self) -> int:
        """Return a token greater than all before it."""
        self._token += 1
        return self._token

    def tick(self) -> Microseconds | None:
        """Do everything that there is to do now; return when to wake, None for not by itself.

        Raises whatever the store raises, with nothing changed and nothing lost.
        """
        facts = self.inbox.take()
        now = self._clock.now()
        work = Work(now, now - self._clock.boottime())
        is_stepped = self._steps.is_stepped(work)
        if not facts and (self._is_at_rest or not (is_stepped or self._is_due(work.now))):
            return self._wake_at()
        facts += self._steps.recall(work)
        try:
            with self._store.transaction():
                self._reconcile(work)
                self._steps.follow(work)
                self._reception.receive(facts, work)
                if self._steps.mend(facts, work):
                    self._reception.release(work)
                self._obey(facts, work)
                if not self._is_at_rest:
                    self._resume(work)
                    self._plan(work)
                    self._claim(work)
                    self._note_claims(work)
                    self._delays.arm(work)
                wake = self._store.fetch("wake_at")
        except BaseException as error:
            # Callers are told at once instead of waiting for the store to come back.
            kept = [fact for fact in facts if not isinstance(fact, Command)]
            # The commit may have failed after it happened, so what was taken from the gate does
            # not go back there: it returns to the ledger, whatever that says of it by then.
            self.inbox.put_back(kept + [Returned(flight.claim) for flight in work.revoked])
            for fact in facts:
                if isinstance(fact, Command):
                    fact.reject(error)
            self._plan_at = self._claim_at = self._resume_at = 0
            self._stuck_until = 0
            self._has_doubts = True
            self._steps.doubt()
            self._delays.doubt()
            self._doubtful_slots += work.taken_slots
            self.flights.unlearn_all()
            self._pools.has_parked = True
            raise
        self._plan_at, self._claim_at, self._resume_at = wake
        # Due, and yet nobody may have it (say, its thread still runs): look again later instead
        # of at once, should no fact come before.
        self._stuck_until = work.now + SECOND if work.is_stuck else 0
        self._apply(work)
        return self._wake_at()

    def _is_due(self, now: Microseconds) -> bool:
        """Whether the ledger has something to look at, as far as the last tick knows."""
        if any(at is not None and at <= now for at in (self._plan_at, self._resume_at)):
            return True
        claim_at = self._look_at_claims()
        return claim_at is not None and claim_at <= now

    @property
    def _is_at_rest(self) -> bool:
        """Whether nothing begins by itself."""
        return self.is_passive or self.is_held

    def _release(self) -> None:
        """Go on: the operator said from where, and that is durable."""
        self.is_held = False

    def _wake_at(self) -> Microseconds | None:
        if self._is_at_rest:
            return None
        moments = [at for at in (self._plan_at, self._resume_at) if at is not None]
        claim_at = self._look_at_claims()
        if claim_at is not None:
            moments.append(claim_at)
        return min(moments, default=None)

    def _look_at_claims(self) -> Microseconds | None:
        """Return when to look at the waiting runs, as far as the last tick knows."""
        if self._claim_at is None:
            return None
        room = self._room()
        if room.left_for("thread") + room.left_for("process") <= 0:
            return None
        return max(self._claim_at - self.limits.look_ahead, self._stuck_until)

    def _room(self, work: Work | None = None) -> Room:
        """Return what may be taken in hand now, or at the end of a tick's work."""
        flights, limits = self.flights, self.limits
        in_hand, processes = len(flights.in_hand), flights.process_count
        if work is not None:
            for run_id in set(work.ended):
                flight = flights.in_hand.get(run_id)
                if flight is not None:
                    in_hand -= 1
                    processes -= flight.claim.executor == "process"
            in_hand += len(work.claims)
            processes += sum(1 for f in work.claims if f.claim.executor == "process")
        ahead = min(limits.batch, int(limits.work_ahead / self._reception.usual_duration))
        return Room(
            limits.workers + ahead - in_hand,
            limits.workers - processes,
            # Too many threads that nobody can stop: no more functions until some of them end.
            is_open_to_threads=len(flights.overrun) <= limits.workers,
        )

    def _reconcile(self, work: Work) -> None:
        """Mend what memory and ledger may disagree about.

        Once a process: what kept queued runs waiting may have gone with an earlier process. After
        a failed tick: it may have been committed with claims that nobody took in hand.
        """
        if self.is_passive:
            return
        if self._has_queue:
            work.vacated.update(self._store.fetch("queued_tasks"))
        if self._has_doubts:
            self.is_held = self.is_held and bool(self._store.fetch("is_held"))
            orphans = []
            for run_id, token, cancel_reason, reason, is_there in self._store.fetch("claims_now"):
                flight = self.flights.holder_of(run_id, token)
                if flight is None:
                    orphans.append([run_id, token])
                    continue
                flight.recall(cancel_reason, reason, is_there=bool(is_there))
            if orphans:
                self._store.execute("hand_back", rows=orphans)

    # -- obey -----------------------------------------------------------------------------------

    def _obey(self, facts: Sequence[Fact], work: Work) -> None:
        commands = [fact for fact in facts if isinstance(fact, Command)]
        if commands:
            self._control.apply(commands, work)
            work.has_unclaimed = True
            self._reception.release(work)

    def _resume(self, work: Work) -> None:
        """End the pauses that were to end by now, as far as the last tick knows."""
        if self._resume_at is not None and self._resume_at <= work.now:
            self._control.resume_due(work)
            work.has_unclaimed = True
            self._reception.release(work)

    # -- plan -----------------------------------------------------------------------------------

    def _plan(self, work: Work) -> None:
        """Turn due moments into run rows and skips, and move the cursors with them."""
        is_due = work.has_unclaimed or (self._plan_at is not None and self._plan_at <= work.now)
        rows = is_due and self._store.fetch("due_entries", now=work.now, limit=self.limits.batch)
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
            taken = seats_taken + self.flights.seats_kept(task_id)
            plan = self._shelf.plan(known, Seats(taken, queued), due_at, work, cursor=cursor)
            if plan is None:
                error = self._shelf.error_of(task_id)
                cursors.append([task_id, None, due_at, work.now + self.limits.rule_retry, error])
                continue
            last = max([s.last for s in plan.skips] + [r.at for r in plan.runs], default=None)
            plan_at = plan_moment(known.entry, plan.next_due_at, self.limits.look_ahead)
            if plan.next_due_at == due_at:
                # Nothing may be decided before its instant: the task still has a living run.
                plan_at = due_at
            cursors.append([task_id, last, plan.next_due_at, plan_at, None])
            starts.extend(Start.of(known, run, lap) for run in plan.runs)
            blocker = oldest or self.flights.keeper_of(task_id)
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
        has_backlog = self._claim_at is not None and self._claim_at <= work.now
        has_backlog = has_backlog or work.has_unclaimed
        room = self._room(work)
        rows, flights = [], []
        horizon = work.now + self.limits.look_ahead
        for start in starts:
            entry = start.known.entry
            claim = None
            is_free = start.waiting_for is None and start.due_at <= horizon and not has_backlog
            if is_free and entry.policies.is_claimed_ahead and room.take(entry.executor):
                claim = self._new_claim(start, work)
            if claim is not None:
                flights.append(Flight(claim, entry))
            else:
                work.has_unclaimed = True
            run_id = claim.run_id if claim is not None else self.next_run_id()
            rows.append(start.row(run_id, claim))
        if self._store.execute("insert_runs", rows=rows) != len(rows):
            # An instant that was planned before (an edit brought it back) does not run again.
            present = set(self._store.fetch("present_runs", rows=[row[0] for row in rows]))
            for flight in flights:
                if flight.claim.run_id not in present:
                    work.after.append(partial(self._marks.release, flight.claim.slot))
            flights = [f for f in flights if f.claim.run_id in present]
        work.claims.extend(flights)

    def _new_claim(self, start: Start, work: Work) -> Claim | None:
        slot = self._take_slot(work)
        if slot is None:
            return None
        return claim_of(
            start.known,
            self.next_run_id(),
            start.key,
            at=start.at,
            due_at=start.due_at,
            attempt=1,
            token=self.next_token(),
            slot=slot,
            clock_offset=work.clock_offset,
        )

    def _take_slot(self, work: Work) -> int | None:
        slot = self._marks.take()
        if slot is not None:
            work.taken_slots.append(slot)
        return slot

    # -- claim ----------------------------------------------------------------------------------

    def _claim(self, work: Work) -> None:
        """Reserve due runs that are waiting in the ledger."""
        horizon = work.now + self.limits.look_ahead
        is_expected = self._claim_at is not None and self._claim_at <= horizon
        room = self._room(work)
        threads, processes = room.left_for("thread"), room.left_for("process")
        is_expected = is_expected or work.has_unclaimed or self._pools.has_parked
        if max(threads, processes) <= 0 or not is_expected:
            return
        places = self._pools.places(work)
        self._pools.release(places)
        rows = self._store.fetch(
            "claimable_runs",
            horizon=horizon,
            limit=min(self.limits.batch, max(threads, processes)),
            thread_room=threads,
            process_room=processes,
            occupied=sorted(self.flights.closed_tasks()),
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
                known,
                run_id,
                key,
                at=at,
                due_at=due_at,
                attempt=attempt + 1,
                token=self.next_token(),
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
        is_moved = self._pools.park(places, horizon)
        is_moved = rates.record(self._store, horizon) or is_moved
        work.is_stuck = not claimed and not is_moved

    def _note_claims(self, work: Work) -> None:
        """Let the ledger know its greatest token, before anything beside it does."""
        if work.claims:
            # They were taken in the order of their tokens.
            self._store.execute("note_claims", token=work.claims[-1].claim.token)

    # -- after the commit -----------------------------------------------------------------------

    def _apply(self, work: Work) -> None:
        """Carry out what is now durable."""
        flights = self.flights
        self._has_doubts = False
        self._steps.keep()
        self._has_queue = self._has_queue and self.is_passive
        for slot in self._doubtful_slots:
            self._marks.release(slot)
        self._doubtful_slots.clear()
        forgotten = []
        for run_id in work.ended:
            flight = flights.remove(run_id)
            if flight is not None:
                self._marks.release(flight.claim.slot)
                forgotten.append(flight.claim)
        for flight in work.claims:
            flights.add(flight)
        # First the starts, which are due; then the answers; then the talk.
        if work.claims:
            self._marks.note_claims(work.claims[-1].claim.token, self._run_id)
            self._hands.hand_over([(f.claim, f.entry) for f in work.claims if f.entry is not None])
        for call in work.after:
            call()
        if forgotten:
            self._hands.forget(forgotten)
        for event in work.events:
            self._emit(event)
