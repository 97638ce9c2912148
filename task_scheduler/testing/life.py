"""One life of a scheduler's process in a virtual world: from its recovery to its end.

Responsible for: the real engine on the real store between virtual hands, what an earlier life
left, and moving from event to event. Gives no commands by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from task_scheduler.bindings import Bindings
from task_scheduler.core.engine import Engine
from task_scheduler.core.events import Event
from task_scheduler.core.inbox import Command, Fact, Started
from task_scheduler.core.limits import EngineLimits
from task_scheduler.core.model import (
    Claim,
    Completion,
    Entry,
    Microseconds,
    MisfirePolicy,
    Outcome,
    OverlapPolicy,
    Policies,
)
from task_scheduler.core.recovery import Recovered, Verdict, take_over
from task_scheduler.i18n import translate
from task_scheduler.stores.sqlite import SqliteStore
from task_scheduler.testing.scripts import Ending
from task_scheduler.testing.virtual_hands import (
    Attempt,
    VirtualClock,
    VirtualHands,
    VirtualMarks,
    completion_of,
)
from task_scheduler.version import __version__

__all__ = ["Life", "Surroundings", "may_queue"]

_PID = 1
"""Of every life: the ledger is to be the same wherever and whenever it is made."""


@dataclass(slots=True, kw_only=True)
class Surroundings:
    """What is there before and after a life."""

    clock: VirtualClock
    store: SqliteStore
    bindings: Bindings
    workers: int
    draw: Callable[[Claim, Entry], tuple[Ending, bool]]
    emit: Callable[[Event], None]
    on_begin: Callable[[Attempt], None] | None = None
    pools: Mapping[str, int] = field(default_factory=dict)
    boots: int = 1
    marks: VirtualMarks = field(default_factory=VirtualMarks)
    processes: dict[int, Attempt] = field(default_factory=dict)
    """Programs, which outlive the scheduler, by run id."""
    queueing: set[str] = field(default_factory=set)
    """Tasks of which a run may wait for the end of the one before it."""

    @property
    def boot_id(self) -> str:
        """What tells one boot of the machine from another."""
        return f"boot-{self.boots}"

    def live_without_scheduler(self, *, is_power_cut: bool) -> None:
        """Bring the programs to where they are after a time in which no scheduler was there."""
        clock = self.clock
        for attempt in self.processes.values():
            ends = attempt.next_boot()
            if attempt.is_ended or is_power_cut or ends is None or ends > clock.boot:
                attempt.is_ended = attempt.is_ended or is_power_cut
                continue
            attempt.is_ended = True
            outcome, error = attempt.ending.outcome, attempt.ending.error
            if ends != attempt.ends_boot:
                outcome = Outcome.TIMED_OUT
                seconds = (attempt.claim.timeout or 0) / 1_000_000
                error = translate("logs.timed_out", seconds=seconds)
            attempt.completion = completion_of(attempt, outcome, error, ends + clock.offset)


class Life:
    """The engine and its hands, until `Surroundings` are given to the next life."""

    def __init__(self, around: Surroundings) -> None:
        self._around = around
        recovered = self._recover(around.marks)
        around.marks.begin_life({flight.claim.slot for flight in recovered.flights})
        self._is_urgent = True
        self._wake: Microseconds | None = 0
        self.hands = VirtualHands(
            around.clock,
            around.marks,
            seats=around.workers,
            processes=around.processes,
            draw=around.draw,
            report=self._report,
            on_begin=around.on_begin,
        )
        store = around.store
        self.engine = Engine(
            store=store,
            clock=around.clock,
            catalog=around.bindings,
            hands=self.hands,
            marks=around.marks,
            emit=around.emit,
            limits=EngineLimits(workers=around.workers, pools=around.pools),
        )
        self.engine.open(
            epoch=store.fetch("last_epoch")[0],
            last_run_id=store.fetch("last_run_id"),
            boot_id=around.boot_id,
        )
        for flight in recovered.flights:
            self.engine.flights.add(flight)
        self.engine.inbox.put_back(recovered.facts)
        for event in recovered.events:
            around.emit(event)

    def command(self, command: Command) -> None:
        """Have a command obeyed at this moment; it is answered when this returns."""
        self.engine.inbox.put(command)
        self._tick()

    def look_again(self) -> None:
        """Look at the clock anew: it was set."""
        self.engine.look_again()
        self.hands.look_again()
        self._wake = 0

    def next_boot(self) -> Microseconds | None:
        """Return when, on the boot clock, there is something to do; None: nothing ever."""
        clock = self._around.clock
        if self._is_urgent:
            return clock.boot
        moment = self.hands.next_boot()
        if self._wake is not None:
            wake = max(clock.boot, self._wake - clock.offset)
            moment = wake if moment is None else min(moment, wake)
        return moment

    def turn(self) -> None:
        """Do what there is to do at this moment."""
        self.hands.work()
        is_awake = self._wake is not None and self._wake <= self._around.clock.now()
        if self._is_urgent or is_awake:
            self._tick()

    def settle(self) -> None:
        """Write down what happened and could wait."""
        if len(self.engine.inbox):
            self._tick()

    def _tick(self) -> None:
        self._is_urgent = False
        self._wake = self.engine.tick()

    def _report(self, fact: Fact) -> None:
        """Take a fact; most starts and ends can wait until the engine wakes by itself.

        Nothing is decided by them before: each fact is received before anything is planned, and
        carries its own moments. A tick for many of them is what makes a month take seconds.
        """
        self.engine.inbox.put(fact)
        if isinstance(fact, Started):
            return
        is_quiet = (
            isinstance(fact, Completion)
            and fact.outcome is Outcome.SUCCEEDED
            and fact.task_id not in self._around.queueing
            and len(self.engine.flights.in_hand) < self._around.workers
            and not self.engine.has_due_claims()
        )
        self._is_urgent = self._is_urgent or not is_quiet

    def _recover(self, marks: VirtualMarks) -> Recovered:
        """Find out what became of every claim, as the runtime does it."""
        around = self._around
        return take_over(
            around.store,
            boot_id=around.boot_id,
            pid=_PID,
            version=__version__,
            now=around.clock.now(),
            # Nothing of its code can be missing: the program that starts again brings it.
            fresh=(),
            gone=(),
            inspect=lambda claim, _: self._inspect(claim),
            mark_of=marks.read,
            lost_text=translate("runtime.lost_error"),
        )

    def _inspect(self, claim: Claim) -> tuple[str, Completion | None]:
        """Tell what became of a program."""
        attempt = self._around.processes.get(claim.run_id)
        if attempt is None or attempt.claim.token != claim.token:
            return Verdict.NOT_STARTED, None
        if not attempt.is_ended:
            return Verdict.ALIVE, None
        if attempt.completion is not None:
            return Verdict.ENDED, attempt.completion
        lost = translate("runtime.lost_error")
        now = self._around.clock.now()
        return Verdict.LOST, completion_of(attempt, Outcome.LOST, lost, now)


def may_queue(policies: Policies) -> bool:
    """Whether a run of a task may wait for the end of another one."""
    is_queueing = policies.overlap in (OverlapPolicy.QUEUE, OverlapPolicy.REPLACE)
    return is_queueing or policies.pool is not None or policies.misfire is MisfirePolicy.RUN_ALL
