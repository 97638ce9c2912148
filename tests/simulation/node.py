"""A node: one process of the scheduler on the machine, holding the ledger or standing by.

Responsible for: its life (up, stopped, leaving, gone), taking the ledger over by the product's own
code, and one turn of its engine. It decides nothing that the engine should decide.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from task_scheduler.core.engine import Engine
from task_scheduler.core.inbox import AddEntries, Returned
from task_scheduler.core.limits import EngineLimits
from task_scheduler.core.model import SECOND, Claim, Completion
from task_scheduler.core.recovery import Verdict, take_over
from task_scheduler.errors import StoreUnavailableError
from tests.simulation.hands import Hands

if TYPE_CHECKING:
    from tests.simulation.world import World

__all__ = ["Node"]

_BLIND = 3600 * SECOND
"""How long it sleeps at most."""
_BACKOFFS = tuple(min(SECOND // 10 << n, 5 * SECOND) for n in range(1, 8))


class Node:
    """One of the processes that share a ledger."""

    def __init__(self, world: World, name: str) -> None:
        self.name = name
        self.is_up = False
        self.comes: int | None = world.clock.time
        """When it is started again, if it is down."""
        self.tries = 0
        """When, as a standby, it looks at the lock next."""
        self.stopped_at: int | None = None
        self.wakes = 0
        """When it goes on, if it is stopped."""
        self.leaves: int | None = None
        """When it leaves at the latest, if it was told to."""
        self.binds: int | None = None
        """When its program adds the tasks whose code lives in it."""
        self.engine: Engine
        self.hands: Hands
        self.turns_from = 0
        """Backing off from the store until then."""
        self._wake: int | None = 0
        self._failures = 0
        self._world = world

    # -- its life -------------------------------------------------------------------------------

    def come(self) -> None:
        """Start as a standby."""
        self.is_up, self.comes = True, None
        self.tries = self._world.clock.time
        self.stopped_at = self.leaves = self.binds = None

    def go(self, back: int) -> None:
        """Be gone, and come back later."""
        self.is_up, self.comes = False, self._world.clock.time + back
        self.stopped_at = None

    def stop(self, length: int) -> None:
        """Be stopped (SIGSTOP) for a while: the lock stays where it is."""
        self.stopped_at = self._world.clock.time
        self.wakes = self.stopped_at + length

    def go_on(self) -> None:
        """Go on where it was stopped, with the view of then."""
        assert self.stopped_at is not None
        length, self.stopped_at = self._world.clock.time - self.stopped_at, None
        if self._world.holder is self:
            self.hands.put_off(length)
            # The loop notices a clock that was set meanwhile before it ticks.
            self.engine.look_again()
            self._wake = 0

    # -- holding --------------------------------------------------------------------------------

    def take_over(self) -> None:
        """Recover as `holding` does it; raises what the store raises."""
        world, machine = self._world, self._world.machine
        alive: list[Claim] = []

        def inspect(claim: Claim, is_same_boot: bool) -> tuple[str, Completion | None]:
            verdict, completion = machine.inspect(claim, is_same_boot)
            if verdict == Verdict.ALIVE:
                alive.append(claim)
            return verdict, completion

        recovered = take_over(
            world.store,
            boot_id=machine.boot_id,
            pid=1,
            version="0",
            now=world.clock.now(),
            fresh=(),
            gone=(),
            inspect=inspect,
            mark_of=machine.marks.read,
            lost_text="lost",
        )
        machine.marks.begin_process({flight.claim.slot for flight in recovered.flights})
        self.hands = Hands(world, world.workers - len(alive))
        self.engine = Engine(
            store=world.store,
            clock=world.clock,
            catalog=world.begin_catalog(),
            hands=self.hands,
            marks=machine.marks,
            emit=world.hear,
            limits=EngineLimits(workers=world.workers, pools=world.pools),
        )
        self.engine.open(
            epoch=world.store.fetch("last_epoch")[0],
            last_run_id=world.store.fetch("last_run_id"),
            boot_id=machine.boot_id,
        )
        for flight in recovered.flights:
            self.engine.flights.add(flight)
        self.engine.inbox.put_back(recovered.facts)
        for flight in recovered.flights:
            if flight.claim in alive and flight.cancel_reason is not None:
                self.hands.cancel(flight.claim, flight.cancel_reason)
        self._wake, self._failures, self.turns_from = 0, 0, 0
        if world.bound_entries():
            self.binds = world.clock.time + world.random.choice([0, 60 * SECOND])

    def bind(self) -> None:
        """Add the tasks whose code lives in this program."""
        self.binds = None
        world = self._world
        world.bind_all()
        self.engine.inbox.put(AddEntries(entries=world.bound_entries()))

    def leave(self, deadline: int) -> None:
        """Start nothing more, wait for what runs, and let go at the deadline at the latest."""
        self.leaves = deadline
        self.engine.is_passive = True
        for claim in self.hands.close_gate():
            self.engine.inbox.put(Returned(claim))

    def has_left(self) -> bool:
        """Whether a stop has come to its end."""
        if self.leaves is None:
            return False
        is_drained = not self.engine.flights.in_hand and not len(self.engine.inbox)
        return is_drained or self._world.clock.time >= self.leaves

    def look_again(self) -> None:
        """Notice, as the loop does, that the clock was set."""
        self.engine.look_again()
        self._wake = 0

    def next_time(self) -> int:
        """Return when this node, which holds the ledger, does something by itself."""
        clock = self._world.clock
        best = clock.time if len(self.engine.inbox) else clock.time + _BLIND
        if self._wake is not None:
            best = min(best, self._wake - clock.offset)
        best = max(best, self.turns_from)
        for at in (self.hands.next_time(), self.binds, self.leaves):
            if at is not None and at < best:
                best = at
        return best

    def is_due(self) -> bool:
        """Whether the engine is to tick now."""
        clock = self._world.clock
        if clock.time < self.turns_from:
            return False
        return len(self.engine.inbox) > 0 or (self._wake is not None and self._wake <= clock.now())

    def tick(self) -> None:
        """Let the engine do what there is to do; back off where it could not."""
        clock = self._world.clock
        try:
            self._wake = self.engine.tick()
        except StoreUnavailableError:
            self._wake = clock.now()
            self.turns_from = clock.time + _BACKOFFS[min(self._failures, len(_BACKOFFS) - 1)]
            self._failures += 1
        else:
            self._failures = self.turns_from = 0
