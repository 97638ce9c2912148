"""The engine: one tick turns facts and due moments into durable decisions.

Responsible for: the order settle, obey, plan, claim, and for doing all of a tick in one
transaction of at most ten steps whatever the batch. Nothing outside the ledger changes before the
commit; if the commit fails, everything that the tick took is where it was before.

Knows nothing of threads, files and processes: the runtime calls `tick` and sleeps until the
moment that it answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from task_scheduler.core import planner
from task_scheduler.core.control import Control
from task_scheduler.core.entries import EntryShelf, plan_moment
from task_scheduler.core.events import AttemptStarted
from task_scheduler.core.flights import Flight, Flights, Known, Work
from task_scheduler.core.inbox import Command, Fact, Inbox, Returned, Started, ThreadEnded
from task_scheduler.core.limits import EngineLimits
from task_scheduler.core.model import (
    SECOND,
    Claim,
    Completion,
    Microseconds,
    MisfirePolicy,
    RunState,
    SkipReason,
)
from task_scheduler.core.planner import PlannedSkip, Seats
from task_scheduler.core.ports import Catalog, Clock, Emit, Hands, Marks, Store
from task_scheduler.core.settlement import settle, tally
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
        self.fenced_count = 0
        """Completions that came with a token which owns nothing any more."""
        self._store = store
        self._clock = clock
        self._hands = hands
        self._marks = marks
        self._emit = emit
        self._token = 0
        self._run_id = 0
        self._plan_at: Microseconds | None = 0
        self._claim_at: Microseconds | None = 0
        self._mean_duration = 1_000.0
        self._shelf = EntryShelf(store, catalog, self.flights)
        self._control = Control(
            store, self._shelf, self.flights, hands, limits, next_run_id=self.next_run_id
        )

    def open(self, *, epoch: int, last_run_id: int) -> None:
        """Begin an epoch: tokens and run ids go on above everything the ledger has seen."""
        self._token = epoch << 32
        self._run_id = last_run_id
        self._plan_at = self._claim_at = 0

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
        work = Work(self._clock.now())
        if not facts and not self._is_due(work.now):
            return self._wake_at()
        saved_run_id = self._run_id
        try:
            with self._store.transaction():
                self._settle(facts, work)
                self._obey(facts, work)
                self._plan(work)
                self._claim(work)
                wake = self._store.fetch("wake_at")
        except BaseException as error:
            # Callers are told at once instead of waiting for the store to come back.
            self.inbox.put_back(f for f in facts if not isinstance(f, Command))
            for fact in facts:
                if isinstance(fact, Command):
                    fact.reject(error)
            self._run_id = saved_run_id
            self._plan_at = self._claim_at = 0
            self._undo(work)
            raise
        self._plan_at, self._claim_at = wake
        if work.is_stuck and self._claim_at is not None:
            # Due, and yet nobody may have it (say, its thread still runs): look again later
            # instead of at once, should no fact come before.
            self._claim_at = max(self._claim_at, work.now + SECOND)
        self._apply(work)
        return self._wake_at()

    def _is_due(self, now: Microseconds) -> bool:
        """Whether the ledger has something to look at, as far as the last tick knows."""
        if self._plan_at is not None and self._plan_at <= now:
            return True
        is_claimable = self._claim_at is not None and self._claim_at <= now + self.limits.look_ahead
        return is_claimable and self.room("thread") + self.room("process") > 0

    def _wake_at(self) -> Microseconds | None:
        moments = [self._plan_at] if self._plan_at is not None else []
        if self._claim_at is not None and self.room("thread") + self.room("process") > 0:
            moments.append(self._claim_at - self.limits.look_ahead)
        return min(moments, default=None)

    def room(self, executor: str) -> int:
        """Return how many more claims of an executor may be taken in hand now."""
        flights = self.flights
        idle = self.limits.workers - len(flights.in_hand)
        if executor == "process":
            return max(0, idle)
        if len(flights.overrun) > self.limits.workers:
            # Too many threads that nobody can stop: no more functions until some of them end.
            return 0
        ahead = min(self.limits.batch, int(self.limits.work_ahead / max(20.0, self._mean_duration)))
        return max(0, idle + ahead)

    # -- settle ---------------------------------------------------------------------------------

    def _settle(self, facts: Sequence[Fact], work: Work) -> None:
        """Record what started, ended and came back."""
        settlements = []
        started: list[Started] = []
        returned: list[Returned] = []
        threads: list[ThreadEnded] = []
        for fact in facts:
            match fact:
                case Completion():
                    flight = self.flights.holder_of(fact.run_id, fact.token)
                    if flight is None:
                        self.fenced_count += 1
                        continue
                    settlements.append(settle(flight, fact, work.now))
                case Started():
                    started.append(fact)
                case Returned():
                    returned.append(fact)
                case ThreadEnded():
                    threads.append(fact)
        ended_threads = {thread.run_id for thread in threads}
        if settlements:
            run = self._store.execute
            run("settle_attempts", rows=[s.attempt_row() for s in settlements])
            run("settle_runs", rows=[s.run_row() for s in settlements])
            run("settle_progress", rows=tally(settlements))
            for item in settlements:
                work.ended.append(item.completion.run_id)
                work.events.extend(item.events)
                if not item.completion.is_still_running:
                    self._measure(item.completion)
                elif item.completion.run_id not in ended_threads:
                    self._keep_seat(item.completion, item.state, work)
        self._end_threads(threads, work)
        if settlements or threads:
            occupied = [t for t, n in self.flights.occupied.items() if n > 0]
            occupied += [s.completion.task_id for s in settlements if s.completion.is_still_running]
            if self._store.execute("release_queued", occupied=occupied):
                work.has_unclaimed = True
        self._mark_started(started, work)
        self._take_back(returned, work)

    def _keep_seat(self, done: Completion, state: RunState, work: Work) -> None:
        """A thread that overran its timeout keeps its task's seat until it ends."""

        def occupy() -> None:
            # A run that waits for its retry keeps the seat by its own row in the ledger.
            keeps_seat = state is not RunState.WAITING
            self.flights.overrun[done.run_id] = done.task_id if keeps_seat else None
            self.flights.occupied[done.task_id] += keeps_seat

        work.after.append(occupy)

    def _end_threads(self, threads: Sequence[ThreadEnded], work: Work) -> None:
        if not threads:
            return
        self._store.execute("end_of_thread", rows=[t.run_id for t in threads])
        work.has_unclaimed = True
        for thread in threads:
            seat = self.flights.overrun.pop(thread.run_id, None)
            if seat is not None:
                self.flights.occupied[seat] -= 1

    def _mark_started(self, started: Sequence[Started], work: Work) -> None:
        """Show as running what is still going after the tick in which it began."""
        rows, events = [], []
        ended = set(work.ended)
        for fact in started:
            flight = self.flights.holder_of(fact.run_id, fact.token)
            if flight is None:
                continue
            flight.is_started = True
            name = flight.entry.name if flight.entry is not None else flight.claim.task_id
            claim = flight.claim
            events.append(AttemptStarted(claim.task_id, name, claim.run_id, claim.attempt, fact.at))
            if fact.run_id not in ended:
                rows.append([fact.run_id, fact.token, fact.at])
        work.events[:0] = events
        if rows:
            self._store.execute("mark_running", rows=rows)

    def _take_back(self, returned: Sequence[Returned], work: Work) -> None:
        """Decide anew about claims that could not start in time, or saw the clock step."""
        rows, skips = [], []
        for fact in returned:
            claim = fact.claim
            flight = self.flights.holder_of(claim.run_id, claim.token)
            if flight is None:
                continue
            rows.append([claim.run_id, claim.token, None])
            work.ended.append(claim.run_id)
            policies = flight.entry.policies if flight.entry is not None else None
            if (
                policies is not None
                and policies.misfire is MisfirePolicy.SKIP
                and claim.start_by is not None
                and work.now > claim.start_by
            ):
                skips.append([claim.run_id, SkipReason.EXPIRED, work.now])
        if rows:
            self._store.execute("hand_back", rows=rows)
            work.has_unclaimed = True
        if skips:
            self._store.execute("skip_runs", rows=skips)

    def _measure(self, done: Completion) -> None:
        """Keep the mean duration of thread attempts: it bounds how far ahead claims are taken."""
        flight = self.flights.in_hand.get(done.run_id)
        if flight is not None and flight.claim.executor == "thread":
            duration = min(10 * SECOND, max(0, done.ended_at - done.started_at))
            self._mean_duration += 0.05 * (duration - self._mean_duration)

    # -- obey -----------------------------------------------------------------------------------

    def _obey(self, facts: Sequence[Fact], work: Work) -> None:
        commands = [fact for fact in facts if isinstance(fact, Command)]
        if commands:
            self._control.apply(commands, work)
            work.has_unclaimed = True

    # -- plan -----------------------------------------------------------------------------------

    def _plan(self, work: Work) -> None:
        """Turn due moments into run rows and skips, and move the cursors with them."""
        rows = self._store.fetch("due_entries", now=work.now, limit=self.limits.batch)
        if not rows:
            return
        known_of = self._shelf.look_up([(row[0], row[1]) for row in rows])
        cursors: list[list[Any]] = []
        skips: list[list[Any]] = []
        starts: list[tuple[Known, planner.PlannedRun]] = []
        for task_id, revision, due_at, anchor, taken, queued, blocker in rows:
            known = known_of.get(task_id)
            if known is None or due_at is None:
                cursors.append([task_id, None, due_at, None, None])
                continue
            taken += self.flights.occupied[task_id]
            plan = self._shelf.plan(known, Seats(taken, queued), due_at, work)
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
            starts.extend((known, run) for run in plan.runs)
            skips.extend(self._skip_row(known, skip, blocker, work) for skip in plan.skips)
            if plan.is_replacing:
                self._control.replace(task_id, work)
        self._insert(starts, work)
        self._store.execute("move_cursors", rows=cursors)
        record_skips(self._store, skips)

    def _skip_row(
        self, known: Known, skip: PlannedSkip, blocker: int | None, work: Work
    ) -> list[Any]:
        entry = known.entry
        work.events.append(skip_event(entry, skip, work.now))
        by = blocker if skip.reason is SkipReason.OVERLAP else None
        return [entry.task_id, skip.reason, skip.first, skip.last, skip.count, by, work.now]

    def _insert(self, starts: list[tuple[Known, planner.PlannedRun]], work: Work) -> None:
        """Insert planned runs, claimed at once where a worker will be free for them."""
        if not starts:
            return
        starts.sort(key=lambda item: (-item[0].entry.policies.priority, item[1].at))
        # Behind a backlog everything queues up in the ledger, so that priority decides.
        has_backlog = self._claim_at is not None and self._claim_at <= work.now
        has_backlog = has_backlog or work.has_unclaimed
        rooms = {"thread": self.room("thread"), "process": self.room("process")}
        rows, flights = [], []
        for known, run in starts:
            entry = known.entry
            claim = None
            if run.waiting_for is None and not has_backlog and rooms[entry.executor] > 0:
                claim = self._new_claim(known, run.at, work)
            if claim is not None:
                rooms["process"] -= 1
                rooms["thread"] -= 1
                flights.append(Flight(claim, entry))
            else:
                work.has_unclaimed = True
            rows.append(
                [
                    claim.run_id if claim is not None else self.next_run_id(),
                    entry.task_id,
                    str(run.at),
                    "schedule",
                    RunState.WAITING,
                    run.at,
                    run.at,
                    run.waiting_for,
                    entry.policies.priority,
                    entry.executor,
                    claim.token if claim is not None else None,
                    claim.slot if claim is not None else None,
                    None,
                ]
            )
        if self._store.execute("insert_runs", rows=rows) != len(rows):
            # An instant that was planned before (an edit brought it back) does not run again.
            present = set(self._store.fetch("present_runs", rows=[row[0] for row in rows]))
            flights = [f for f in flights if f.claim.run_id in present]
        work.claims.extend(flights)

    def _new_claim(self, known: Known, at: Microseconds, work: Work) -> Claim | None:
        slot = self._take_slot(work)
        if slot is None:
            return None
        return self._claim_of(
            known, self.next_run_id(), str(at), at=at, due_at=at, attempt=1, slot=slot
        )

    def _claim_of(
        self,
        known: Known,
        run_id: int,
        key: str,
        *,
        at: Microseconds,
        due_at: Microseconds,
        attempt: int,
        slot: int,
    ) -> Claim:
        policies = known.entry.policies
        is_bounded = policies.misfire is MisfirePolicy.SKIP and attempt == 1
        timeout = policies.timeout_seconds
        return Claim(
            run_id=run_id,
            task_id=known.entry.task_id,
            key=key,
            attempt=attempt,
            token=self.next_token(),
            scheduled_at=at,
            due_at=due_at,
            start_by=due_at + round(policies.misfire_grace_seconds * SECOND)
            if is_bounded
            else None,
            priority=policies.priority,
            slot=slot,
            executor=known.entry.executor,
            timeout=None if timeout is None else round(timeout * SECOND),
            clock_offset=self._clock.now() - self._clock.boottime(),
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
        freed = sum(1 for run_id in work.ended if run_id in self.flights.in_hand)
        rooms = {name: self.room(name) + freed - len(work.claims) for name in ("thread", "process")}
        if len(self.flights.overrun) > self.limits.workers:
            rooms["thread"] = 0
        if max(rooms.values()) <= 0 or not (is_expected or work.has_unclaimed):
            return
        rows = self._store.fetch(
            "claimable_runs",
            horizon=horizon,
            limit=min(self.limits.batch, max(rooms.values())),
            thread_room=rooms["thread"],
            process_room=rooms["process"],
            occupied=[t for t, n in self.flights.occupied.items() if n > 0],
        )
        work.is_stuck = not rows
        known_of = self._shelf.look_up([(row[1], row[9]) for row in rows])
        claimed = []
        for row in rows:
            run_id, task_id, key, at, due_at, attempt, _, executor, recoveries, *_, origin = row
            known = known_of.get(task_id)
            if known is None or rooms[executor] <= 0:
                continue
            slot = self._take_slot(work)
            if slot is None:
                break
            rooms["thread"] -= 1
            rooms["process"] -= 1
            claim = self._claim_of(
                known, run_id, key, at=at, due_at=due_at, attempt=attempt + 1, slot=slot
            )
            claimed.append([run_id, claim.token, slot])
            work.claims.append(Flight(claim, known.entry, recoveries, origin))
        if claimed:
            self._store.execute("claim_runs", rows=claimed)

    # -- after the commit -----------------------------------------------------------------------

    def _apply(self, work: Work) -> None:
        """Carry out what is now durable."""
        flights = self.flights
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
            self._hands.hand_over([(f.claim, f.entry) for f in work.claims if f.entry is not None])
        for call in work.after:
            call()
        if forgotten:
            self._hands.forget(forgotten)
        for event in work.events:
            self._emit(event)

    def _undo(self, work: Work) -> None:
        """Put back what the failed tick took out of memory."""
        for slot in work.taken_slots:
            self._marks.release(slot)
        if work.revoked:
            self._hands.hand_over([(f.claim, f.entry) for f in work.revoked if f.entry is not None])
