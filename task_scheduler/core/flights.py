"""The near future in memory: the claims in hand, and what is known of their entries.

Responsible for: the engine's bookkeeping between ticks, all of it derived from the ledger and
rebuilt from it after a restart. Decides nothing.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from task_scheduler.core.events import Event
from task_scheduler.core.model import (
    Claim,
    Entry,
    Microseconds,
    OverlapPolicy,
    RunState,
    SkipReason,
)
from task_scheduler.schedules.occurrences import Occurrences

__all__ = ["Flight", "Flights", "Known", "Overrun", "Work"]

_KNOWN_LIMIT = 20_000
"""Entries kept parsed, about a kilobyte each; beyond it the least recently planned are read again
when due."""


@dataclass(frozen=True, slots=True)
class Known:
    """An entry as parsed from the ledger at one revision."""

    entry: Entry
    revision: int
    anchor: Microseconds
    occurrences: Occurrences | None
    """None: its rules could not be read; the plan of this entry alone fails."""


@dataclass(slots=True)
class Flight:
    """A claim in hand, from its commit until its end is durable."""

    claim: Claim
    entry: Entry | None
    """None: the entry was removed meanwhile; the run ends without a retry."""
    recoveries: int = 0
    origin: str = "schedule"
    is_started: bool = False
    cancel_reason: str | None = None
    """A cancel was promised: no other attempt follows, and none begins."""
    skip_reason: SkipReason | None = None
    """What becomes of the run if it turns out that this claim never started; None: it goes on."""
    pool: str | None = None
    """The pool of which it has a place: that of its entry at the claim, whatever becomes of it."""

    def recall(self, cancel_reason: str | None, reason: str | None, *, is_there: bool) -> None:
        """Take over what the ledger says was promised, and whether the task is still there."""
        self.cancel_reason = cancel_reason
        self.skip_reason = None if reason is None else SkipReason(reason)
        if not is_there:
            self.entry = None

    @property
    def name(self) -> str:
        """The name of the entry, or the id of one that was removed."""
        return self.entry.name if self.entry is not None else self.claim.task_id


@dataclass(frozen=True, slots=True)
class Overrun:
    """A thread that is still going after its timeout."""

    task_id: str
    is_alone: bool
    """Whether its task lets nothing run beside it."""
    pool: str | None = None
    """The pool of which it keeps a place."""


class Flights:
    """All that the engine remembers between two ticks."""

    def __init__(self) -> None:
        self.in_hand: dict[int, Flight] = {}
        self.overrun: dict[int, Overrun] = {}
        """Threads that are still going after the timeout of their run."""
        self.process_count = 0
        self.limited: set[int] = set()
        """The runs in hand of tasks with a rate limit."""
        self.pool_counts: Counter[str] = Counter()
        """The places of pools that claims in hand have."""
        self.chain_parents: set[str] | None = None
        """The tasks after which others run; None: to be read anew."""
        self._known: OrderedDict[str, Known] = OrderedDict()

    def add(self, flight: Flight) -> None:
        """Take a committed claim in hand."""
        claim, entry = flight.claim, flight.entry
        self.in_hand[claim.run_id] = flight
        if claim.executor == "process":
            self.process_count += 1
        if flight.pool is not None:
            self.pool_counts[flight.pool] += 1
        if entry is not None and entry.policies.rate_limit is not None:
            self.limited.add(claim.run_id)

    def remove(self, run_id: int) -> Flight | None:
        """Let a claim go whose end is durable."""
        flight = self.in_hand.pop(run_id, None)
        if flight is not None:
            if flight.claim.executor == "process":
                self.process_count -= 1
            if flight.pool is not None:
                self.pool_counts[flight.pool] -= 1
            self.limited.discard(run_id)
        return flight

    def holder_of(self, run_id: int, token: int) -> Flight | None:
        """Return the flight that this token owns; None fences a stale owner off."""
        flight = self.in_hand.get(run_id)
        return flight if flight is not None and flight.claim.token == token else None

    def unstarted_of(self, task_id: str) -> list[Flight]:
        """Return the claims of a task that no worker is known to have begun."""
        return [f for f in self.in_hand.values() if f.claim.task_id == task_id and not f.is_started]

    def known(self, task_id: str, revision: int) -> Known | None:
        """Return an entry as parsed before, if that is still its revision."""
        known = self._known.get(task_id)
        if known is None or known.revision != revision:
            return None
        self._known.move_to_end(task_id)
        return known

    def learn(self, known: Known) -> None:
        """Remember a parsed entry, forgetting the least used beyond the limit."""
        self._known[known.entry.task_id] = known
        while len(self._known) > _KNOWN_LIMIT:
            self._known.popitem(last=False)

    def meet(self, entry: Entry, anchor: Microseconds, occurrences: Occurrences) -> None:
        """Remember a new entry where there is room: of very many nobody knows which is due next."""
        if len(self._known) < _KNOWN_LIMIT:
            self._known[entry.task_id] = Known(entry, 1, anchor, occurrences)

    def unlearn(self, task_id: str) -> None:
        """Forget an entry that was removed or bound anew."""
        self._known.pop(task_id, None)

    def unlearn_all(self) -> None:
        """Forget every entry: some were read in a transaction that came to nothing."""
        self._known.clear()
        self.chain_parents = None

    def keep_seat(self, flight: Flight) -> None:
        """Remember a thread that goes on after its timeout: it keeps the seat of its task."""
        policies = flight.entry.policies if flight.entry is not None else None
        is_alone = policies is None or policies.overlap is not OverlapPolicy.ALLOW
        self.overrun[flight.claim.run_id] = Overrun(flight.claim.task_id, is_alone, flight.pool)

    def seats_kept(self, task_id: str) -> int:
        """Return how many seats of a task are kept by threads that nobody can stop."""
        return sum(1 for overrun in self.overrun.values() if overrun.task_id == task_id)

    def keeper_of(self, task_id: str) -> int | None:
        """Return the oldest run whose thread keeps a seat of the task."""
        return min((run for run, o in self.overrun.items() if o.task_id == task_id), default=None)

    def closed_tasks(self) -> set[str]:
        """Return the tasks of which nothing may start before a thread has ended."""
        return {overrun.task_id for overrun in self.overrun.values() if overrun.is_alone}


@dataclass(slots=True)
class Work:
    """What one tick will do outside the ledger, once its transaction is durable."""

    now: Microseconds
    clock_offset: Microseconds = 0
    """Wall clock minus boot clock at `now`."""
    claims: list[Flight] = field(default_factory=list)
    ended: list[int] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    after: list[Callable[[], object]] = field(default_factory=list)
    """Called after the commit: answers to commands, changes of what is remembered."""
    run_ends: list[tuple[str, int, RunState]] = field(default_factory=list)
    """Runs that are over, by task: others may come after them."""
    revoked: list[Flight] = field(default_factory=list)
    """Claims taken back at the gate."""
    vacated: set[str] = field(default_factory=set)
    """Tasks of which a run or a thread came to its end: one that waits for its seat may come."""
    rested: set[str] = field(default_factory=set)
    """Tasks that were in `vacated`, or planned: what counts from an end may be set now."""
    taken_slots: list[int] = field(default_factory=list)
    has_unclaimed: bool = False
    """Whether runs may wait in the ledger that the last tick did not know of."""
    is_stuck: bool = False
    """Whether runs are due that nobody may claim for now."""
