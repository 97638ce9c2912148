"""Commands: what callers ask of the ledger, applied inside the engine's transaction.

Responsible for: remove, pause, resume; `additions` adds and changes entries, `run_commands`
carries out what is asked of runs. An answer is given only after the commit, and after every
unstarted claim of the task was revoked or has started. A command that cannot be followed is
refused with an error and changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from task_scheduler.core import planner
from task_scheduler.core.additions import Additions
from task_scheduler.core.alert_records import AlertRecords
from task_scheduler.core.audit import AuditTrail
from task_scheduler.core.backfill import Backfill
from task_scheduler.core.chains import Chains
from task_scheduler.core.declarations import Declarations
from task_scheduler.core.entries import EntryShelf, StoredEntry, plan_moment
from task_scheduler.core.events import (
    EntryPaused,
    EntryRemoved,
    EntryResumed,
)
from task_scheduler.core.flights import Flight, Flights, Work
from task_scheduler.core.hints import nearest_hint
from task_scheduler.core.hold import Release
from task_scheduler.core.inbox import (
    AddEntries,
    BackfillRange,
    CancelRun,
    CollectLedger,
    Command,
    DeclareEntries,
    EndSilences,
    KeepRecords,
    PauseEntry,
    ReleaseLedger,
    RemoveEntries,
    ReplanEntries,
    RequestRun,
    ResumeEntry,
    SetPools,
    SilenceAlerts,
    TakePing,
)
from task_scheduler.core.limits import EngineLimits
from task_scheduler.core.model import (
    Entry,
    Microseconds,
    SkipReason,
    WaitingFor,
)
from task_scheduler.core.planner import PlannedSkip
from task_scheduler.core.ports import Hands, Store
from task_scheduler.core.replanning import Replanning
from task_scheduler.core.run_commands import RunCommands
from task_scheduler.core.skips import GivenUp, give_up, record_skips, skip_event
from task_scheduler.core.tags import TagIndex
from task_scheduler.errors import (
    DefinitionError,
    StoreError,
    TaskNotFoundError,
    TaskSchedulerError,
)

__all__ = ["Control"]


class Control:
    """Apply commands, each as a whole or not at all."""

    def __init__(
        self,
        store: Store,
        shelf: EntryShelf,
        flights: Flights,
        hands: Hands,
        limits: EngineLimits,
        *,
        next_run_id: Callable[[], int],
        on_release: Callable[[], None],
    ) -> None:
        self._store = store
        self._shelf = shelf
        self._flights = flights
        self._hands = hands
        self._limits = limits
        self.runs = RunCommands(store, flights, hands, next_run_id=next_run_id)
        self.chains = Chains(store, shelf, flights, self.runs)
        self.audit = AuditTrail(store)
        self._tags = TagIndex(store)
        self._backfill = Backfill(store, shelf, flights, self.runs, next_run_id=next_run_id)
        alerts = AlertRecords(store)
        additions = Additions(
            store,
            shelf,
            flights,
            limits,
            runs=self.runs,
            chains=self.chains,
            audit=self.audit,
            account=self._account,
        )
        declarations = Declarations(
            store,
            shelf,
            limits,
            additions=additions,
            chains=self.chains,
            audit=self.audit,
            remove=self._remove,
        )
        self._handlers: dict[type[Command], Callable[[Any, Work], Any]] = {
            AddEntries: additions.apply,
            DeclareEntries: declarations.apply,
            RemoveEntries: self._remove,
            PauseEntry: self._pause,
            ReplanEntries: Replanning(store, shelf, flights, limits).apply,
            ResumeEntry: self._resume,
            RequestRun: self._request_run,
            CancelRun: self.runs.cancel,
            SetPools: self._set_pools,
            ReleaseLedger: Release(store, shelf, limits, on_release=on_release).apply,
            BackfillRange: self._backfill_range,
            CollectLedger: lambda *_: None,
            KeepRecords: alerts.keep,
            SilenceAlerts: alerts.silence,
            EndSilences: alerts.end_silences,
            TakePing: alerts.ping,
        }

    def apply(self, commands: Sequence[Command], work: Work) -> None:
        """Apply commands in order; every handler checks all it needs before it writes."""
        self.audit.forget()
        for command in commands:
            try:
                answer = self._handlers[type(command)](command, work)
            except StoreError:
                raise
            except TaskSchedulerError as error:
                work.after.append(partial(command.reject, error))
            else:
                self.audit.note(command)
                work.after.append(partial(command.resolve, answer))
        self.audit.write(work.now)
        self.chains.follow(work)

    # -- add and change -------------------------------------------------------------------------

    def _set_pools(self, command: SetPools, _: Work) -> None:
        self._limits.pools = dict(command.pools)

    # -- remove, pause, resume ------------------------------------------------------------------

    def _existing(self, task_ids: Sequence[str]) -> dict[str, StoredEntry]:
        stored = self._shelf.load(task_ids)
        for task_id in task_ids:
            if task_id not in stored:
                known = self._store.fetch("all_task_ids", limit=5_000)
                hint = nearest_hint(task_id, known)
                raise TaskNotFoundError("errors.task_not_found", task_id=task_id, hint=hint)
        return stored

    def _remove(self, command: RemoveEntries, work: Work) -> list[str]:
        stored = self._existing(list(command.task_ids))
        reason = SkipReason.REMOVED
        given_up = []
        planned = self.runs.planned_ahead(list(stored), work)
        for task_id, old in stored.items():
            ahead = self.runs.recall(task_id, work, planned=planned.get(task_id, ()))
            self._account(old, old.next_due_at if ahead is None else ahead, reason, work)
            work.events.append(EntryRemoved(task_id, old.entry.name))
            self.audit.note_entry(command.actor, old.entry, None)
            self._flights.unlearn(task_id)
        for run_id, task_id, at, _, attempts, _ in self._store.fetch(
            "waiting_runs", ids=list(stored)
        ):
            name = stored[task_id].entry.name
            given_up.append(GivenUp(run_id, task_id, name, at, attempts, reason))
        give_up(self._store, given_up, work)
        ended = set(work.ended)
        for flight in self._flights.in_hand.values():
            if flight.claim.task_id in stored and flight.claim.run_id not in ended:
                work.after.append(partial(_let_go, flight))
        self._store.execute("archive_declared", ids=list(stored), now=work.now)
        self._store.execute("remove_entries", ids=list(stored))
        self._store.execute("remove_progress", ids=list(stored))
        self.chains.remove(list(stored))
        self._tags.remove(list(stored))
        return list(stored)

    def _pause(self, command: PauseEntry, work: Work) -> None:
        task_id = command.task_id
        old = self._existing([task_id])[task_id]
        if command.until is not None and command.until <= work.now:
            raise DefinitionError("errors.pause_in_the_past", task_id=task_id)
        planned = self.runs.planned_ahead([task_id], work).get(task_id, ())
        ahead = self.runs.recall(task_id, work, planned=planned)
        if ahead is not None:
            self._store.execute("move_cursors", rows=[[task_id, ahead - 1, ahead, None, None]])
        self._store.execute(
            "pause_entry",
            task_id=task_id,
            at=old.paused_at or work.now,
            reason=command.reason,
            resume_at=command.until,
        )
        self._store.execute("hold_runs", task_id=task_id)
        work.events.append(EntryPaused(task_id, old.entry.name))

    def _resume(self, command: ResumeEntry, work: Work) -> None:
        task_id = command.task_id
        old = self._existing([task_id])[task_id]
        if old.paused_at is None:
            return
        if command.resume_from is not None and command.resume_from > work.now:
            self._store.execute("set_resume", task_id=task_id, at=command.resume_from)
        else:
            self._end_pause(old, command.resume_from, work)

    def resume_due(self, work: Work) -> None:
        """End the pauses that were to end by now."""
        resume_at = dict(self._store.fetch("due_resumes", now=work.now))
        for task_id, old in self._shelf.load(list(resume_at)).items():
            self._end_pause(old, resume_at[task_id], work)

    def _end_pause(self, old: StoredEntry, since: Microseconds | None, work: Work) -> None:
        """Plan an entry again; what was due before `since` is skipped, the rest is late."""
        task_id = old.entry.task_id
        until = work.now if since is None else since - 1
        cursor, due_at = self._skip_pending(old, SkipReason.PAUSED, work, until=until)
        plan_at = plan_moment(old.entry, due_at, self._limits.look_ahead)
        if due_at is None and cursor is None and old.cursor is None:
            # Its rule has not told a first moment yet.
            plan_at = work.now
        self._store.execute(
            "resume_entry",
            task_id=task_id,
            cursor=cursor,
            next_due_at=due_at,
            plan_at=plan_at,
        )
        self._store.execute("free_runs", ids=[task_id], waiting_for=WaitingFor.PAUSE)
        work.vacated.add(task_id)
        work.events.append(EntryResumed(task_id, old.entry.name))

    def _skip_pending(
        self,
        old: StoredEntry,
        reason: SkipReason,
        work: Work,
        *,
        until: Microseconds | None = None,
    ) -> tuple[Microseconds | None, Microseconds | None]:
        """Skip what fell due by now, or by `until`; return the last such moment and the next."""
        due_at = old.next_due_at
        until = work.now if until is None else until
        if due_at is None or due_at > until:
            return None, due_at
        # As it was planned with, if that is known: its code may be bound to another rule by now.
        known = self._flights.known(old.entry.task_id, old.revision)
        occurrences = known.occurrences if known else self._shelf.occurrences_of(old.entry)
        if occurrences is None:
            return None, due_at
        try:
            plan = planner.skip_until(
                occurrences, reason, due_at=due_at, anchor=old.anchor, now=until
            )
        except Exception as error:  # fence: rule
            self._shelf.keep_error(old.entry, error, work)
            return None, due_at
        for skip in plan.skips:
            self._skip(old.entry, skip, work)
        return max(s.last for s in plan.skips), plan.next_due_at

    def _account(
        self, old: StoredEntry, due_at: Microseconds | None, reason: SkipReason, work: Work
    ) -> Microseconds | None:
        """Skip what is due by rules that come to their end now, even if they raise.

        Returns the last moment that was skipped; None where nothing was due.
        """
        if due_at is None or due_at > work.now:
            return None
        old.next_due_at = due_at
        skipped, _ = self._skip_pending(old, reason, work)
        if skipped is None:
            skipped = max(due_at, work.now - 1)
            self._skip(old.entry, PlannedSkip(due_at, skipped, None, reason), work)
        return skipped

    def _request_run(self, command: RequestRun, work: Work) -> int:
        task_id, key = command.task_id, f"manual:{command.request_id}"
        old = self._existing([task_id])[task_id]
        present: int | None = self._store.fetch("run_by_key", task_id=task_id, key=key)
        if present is not None:
            return present
        if not old.is_resolved:
            raise DefinitionError("errors.task_unresolved", task_id=task_id)
        return self.runs.request(old, key, "manual", work)

    def _backfill_range(self, command: BackfillRange, work: Work) -> dict[str, int]:
        old = self._existing([command.task_id])[command.task_id]
        return self._backfill.apply(command, old, work)

    def _skip(self, entry: Entry, skip: PlannedSkip, work: Work) -> None:
        work.events.append(skip_event(entry, skip, work.now))
        row = [entry.task_id, skip.reason, skip.first, skip.last, skip.count, None, work.now]
        record_skips(self._store, [row])


def _let_go(flight: Flight) -> None:
    """Let a started attempt end without a retry: its entry is gone."""
    flight.entry = None
