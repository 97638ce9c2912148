"""Simulated hands: workers that start claims at their moment and end attempts as scripted.

Responsible for: the port `core.ports.Hands` of one process: the gate, seats, timeouts, and threads
that cannot be stopped. Programs are only ordered here; the machine lets them live.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from task_scheduler.core.inbox import Returned, Started, ThreadEnded
from task_scheduler.core.model import SECOND, Claim, Entry, Outcome
from task_scheduler.core.recovery import Mark
from tests.simulation.machine import Attempt

if TYPE_CHECKING:
    from tests.simulation.world import World

__all__ = ["Hands"]

_STEP = SECOND // 10
"""A difference of the clocks since the claim beyond which it goes back."""
_HESITATION = 20_000
"""From the gate to the call, or from an order to the permit, where a moment passes."""
_OBEDIENCE = 5_000
"""From a wish to the end of what obeys."""


class Hands:
    """The workers of one process of the scheduler."""

    def __init__(self, world: World, seats: int) -> None:
        self.seats = seats
        self.gate: dict[int, tuple[Claim, Entry]] = {}
        self.threads: dict[int, Attempt] = {}
        self.hesitating: dict[int, tuple[int, Claim, Entry]] = {}
        """Functions past the gate, and when they are called."""
        self._world = world
        self._machine = world.machine
        self._clock = world.machine.clock

    # -- the port -------------------------------------------------------------------------------

    def hand_over(self, claims: Sequence[tuple[Claim, Entry]]) -> None:
        """Take committed claims."""
        for claim, entry in claims:
            assert claim.run_id not in self.gate, f"run {claim.run_id} is in the gate already"
            self.gate[claim.run_id] = (claim, entry)

    def revoke(self, run_id: int) -> bool:
        """Take an unstarted claim back."""
        return self.gate.pop(run_id, None) is not None

    def cancel(self, claim: Claim, reason: str) -> bool:
        """Ask a started attempt to end; a function may not listen."""
        is_program = claim.executor == "process"
        if claim.run_id in self._machine.orders:
            # The wish lies in the attempt's folder when it begins.
            _, ordered, entry = self._machine.orders[claim.run_id]
            self._machine.orders[claim.run_id] = (self._clock.time, ordered, entry)
            self._machine.work()
        attempt = (self._machine.programs if is_program else self.threads).get(claim.run_id)
        if attempt is None or attempt.claim.token != claim.token or attempt.is_ended:
            return False
        soon = self._clock.time + _OBEDIENCE
        if attempt.ends > soon and (is_program or self._world.random.random() < 0.7):
            attempt.ends, attempt.outcome = soon, Outcome.CANCELLED
        return True

    def forget(self, claims: Sequence[Claim]) -> None:
        """Let go of records whose ends are durable."""
        for claim in claims:
            self._machine.forget(claim)

    # -- work -----------------------------------------------------------------------------------

    def next_time(self) -> int | None:
        """Return when something happens here by itself."""
        if not self.threads and not self.gate and not self.hesitating:
            return None
        moments = [attempt.next_time() for attempt in self.threads.values()]
        if self.hesitating:
            moments += [begins for begins, _, _ in self.hesitating.values()]
        if self.gate and self.seats > 0:
            offset = self._clock.offset
            moments += [claim.due_at - offset for claim, _ in self.gate.values()]
        return min(moments, default=None)

    def work(self) -> None:
        """Do everything that is to be done at this moment."""
        time = self._clock.time
        if self.threads:
            for attempt in [a for a in self.threads.values() if a.next_time() <= time]:
                self._end(attempt) if attempt.ends <= time else self._time_out(attempt)
        if self.hesitating:
            for begins, claim, entry in list(self.hesitating.values()):
                if begins <= time:
                    del self.hesitating[claim.run_id]
                    self._call(claim, entry)
        if self.gate:
            self._start()

    def close_gate(self) -> list[Claim]:
        """Start nothing more; return what has not begun."""
        claims = [claim for claim, _ in self.gate.values()]
        self.gate.clear()
        return claims

    def put_off(self, length: int) -> None:
        """Let everything here take so much longer: the process was stopped."""
        for attempt in self.threads.values():
            attempt.ends += length
        for run_id, (begins, claim, entry) in self.hesitating.items():
            self.hesitating[run_id] = (begins + length, claim, entry)

    def _start(self) -> None:
        now = self._clock.now()
        due = [item for item in self.gate.values() if item[0].due_at <= now]
        due.sort(key=lambda item: (-item[0].priority, item[0].due_at, item[0].run_id))
        for claim, entry in due:
            if self.seats <= 0:
                return
            del self.gate[claim.run_id]
            is_late = claim.start_by is not None and now > claim.start_by
            if is_late or abs(now - self._clock.boottime() - claim.clock_offset) > _STEP:
                self._world.report(Returned(claim))
            else:
                self._begin(claim, entry)

    def _begin(self, claim: Claim, entry: Entry) -> None:
        """Take a claim through the gate; a moment may pass before it really begins."""
        world, time = self._world, self._clock.time
        world.witness.on_gate(claim, entry)
        self.seats -= 1
        is_slow = world.random.random() < 0.1
        world.report(Started(claim.run_id, claim.token, self._clock.now()))
        if claim.executor == "process":
            begins = time + _HESITATION if is_slow else time
            self._machine.orders[claim.run_id] = (begins, claim, entry)
            self._machine.work()
        elif is_slow:
            self.hesitating[claim.run_id] = (time + _HESITATION, claim, entry)
        else:
            self._call(claim, entry)

    def _call(self, claim: Claim, entry: Entry) -> None:
        self._machine.marks.set(claim.slot, Mark.RUNNING)
        self.threads[claim.run_id] = self._world.begin(claim, entry)

    def _end(self, attempt: Attempt) -> None:
        claim = attempt.claim
        attempt.is_ended = True
        del self.threads[claim.run_id]
        if attempt.is_over:
            self._world.report(ThreadEnded(claim.run_id, claim.task_id))
            return
        is_ok = attempt.outcome is Outcome.SUCCEEDED
        self._machine.marks.set(claim.slot, Mark.SUCCEEDED if is_ok else Mark.FAILED)
        self._finish(attempt, attempt.outcome)

    def _time_out(self, attempt: Attempt) -> None:
        attempt.is_over = True
        self._finish(attempt, Outcome.TIMED_OUT)

    def _finish(self, attempt: Attempt, outcome: Outcome) -> None:
        self.seats += 1
        self._world.witness.on_end(attempt, outcome)
        self._world.report(
            attempt.report(outcome, self._clock.now(), is_still_running=attempt.is_over)
        )
