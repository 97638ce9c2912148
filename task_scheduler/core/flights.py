"""The near future in memory: the claims in hand, and what is known of their entries.

Responsible for: the engine's bookkeeping between ticks, all of it derived from the ledger and
rebuilt from it after a restart. Decides nothing.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from task_scheduler.core.events import Event
from task_scheduler.core.model import Claim, Entry, Microseconds
from task_scheduler.schedules.occurrences import Occurrences

__all__ = ["Flight", "Flights", "Known", "Work"]

_KNOWN_LIMIT = 50_000
"""Entries kept parsed; beyond it the least recently planned are read again when due."""


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
    is_marked: bool = False
    """Whether the ledger shows it as running."""


class Flights:
    """All that the engine remembers between two ticks."""

    def __init__(self) -> None:
        self.in_hand: dict[int, Flight] = {}
        self.occupied: Counter[str] = Counter()
        """Threads of timed-out attempts, per task, that still run after their run was settled."""
        self.overrun: dict[int, str | None] = {}
        """Runs whose thread is still going after its timeout, with the task whose seat it keeps."""
        self.process_count = 0
        self._known: OrderedDict[str, Known] = OrderedDict()

    def add(self, flight: Flight) -> None:
        """Take a committed claim in hand."""
        self.in_hand[flight.claim.run_id] = flight
        if flight.claim.executor == "process":
            self.process_count += 1

    def remove(self, run_id: int) -> Flight | None:
        """Let a claim go whose end is durable."""
        flight = self.in_hand.pop(run_id, None)
        if flight is not None and flight.claim.executor == "process":
            self.process_count -= 1
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

    def unlearn(self, task_id: str) -> None:
        """Forget an entry that was removed or bound anew."""
        self._known.pop(task_id, None)


@dataclass(slots=True)
class Work:
    """What one tick will do outside the ledger, once its transaction is durable."""

    now: Microseconds
    claims: list[Flight] = field(default_factory=list)
    ended: list[int] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    after: list[Callable[[], object]] = field(default_factory=list)
    """Called after the commit: answers to commands, changes of what is remembered."""
    revoked: list[Flight] = field(default_factory=list)
    """Claims taken back at the gate; handed over again if the transaction fails."""
    taken_slots: list[int] = field(default_factory=list)
    has_unclaimed: bool = False
    """Whether runs may wait in the ledger that the last tick did not know of."""
    is_stuck: bool = False
    """Whether runs are due that nobody may claim for now."""
