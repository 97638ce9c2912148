"""A simulated world around the real engine, the real store and the real rules.

Responsible for: virtual time, three nodes on one machine that hold the ledger one after the other,
workers, and what can go wrong with all of it. Everything follows from one seed.

It decides nothing that the engine should decide. What it sees it tells `witness.Witness`.
"""

from __future__ import annotations

import random
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from task_scheduler.bindings import Bindings
from task_scheduler.core.events import Event
from task_scheduler.core.inbox import Command, Fact
from task_scheduler.core.model import SECOND, Claim, Completion, Entry, Outcome
from task_scheduler.core.ports import Catalog
from task_scheduler.errors import StoreUnavailableError, TaskSchedulerError
from task_scheduler.stores.sqlite import MEMORY, SqliteStore
from tests.simulation.faulty_store import POINTS, FaultyStore, ProcessDies
from tests.simulation.machine import Attempt, Machine
from tests.simulation.node import Node
from tests.simulation.story import Story
from tests.simulation.witness import Witness

__all__ = ["HOUR", "MINUTE", "Figures", "World"]

MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
_MANY_TURNS = 100
"""Turns at one and the same instant beyond which the world is said to spin."""
_LOOK = SECOND
"""How often, at most, a standby looks at the lock."""


@dataclass(slots=True)
class Figures:
    """What a life came to."""

    years: float = 0.0
    occurrences: int = 0
    begins: int = 0
    lost: int = 0
    faults: dict[str, int] = field(default_factory=dict)
    cuts: dict[str, int] = field(default_factory=dict)


class World:
    """Everything around one ledger, from a seed."""

    def __init__(
        self, seed: int, *, workers: int, pools: Mapping[str, int], is_told: bool = False
    ) -> None:
        self.seed = seed
        self.random = random.Random(seed)
        self.workers, self.pools = workers, pools
        self.story = Story(is_told=is_told)
        self.machine = Machine(self.random, begin=self.begin, ended=self._on_program_end)
        self.clock = self.machine.clock
        self.ledger = SqliteStore(MEMORY)
        self.store = FaultyStore(self.ledger, self.clock)
        self.witness = Witness(self.ledger, self.clock)
        self.is_calm = False
        self.faults: Counter[str] = Counter()
        self.ends: deque[Completion] = deque(maxlen=100)
        """The last reports of ends."""
        self.disturbed = 0
        """When the last disturbance was over: until then starts may be late."""
        self.bindings = Bindings()
        self.nodes = [Node(self, name) for name in "abc"]
        self.holder: Node | None = None
        self._turns = 0
        self._has_stepped = False

    # -- what the workload says -----------------------------------------------------------------

    def bound_entries(self) -> Sequence[Entry]:
        """Return the entries whose code lives in the program that every node runs."""
        raise NotImplementedError

    def bind_all(self) -> None:
        """Bind the code of those."""
        raise NotImplementedError

    def draw_attempt(self, entry: Entry) -> tuple[int, Outcome]:
        """Return how long an attempt takes and how it ends."""
        raise NotImplementedError

    def before_tick(self) -> None:
        """See the clock that the engine is about to see."""

    def after_tick(self) -> None:
        """Look at the ledger."""

    def on_begin(self, claim: Claim, entry: Entry, living: Sequence[Claim]) -> None:
        """Judge a start further."""

    def hear(self, event: Event) -> None:
        """Hear an event of the product's."""

    def begin_catalog(self) -> Catalog:
        """Return what a new process knows of code: nothing is bound yet."""
        self.bindings = Bindings()
        return self.bindings

    # -- time -----------------------------------------------------------------------------------

    def run_until(self, until: int) -> None:
        """Move from event to event up to a moment of true time."""
        clock = self.clock
        while (moment := self._next_time()) <= until:
            if moment > clock.time:
                clock.time, self._turns = moment, 0
            else:
                self._turns += 1
                assert self._turns < _MANY_TURNS, f"the world spins at {clock.now()}"
            self._turn()
        clock.time = max(clock.time, until)

    def next_event(self) -> int:
        """Return when something happens next."""
        return max(self.clock.time, self._next_time())

    def _next_time(self) -> int:
        moment = self.machine.next_time()
        best = self.clock.time + HOUR if moment is None else moment
        for node in self.nodes:
            if node.comes is not None:
                best = min(best, node.comes)
            elif node.stopped_at is not None:
                best = min(best, node.wakes)
            elif self.holder is None:
                best = min(best, node.tries)
        holder = self.holder
        if holder is not None and holder.stopped_at is None:
            best = min(best, holder.next_time())
        return best

    def _turn(self) -> None:
        self.machine.work()
        time = self.clock.time
        for node in self.nodes:
            if node.comes is not None and node.comes <= time:
                node.come()
            elif node.stopped_at is not None and node.wakes <= time:
                self.tell(f"{node.name} goes on")
                node.go_on()
                self.disturb()
        if self.holder is None:
            self._succeed()
        holder = self.holder
        if holder is None or holder.stopped_at is not None:
            return
        if holder.binds is not None and holder.binds <= time:
            holder.bind()
        holder.hands.work()
        if holder.is_due():
            self._tick(holder)
        if self.holder is holder and holder.has_left():
            self.tell(f"{holder.name} has left")
            self._let_go(holder, self.random.randint(1, 60) * SECOND)

    def _succeed(self) -> None:
        """Let the first standby that looks find the lock free."""
        time = self.clock.time
        for node in self.nodes:
            if not node.is_up or node.stopped_at is not None or node.tries > time:
                continue
            node.tries = time + _LOOK
            try:
                node.take_over()
            except ProcessDies:
                self.tell(f"{node.name} dies while it takes over")
                self._fall(node)
                return
            except StoreUnavailableError:
                self.disturb()
                continue
            self.tell(f"{node.name} takes over")
            self.holder = node
            self.disturb()
            return

    def _tick(self, node: Node) -> bool:
        """Tick once; False if the process died in it."""
        self.before_tick()
        try:
            node.tick()
        except ProcessDies:
            self.kill(node)
            return False
        finally:
            self.witness.judge()
            self.after_tick()
        if node.turns_from:
            self.disturb()
        return True

    # -- what goes wrong ------------------------------------------------------------------------

    def disturb(self, length: int = 0) -> None:
        """Note that starts may be late for a while."""
        self.disturbed = max(self.disturbed, self.clock.time + length + 10 * SECOND)

    def fill_disk(self, length: int) -> None:
        """Let nothing be written for a while."""
        self.tell(f"the disk is full for {length}")
        self.store.out_until = self.clock.time + length
        self.disturb(length)

    def kill(self, node: Node, back: int | None = None) -> None:
        """Let a process be gone (SIGKILL)."""
        self.tell(f"{node.name} dies")
        self._fall(node, back)

    def _fall(self, node: Node, back: int | None = None) -> None:
        if self.holder is node:
            self._let_go(node, back)
        else:
            node.go(self.draw_return() if back is None else back)

    def _let_go(self, node: Node, back: int | None) -> None:
        """Free the lock; threads end with their process, programs go on."""
        self.witness.on_death()
        self.witness.on_cut(a.claim for a in node.hands.threads.values() if not a.is_over)
        self.holder = None
        self.store.disarm()
        node.go(self.draw_return() if back is None else back)
        for other in self.nodes:
            if other.is_up:
                other.tries = self.clock.time + self.random.randint(0, _LOOK)
        self.disturb()

    def draw_return(self) -> int:
        """Return after which time a service manager has a process up again."""
        return round(10 ** self.random.uniform(5, 8))

    def cut_power(self, off: int) -> None:
        """Let the machine be dark for a while; all nodes come up together."""
        self.tell(f"power cut for {off}")
        holder, clock = self.holder, self.clock
        if holder is not None:
            self._let_go(holder, None)
        self.witness.on_power_cut(self.machine.cut_power())
        self.store.disarm()
        clock.time += off
        clock.booted_at = clock.time
        self.witness.on_clock_set()
        for node in self.nodes:
            node.go(self.random.randint(1, 5 * SECOND))
        self.disturb()

    def suspend(self, length: int) -> None:
        """Let the whole machine stand still; the clocks go on, work does not."""
        self.tell(f"the machine is suspended for {length}")
        self.clock.time += length
        for attempt in self.machine.living():
            attempt.ends += length
        for run_id, (begins, claim, entry) in self.machine.orders.items():
            self.machine.orders[run_id] = (begins + length, claim, entry)
        if self.holder is not None and self.holder.stopped_at is None:
            self.holder.hands.put_off(length)
        self.disturb()

    def set_clock(self, by: int) -> None:
        """Set the wall clock."""
        self.tell(f"clock set by {by}")
        self.clock.offset += by
        self.witness.on_clock_set()
        self.disturb()
        self._has_stepped = True
        if self.holder is not None:
            self.holder.look_again()

    def kill_supervisor(self, attempt: Attempt) -> None:
        """Kill the supervisor of a program; what is left of its tree is killed too."""
        self.tell(f"the supervisor of run {attempt.claim.run_id} dies")
        self.witness.on_cut([attempt.claim])
        self.machine.end(attempt, Outcome.LOST)

    def fail_soon(self, *, is_deadly: bool) -> None:
        """Let the store fail, or the process die, at some statement to come."""
        self.store.arm(self.random.randint(1, POINTS), is_deadly=is_deadly)

    # -- commands -------------------------------------------------------------------------------

    def command(self, kind: type[Command], **arguments: Any) -> tuple[bool, Any]:
        """Give a command and await its answer; returns whether it was committed, and the answer."""
        holder = self.holder
        answers: list[tuple[bool, Any]] = []
        command = kind(
            **arguments,
            resolve=lambda answer: answers.append((True, answer)),
            reject=lambda error: answers.append((False, error)),
        )
        if holder is None or holder.stopped_at is not None:
            return False, None
        if self._has_stepped and not self._tick(holder):
            # An operator is not as quick as the engine, which follows a clock that was set.
            return False, None
        self._has_stepped = False
        self.before_command(command)
        self.store.was_committed = False
        holder.engine.inbox.put(command)
        is_alive = self._tick(holder)
        is_committed = self.store.was_committed
        if is_alive and answers and answers[0][0]:
            assert len(answers) == 1, f"{command} had {len(answers)} answers"
        else:
            assert not is_alive or answers, f"{command} had no answer"
            error = answers[0][1] if answers else None
            is_refused = isinstance(error, TaskSchedulerError) and not isinstance(
                error, StoreUnavailableError
            )
            if is_refused or not is_committed:
                return False, None
        self.tell(f"{kind.__name__} {arguments.get('task_id', '')}")
        self.on_command(command)
        return True, answers[0][1] if answers and answers[0][0] else None

    def kill_after_answer(self) -> None:
        """Let the process die, sometimes, with nothing but its word given."""
        if self.holder is not None and not self.is_calm and self.random.random() < 0.3:
            self.kill(self.holder)

    def before_command(self, command: Command) -> None:
        """Look at the ledger, or let the store fail."""

    def on_command(self, command: Command) -> None:
        """Note what was committed, whether or not anybody was told so."""

    # -- what the hands ask ---------------------------------------------------------------------

    def report(self, fact: Fact) -> None:
        """Put a fact into the inbox of the engine that lives now."""
        assert self.holder is not None
        if isinstance(fact, Completion):
            self.ends.append(fact)
        self.holder.engine.inbox.put(fact)

    def begin(self, claim: Claim, entry: Entry) -> Attempt:
        """Let an attempt begin."""
        living = [attempt.claim for attempt in self.machine.living()]
        if self.holder is not None:
            living += [attempt.claim for attempt in self.holder.hands.threads.values()]
        self.witness.on_begin(claim, entry, living)
        self.on_begin(claim, entry, living)
        duration, outcome = self.draw_attempt(entry)
        time = self.clock.time
        self.tell(f"attempt {claim.attempt} of run {claim.run_id}, {claim.task_id}, begins")
        if claim.attempt > 1 and not self.is_calm and self.random.random() < 0.1:
            self._repeat_ends_of(claim.run_id)
        deadline = None if claim.timeout is None else time + claim.timeout
        return Attempt(claim, self.clock.now(), time + duration, deadline, outcome)

    def _on_program_end(self, attempt: Attempt) -> None:
        assert attempt.completion is not None
        self.witness.on_end(attempt, attempt.completion.outcome)
        self.ends.append(attempt.completion)
        holder = self.holder
        if holder is not None:
            holder.hands.seats += 1
            holder.engine.inbox.put(attempt.completion)

    def repeat(self, completion: Completion) -> None:
        """Report an end once more: a doorbell may ring twice, and late."""
        if self.holder is not None:
            self.holder.engine.inbox.put(completion)

    def _repeat_ends_of(self, run_id: int) -> None:
        """Ring the bell of attempts that are over while the next one runs."""
        for completion in [end for end in self.ends if end.run_id == run_id]:
            self.repeat(completion)

    def judge_owners(self) -> None:
        """Judge that whatever the ledger calls claimed is in somebody's hands."""
        holder = self.holder
        is_quiet = holder is not None and holder.stopped_at is None
        if not is_quiet or holder is None or self.clock.time <= self.disturbed:
            return
        if not len(holder.engine.inbox):
            hands, machine = holder.hands, self.machine
            owners = hands.gate.keys() | hands.threads.keys() | hands.hesitating.keys()
            self.witness.judge_owners(owners | machine.programs.keys() | machine.orders.keys())

    # -- the story ------------------------------------------------------------------------------

    def tell(self, line: str) -> None:
        """Add a line to the story."""
        self.story.add(self.clock.time, line)

    def figures(self, *, years: float, occurrences: int) -> Figures:
        """Return what this life came to."""
        return Figures(
            years=years,
            occurrences=occurrences,
            begins=self.witness.begins,
            lost=self.witness.counts["lost"],
            faults=dict(self.faults),
            cuts=dict(self.store.cuts),
        )

    def dump(self) -> bytes:
        """Return the whole ledger as bytes."""
        return "\n".join(self.ledger._connection.iterdump()).encode()
