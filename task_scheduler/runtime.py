"""The runtime: hold the ledger, wait for it, or ask whoever holds it.

Responsible for: the one thread that ticks the engine, when it wakes, what a failing tick leads to,
standby and take-over, and the orderly end. Decides nothing about runs.

Three ways to the ledger:

- *holder, running*: the engine plans and starts.
- *holder, passive*: a program that only adds or asks takes the lock, writes, and lets it go a
  moment after its last request.
- *somebody else holds it*: requests go through the control socket; a started scheduler is a hot
  standby that takes over the moment the lock is free.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import replace
from typing import Any

from task_scheduler import forks
from task_scheduler.actors import actor_here
from task_scheduler.bindings import Bindings
from task_scheduler.clock_watch import ClockWatch
from task_scheduler.control import ControlServer, HolderGoneError, ask, command_of
from task_scheduler.core.events import (
    SchedulerStarted,
    SchedulerStopped,
    SchedulerStopping,
    StandbyTookOver,
    StandbyWaiting,
    StoreAbandoned,
)
from task_scheduler.core.inbox import AddEntries, Command, DeclareEntries, SetPools
from task_scheduler.core.model import SECOND, Entry, Microseconds
from task_scheduler.core.ports import Clock
from task_scheduler.errors import SchedulerStoppedError, StoreUnavailableError
from task_scheduler.event_stream import EventStream
from task_scheduler.holding import Holding, HoldingOptions
from task_scheduler.i18n import translate
from task_scheduler.offers import (
    Patience,
    knock,
    missing_code,
    offer,
    offer_of,
    refusal,
    send,
    wait_for_heir,
    who_holds,
)
from task_scheduler.stores.engine_lock import EngineLock
from task_scheduler.stores.sqlite import MEMORY, SqliteStore
from task_scheduler.version import __version__
from task_scheduler.vigil import Vigil

__all__ = ["Runtime"]

_STANDBY_SECONDS = 0.1
"""Between two tries of a standby to get the lock."""
_KNOCK: Microseconds = SECOND
"""Between two requests of a standby to a holder that only writes."""


class Runtime:
    """One process's part in one ledger."""

    def __init__(
        self, options: HoldingOptions, *, clock: Clock, bindings: Bindings, check_seconds: float
    ) -> None:
        self.options = options
        self._stream = EventStream()
        self.listeners = self._stream.listeners
        self.tell = self._stream.tell
        self.chores: list[Callable[[], None]] = []
        """Called about once a minute, in the engine's thread."""
        self._clock = clock
        self._bindings = bindings
        self._check_seconds = check_seconds
        self._on_request: dict[str, Callable[..., Any]] = {}
        self.memory_store = SqliteStore(MEMORY) if options.is_memory else None
        self._reset()
        forks.watch(self)

    def _reset(self) -> None:
        """Be a runtime that holds nothing, in this process."""
        self._guard = threading.RLock()
        self.vigil = Vigil(self._clock, self._stream)
        self._loop = self.vigil.new_loop(self.chores)
        self._holding: Holding | None = None
        self._server: ControlServer | None = None
        self._watch: ClockWatch | None = None
        self._thread: threading.Thread | None = None
        self._wants_running = False
        self._stop_deadline: Microseconds | None = None
        self._activation: Future[None] = Future()
        self._is_wanted = False
        """Whether a standby waits for the ledger that is held here only to write."""
        self._has_heir = False
        """Whether it was let go for a standby."""
        self._knock_at: Microseconds = 0
        self._unsaved: set[str] = set()
        """Entries that this process added and neither the ledger nor the holder has confirmed."""
        self._fresh: set[str] = set()
        """Entries that this process added to the ledger since it holds it, passively."""

    # -- asking for changes ---------------------------------------------------------------------

    def execute(self, command: Command) -> Any:
        """Carry out a command, durably, here or in the holder; return its answer or raise.

        Called from a listener or a rule, in the engine's own thread, it is taken but not waited
        for, and the answer is None.
        """
        command = replace(command, actor=command.actor or actor_here())
        if threading.current_thread() is self._thread and self._holding is not None:
            self._holding.engine.inbox.put(command)
            return None
        patience: Patience | None = None
        while True:
            future = self._submit(command) if self._is_held_here() else None
            if future is not None:
                return future.result()
            try:
                return send(command, self.options.files.socket)
            except (HolderGoneError, SchedulerStoppedError) as error:
                # Nothing was changed: it died, or let the ledger go while it read the request.
                patience = patience or Patience(self._clock)
                patience.spend(self.options.files.socket, error)

    def add(self, entries: Sequence[Entry]) -> None:
        """Add entries; code that lives here alone is offered to a holder elsewhere, not sent."""
        if self._is_held_here():
            self.execute(AddEntries(entries=entries))
            if self.state == "passive":
                self._fresh.update(entry.task_id for entry in entries if entry.is_code_bound)
            return
        bound = [entry for entry in entries if entry.is_code_bound]
        sent = [entry for entry in entries if not entry.is_code_bound]
        self._unsaved.update(entry.task_id for entry in bound)
        if bound and self._wants_running:
            self._offer(bound)
        if sent:
            self.execute(AddEntries(entries=sent))

    def replan(self) -> None:
        """Let the rules be asked anew, soon: a calendar changed."""
        holding = self._holding
        if holding is not None:
            self._loop.replan(holding)

    def note(self, command: Command) -> bool:
        """Have the engine here carry out a command, soon; False where the ledger is not held."""
        holding = self._holding
        if holding is not None:
            self._loop.report(holding, command)
        return holding is not None

    def holder(self) -> dict[str, Any] | None:
        """Say who holds the ledger; None if nobody does.

        Of one that does not answer the state is ``mute``: it was stopped, or is stuck as a whole.
        """
        if self._holding is not None:
            return self._hello()
        return who_holds(self.options.files.socket)

    def ask_holder(self, op: str) -> Any:
        """Send the holder in another process a request of its own (``stop``, ``reload``)."""
        return ask(self.options.files.socket, op, timeout_seconds=30)

    def hold(self) -> Holding | None:
        """Return what is held here, and take it if nobody holds it; None: somebody else does."""
        return self._holding if self._is_held_here() else None

    def on_request(self, op: str, call: Callable[..., Any]) -> None:
        """Answer a request of another process by `call`, with the values that came with it."""
        self._on_request[op] = call

    def set_pools(self, pools: Mapping[str, int]) -> None:
        """Give pools these numbers of places, now and whenever the ledger is held again."""
        with self._guard:
            self.options = replace(self.options, pools=dict(pools))
            if self._holding is not None:
                self._holding.engine.inbox.put(SetPools(pools=dict(pools)))
        self._loop.signal()

    # -- start and stop -------------------------------------------------------------------------

    @property
    def state(self) -> str:
        """``running``, ``standby`` or ``stopped``; ``passive`` while it only writes."""
        if self._holding is not None:
            return "running" if self._holding.is_active else "passive"
        return "standby" if self._wants_running else "stopped"

    @property
    def store_error(self) -> str | None:
        """What the ledger last failed with; None while it works."""
        return self._loop.store_error

    @property
    def holding(self) -> Holding | None:
        """What this process holds, if it does."""
        return self._holding

    def start(self) -> None:
        """Run, or wait as a standby for the ledger to be free.

        Raises what the store raises, and StandbyRefusedError where the holder lacks functions that
        were added here.
        """
        with self._guard:
            if self._wants_running:
                return
            self._wants_running = True
            self._activation = Future()
        try:
            if self._hold() or not self._offer(self._bindings.bound()):
                self._loop.signal()
                self._activation.result()
                return
        except BaseException:
            self._wants_running = False
            self._loop.signal()
            raise
        self.tell(StandbyWaiting(str(self.options.files.database)))
        with self._guard:
            self._ensure_thread()

    def stop(self, timeout_seconds: float) -> None:
        """Start nothing more, wait for what runs, stop what still runs at the deadline, let go."""
        with self._guard:
            if (thread := self._thread) is None:
                self._wants_running = False
                return
            self._stop_deadline = self._clock.boottime() + round(max(0.0, timeout_seconds) * SECOND)
        self._loop.signal()
        if thread is not threading.current_thread():
            thread.join()

    def force_stop(self) -> None:
        """Make a stop that is under way end at once: programs are killed, functions left."""
        self._loop.is_forced = True
        self._loop.signal()

    def leave(self) -> None:
        """Let go at once: functions end with the program, programs go on under supervision."""
        self._loop.is_leaving = True
        self.stop(0.0)

    def before_fork(self) -> None:
        """Let a ledger go that is held to write alone: the child must not inherit it open."""
        is_elsewhere = threading.current_thread() is not self._thread
        if self.state == "passive" and is_elsewhere and not self._wants_running:
            self.stop(0.0)

    def after_fork_in_child(self) -> tuple[Any, ...]:
        """Hold nothing, for no thread lives here; return what is the parent's."""
        inherited = (self._holding, self._server)
        self._reset()
        return inherited

    # -- the thread -----------------------------------------------------------------------------

    def _keep(self) -> None:
        """Hold the ledger or wait for it, until stopped or not needed any more."""
        try:
            while self._stop_deadline is None:
                holding = self._holding
                if holding is None:
                    if not self._stand_by():
                        return
                    continue
                if self._wants_running and not holding.is_active:
                    self._activate(holding)
                elif not holding.is_active and self._let_go_if_idle(holding):
                    return
                self._loop.turn(holding)
            if self._holding is not None:
                self._drain(self._holding, self._stop_deadline)
        finally:
            with self._guard:
                if self._thread is threading.current_thread():
                    self._end()

    def _stand_by(self) -> bool:
        """Try once for the lock; False when nobody wants it any more."""
        if not self._wants_running:
            return False
        try:
            if self._hold():
                self.tell(StandbyTookOver(str(self.options.files.database)))
                return True
            if self._clock.boottime() >= self._knock_at:
                self._knock_at = self._clock.boottime() + _KNOCK
                knock(self.options.files.socket)
        except Exception as error:  # fence: tick
            self._loop.fail(error)
        self._loop.rest(min(_STANDBY_SECONDS, self._check_seconds))
        return True

    def _activate(self, holding: Holding) -> None:
        """Become the scheduler; the first failure is told to `start`, later ones are retried."""
        try:
            with self._loop.busy():
                bound = self._entries_to_bind(holding)
                holding.activate(fresh=list(self._fresh), bound=bound)
        except Exception as error:  # fence: tick
            if not self._activation.done():
                self._wants_running = False
                self._activation.set_exception(error)
                return
            self._loop.fail(error)
            return
        self._watch = ClockWatch(self._loop.signal)
        self._loop.is_told_of_clock = self._watch.is_told
        self._unsaved.clear()
        self._fresh.clear()
        self._loop.recover()
        count = holding.store.fetch("count_entries")
        self.tell(SchedulerStarted(count, str(self.options.files.database)))
        if not self._activation.done():
            self._activation.set_result(None)

    def _entries_to_bind(self, holding: Holding) -> list[Entry]:
        """Return the code-bound entries of this process that are in the ledger, or new to it."""
        bound = {
            entry.task_id: entry
            for entry in self._bindings.bound()
            if entry.is_code_bound and entry.task_id not in self._fresh
        }
        wanted = holding.store.fetch("kinds_of", ids=list(bound)).keys() | self._unsaved
        return [entry for task_id, entry in bound.items() if task_id in wanted]

    # -- holding and letting go -----------------------------------------------------------------

    def _is_held_here(self) -> bool:
        """Whether this process is the holder, or becomes it; to write alone, after any heir."""
        if self._holding is None and not self._wants_running:
            is_expected, self._has_heir = self._has_heir, False
            wait_for_heir(self._clock, self.options.files.socket, is_expected=is_expected)
        return self._hold()

    def _hold(self) -> bool:
        """Become the holder if nobody is; True if this process is it now."""
        with self._guard:
            if self._holding is not None:
                return True
            if self._stop_deadline is not None:
                return False
            self.options.files.prepare()
            lock = EngineLock(self.options.files.lock)
            try:
                if not lock.acquire():
                    return False
            except OSError as error:
                reason = error.strerror or str(error)
                raise StoreUnavailableError(
                    "errors.lock_unavailable", path=str(lock.path), reason=reason
                ) from error
            try:
                holding = Holding(
                    self.options,
                    store=self.memory_store or SqliteStore(self.options.files.database),
                    lock=lock,
                    clock=self._clock,
                    bindings=self._bindings,
                    emit=self.tell,
                    stir=self._loop.stir,
                    is_routine_heard=self._stream.is_routine_heard,
                )
                if not self.options.is_memory:
                    self._server = ControlServer(self.options.files.socket, self._serve)
            except BaseException:
                lock.release()
                raise
            self._holding = holding
            self._ensure_thread()
            return True

    def _ensure_thread(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(
                target=self._keep, name="task-scheduler-engine", daemon=True
            )
            self._thread.start()
            self.vigil.start(self._thread, self._loop, lambda: (self._holding, self._server))
        else:
            self._loop.signal()

    def _submit(self, command: Command) -> Future[Any] | None:
        """Put a command before the engine here; None where this process is not the holder."""
        with self._guard:
            if not self._hold():
                return None
            assert self._holding is not None
            future: Future[Any] = Future()
            self._holding.engine.inbox.put(
                replace(command, resolve=future.set_result, reject=future.set_exception)
            )
        self._loop.signal()
        return future

    def _let_go_if_idle(self, holding: Holding) -> bool:
        """Give the lock back where nobody asked for anything for a moment, or a standby waits."""
        if self.options.is_memory or not (self._is_wanted or self._loop.is_idle()):
            return False
        with self._guard:
            if len(holding.engine.inbox) or holding.store.is_copying or self._wants_running:
                return False
            self._end()
            return True

    def _drain(self, holding: Holding, deadline: Microseconds) -> None:
        was_active = holding.is_active
        if was_active:
            self.tell(SchedulerStopping(is_left=self._loop.is_leaving))
        self._loop.drain(holding, deadline, translate("runtime.stopped_reason"))
        if self.store_error is not None:
            self.tell(StoreAbandoned(self.store_error))
        if was_active:
            self.tell(SchedulerStopped())

    def _end(self) -> None:
        """Close what is held; under the guard."""
        holding, self._holding = self._holding, None
        server, self._server = self._server, None
        self._thread = self._stop_deadline = None
        self._wants_running = False
        if not self._activation.done():  # a stop overtook the start, which still waits
            self._activation.set_exception(SchedulerStoppedError("errors.stopped"))
        self._fresh.clear()
        self._has_heir, self._is_wanted = self._is_wanted, False
        self._loop = self.vigil.new_loop(self.chores)
        self.vigil.close()
        if server is not None:
            server.close()
        if self._watch is not None:
            self._watch.close()
            self._watch = None
        if holding is not None:
            for fact in holding.engine.inbox.take():
                if isinstance(fact, Command):
                    fact.reject(SchedulerStoppedError("errors.stopped"))
            holding.close()

    # -- being asked ----------------------------------------------------------------------------

    def _hello(self) -> dict[str, Any]:
        return {
            "pid": os.getpid(),
            "version": __version__,
            "state": self.state,
            "store_error": self.store_error,
            "problems": self.vigil.problems(),
        }

    def _serve(self, op: str, values: dict[str, Any]) -> Any:
        """Answer a request that came through the socket."""
        if op == "hello":
            return self._hello()
        if op == "offer":
            if self.state == "passive":
                self._is_wanted = True
                self._loop.signal()
            missing = missing_code(self._bindings, values["entries"])
            return {"state": self.state, "missing": missing, "pid": os.getpid()}
        if op in self._on_request:
            return self._on_request[op](**values)
        command = command_of(op, values)
        if isinstance(command, AddEntries | DeclareEntries):
            self._refuse_missing(command.entries)
        future = self._submit(command)
        if future is None:
            raise SchedulerStoppedError("errors.stopped")
        return future.result()

    def _refuse_missing(self, entries: Iterable[Entry]) -> None:
        missing = missing_code(self._bindings, [offer_of(entry) for entry in entries])
        if missing:
            raise refusal(missing, self.options.files, os.getpid())

    def _offer(self, entries: Iterable[Entry]) -> bool:
        """Make sure the holder knows the code of these entries; False if we hold the ledger now."""
        offered = list(entries)
        is_known = offer(offered, files=self.options.files, clock=self._clock, hold=self._hold)
        if is_known:
            self._unsaved.difference_update(entry.task_id for entry in offered)
        return is_known is not False
