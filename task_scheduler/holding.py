"""Holding a ledger: everything that exists in this process while it is the one that writes.

Responsible for: opening and closing the parts in order (lock, store, engine, workers, supervision),
recovery of what an earlier process had in its hands, and carrying out what the engine decides. Has
no thread and no loop of its own: `runtime` ticks it.

A holding is *passive* at first: it obeys commands and starts nothing. `activate` makes it the
scheduler.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from task_scheduler.bindings import Bindings
from task_scheduler.clock import read_boot_id
from task_scheduler.core.engine import Engine
from task_scheduler.core.events import LedgerHeld
from task_scheduler.core.faults import FaultKind, Trouble
from task_scheduler.core.hold import Mileage
from task_scheduler.core.inbox import AddEntries, Fact, Returned
from task_scheduler.core.limits import EngineLimits
from task_scheduler.core.model import (
    SECOND,
    Claim,
    Completion,
    Entry,
    LaunchSpec,
    Microseconds,
    Outcome,
)
from task_scheduler.core.ports import Clock, Emit
from task_scheduler.core.reception import always_heard
from task_scheduler.core.recovery import Recovered, Verdict, take_over
from task_scheduler.core.settlement import NoteEnds, Settlement
from task_scheduler.dispatcher import Dispatcher
from task_scheduler.errors import StoreUnavailableError, TaskSchedulerError
from task_scheduler.executors.marks import MarkFile, MemoryMarks
from task_scheduler.executors.process import ProcessExecutor
from task_scheduler.executors.thread import Performance, WorkerPool
from task_scheduler.executors.thread_output import ThreadOutput
from task_scheduler.i18n import translate
from task_scheduler.observe.measured_store import MeasuredStore
from task_scheduler.observe.measures import Measures
from task_scheduler.retention import Collected, Retention
from task_scheduler.rollback import look_for_rollback
from task_scheduler.state_files import StateFiles
from task_scheduler.stores.background_check import BackgroundCheck
from task_scheduler.stores.engine_lock import EngineLock
from task_scheduler.stores.sqlite import SqliteStore, read_only
from task_scheduler.tasks.attempt import describe, perform
from task_scheduler.tasks.context import Lent, RunContext
from task_scheduler.tasks.task import BaseTask
from task_scheduler.version import __version__
from task_scheduler.warm_rules import WarmRules

__all__ = ["Holding", "HoldingOptions"]

_MOVING: Microseconds = SECOND // 2
"""How long files are missing before they are put back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldingOptions:
    """What a holding is made with; `is_memory`: the ledger lives in memory alone."""

    files: StateFiles
    is_memory: bool
    workers: int
    retention_days: float
    retention_runs: int
    output_limit_bytes: int
    pools: Mapping[str, int] = field(default_factory=dict)
    guard: Callable[[LaunchSpec], LaunchSpec] = lambda spec: spec
    """Says how a command is really started (`launch_guard`)."""
    warm: Callable[[], WarmRules] = WarmRules
    """Says which scripts are started warm, and for how long their templates are used."""
    lend: Callable[[str, Callable[[bytes], None]], Lent | None] = lambda _, __: None
    """Says what a request of an entry of that origin may have and reach (`launch_guard`)."""
    mask: Callable[[str], str] = lambda text: text
    """Takes secrets out of what is to be recorded."""
    note_ends: NoteEnds = lambda _: None
    """Told of attempts whose ends are durable."""
    traceparent: Callable[[Claim], str | None] = lambda _: None
    """Says to which trace an attempt belongs; None: to none."""
    perform: Callable[[BaseTask, RunContext], tuple[bool, str | None]] = perform
    """Runs an attempt in the thread that calls it."""


class Holding:
    """The parts of a scheduler around one ledger that this process writes."""

    def __init__(
        self,
        options: HoldingOptions,
        *,
        store: SqliteStore,
        lock: EngineLock,
        clock: Clock,
        bindings: Bindings,
        emit: Emit,
        stir: Callable[[], None],
        is_routine_heard: Callable[[], bool] = always_heard,
    ) -> None:
        self.options = options
        self.is_active = False
        self.limits = EngineLimits(workers=options.workers, pools=options.pools)
        self._lock = lock
        self._clock = clock
        self._bindings = bindings
        self._emit = emit
        self._stir = stir
        self._dispatcher: Dispatcher | None = None
        self._missing_since: Microseconds | None = None
        """Since when, on the boot clock, files of the ledger are not in their places."""
        self.marks: MemoryMarks = MemoryMarks()
        files = options.files
        self.store = store
        self.processes = ProcessExecutor(
            runs=files.runs,
            bell=files.bell,
            clock=clock,
            report=self._report,
            release=self._release_seat,
            emit=emit,
            output_limit_bytes=options.output_limit_bytes,
            warm_limits=lambda: options.warm().limits,
        )
        self.retention = Retention(
            self.store,
            clock=clock,
            days=options.retention_days,
            runs_per_task=options.retention_runs,
            files=self.processes,
            last_run_id=lambda: self.engine.last_run_id,
        )
        self._check = BackgroundCheck(lambda: read_only(store.path), store.condemn)
        self.pool: WorkerPool | None = None
        self.measures = Measures(clock, workers=options.workers)
        self.engine = Engine(
            store=MeasuredStore(store, clock, self.measures.commit),
            clock=clock,
            catalog=bindings,
            hands=self,
            marks=self.marks,
            emit=emit,
            limits=self.limits,
            note_ends=self._note_ends,
            is_routine_heard=is_routine_heard,
        )
        self.engine.is_passive = True
        self._look_back(with_folders=False)
        self.engine.open(
            epoch=(self.store.fetch("last_epoch") or [0])[0],
            last_run_id=self.store.fetch("last_run_id"),
            boot_id=read_boot_id(),
        )

    def _report(self, fact: Fact) -> None:
        """Pass a fact on to the engine; an error may quote what nobody should read."""
        if type(fact) is Completion and fact.error is not None:
            fact = fact._replace(error=self.options.mask(fact.error))
        self.engine.inbox.put(fact)
        self._stir()

    def _note_ends(self, settlements: Sequence[Settlement]) -> None:
        self.measures.note_ends(settlements)
        self.options.note_ends(settlements)

    def _look_back(self, *, with_folders: bool) -> None:
        """Hold the ledger if it is older than what ran."""
        if not self.options.is_memory:
            now = self._clock.now()
            look_for_rollback(self.store, self.options.files, now=now, with_folders=with_folders)

    # -- becoming the scheduler -----------------------------------------------------------------

    def activate(self, *, fresh: Sequence[str], bound: Sequence[Entry]) -> None:
        """Recover what an earlier process left, take up the entries bound here, start workers.

        `fresh` are the ids that this holding itself has added, `bound` the entries whose code is
        here and that the ledger knows from before. Raises what the store raises, with nothing
        started.
        """
        options = self.options
        self._look_back(with_folders=True)
        marks = MemoryMarks() if options.is_memory else self._open_marks()
        engine = self.engine
        ledger = self.store.fetch("ledger_row")
        is_held = ledger["held_at"] is not None
        recovered, alive = self._recover(marks, fresh, is_held=is_held)
        self.marks = marks
        if not options.is_memory:
            mileage = Mileage(ledger["last_token"], ledger["last_run_id"])
            marks.identify(ledger["ledger_id"], mileage)
        engine.open(
            epoch=self.store.fetch("last_epoch")[0],
            last_run_id=self.store.fetch("last_run_id"),
            boot_id=read_boot_id(),
            marks=marks,
            is_held=is_held,
        )
        marks.reserve({flight.claim.slot for flight in recovered.flights})
        for flight in recovered.flights:
            engine.flights.add(flight)
        engine.inbox.put_back(recovered.facts)
        if bound:
            engine.inbox.put(AddEntries(entries=list(bound)))
        self._dispatcher = Dispatcher(
            self._clock, options.workers - len(alive), lambda claim: self._report(Returned(claim))
        )
        self.pool = WorkerPool(
            source=self._dispatcher,
            clock=self._clock,
            marks=marks,
            report=self._report,
            stir=self._stir,
            prepare=self._prepare,
            launch=self._launch,
        )
        self.processes.start()
        for claim in alive:
            self.processes.adopt(claim)
            reason = self.engine.flights.in_hand[claim.run_id].cancel_reason
            if reason is not None:
                # Promised by the earlier process, which may not have come to ask for it.
                self.processes.cancel(claim, reason)
        self.pool.start(options.workers)
        if not options.is_memory:
            self._check.start(is_urgent=self.store.is_large)
        engine.is_passive = False
        self.is_active = True
        for event in recovered.events:
            self._emit(event)
        if is_held:
            self._emit(LedgerHeld(ledger["held_reason"], ledger["held_moment"]))

    def _open_marks(self) -> MarkFile:
        path = self.options.files.marks
        try:
            return MarkFile(path)
        except OSError as error:
            raise StoreUnavailableError(
                "errors.store_unavailable", path=str(path), reason=error.strerror or str(error)
            ) from error

    def _recover(
        self, marks: MemoryMarks, fresh: Sequence[str], *, is_held: bool
    ) -> tuple[Recovered, list[Claim]]:
        """Find out what became of every claim of an earlier process; return those that live too.

        The claims of a held ledger went on after it: their marks are others' by now, and files that
        are not there were forgotten. Such an attempt is lost unless it lives or left its record.
        """
        alive: list[Claim] = []
        lost_text = translate("runtime.lost_restored" if is_held else "runtime.lost_error")

        def inspect(claim: Claim, is_same_boot: bool) -> tuple[str, Completion | None]:
            verdict, completion = self.processes.inspect(claim, is_same_boot=is_same_boot)
            if verdict == Verdict.ALIVE:
                alive.append(claim)
            if verdict == Verdict.NOT_STARTED and is_held:
                return Verdict.LOST, self._unknown_end(claim, lost_text)
            return verdict, completion

        recovered = take_over(
            self.store,
            boot_id=read_boot_id(),
            pid=os.getpid(),
            version=__version__,
            now=self._clock.now(),
            fresh=fresh,
            gone=self._bindings.missing_functions(self.store.fetch("function_references")),
            inspect=inspect,
            mark_of=marks.read if isinstance(marks, MarkFile) and not is_held else lambda _: None,
            lost_text=lost_text,
        )
        return recovered, alive

    def _unknown_end(self, claim: Claim, text: str) -> Completion:
        now = self._clock.now()
        return Completion(
            run_id=claim.run_id,
            task_id=claim.task_id,
            attempt=claim.attempt,
            token=claim.token,
            outcome=Outcome.LOST,
            started_at=min(claim.due_at, now),
            ended_at=now,
            error=text,
        )

    def tick(self) -> Microseconds | None:
        """Let the engine do what there is to do, and measure it; return when to wake."""
        began = self._clock.boottime()
        if self.pool is not None:
            for started in self.pool.begun():
                self.engine.inbox.put(started)
        wake = self.engine.tick()
        is_full = self._dispatcher is not None and self._dispatcher.is_full
        self.measures.note_tick(began, is_full=is_full)
        self.limits.note_tick(self._clock.boottime() - began)
        return wake

    # -- what the engine asks of its hands ------------------------------------------------------

    def hand_over(self, claims: Sequence[tuple[Claim, Entry]]) -> None:
        """Give committed claims to the dispatcher."""
        assert self._dispatcher is not None
        self._dispatcher.hand_over(claims)

    def revoke(self, run_id: int) -> bool:
        """Take an unstarted claim back."""
        return self._dispatcher is not None and self._dispatcher.revoke(run_id)

    def cancel(self, claim: Claim, reason: str) -> bool:
        """Ask a started attempt to end."""
        if claim.executor == "process":
            return self.processes.cancel(claim, reason)
        return self.pool is not None and self.pool.cancel(claim, reason)

    def forget(self, claims: Sequence[Claim]) -> None:
        """Remove what proved the ends of these claims: they are durable."""
        ended = [claim for claim in claims if claim.executor == "process"]
        if ended:
            self.processes.forget(ended)

    # -- what workers ask -----------------------------------------------------------------------

    @property
    def has_news(self) -> bool:
        """Whether workers told, or began, what the engine does not know of."""
        return bool(len(self.engine.inbox)) or (self.pool is not None and self.pool.has_begun)

    @property
    def is_starving(self) -> bool:
        """Whether workers wait and have nothing to wait for."""
        return self._dispatcher is not None and self._dispatcher.is_starving

    @property
    def next_due(self) -> Microseconds | None:
        """The moment of the next claim that no worker has taken (`Dispatcher.next_due`)."""
        return None if self._dispatcher is None else self._dispatcher.next_due

    def _release_seat(self) -> None:
        if self._dispatcher is not None:
            self._dispatcher.release()

    def _prepare(self, claim: Claim, entry: Entry) -> Performance:
        try:
            task = self._bindings.task_of(entry)
        except Exception as error:  # fence: attempt
            text = _reason(error)
            return Performance(call=lambda: (False, text), cancel=lambda: None)
        context, options = self._context_of(claim), self.options
        run = options.perform
        if entry.kind == "http":
            output = ThreadOutput(options.files.runs, claim, options.output_limit_bytes)
            context.lent = options.lend(entry.origin, output.keep)
            return Performance(lambda: run(task, context), context.cancel, output.path)
        return Performance(call=lambda: run(task, context), cancel=context.cancel)

    def _context_of(self, claim: Claim) -> RunContext:
        context = RunContext.of_claim(claim)
        context.traceparent = self.options.traceparent(claim)
        return context

    def _launch(self, claim: Claim, entry: Entry) -> None:
        try:
            task = self._bindings.task_of(entry)
            spec = task.launch_spec(self._context_of(claim), entry.policies)
            spec = self.options.warm().choose(self.options.guard(spec))
        except Exception as error:  # fence: attempt
            now = self._clock.now()
            self._report(
                Completion(
                    run_id=claim.run_id,
                    task_id=claim.task_id,
                    attempt=claim.attempt,
                    token=claim.token,
                    outcome=Outcome.FAILED,
                    started_at=now,
                    ended_at=now,
                    error=_reason(error),
                )
            )
            self._release_seat()
        else:
            self.processes.launch(claim, spec)

    def look_again(self) -> None:
        """Look at the clock anew: it was set."""
        self.engine.look_again()
        if self._dispatcher is not None:
            self._dispatcher.look_again()

    def collect(self) -> Collected:
        """Let retention walk now; return what it takes away, once that has ended."""
        wish = self.retention.ask()
        self._stir()
        return wish

    # -- when files are not where they were ------------------------------------------------------

    def troubles(self) -> list[Trouble]:
        """Return what the parts say is wrong with them; asked from another thread."""
        if not self.is_active or self.pool is None:
            return []
        found = self.processes.troubles()
        if self.pool.lacking:
            where = f"pid {os.getpid()}"
            why = translate("faults.no_threads", count=self.pool.lacking)
            found.append(Trouble(FaultKind.LAUNCH_FAILED, where, why))
        return found

    def is_in_place(self) -> bool:
        """Whether the ledger's files are those that are open here."""
        return self.store.is_memory or (self.store.is_in_place() and self._lock.is_in_place())

    def mend_places(self) -> None:
        """Put back what vanished from its place; raises StoreError where that cannot be (yet).

        Not at once: whoever moves the files may still be at it, or put them back.
        """
        if self.is_in_place():
            self._missing_since = None
            return
        now = self._clock.boottime()
        self._missing_since = self._missing_since or now
        if now - self._missing_since < _MOVING:
            self.store.check_place()
        files = self.options.files
        files.prepare()
        try:
            # First the right to write: somebody may have begun a new ledger there.
            if not self._lock.renew():
                raise StoreUnavailableError(
                    "errors.store_replaced", path=str(files.database), reason=str(files.lock)
                )
            self.store.write_back()
            self.marks.write_back()
            self.processes.mend_places()
        except OSError as error:
            raise StoreUnavailableError(
                "errors.store_unavailable",
                path=str(files.database),
                reason=error.strerror or str(error),
            ) from error

    # -- the end --------------------------------------------------------------------------------

    def stop_starting(self) -> None:
        """Start nothing more: what has not begun goes back to the ledger."""
        self.engine.is_passive = True
        if self._dispatcher is not None:
            for claim in self._dispatcher.close():
                self._report(Returned(claim))

    def cancel_all(self, reason: str) -> None:
        """Ask everything that runs to end: programs are stopped, functions told."""
        self.processes.cancel_all(reason)
        if self.pool is not None:
            self.pool.cancel_all(reason)

    def is_drained(self) -> bool:
        """Whether nothing runs and every end is recorded."""
        return not self.engine.flights.in_hand and not len(self.engine.inbox)

    def running_count(self) -> int:
        """Return how many attempts have begun and are not over; from any thread."""
        return sum(flight.is_started for flight in list(self.engine.flights.in_hand.values()))

    def has_processes(self, is_recording: bool) -> bool:
        """Whether programs run, or while the ledger takes records, whether one's end is to come."""
        if is_recording:
            return self.engine.flights.process_count > 0
        return self.processes.running_count() > 0

    def close(self) -> None:
        """Close everything and let the lock go, last."""
        self._check.close()
        try:
            self.processes.close()
            if self.pool is not None:
                self.pool.join(0.2)
            if not self.store.is_memory:
                self.store.close()
        finally:
            # Abandoned threads may still write marks: into memory of no consequence from now on.
            self.marks.close()
            self._lock.release()


def _reason(error: Exception) -> str:
    """Return why an attempt could not begin: our own sentences need no type and no place."""
    return str(error) if isinstance(error, TaskSchedulerError) else describe(error)
