"""Simulated hands: workers that start claims at their moment and end attempts as scripted.

Responsible for: the port `core.ports.Hands`, timeouts, threads that cannot be stopped, supervised
processes that outlive the scheduler, and the two clocks of the world.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from task_scheduler.core.inbox import Returned, Started, ThreadEnded
from task_scheduler.core.model import SECOND, Claim, Completion, Entry, Outcome
from task_scheduler.core.recovery import Mark
from task_scheduler.executors.marks import MemoryMarks

if TYPE_CHECKING:
    from tests.simulation.world import World

__all__ = ["BEGIN", "WORKERS", "Attempt", "Clock", "Hands", "Marks"]

BEGIN = 1_800_000_000 * SECOND
WORKERS = 4
_STEP = SECOND // 10


class Clock:
    """Wall and boot clock; only the world moves them."""

    def __init__(self) -> None:
        self.offset = BEGIN
        self.boot = 1_000 * SECOND

    def now(self) -> int:
        return self.boot + self.offset

    def boottime(self) -> int:
        return self.boot


class Marks(MemoryMarks):
    """Marks whose bytes outlive the process."""

    def __init__(self, old: Marks | None = None) -> None:
        super().__init__()
        if old is not None:
            self._bytes[:] = old._bytes

    def read(self, slot: int) -> int | None:
        return self._bytes[slot] if slot >= 0 else None


@dataclass(slots=True)
class Attempt:
    """What a worker or a supervisor has begun."""

    claim: Claim
    started_at: int
    ends_boot: int
    outcome: Outcome
    is_over: bool = False
    """Timed out, and its thread still runs."""
    is_ended: bool = False
    completion: Completion | None = None


class Hands:
    """The workers of one process of the scheduler; supervised processes outlive it."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.gate: dict[int, tuple[Claim, Entry]] = {}
        self.threads: dict[int, Attempt] = {}
        self.hesitating: dict[int, tuple[int, Claim, Entry]] = {}
        self.inbox_put = world.report
        self.seats = WORKERS - sum(1 for a in world.processes.values() if not a.is_ended)

    # -- the port -------------------------------------------------------------------------------

    def hand_over(self, claims: Sequence[tuple[Claim, Entry]]) -> None:
        for claim, entry in claims:
            assert claim.run_id not in self.gate, f"run {claim.run_id} is in the gate already"
            self.gate[claim.run_id] = (claim, entry)

    def revoke(self, run_id: int) -> bool:
        return self.gate.pop(run_id, None) is not None

    def cancel(self, claim: Claim, reason: str) -> bool:
        attempts = self.world.processes if claim.executor == "process" else self.threads
        attempt = attempts.get(claim.run_id)
        if attempt is None or attempt.claim.token != claim.token or attempt.is_ended:
            return False
        if claim.executor == "process" or self.world.random.random() < 0.7:
            soon = self.world.clock.boot + 5_000
            if attempt.ends_boot > soon:
                attempt.ends_boot = soon
                attempt.outcome = Outcome.CANCELLED
        return True

    def forget(self, claims: Sequence[Claim]) -> None:
        for claim in claims:
            attempt = self.world.processes.get(claim.run_id)
            if attempt is not None and attempt.claim.token == claim.token:
                assert attempt.is_ended
                del self.world.processes[claim.run_id]

    # -- work -----------------------------------------------------------------------------------

    def next_boot(self) -> int | None:
        """Return when, on the boot clock, something happens here."""
        offset = self.world.clock.offset
        moments = []
        for attempt in (*self.threads.values(), *self.world.processes.values()):
            if attempt.is_ended:
                continue
            moments.append(attempt.ends_boot)
            deadline = self.world.deadlines.get(attempt.claim.token)
            if deadline is not None and not attempt.is_over:
                moments.append(deadline)
        moments += [begins_boot for begins_boot, _, _ in self.hesitating.values()]
        if self.seats > 0:
            moments += [claim.due_at - offset for claim, _ in self.gate.values()]
        return min(moments, default=None)

    def work(self) -> None:
        """Do everything that is to be done at this moment."""
        boot = self.world.clock.boot
        for attempt in [*self.threads.values(), *self.world.processes.values()]:
            if attempt.is_ended:
                continue
            deadline = self.world.deadlines.get(attempt.claim.token)
            if attempt.ends_boot <= boot:
                self._end(attempt)
            elif deadline is not None and deadline <= boot and not attempt.is_over:
                self._time_out(attempt)
        for begins_boot, claim, entry in list(self.hesitating.values()):
            if begins_boot <= boot:
                del self.hesitating[claim.run_id]
                self._call(claim, entry)
        self._start()

    def _start(self) -> None:
        clock = self.world.clock
        now = clock.now()
        due = [item for item in self.gate.values() if item[0].due_at <= now]
        due.sort(key=lambda item: (-item[0].priority, item[0].due_at, item[0].run_id))
        for claim, entry in due:
            if self.seats <= 0:
                return
            del self.gate[claim.run_id]
            is_late = claim.start_by is not None and now > claim.start_by
            if is_late or abs(now - clock.boot - claim.clock_offset) > _STEP:
                self.inbox_put(Returned(claim))
                continue
            self._begin(claim, entry)

    def _begin(self, claim: Claim, entry: Entry) -> None:
        world = self.world
        world.oracle.on_gate(claim, world.clock.now())
        self.seats -= 1
        if claim.executor == "thread" and world.random.random() < 0.1:
            # The start is told and shown, and a moment passes before the call.
            self.hesitating[claim.run_id] = (world.clock.boot + 20_000, claim, entry)
            self.inbox_put(Started(claim.run_id, claim.token, world.clock.now()))
            return
        self.inbox_put(Started(claim.run_id, claim.token, world.clock.now()))
        self._call(claim, entry)

    def _call(self, claim: Claim, entry: Entry) -> None:
        world = self.world
        all_living = [
            a.claim for a in (*self.threads.values(), *world.processes.values()) if not a.is_ended
        ]
        living = [other for other in all_living if other.task_id == claim.task_id]
        world.oracle.on_start(claim, entry, living)
        world.oracle.on_pools([claim, *all_living])
        duration, outcome = world.draw_attempt(entry)
        attempt = Attempt(claim, world.clock.now(), world.clock.boot + duration, outcome)
        if claim.timeout is not None:
            world.deadlines[claim.token] = world.clock.boot + claim.timeout
        if claim.executor == "process":
            world.processes[claim.run_id] = attempt
        else:
            self.threads[claim.run_id] = attempt
            world.marks.set(claim.slot, Mark.RUNNING)

    def _end(self, attempt: Attempt) -> None:
        claim = attempt.claim
        attempt.is_ended = True
        if claim.executor == "thread":
            del self.threads[claim.run_id]
            if attempt.is_over:
                self.inbox_put(ThreadEnded(claim.run_id, claim.task_id))
                return
            is_ok = attempt.outcome is Outcome.SUCCEEDED
            self.world.marks.set(claim.slot, Mark.SUCCEEDED if is_ok else Mark.FAILED)
        self.seats += 1
        attempt.completion = self.world.completion(attempt, attempt.outcome)
        self.inbox_put(attempt.completion)

    def _time_out(self, attempt: Attempt) -> None:
        is_thread = attempt.claim.executor == "thread"
        attempt.is_over = is_thread
        attempt.is_ended = not is_thread
        self.seats += 1
        attempt.completion = self.world.completion(
            attempt, Outcome.TIMED_OUT, is_still_running=is_thread
        )
        self.inbox_put(attempt.completion)
