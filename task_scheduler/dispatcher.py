"""The dispatcher: claims that are not due yet, claims that are, and the start gate.

Responsible for: letting each claim start at its moment, the most important first, and never
without one of the worker seats. No I/O happens here, so a slow disk cannot make a task late.

There is no thread in here. Of the idle workers one is the leader and sleeps until the next due
moment; when it takes a claim it wakes a follower, which leads from then on. A start costs no more
than one wake-up.

The start gate: the only irreversible step of a start is `gate.pop`, which is atomic. Worker and
revoker race for it, and whoever removes the claim decides.
"""

from __future__ import annotations

import heapq
import threading
from collections.abc import Callable, Sequence

from task_scheduler.core.model import SECOND, Claim, Entry, Microseconds
from task_scheduler.core.ports import Clock

__all__ = ["Dispatcher"]

_STEP: Microseconds = 100_000
"""A difference of wall and boot clock since the claim beyond which the clock was set."""
_BLIND: Microseconds = SECOND // 2
"""The longest sleep without a look at the wall clock, while a claim waits for its moment."""


class Dispatcher:
    """Hold claims until they are due and a seat is free."""

    def __init__(self, clock: Clock, seats: int, hand_back: Callable[[Claim], None]) -> None:
        self._clock = clock
        self._hand_back = hand_back
        self._seats = seats
        self._gate: dict[int, tuple[Claim, Entry]] = {}
        self._later: list[tuple[Microseconds, int, int]] = []
        self._ready: list[tuple[int, Microseconds, int, int]] = []
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._followers = threading.Condition(self._lock)
        self._has_leader = False
        self._is_closed = False
        self.idle = 0
        """Workers that wait for something to start."""

    @property
    def is_starving(self) -> bool:
        """Whether workers wait and no claim is here for them, due or not."""
        return self.idle > 0 and not self._gate

    def hand_over(self, claims: Sequence[tuple[Claim, Entry]]) -> None:
        """Take committed claims."""
        with self._lock:
            for claim, entry in claims:
                self._gate[claim.run_id] = (claim, entry)
                heapq.heappush(self._later, (claim.due_at, claim.run_id, claim.token))
            self._changed.notify()

    def revoke(self, run_id: int) -> bool:
        """Take a claim back before it starts; False if it has started or was never here."""
        return self._gate.pop(run_id, None) is not None

    def take(self, *, has_seat: bool = False) -> tuple[Claim, Entry] | None:
        """Wait for a due claim and a free seat, take both; None once closed.

        The caller gives the seat back when the attempt is over: with `release`, or here, by
        `has_seat`, which costs nothing.
        """
        with self._lock:
            self.idle += 1
            if has_seat:
                self._seats += 1
                if self._seats == 1 and self._has_leader:
                    # The leader fell asleep without a seat to fill.
                    self._changed.notify()
            try:
                while not self._is_closed:
                    self._sort_due()
                    item = self._start_next() if self._seats > 0 else None
                    if item is not None:
                        self._seats -= 1
                        if not self._has_leader:
                            self._followers.notify()
                        return item
                    if self._has_leader:
                        self._followers.wait()
                        continue
                    self._has_leader = True
                    try:
                        self._changed.wait(self._sleep_seconds())
                    finally:
                        self._has_leader = False
                return None
            finally:
                self.idle -= 1

    def release(self) -> None:
        """Give a seat back."""
        with self._lock:
            self._seats += 1
            self._changed.notify()

    def resize(self, by: int) -> None:
        """Add seats, or take some away as they become free."""
        with self._lock:
            self._seats += by
            self._changed.notify()

    def look_again(self) -> None:
        """Wake the leader: the clock it measured its sleep by was set."""
        with self._lock:
            self._changed.notify()

    def close(self) -> list[Claim]:
        """Start nothing more; return the claims that never started."""
        with self._lock:
            self._is_closed = True
            unstarted = [claim for claim, _ in self._gate.values()]
            left = [claim for claim in unstarted if self._gate.pop(claim.run_id, None)]
            self._changed.notify_all()
            self._followers.notify_all()
            return left

    def _sort_due(self) -> None:
        """Move what is due from the heap of moments to the heap of importance."""
        now = self._clock.now()
        later = self._later
        while later and later[0][0] <= now:
            due_at, run_id, token = heapq.heappop(later)
            item = self._gate.get(run_id)
            if item is not None and item[0].token == token:
                heapq.heappush(self._ready, (-item[0].priority, due_at, run_id, token))

    def _start_next(self) -> tuple[Claim, Entry] | None:
        """Take the most important due claim through the gate."""
        while self._ready:
            _, due_at, run_id, token = heapq.heappop(self._ready)
            item = self._gate.get(run_id)
            if item is None or item[0].token != token:
                continue
            claim = item[0]
            now = self._clock.now()
            if now < due_at:
                # The clock was set back after the claim became ready: never early.
                heapq.heappush(self._later, (due_at, run_id, token))
                continue
            if self._gate.pop(run_id, None) is None:
                continue
            if self._may_start(claim, now):
                return item
            self._hand_back(claim)
        return None

    def _may_start(self, claim: Claim, now: Microseconds) -> bool:
        if claim.start_by is not None and now > claim.start_by:
            return False
        return abs(now - self._clock.boottime() - claim.clock_offset) <= _STEP

    def _sleep_seconds(self) -> float | None:
        """Return how long the leader may sleep; None until somebody wakes it."""
        if self._seats <= 0 or not self._later:
            return None
        wait = min(self._later[0][0] - self._clock.now(), _BLIND)
        return max(0.0, wait / SECOND)
