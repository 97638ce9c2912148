"""Virtual hands: workers that start claims at their moment and end attempts as scripted.

Responsible for: the two clocks of a virtual world, the port `core.ports.Hands` on them: seats,
timeouts, threads that cannot be stopped, and supervised programs that outlive the scheduler. All
of it happens in the one thread that moves the clock.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from heapq import heappop, heappush

from task_scheduler.core.inbox import Fact, Returned, Started, ThreadEnded
from task_scheduler.core.model import SECOND, Claim, Completion, Entry, Microseconds, Outcome
from task_scheduler.core.recovery import Mark
from task_scheduler.executors.marks import MemoryMarks
from task_scheduler.i18n import translate
from task_scheduler.testing.scripts import Ending

__all__ = ["Attempt", "VirtualClock", "VirtualHands", "VirtualMarks", "completion_of"]

_STEP: Microseconds = SECOND // 10
"""A change of the clock between claim and start beyond which the claim goes back."""


class VirtualClock:
    """Wall and boot clock, which only the world moves."""

    def __init__(self, now: Microseconds) -> None:
        self.boot: Microseconds = SECOND
        self.offset: Microseconds = now - self.boot

    def now(self) -> Microseconds:
        """Return the wall clock: microseconds since the Unix epoch, UTC."""
        return self.boot + self.offset

    def boottime(self) -> Microseconds:
        """Return the microseconds since boot."""
        return self.boot


class VirtualMarks(MemoryMarks):
    """Marks whose bytes outlive a process, as those of a file do."""

    def begin_life(self, taken: AbstractSet[int]) -> None:
        """Give out every slot again but those of recovered claims."""
        self._free = deque(range(len(self._bytes)))
        self.reserve(taken)

    def read(self, slot: int) -> int | None:
        """Return the mark that an earlier process left; None for a slot that cannot be."""
        return self._bytes[slot] if slot >= 0 else None


@dataclass(slots=True)
class Attempt:
    """What a worker, or the supervision of a program, has begun; `*_boot` on the boot clock."""

    claim: Claim
    entry: Entry
    started_at: Microseconds
    ending: Ending
    listens: bool
    ends_boot: Microseconds | None
    deadline_boot: Microseconds | None
    cancel_reason: str | None = None
    is_over: bool = False
    """Timed out, and its thread still runs."""
    is_ended: bool = False
    completion: Completion | None = None

    def next_boot(self) -> Microseconds | None:
        """Return when something happens to it by itself."""
        moments = [] if self.ends_boot is None else [self.ends_boot]
        if self.deadline_boot is not None and not self.is_over:
            moments.append(self.deadline_boot)
        return min(moments, default=None)


@dataclass(slots=True)
class _Gate:
    """Claims that have not begun: those still to come, and those that wait for a seat."""

    claims: dict[int, tuple[Claim, Entry]] = field(default_factory=dict)
    coming: list[tuple[Microseconds, int, int]] = field(default_factory=list)
    ready: list[tuple[int, Microseconds, int, int]] = field(default_factory=list)

    def add(self, claim: Claim, entry: Entry) -> None:
        self.claims[claim.run_id] = (claim, entry)
        heappush(self.coming, (claim.due_at, claim.run_id, claim.token))

    def first_due(self) -> Microseconds | None:
        """Return when the first claim that waits for its moment is due."""
        while self.coming:
            due_at, run_id, token = self.coming[0]
            if self._is_there(run_id, token):
                return due_at
            heappop(self.coming)
        return None

    def take(self, now: Microseconds) -> tuple[Claim, Entry] | None:
        """Remove and return the most important claim that is due."""
        while self.coming and self.coming[0][0] <= now:
            due_at, run_id, token = heappop(self.coming)
            if self._is_there(run_id, token):
                priority = self.claims[run_id][0].priority
                heappush(self.ready, (-priority, due_at, run_id, token))
        while self.ready:
            _, _, run_id, token = heappop(self.ready)
            if self._is_there(run_id, token):
                return self.claims.pop(run_id)
        return None

    def look_again(self) -> None:
        """Sort anew what is due and what is not: the clock was set."""
        self.ready.clear()
        self.coming.clear()
        for claim, entry in list(self.claims.values()):
            self.add(claim, entry)

    def _is_there(self, run_id: int, token: int) -> bool:
        return run_id in self.claims and self.claims[run_id][0].token == token


class VirtualHands:
    """The workers of one life of the scheduler; `processes` are the programs that outlive it.

    `draw` tells how an attempt goes and whether it listens; `on_begin` hears of each that begins.
    """

    def __init__(
        self,
        clock: VirtualClock,
        marks: VirtualMarks,
        *,
        seats: int,
        processes: dict[int, Attempt],
        draw: Callable[[Claim, Entry], tuple[Ending, bool]],
        report: Callable[[Fact], None],
        on_begin: Callable[[Attempt], None] | None = None,
    ) -> None:
        self._clock = clock
        self._marks = marks
        self._processes = processes
        self._draw = draw
        self._report = report
        self._on_begin = on_begin
        self._gate = _Gate()
        self._threads: dict[int, Attempt] = {}
        self._agenda: list[tuple[Microseconds, int, Attempt]] = []
        self._number = 0
        alive = [attempt for attempt in processes.values() if not attempt.is_ended]
        self._seats = seats - len(alive)
        for attempt in alive:
            self._plan(attempt)

    # -- the port -------------------------------------------------------------------------------

    def hand_over(self, claims: Sequence[tuple[Claim, Entry]]) -> None:
        """Take committed claims."""
        for claim, entry in claims:
            self._gate.add(claim, entry)

    def revoke(self, run_id: int) -> bool:
        """Take an unstarted claim back."""
        return self._gate.claims.pop(run_id, None) is not None

    def cancel(self, claim: Claim, reason: str) -> bool:
        """End a program at once; ask a function, which ends at once where it listens."""
        attempts: Mapping[int, Attempt] = (
            self._processes if claim.executor == "process" else self._threads
        )
        attempt = attempts.get(claim.run_id)
        if attempt is None or attempt.is_ended or attempt.claim.token != claim.token:
            return False
        attempt.cancel_reason = reason
        if claim.executor == "process" or attempt.listens:
            attempt.ending = Ending(None, Outcome.CANCELLED, reason)
            attempt.ends_boot = self._clock.boot
            self._plan(attempt)
        return True

    def forget(self, claims: Sequence[Claim]) -> None:
        """Let go of the ended programs of these claims."""
        for claim in claims:
            attempt = self._processes.get(claim.run_id)
            if attempt is not None and attempt.claim.token == claim.token:
                del self._processes[claim.run_id]

    # -- time -----------------------------------------------------------------------------------

    def next_boot(self) -> Microseconds | None:
        """Return when, on the boot clock, something happens here; None: nothing will."""
        while self._agenda and self._is_idle(self._agenda[0][2], self._agenda[0][0]):
            heappop(self._agenda)
        moments = [self._agenda[0][0]] if self._agenda else []
        if self._seats > 0:
            due_at = self._gate.first_due()
            if self._gate.ready:
                moments.append(self._clock.boot)
            elif due_at is not None:
                moments.append(max(self._clock.boot, due_at - self._clock.offset))
        return min(moments, default=None)

    def work(self) -> None:
        """Do everything that is to be done at this moment: first ends, then starts."""
        boot = self._clock.boot
        while self._agenda and self._agenda[0][0] <= boot:
            _, _, attempt = heappop(self._agenda)
            if attempt.is_ended:
                continue
            if attempt.ends_boot is not None and attempt.ends_boot <= boot:
                self._end(attempt)
            elif not attempt.is_over and (attempt.deadline_boot or boot + 1) <= boot:
                self._time_out(attempt)
        now = self._clock.now()
        while self._seats > 0 and (item := self._gate.take(now)) is not None:
            self._start(*item)

    def look_again(self) -> None:
        """Look at the clock anew: it was set."""
        self._gate.look_again()

    def _start(self, claim: Claim, entry: Entry) -> None:
        now = self._clock.now()
        is_late = claim.start_by is not None and now > claim.start_by
        if is_late or abs(self._clock.offset - claim.clock_offset) > _STEP:
            self._report(Returned(claim))
            return
        boot = self._clock.boot
        is_program = claim.executor == "process"
        self._report(Started(claim.run_id, claim.token, now))
        if not is_program:
            self._marks.set(claim.slot, Mark.RUNNING)
        ending, listens = self._draw(claim, entry)
        attempt = Attempt(
            claim,
            entry,
            now,
            ending,
            listens,
            ends_boot=None if ending.duration is None else boot + ending.duration,
            deadline_boot=None if claim.timeout is None else boot + claim.timeout,
        )
        self._seats -= 1
        (self._processes if is_program else self._threads)[claim.run_id] = attempt
        self._plan(attempt)
        if self._on_begin is not None:
            self._on_begin(attempt)

    def _end(self, attempt: Attempt) -> None:
        claim, ending = attempt.claim, attempt.ending
        attempt.is_ended = True
        is_fine = ending.outcome is Outcome.SUCCEEDED
        if claim.executor != "process":
            del self._threads[claim.run_id]
            if attempt.is_over:
                self._report(ThreadEnded(claim.run_id, claim.task_id))
                return
            self._marks.set(claim.slot, Mark.SUCCEEDED if is_fine else Mark.FAILED)
        outcome, error = ending.outcome, ending.error
        if attempt.cancel_reason is not None and not is_fine:
            outcome, error = Outcome.CANCELLED, attempt.cancel_reason
        self._seats += 1
        self._complete(attempt, outcome, error, self._clock.now())

    def _time_out(self, attempt: Attempt) -> None:
        is_thread = attempt.claim.executor != "process"
        attempt.is_over = is_thread
        attempt.is_ended = not is_thread
        self._seats += 1
        seconds = (attempt.claim.timeout or 0) / SECOND
        error = translate("logs.timed_out", seconds=seconds)
        self._complete(
            attempt, Outcome.TIMED_OUT, error, self._clock.now(), is_still_running=is_thread
        )
        if is_thread:
            if attempt.listens:
                attempt.ends_boot = self._clock.boot
            self._plan(attempt)

    def _complete(
        self,
        attempt: Attempt,
        outcome: Outcome,
        error: str | None,
        ended_at: Microseconds,
        *,
        is_still_running: bool = False,
    ) -> None:
        attempt.completion = completion_of(
            attempt, outcome, error, ended_at, is_still_running=is_still_running
        )
        self._report(attempt.completion)

    def _plan(self, attempt: Attempt) -> None:
        moment = attempt.next_boot()
        if moment is not None:
            self._number += 1
            heappush(self._agenda, (moment, self._number, attempt))

    @staticmethod
    def _is_idle(attempt: Attempt, boot: Microseconds) -> bool:
        """Whether an item of the agenda is of no use any more."""
        moment = attempt.next_boot()
        return attempt.is_ended or moment is None or moment > boot


def completion_of(
    attempt: Attempt,
    outcome: Outcome,
    error: str | None,
    ended_at: Microseconds,
    *,
    is_still_running: bool = False,
) -> Completion:
    """Return the report of an attempt's end."""
    claim = attempt.claim
    exit_code = None
    if claim.executor == "process" and outcome in (Outcome.SUCCEEDED, Outcome.FAILED):
        exit_code = 0 if outcome is Outcome.SUCCEEDED else 1
    return Completion(
        run_id=claim.run_id,
        task_id=claim.task_id,
        attempt=claim.attempt,
        token=claim.token,
        outcome=outcome,
        started_at=attempt.started_at,
        ended_at=max(ended_at, attempt.started_at),
        error=error,
        exit_code=exit_code,
        is_still_running=is_still_running,
    )
