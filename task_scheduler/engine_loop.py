"""The loop around the engine: when it ticks, how long it sleeps, and what a failing tick leads to.

Responsible for: group commit (ticks are kept apart unless somebody waits), waking for facts, the
clocks, housekeeping between ticks, backing off from a store that fails, and draining at the end.
Does not know how the ledger came to be held, nor what a tick decides.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from task_scheduler.core.events import ClockStepped
from task_scheduler.core.faults import OF_TICKS
from task_scheduler.core.inbox import Fact, ReplanEntries
from task_scheduler.core.model import SECOND, Microseconds
from task_scheduler.core.ports import Clock, Emit
from task_scheduler.errors import TaskSchedulerError
from task_scheduler.fault_board import FaultBoard
from task_scheduler.holding import Holding
from task_scheduler.schedules import zones
from task_scheduler.trouble import trouble_of

__all__ = ["LINGER_SECONDS", "EngineLoop"]

LINGER_SECONDS = 0.5
"""How long a passive holder keeps the lock after its last request."""

_SPACING: Microseconds = 10_000
"""Between two ticks, unless somebody waits for an answer or a worker for work."""
_CLOSE: Microseconds = 1_000
"""A tick that is not urgent waits for a start that is as close as this."""
_BLIND: Microseconds = 20 * SECOND
"""The longest sleep without a look at the clocks."""
_BLIND_IF_TOLD: Microseconds = 30 * SECOND
"""The same where the system tells when a clock was set."""
_REST: Microseconds = 2 * SECOND
"""For so long after a tick the engine does not rest."""
_CHORES: Microseconds = 60 * SECOND
_DRAIN_LOOK: Microseconds = SECOND // 5
"""Between two looks at what still runs, while stopping."""
_KILL: Microseconds = 15 * SECOND
"""How long, after the deadline of a stop, killed programs may take to be gone."""
_STEP: Microseconds = 100_000
"""A difference of wall and boot clock between two looks beyond which the clock was set."""
_FIRST_BACKOFF: Microseconds = 100_000
_LONGEST_BACKOFF: Microseconds = 2 * SECOND
"""Whatever was wrong is noticed to be over within this."""


class EngineLoop:
    """Turn the engine of a holding; one thread calls, any thread may `signal` and `report`."""

    def __init__(
        self,
        clock: Clock,
        emit: Emit,
        chores: Sequence[Callable[[], None]] = (),
        *,
        board: FaultBoard,
    ) -> None:
        self.store_error: str | None = None
        """What the store, or a tick, last failed with; None once it works again."""
        self.is_forced = False
        """Whether programs are to be killed at once while draining."""
        self.is_leaving = False
        """Whether nothing that runs is to be waited for."""
        self.is_told_of_clock = False
        """Whether somebody wakes the loop when the wall clock was set."""
        self.on_signal: Callable[[], None] = lambda: None
        """Called when somebody waits for an answer."""
        self._chores = chores
        """Called about once a minute, between two ticks."""
        self._chores_at: Microseconds = 0
        self._clock = clock
        self._emit = emit
        self._board = board
        self.busy_since: Microseconds | None = None
        """Since when, on the boot clock, the engine is at work; None while it sleeps."""
        self.turned_at: Microseconds = clock.boottime()
        """When, on the boot clock, it last began something; it never sleeps for long."""
        self._must_prove = False
        """Whether somebody saw the ledger out of its place."""
        self._wake = threading.Event()
        self._urgent = threading.Event()
        self._is_asleep = False
        self._asleep_until: Microseconds = 0
        """On the boot clock."""
        self._is_draining = False
        self._ticked_at: Microseconds = 0
        self._wake_at: Microseconds | None = None
        self._offset: Microseconds | None = None
        self._failures = 0

    def signal(self) -> None:
        """Wake the loop: somebody waits for an answer."""
        self._urgent.set()
        self._wake.set()
        self.on_signal()

    def report(self, holding: Holding, fact: Fact) -> None:
        """Take a fact from another thread."""
        holding.engine.inbox.put(fact)
        self.stir()

    def stir(self) -> None:
        """Wake the loop if it sleeps: there is something to do, and nobody waits for it."""
        if self._is_asleep:
            # One bell is enough, and each of them takes a lock.
            self._is_asleep = False
            self._wake.set()

    def replan(self, holding: Holding) -> None:
        """Let the engine ask the rules anew: a zone or a calendar changed."""
        self.report(holding, ReplanEntries())

    def doubt(self) -> None:
        """Look at once whether the ledger is in its place: somebody saw that it is not."""
        self._must_prove = True
        self.signal()

    def rest(self, seconds: float) -> None:
        """Sleep until signalled, at most so long."""
        self.turned_at = self._clock.boottime()
        self._wake.wait(seconds)
        self._wake.clear()

    def turn(self, holding: Holding) -> None:
        """Tick once and sleep until there is something to do."""
        with self.busy():
            has_ticked = self._tick(holding)
        if has_ticked:
            self._sleep(holding)

    @contextmanager
    def busy(self) -> Iterator[None]:
        """Do something in the engine's thread that the watchdog expects to come to an end."""
        self.turned_at = self.busy_since = self._clock.boottime()
        try:
            yield
        finally:
            self.busy_since = None

    def rest_seconds(self) -> float:
        """Return how long the engine will sleep unless it is woken; 0: it had work of late."""
        now = self._clock.boottime()
        if self.busy_since is not None or now - self._ticked_at < _REST:
            return 0.0
        return max(0, self._asleep_until - now) / SECOND

    def is_idle(self) -> bool:
        """Whether a passive holder has had nothing to do for long enough to let go."""
        idle = self._clock.boottime() - self._ticked_at
        return bool(self._ticked_at) and idle >= LINGER_SECONDS * SECOND * 0.9

    def drain(self, holding: Holding, deadline: Microseconds, reason: str) -> None:
        """Start nothing more; bring what runs to its end, or to a stop at the deadline."""
        holding.stop_starting()
        self._is_draining = True
        is_cancelled = False
        while True:
            with self.busy():
                has_ticked = self._tick(holding)
            if holding.is_drained() or self.is_leaving:
                break
            now = self._clock.boottime()
            if self.is_forced:
                holding.processes.kill_all()
            if (now >= deadline or self.is_forced) and not is_cancelled:
                is_cancelled = True
                deadline = now + _KILL
                holding.cancel_all(reason)
            elif is_cancelled and (now >= deadline or not holding.has_processes(has_ticked)):
                # What is left are functions: their threads end with the process.
                break
            if has_ticked:
                self._sleep(holding)

    def fail(self, error: Exception) -> None:
        """Tell of a failure and pause before the next try, ever longer."""
        self._failures += 1
        backoff = min(_FIRST_BACKOFF << min(self._failures, 16), _LONGEST_BACKOFF)
        is_ours = isinstance(error, TaskSchedulerError)
        self.store_error = str(error) if is_ours else f"{type(error).__name__}: {error}"
        # Told once: the tries that follow come every few seconds.
        self._board.begin(trouble_of(error), OF_TICKS)
        self.busy_since = None
        self._urgent.wait(backoff / SECOND)

    def recover(self) -> None:
        """Tell, once, that what failed works again."""
        if self._failures:
            self._failures = 0
            self.store_error = None
            self._board.end(OF_TICKS)

    def _tick(self, holding: Holding) -> bool:
        """Let the engine do what there is to do; False, after a pause, where it could not."""
        self._urgent.clear()
        try:
            self._look_at_clock(holding)
            if zones.refresh(self._clock.now()):
                self.replan(holding)
            if holding.pool is not None:
                holding.pool.expire()
            self._wake_at = holding.tick()
            if self._must_prove:
                holding.mend_places()
                self._must_prove = False
            holding.store.checkpoint()
            if self._clock.boottime() >= self._chores_at:
                self._chores_at = self._clock.boottime() + _CHORES
                for chore in self._chores:
                    chore()
            is_keeping = holding.is_active or holding.retention.is_asked
            if is_keeping and holding.retention.next_at <= self._clock.boottime():
                holding.retention.step()
        except Exception as error:  # fence: tick
            self.fail(error)
            self._mend(holding)
            return False
        if not holding.engine.has_doubts:
            self.recover()
        self._ticked_at = self._clock.boottime()
        return True

    def _mend(self, holding: Holding) -> None:
        """Put files back that are not in their places, now that whoever asked was answered."""
        try:
            holding.mend_places()
        except Exception as error:  # fence: tick
            self._board.begin(trouble_of(error), OF_TICKS)

    def _sleep(self, holding: Holding) -> None:
        """Wait for a fact or the next moment, and keep ticks apart."""
        seconds = self._seconds_until(holding)
        is_burst = False
        if seconds > 0:
            # First say that we sleep, then look: a fact put in between rings the bell.
            self._is_asleep = True
            asleep_at = self._clock.boottime()
            self._asleep_until = asleep_at + round(seconds * SECOND)
            is_quiet = not holding.has_news and not self._urgent.is_set()
            if is_quiet and self._wake.wait(seconds):
                # A burst has begun: those that are due start first, and are recorded then.
                is_burst = holding.next_due == 0
            elif is_quiet:
                holding.measures.wake.observe(
                    self._clock.boottime() - asleep_at - round(seconds * SECOND)
                )
            self._is_asleep = False
            self._wake.clear()
        engine = holding.engine
        if engine.is_behind() or (holding.is_starving and engine.has_due_claims()):
            return
        now = self._clock.boottime()
        apart = (now if is_burst else self._ticked_at) + _SPACING - now
        if apart > 0 and not self._is_draining:
            self._urgent.wait(apart / SECOND)
            self._give_way(holding)

    def _give_way(self, holding: Holding) -> None:
        """Let a start that is close come first: it would wait for the interpreter."""
        due_at = holding.next_due
        if due_at is None or self._urgent.is_set():
            return
        pause = due_at - self._clock.now()
        if 0 < pause <= _CLOSE:
            self._wake.clear()
            self._is_asleep = True
            self._wake.wait((pause + _CLOSE) / SECOND)
            self._is_asleep = False
            self._wake.clear()

    def _seconds_until(self, holding: Holding) -> float:
        """Return how long nothing is to be done, unless a fact comes."""
        boottime = self._clock.boottime()
        is_staying = holding.is_active or holding.store.is_memory
        waits = [_BLIND_IF_TOLD if self.is_told_of_clock else _BLIND]
        if not is_staying:
            waits.append(round(LINGER_SECONDS * SECOND))
        if self._is_draining:
            waits.append(_DRAIN_LOOK)
        if self._wake_at is not None:
            waits.append(self._wake_at - self._clock.now())
        if holding.is_active or holding.retention.is_asked:
            waits.append(holding.retention.next_at - boottime)
        if holding.is_active:
            deadline = holding.pool.next_deadline() if holding.pool is not None else None
            if deadline is not None:
                waits.append(deadline - boottime)
        return max(0.0, min(waits) / SECOND)

    def _look_at_clock(self, holding: Holding) -> None:
        """Notice that the wall clock was set."""
        offset = self._clock.now() - self._clock.boottime()
        if self._offset is not None and abs(offset - self._offset) > _STEP:
            self._emit(ClockStepped(offset - self._offset))
            holding.look_again()
        self._offset = offset
