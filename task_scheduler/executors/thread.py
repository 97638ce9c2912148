"""Worker threads: they take due claims and run functions.

Responsible for: starts, marks, timeouts of functions, and one completion for each claim. A thread
is never killed: at its timeout an attempt is over for the ledger, its context says `cancelled`,
its thread keeps the task's seat, and another worker takes the thread's place.

Does not know what a task is: `prepare` gives the call of a claim, `launch` hands the claim of a
process to supervision.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from task_scheduler.core.inbox import Fact, Started, ThreadEnded
from task_scheduler.core.model import SECOND, Claim, Completion, Entry, Microseconds, Outcome
from task_scheduler.core.ports import Clock
from task_scheduler.core.recovery import Mark
from task_scheduler.executors.marks import MemoryMarks
from task_scheduler.i18n import translate

__all__ = ["ClaimSource", "Performance", "WorkerPool"]

_STACK_NAME = "task-scheduler-worker"


class ClaimSource(Protocol):
    """Where workers get their claims (`dispatcher.Dispatcher`)."""

    def take(self, *, has_seat: bool = False) -> tuple[Claim, Entry] | None:
        """Wait for a due claim and take a seat for it; None when there is no more work.

        `has_seat`: the seat of the claim before is given back with the same call.
        """
        ...

    def release(self) -> None:
        """Give the seat back."""
        ...


class Performance(NamedTuple):
    """One attempt as the pool runs it: `call` answers (ok, error), `cancel` asks it to end.

    `output` answers where it left what it has to show, None without any.
    """

    call: Callable[[], tuple[bool, str | None]]
    cancel: Callable[[], None]
    output: Callable[[], str | None] = lambda: None


@dataclass(slots=True)
class _Attempt:
    """A function that runs now."""

    claim: Claim
    performance: Performance
    started_at: Microseconds
    deadline: Microseconds | None
    """On the boot clock."""
    cancel_reason: str | None = None
    is_told: bool = False
    """Whether the engine knows that it began."""


class WorkerPool:
    """A fixed number of workers; threads that cannot be stopped do not count among them."""

    def __init__(
        self,
        *,
        source: ClaimSource,
        clock: Clock,
        marks: MemoryMarks,
        report: Callable[[Fact], None],
        stir: Callable[[], None],
        prepare: Callable[[Claim, Entry], Performance],
        launch: Callable[[Claim, Entry], None],
    ) -> None:
        self._source = source
        self._clock = clock
        self._marks = marks
        self._report = report
        self._stir = stir
        self._prepare = prepare
        self._launch = launch
        self._running: dict[int, _Attempt] = {}
        self._undecided: dict[int, _Attempt] = {}
        """Whoever pops an attempt from here reports its outcome: its thread, or its timeout. The
        pop is atomic; a lock would let a thread that computes all the time in between."""
        self._threads: set[threading.Thread] = set()
        self.lacking = 0
        """Workers that the system gave no thread for."""

    def start(self, count: int) -> None:
        """Start workers; where the system gives no thread, `expire` tries again."""
        self.lacking += count
        while self.lacking:
            # Daemons: a function that never returns must not keep the program from ending.
            thread = threading.Thread(target=self._work, name=_STACK_NAME, daemon=True)
            self._threads.add(thread)
            try:
                thread.start()
            except RuntimeError:
                self._threads.discard(thread)
                return
            self.lacking -= 1

    def next_deadline(self) -> Microseconds | None:
        """Return the earliest moment (boot clock) at which `expire` has something to do."""
        moments = [a.deadline for a in self._undecided.copy().values() if a.deadline is not None]
        if self.lacking:
            moments.append(self._clock.boottime() + SECOND)
        return min(moments, default=None)

    def expire(self) -> None:
        """Settle the functions whose time is over; their threads go on."""
        if self.lacking:
            self.start(0)
        now = self._clock.boottime()
        for attempt in self._undecided.copy().values():
            if attempt.deadline is not None and attempt.deadline <= now:
                seconds = (attempt.claim.timeout or 0) / 1_000_000
                error = translate("logs.timed_out", seconds=seconds)
                self._give_up(attempt, Outcome.TIMED_OUT, error)

    def cancel(self, claim: Claim, reason: str) -> bool:
        """Ask a running function to end; it is `cancelled` once it returns. False if unknown."""
        attempt = self._undecided.get(claim.run_id)
        if attempt is None or attempt.claim.token != claim.token:
            return False
        attempt.cancel_reason = reason
        if self._undecided.get(claim.run_id) is not attempt:
            # It ended meanwhile, and may not have seen the reason.
            return False
        attempt.performance.cancel()
        return True

    def begun(self) -> list[Started]:
        """Return what has begun since the last call and still runs, in the engine's thread.

        Of functions that end at once nobody has to be told that they began: their end says so.
        """
        found = []
        for attempt in self._running.copy().values():
            if not attempt.is_told:
                attempt.is_told = True
                claim = attempt.claim
                found.append(Started(claim.run_id, claim.token, attempt.started_at))
        return found

    @property
    def has_begun(self) -> bool:
        """Whether `begun` has something to tell."""
        return any(not attempt.is_told for attempt in self._running.copy().values())

    def running_count(self) -> int:
        """Return how many attempts run, those whose thread overran its timeout included."""
        return len(self._running)

    def cancel_all(self, reason: str) -> None:
        """Ask every running function to end."""
        for attempt in self._undecided.copy().values():
            self.cancel(attempt.claim, reason)

    def join(self, timeout_seconds: float) -> None:
        """Wait a moment for idle workers to end, once the source is closed; not for busy ones."""
        for thread in list(self._threads):
            if thread is threading.current_thread() or self.running_count():
                continue
            thread.join(timeout_seconds)

    def _work(self) -> None:
        """Take claims until there are no more."""
        has_seat = False
        try:
            while (item := self._source.take(has_seat=has_seat)) is not None:
                claim, entry = item
                if claim.executor == "process":
                    # Its seat is given back when supervision reports the end of the process.
                    has_seat = False
                    self._report(Started(claim.run_id, claim.token, self._clock.now()))
                    self._launch(claim, entry)
                    continue
                has_seat = self._run(claim, entry)
                if not has_seat:
                    # Another worker was started in the place of this one.
                    break
        finally:
            self._threads.discard(threading.current_thread())

    def _run(self, claim: Claim, entry: Entry) -> bool:
        """Run one function; False if this thread was given up meanwhile."""
        run_id, clock, marks = claim.run_id, self._clock, self._marks
        started_at = clock.now()
        performance = self._prepare(claim, entry)
        deadline = None if claim.timeout is None else clock.boottime() + claim.timeout
        attempt = _Attempt(claim, performance, started_at, deadline)
        self._running[run_id] = self._undecided[run_id] = attempt
        self._stir()
        marks.set(claim.slot, Mark.RUNNING)
        is_ok, error = performance.call()
        is_given_up = self._undecided.pop(run_id, None) is None
        del self._running[run_id]
        if is_given_up:
            # The mark is somebody else's by now: its claim was settled at the timeout.
            self._report(ThreadEnded(run_id, claim.task_id))
            return False
        marks.set(claim.slot, Mark.SUCCEEDED if is_ok else Mark.FAILED)
        outcome = Outcome.SUCCEEDED if is_ok else Outcome.FAILED
        if attempt.cancel_reason is not None and not is_ok:
            outcome, error = Outcome.CANCELLED, attempt.cancel_reason
        self._report(self._completion(attempt, outcome, error))
        return True

    def _give_up(self, attempt: _Attempt, outcome: Outcome, error: str) -> None:
        """Report the end of an attempt whose thread goes on, and replace the thread."""
        if self._undecided.pop(attempt.claim.run_id, None) is None:
            return
        attempt.performance.cancel()
        self._report(self._completion(attempt, outcome, error, is_still_running=True))
        self._source.release()
        self.start(1)

    def _completion(
        self,
        attempt: _Attempt,
        outcome: Outcome,
        error: str | None,
        *,
        is_still_running: bool = False,
    ) -> Completion:
        claim, started_at, ended_at = attempt.claim, attempt.started_at, self._clock.now()
        return Completion(
            claim.run_id,
            claim.task_id,
            claim.attempt,
            claim.token,
            outcome,
            started_at,
            max(started_at, ended_at),
            error,
            None,
            is_still_running,
            attempt.performance.output(),
        )
