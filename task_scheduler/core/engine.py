"""The engine: one tick turns facts and due moments into durable decisions.

Responsible for: the order settle, obey, plan, claim, and for doing all of a tick in one
transaction of at most ten steps whatever the batch. Nothing outside the ledger changes before the
commit; if the commit fails, everything that the tick took is where it was before.

The desks of the tick record what the pure parts decide: `reception` what workers tell, `control`
what callers ask, `planning_desk` what is due, `claim_desk` who gets a worker. Knows nothing of
threads, files and processes: the runtime calls `tick` and sleeps until the moment that it answers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from task_scheduler.core.claim_desk import ClaimDesk
from task_scheduler.core.clock_steps import ClockSteps
from task_scheduler.core.control import Control
from task_scheduler.core.delays import Delays
from task_scheduler.core.entries import EntryShelf
from task_scheduler.core.flights import Flights, Work
from task_scheduler.core.identities import Identities
from task_scheduler.core.inbox import Command, Fact, Inbox, Returned
from task_scheduler.core.limits import EngineLimits
from task_scheduler.core.model import SECOND, Microseconds
from task_scheduler.core.moments import LONG_AGO, Moments
from task_scheduler.core.planning_desk import PlanningDesk
from task_scheduler.core.ports import Catalog, Clock, Emit, Hands, Marks, Store
from task_scheduler.core.reception import Reception, always_heard
from task_scheduler.core.settlement import NoteEnds

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
        note_ends: NoteEnds | None = None,
        is_routine_heard: Callable[[], bool] = always_heard,
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
        self._moments = Moments()
        self._identities = Identities()
        self._has_doubts = False
        """Whether the last tick failed: it may have been committed all the same."""
        self._doubtful_slots: list[int] = []
        self._has_queue = True
        """Whether runs may wait for seats that nobody in this process ever had."""
        shelf = EntryShelf(store, catalog, self.flights)
        self._control = Control(
            store,
            shelf,
            self.flights,
            hands,
            limits,
            next_run_id=self._identities.next_run_id,
            on_release=self._release,
        )
        self._reception = Reception(
            store,
            self.flights,
            self._control,
            moments=self._moments,
            note_ends=note_ends,
            is_routine_heard=is_routine_heard,
        )
        desk = (store, shelf, self.flights, limits)
        self._claims = ClaimDesk(
            *desk,
            marks=marks,
            moments=self._moments,
            identities=self._identities,
            reception=self._reception,
        )
        self._planning = PlanningDesk(
            *desk,
            moments=self._moments,
            identities=self._identities,
            control=self._control,
            reception=self._reception,
            claims=self._claims,
        )
        self._steps = ClockSteps(store, shelf, self.flights, hands, limits)
        self._delays = Delays(store, shelf, self.flights, limits)

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
        if marks is not None:
            self._marks = self._claims.marks = marks
        self._identities.open(epoch=epoch, last_run_id=last_run_id)
        self._moments.forget()

    def look_again(self) -> None:
        """Forget what the last tick knew of the next moments: the clock was set."""
        self._moments.forget()

    def has_due_claims(self) -> bool:
        """Whether due runs wait in the ledger or are to come into it, as the last tick knows."""
        moments, now = self._moments, self._clock.now()
        return moments.is_claiming_due(now) or moments.is_planning_due(now - self.limits.look_ahead)

    def is_behind(self) -> bool:
        """Whether the last tick left due cursors that there is room for."""
        look_at = self._planning.look_at() if self._planning.is_cut else None
        return look_at is not None and not self._is_at_rest and look_at <= self._clock.now()

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
        return self._identities.last_run_id

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
                    self._planning.plan(work)
                    self._claims.claim(work)
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
            self._moments.forget()
            self._has_doubts = True
            self._steps.doubt()
            self._delays.doubt()
            self._doubtful_slots += work.taken_slots
            self.flights.unlearn_all()
            self._claims.pools.has_parked = True
            raise
        moments = self._moments
        moments.set(*wake)
        # Due, and yet nobody may have it (say, its thread still runs): look again later instead
        # of at once, should no fact come before.
        is_due = moments.is_claiming_due(work.now + self.limits.look_ahead)
        moments.stuck_until = work.now + SECOND if work.is_stuck and is_due else LONG_AGO
        self._apply(work)
        return self._wake_at()

    def _is_due(self, now: Microseconds) -> bool:
        """Whether the ledger has something to look at, as far as the last tick knows."""
        return any(at is not None and at <= now for at in self._looks())

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
        return min([at for at in self._looks() if at is not None], default=None)

    def _looks(self) -> tuple[Microseconds | None, ...]:
        """Return when to look at cursors, pauses and waiting runs, as far as is known."""
        return self._planning.look_at(), self._moments.resume_at, self._look_at_claims()

    def _look_at_claims(self) -> Microseconds | None:
        """Return when to look at the waiting runs, as far as the last tick knows."""
        moments = self._moments
        if moments.claim_at is None:
            return None
        room = self._claims.room()
        if room.left_for("thread") + room.left_for("process") <= 0:
            return None
        return max(moments.claim_at - self.limits.look_ahead, moments.stuck_until)

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
            self._reception.release(work)
            # Most of them leave nothing that is due: one look tells, where planning takes several.
            self._moments.set(*self._store.fetch("wake_at"))

    def _resume(self, work: Work) -> None:
        """End the pauses that were to end by now, as far as the last tick knows."""
        if self._moments.is_resuming_due(work.now):
            self._control.resume_due(work)
            work.has_unclaimed = True
            self._reception.release(work)

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
            self._marks.note_claims(work.claims[-1].claim.token, self.last_run_id)
            self._hands.hand_over([(f.claim, f.entry) for f in work.claims if f.entry is not None])
        for call in work.after:
            call()
        if forgotten:
            self._hands.forget(forgotten)
        for event in work.events:
            self._emit(event)
