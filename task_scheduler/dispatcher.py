"""The dispatcher: claims that are not due yet, claims that are, and the start gate.

Responsible for: letting each claim start at its moment, the most important first, and never
without one of the worker seats. No I/O happens here, so a slow disk cannot make a task late.

There is no thread in here. Of the idle workers one is the leader and sleeps until the next due
moment; when it takes a claim it wakes a follower, which leads from then on. A start costs no more
than one wake-up.

Where claims come close behind each other even that is saved. A second worker, the deputy, sleeps
until shortly after the next due moment; while it will wake in time nobody is woken to lead, for
the leader is mostly back from its function long before. If it is not, and a claim was late for it,
every start wakes a follower again for a while.

The start gate: the only irreversible step of a start is `gate.pop`, which is atomic. Worker and
revoker race for it, and whoever removes the claim decides.

The lock is for what is not due yet, for falling asleep and for waking up. What is due changes
hands without it, by `list.pop` and `dict.pop`, which the interpreter does as a whole. A worker that
had to wait for a lock would let go of the interpreter, and beside a function that computes all the
time it would get it back only milliseconds later: at every start.
"""

from __future__ import annotations

import threading
from bisect import insort
from collections.abc import Callable, Sequence

from task_scheduler.core.model import SECOND, Claim, Entry, Microseconds
from task_scheduler.core.ports import Clock

__all__ = ["Dispatcher"]

_STEP: Microseconds = 100_000
"""A difference of wall and boot clock since the claim beyond which the clock was set."""
_BLIND: Microseconds = SECOND // 2
"""The longest sleep without a look at the wall clock, while a claim waits for its moment."""
_MARGIN: Microseconds = 3_000
"""How long after a due moment the deputy looks whether anybody is there to lead."""
_LATE: Microseconds = 1_000
"""So late was a claim that waited for a leader, and not just for the interpreter."""
_WARY: Microseconds = 10 * SECOND
"""For so long after a claim was late no start goes without a leader."""


_Key = tuple[int, ...]
"""What stands for a claim in a sorted list, of which the last one comes first: moments and run ids
are negative there. To sort many that are due at once takes less time than a heap would take."""
_FEW = 8
"""So many at once are put into their places one by one."""


class Dispatcher:
    """Hold claims until they are due and a seat is free."""

    def __init__(self, clock: Clock, seats: int, hand_back: Callable[[Claim], None]) -> None:
        self._clock = clock
        self._hand_back = hand_back
        self._seats = seats
        self._gate: dict[int, tuple[Claim, Entry]] = {}
        self._later: list[_Key] = []
        """By due moment, then run: what is not due, as far as anybody has looked."""
        self._ready: list[_Key] = []
        """By priority, then due moment and run."""
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._followers = threading.Condition(self._lock)
        self._deputies = threading.Condition(self._lock)
        self._has_leader = False
        self._is_leader_called = False
        self._has_deputy = False
        self._is_deputy_called = False
        self._deputy_at: Microseconds = 0
        """When the deputy wakes by itself, on the boot clock."""
        self._wary_until: Microseconds = 0
        self._followers_asleep = 0
        self._followers_called = 0
        self._is_closed = False
        self.idle = 0
        """Workers that wait for something to start."""

    @property
    def is_starving(self) -> bool:
        """Whether workers wait and no claim is here for them, due or not."""
        return self.idle > 0 and not self._gate

    @property
    def next_due(self) -> Microseconds | None:
        """The moment of the next claim that nobody has taken; 0 where some are known to be due."""
        try:
            return 0 if self._ready else -self._later[-1][0]
        except IndexError:
            return None

    @property
    def is_full(self) -> bool:
        """Whether every seat is taken."""
        return self._seats <= 0

    def hand_over(self, claims: Sequence[tuple[Claim, Entry]]) -> None:
        """Take committed claims."""
        with self._lock:
            for item in claims:
                self._gate[item[0].run_id] = item
            _insert(self._later, [(-c.due_at, -c.run_id, c.token) for c, _ in claims])
            self._call_leader()

    def revoke(self, run_id: int) -> bool:
        """Take a claim back before it starts; False if it has started or was never here."""
        return self._gate.pop(run_id, None) is not None

    def take(self, *, has_seat: bool = False) -> tuple[Claim, Entry] | None:
        """Wait for a due claim and a free seat, take both; None once closed.

        The caller gives the seat back when the attempt is over: with `release`, or here, by
        `has_seat`, which costs nothing.
        """
        if has_seat and self._seats >= 0:
            # The seat is kept. Below zero there is one too many, since `resize`.
            item = self._take_next()
            if item is not None:
                return item
        with self._lock:
            self.idle += 1
            if has_seat:
                self._seats += 1
                if self._seats == 1:
                    # The leader fell asleep without a seat to fill.
                    self._call_leader()
            try:
                return self._wait()
            finally:
                self.idle -= 1

    def release(self) -> None:
        """Give a seat back."""
        with self._lock:
            self._seats += 1
            self._call_leader()

    def resize(self, by: int) -> None:
        """Add seats, or take some away as they become free."""
        with self._lock:
            self._seats += by
            self._call_leader()

    def look_again(self) -> None:
        """Wake who sleeps for a time: the clock by which it was measured was set."""
        with self._lock:
            self._call_leader()
            self._call_deputy()

    def close(self) -> list[Claim]:
        """Start nothing more; return the claims that never started."""
        with self._lock:
            self._is_closed = True
            unstarted = [claim for claim, _ in self._gate.values()]
            left = [claim for claim in unstarted if self._gate.pop(claim.run_id, None)]
            self._call_leader()
            self._call_deputy()
            self._followers_called = self._followers_asleep
            self._followers.notify_all()
            return left

    def _take_next(self) -> tuple[Claim, Entry] | None:
        """Take what is due without waiting, and without the lock where nothing is to be sorted."""
        now = self._clock.now()
        try:
            is_unsorted = -self._later[-1][0] <= now
        except IndexError:
            is_unsorted = False
        if is_unsorted:
            with self._lock:
                self._sort_due()
        item = self._start_next()
        # Who falls asleep says so first and then looks; we look in the opposite order.
        if item and self._ready:
            called = self._followers_called + self._is_leader_called + self._is_deputy_called
            if self.idle > called:
                with self._lock:
                    self._call_another()
        return item

    def _wait(self) -> tuple[Claim, Entry] | None:
        """Sleep, in one role or another, until there is something to start and a seat for it."""
        while not self._is_closed:
            self._sort_due()
            item = self._start_next() if self._seats > 0 else None
            if item is not None:
                self._seats -= 1
                self._call_another()
                return item
            if not self._has_leader:
                self._has_leader = True
                try:
                    self._changed.wait(self._sleep_seconds())
                finally:
                    self._has_leader = self._is_leader_called = False
            elif not self._has_deputy and self._later:
                self._deputize()
            else:
                self._followers_asleep += 1
                self._followers.wait()
                self._followers_asleep -= 1
                self._followers_called -= 1
        return None

    def _deputize(self) -> None:
        """Sleep until shortly after the next due moment, or until called."""
        wait = self._until_due() + _MARGIN
        self._deputy_at = self._clock.boottime() + wait
        self._has_deputy = True
        try:
            self._deputies.wait(wait / SECOND)
        finally:
            is_called = self._is_deputy_called
            self._has_deputy = self._is_deputy_called = False
        is_late = bool(self._later) and self._until_due() < -_LATE
        if is_late and not is_called and not self._has_leader:
            self._wary_until = self._clock.boottime() + _WARY

    def _until_due(self) -> Microseconds:
        """Return how far the next due moment lies ahead; there is one."""
        return -self._later[-1][0] - self._clock.now()

    def _call_leader(self) -> None:
        """Wake whoever leads, or would lead."""
        if not self._has_leader:
            self._call_deputy()
        elif not self._is_leader_called:
            self._is_leader_called = True
            self._changed.notify()

    def _call_deputy(self) -> None:
        if self._has_deputy and not self._is_deputy_called:
            self._is_deputy_called = True
            self._deputies.notify()

    def _call_another(self) -> None:
        """Wake whoever sleeps if there is more to start; see to it that somebody leads."""
        if self._has_leader:
            if self._ready:
                self._call_leader()
        elif self._has_deputy and not self._is_deputy_called:
            if self._ready or not self._is_deputy_in_time():
                self._call_deputy()
        elif self._followers_called < (self._followers_asleep if self._ready else 1):
            self._call_follower()

    def _is_deputy_in_time(self) -> bool:
        """Whether the deputy wakes by itself soon after the next claim is due."""
        now = self._clock.boottime()
        if not self._later or now < self._wary_until:
            return False
        return self._deputy_at <= now + self._until_due() + _MARGIN

    def _call_follower(self) -> None:
        if self._followers_called < self._followers_asleep:
            self._followers_called += 1
            self._followers.notify()

    def _sort_due(self) -> None:
        """Move what is due from the heap of moments to the heap of importance, under the lock."""
        now = self._clock.now()
        later, found = self._later, []
        while later and -later[-1][0] <= now:
            due_at, run_id, token = later.pop()
            item = self._gate.get(-run_id)
            if item is not None and item[0].token == token:
                found.append((item[0].priority, due_at, run_id, token))
        if found:
            _insert(self._ready, found)

    def _start_next(self) -> tuple[Claim, Entry] | None:
        """Take the most important due claim through the gate."""
        while True:
            try:
                _, _, run_id, token = self._ready.pop()
            except IndexError:
                return None
            item = self._gate.get(-run_id)
            if item is None or item[0].token != token or self._gate.pop(-run_id, None) is None:
                continue
            if self._may_start(item[0]):
                return item
            self._hand_back(item[0])

    def _may_start(self, claim: Claim) -> bool:
        now = self._clock.now()
        if now < claim.due_at or (claim.start_by is not None and now > claim.start_by):
            # Never early: the clock may have been set back after the claim was found due.
            return False
        return abs(now - self._clock.boottime() - claim.clock_offset) <= _STEP

    def _sleep_seconds(self) -> float | None:
        """Return how long the leader may sleep; None until somebody wakes it."""
        if self._seats <= 0 or not self._later:
            return None
        return max(0.0, min(self._until_due(), _BLIND) / SECOND)


def _insert(keys: list[_Key], more: Sequence[_Key]) -> None:
    """Put more keys into a sorted list."""
    if len(more) > _FEW:
        # At one stroke: others take from it meanwhile. A key that was taken in between comes back,
        # and is passed over, since its claim is not in the gate any more.
        keys[:] = sorted([*keys, *more])
        return
    for key in more:
        insort(keys, key)
