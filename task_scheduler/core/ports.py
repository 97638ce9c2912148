"""The ports: what the core asks of the world, and what it owes to each.

Responsible for: obligations, in the docstrings of small Protocols. Contract tests hold every
implementation to them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from task_scheduler.core.events import Event
from task_scheduler.core.model import Claim, Entry, Microseconds
from task_scheduler.schedules.occurrences import Occurrences

__all__ = ["Catalog", "Clock", "Emit", "Hands", "Marks", "Store"]

Emit = Callable[[Event], None]


class Clock(Protocol):
    """The machine's time."""

    def now(self) -> Microseconds:
        """Return the wall clock, microseconds since the Unix epoch; it may step."""
        ...

    def boottime(self) -> Microseconds:
        """Return the microseconds since boot, suspend included; it never steps."""
        ...


class Store(Protocol):
    """The ledger, spoken to in named statements (`stores/sql/*.sql` documents each).

    Obligations: a transaction is atomic and, once its context has been left without an error,
    durable; an error inside rolls everything back. A list parameter travels as one JSON text, a
    fetched value comes back as one, so that a statement is one step whatever the batch; only a
    statement that lists ``VALUES`` takes its `rows` as values, some hundred a step. A world
    that fails for now is a `StoreUnavailableError`.
    """

    def transaction(self) -> AbstractContextManager[None]:
        """Begin, and at the end of the context commit durably or roll back."""
        ...

    def fetch(self, statement: str, /, **parameters: Any) -> Any:
        """Return the single value of a query, decoded from JSON where it is JSON."""
        ...

    def execute(self, statement: str, /, **parameters: Any) -> int:
        """Run a statement and return how many rows it changed."""
        ...


class Catalog(Protocol):
    """Where the code of entries is found."""

    def occurrences_of(self, entry: Entry) -> Occurrences:
        """Return the occurrences of an entry's rules; raises what the rules raise."""
        ...


class Hands(Protocol):
    """Whoever carries out what the engine decided."""

    def hand_over(self, claims: Sequence[tuple[Claim, Entry]]) -> None:
        """Take committed claims; each is started at its moment, handed back, or revoked."""
        ...

    def revoke(self, run_id: int) -> bool:
        """Take an unstarted claim back; False if it has started. Nothing starts it afterwards."""
        ...

    def cancel(self, claim: Claim, reason: str) -> bool:
        """Ask a started attempt to end as `cancelled`; False if it is unknown here."""
        ...

    def forget(self, claims: Sequence[Claim]) -> None:
        """Let go of whatever was kept to prove the ends of these claims: they are durable."""
        ...


class Marks(Protocol):
    """One byte a claim that tells, after a crash, how far it came."""

    def take(self) -> int | None:
        """Return the index of a cleared mark; None when all are taken."""
        ...

    def release(self, slot: int) -> None:
        """Give a mark back after the end of its claim is durable."""
        ...

    def note_claims(self, token: int, run_id: int) -> None:
        """Keep beside the ledger how far it came, after a commit: its greatest token and run id."""
        ...
