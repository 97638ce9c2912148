"""Pools: resources that only so many attempts may use at a time, a serial bus for example.

Responsible for: counting the places, parking the due runs of full pools and letting them come as
places get free. A parked run waits outside of everything that the engine looks through: a flood of
one pool hides no other run, and nobody turns in circles for it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from task_scheduler.core.flights import Flights, Work
from task_scheduler.core.limits import EngineLimits
from task_scheduler.core.model import Entry, Microseconds
from task_scheduler.core.ports import Store

__all__ = ["Places", "Pools"]

_UNKNOWN = 1
"""Places of a pool that the configuration does not have any more: the strictest there is."""


class Places:
    """The places that are left in each pool, within one batch of claims."""

    def __init__(self, flights: Flights, limits: EngineLimits, work: Work) -> None:
        self._limits = limits
        self._taken = Counter(flights.pool_counts)
        for run_id in set(work.ended):
            flight = flights.in_hand.get(run_id)
            if flight is not None and flight.pool is not None:
                self._taken[flight.pool] -= 1
        # A thread that nobody can stop goes on using whatever it uses.
        pools = [o.pool for o in flights.overrun.values()] + [f.pool for f in work.claims]
        self._taken.update(pool for pool in pools if pool is not None)
        self.refused: set[str] = set()
        """Full pools of which a run asked for a place."""

    def left_in(self, pool: str) -> int:
        """Return how many places of a pool are free."""
        return max(0, self._limits.pools.get(pool, _UNKNOWN) - self._taken[pool])

    def admits(self, entry: Entry) -> bool:
        """Whether there is a place for a run of a task; if not, its pool is full."""
        pool = entry.policies.pool
        if pool is None or self.left_in(pool) > 0:
            return True
        self.refused.add(pool)
        return False

    def take(self, entry: Entry) -> None:
        """Give a place away."""
        if entry.policies.pool is not None:
            self._taken[entry.policies.pool] += 1


class Pools:
    """Park runs of full pools, and let them come."""

    def __init__(self, store: Store, flights: Flights, limits: EngineLimits) -> None:
        self.has_parked = True
        """Whether runs may be parked: some were, or an earlier process left them so."""
        self._store = store
        self._flights = flights
        self._limits = limits

    def places(self, work: Work) -> Places:
        """Return what is free after all that a tick has done so far."""
        return Places(self._flights, self._limits, work)

    def release(self, places: Places) -> None:
        """Let as many parked runs come as there are places, the most important first."""
        if not self.has_parked:
            return
        names: Sequence[str] = self._store.fetch("parked_pools")
        self.has_parked = bool(names)
        occupied = sorted(self._flights.closed_tasks())
        for pool in names:
            if (free := places.left_in(pool)) > 0:
                self._store.execute("release_parked", pool=pool, places=free, occupied=occupied)

    def park(self, places: Places, horizon: Microseconds) -> bool:
        """Take the due runs of full pools out of the way; False: there are none."""
        if not places.refused:
            return False
        self.has_parked = True
        pools = sorted(places.refused)
        return self._store.execute("park_runs", pools=pools, horizon=horizon) > 0
