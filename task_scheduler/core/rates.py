"""Rate limits: how many starts a task may have in any stretch of time.

Responsible for: reading ``10/1m``, and telling from the latest starts whether another one may come
now, and if not, from when on. The starts are in the ledger, so that a restart forgets none.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from task_scheduler.core.flights import Flight, Flights
from task_scheduler.core.inbox import Fact, Returned, Started
from task_scheduler.core.model import SECOND, Completion, Entry, Microseconds
from task_scheduler.core.ports import Store
from task_scheduler.schedules.durations import duration_of

__all__ = ["MOST_STARTS", "Rate", "RateDesk", "Rates", "rate_of"]

MOST_STARTS = 10_000
"""The greatest number of starts that a rate may count."""
_LONGEST: Microseconds = 366 * 86_400 * SECOND
_SHORTEST: Microseconds = SECOND // 1_000
_AHEAD: Microseconds = SECOND
"""A start noted further ahead than this was noted before the clock was set back: it is void."""


@dataclass(frozen=True, slots=True)
class Rate:
    """At most `count` starts within any `period`."""

    count: int
    period: Microseconds


@functools.lru_cache(maxsize=1_024)
def rate_of(text: str) -> Rate | None:
    """Return the rate that a text such as ``10/1m`` or ``1/90s`` means; None for any other."""
    number, slash, length = text.strip().partition("/")
    number, length = number.strip(), length.strip()
    if not slash or not number.isascii() or not number.isdigit() or len(number) > len("10000"):
        return None
    # "10/m" is what people write, too.
    seconds = duration_of(length if length[:1].isdigit() else f"1{length}")
    period = 0 if seconds is None else round(seconds * SECOND)
    if not 1 <= int(number) <= MOST_STARTS or not _SHORTEST <= period <= _LONGEST:
        return None
    return Rate(int(number), period)


class Rates:
    """The starts of limited tasks within one batch of claims."""

    def __init__(self, starts: Mapping[str, Sequence[Microseconds]], now: Microseconds) -> None:
        self._now = now
        self._starts = {
            task_id: sorted(at for at in moments if at <= now + _AHEAD)
            for task_id, moments in starts.items()
        }
        self._delayed: dict[str, Rate] = {}
        self._used: dict[str, Rate] = {}
        self._noted: list[list[Any]] = []

    def admits(self, entry: Entry, due_at: Microseconds) -> bool:
        """Whether a run may start once it is due; if not, its task's due runs have to wait."""
        rate = None if entry.policies.rate_limit is None else rate_of(entry.policies.rate_limit)
        if rate is None:
            return True
        self._used[entry.task_id] = rate
        starts = self._starts.get(entry.task_id, [])
        if len(starts) < rate.count or starts[-rate.count] + rate.period <= max(self._now, due_at):
            return True
        self._delayed[entry.task_id] = rate
        return False

    def note(self, flight: Flight) -> None:
        """Count a claim as a start."""
        entry, claim = flight.entry, flight.claim
        if entry is None or entry.policies.rate_limit is None:
            return
        at = max(self._now, claim.due_at)
        starts = self._starts.setdefault(entry.task_id, [])
        starts.append(at)
        starts.sort()
        self._noted.append([entry.task_id, claim.token, at])

    def record(self, store: Store, horizon: Microseconds) -> bool:
        """Write down the starts, and when those that wait may come; False: nobody waits."""
        if self._noted:
            store.execute("note_starts", rows=self._noted)
            used = [[task_id, self._now - rate.period] for task_id, rate in self._used.items()]
            store.execute("prune_starts", rows=used, after=self._now + _AHEAD)
        rows = []
        for task_id, rate in self._delayed.items():
            # Each waits for the moment at which one of the latest starts is a period old.
            moments = [at + rate.period for at in self._starts[task_id][-rate.count :]]
            rows.append([task_id, rate.period, moments])
        return bool(rows) and store.execute("delay_runs", rows=rows, horizon=horizon) > 0


class RateDesk:
    """What the ledger knows of starts, read and kept right."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def read(self, entries: Sequence[Entry], now: Microseconds) -> Rates:
        """Return the starts of those tasks that have a limit."""
        ids = sorted({e.task_id for e in entries if e.policies.rate_limit is not None})
        return Rates(self._store.fetch("recent_starts", ids=ids) if ids else {}, now)

    def correct(self, flights: Flights, facts: Sequence[Fact]) -> None:
        """Put the moment of a start in the place of that of its claim; one that never came is void.

        Before the facts are recorded: afterwards nobody holds the claims any more.
        """
        if not flights.limited:
            return
        begun: list[list[Any]] = []
        returned: list[Flight] = []
        for fact in facts:
            if not isinstance(fact, Completion | Started | Returned):
                continue
            claim = fact.claim if isinstance(fact, Returned) else fact
            flight = flights.holder_of(claim.run_id, claim.token)
            if flight is None or not _is_limited(flight):
                continue
            if isinstance(fact, Returned):
                returned.append(flight)
            else:
                at = fact.at if isinstance(fact, Started) else fact.started_at
                begun.append([flight.claim.task_id, flight.claim.token, at])
        if begun:
            self._store.execute("note_starts", rows=begun)
        self.void(returned)

    def void(self, flights: Sequence[Flight]) -> None:
        """Forget claims that were taken back before they started."""
        rows = [[f.claim.task_id, f.claim.token] for f in flights if _is_limited(f)]
        if rows:
            self._store.execute("forget_starts", rows=rows)


def _is_limited(flight: Flight) -> bool:
    return flight.entry is not None and flight.entry.policies.rate_limit is not None
