"""Commands about runs: run now, cancel, and the taking back of what has not started.

Responsible for: what a run that is asked for finds at the door of its task, how a run is ended by
a wish, and how unstarted claims are revoked. All inside the engine's transaction.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from task_scheduler.core import planner
from task_scheduler.core.entries import StoredEntry
from task_scheduler.core.events import RunSettled
from task_scheduler.core.flights import Flight, Flights, Work
from task_scheduler.core.inbox import CancelRun
from task_scheduler.core.model import (
    Entry,
    Microseconds,
    Outcome,
    RunState,
    SkipReason,
    WaitingFor,
)
from task_scheduler.core.planner import Admission, PlannedSkip, Seats
from task_scheduler.core.ports import Hands, Store
from task_scheduler.core.rates import RateDesk
from task_scheduler.core.skips import GivenUp, give_up, skip_event
from task_scheduler.errors import RunNotFoundError

__all__ = ["RunCommands"]

_REPLACED = "replaced by the next run"


class RunCommands:
    """Ask for runs, end them, and take claims back."""

    def __init__(
        self, store: Store, flights: Flights, hands: Hands, *, next_run_id: Callable[[], int]
    ) -> None:
        self._store = store
        self._flights = flights
        self._hands = hands
        self._next_run_id = next_run_id
        self._rates = RateDesk(store)

    def request(self, old: StoredEntry, key: str, origin: str, work: Work) -> int:
        """Insert a run that was asked for; return its id, also of one that may not come."""
        return self.request_all([(old, key)], origin, work)[0]

    def request_all(
        self, wanted: Sequence[tuple[StoredEntry, str]], origin: str, work: Work
    ) -> list[int]:
        """Insert runs of tasks, by their keys, as the overlap policies allow it now.

        Returns their ids; one that may not come is there too, skipped with the reason.
        """
        entries = {old.entry.task_id: old.entry for old, _ in wanted}
        seats = self._seats_for(entries, work)
        rows: list[list[Any]] = []
        replaced: dict[str, Entry] = {}
        skipped: list[tuple[Entry, SkipReason]] = []
        for old, key in wanted:
            entry, here = old.entry, seats[old.entry.task_id]
            admission = planner.admit(entry.policies, here)
            reason = SkipReason.OVERLAP if admission is Admission.SKIP else None
            if old.paused_at is not None and origin == "chain":
                reason = SkipReason.PAUSED
            waiting_for = None
            if reason is not None:
                skipped.append((entry, reason))
            elif admission is Admission.RUN:
                waiting_for = None if old.is_resolved else WaitingFor.CODE
                seats[entry.task_id] = Seats(here.taken + 1, here.queued)
            else:
                waiting_for = WaitingFor.OVERLAP
                seats[entry.task_id] = Seats(here.taken, here.queued + 1)
                if admission is Admission.REPLACE:
                    replaced[entry.task_id] = entry
            state = RunState.WAITING if reason is None else RunState.SKIPPED
            rows.append(
                [
                    *(self._next_run_id(), entry.task_id, key, origin, state, work.now, work.now),
                    *(waiting_for, entry.policies.priority, entry.executor, None, None, reason),
                ]
            )
        if replaced:
            self.replace(list(replaced.values()), work)
        self._store.execute("insert_runs", rows=rows)
        for entry, reason in skipped:
            skip = PlannedSkip(work.now, work.now, 1, reason)
            work.events.append(skip_event(entry, skip, work.now))
        if skipped:
            counts = Counter(entry.task_id for entry, _ in skipped)
            self._store.execute("count_skips", rows=list(counts.items()))
        return [row[0] for row in rows]

    def _seats_for(self, entries: Mapping[str, Entry], work: Work) -> dict[str, Seats]:
        """Return the seats of tasks, those of runs that are still to come made free."""
        seats = self._seats_of_all(entries)
        full = [
            task_id
            for task_id, entry in entries.items()
            if planner.admit(entry.policies, seats[task_id]) is not Admission.RUN
        ]
        # A run whose moment is still to come keeps nobody out: it finds the seat taken then.
        recalled = [task_id for task_id in full if self.recall_ahead(task_id, work)]
        if recalled:
            seats = self._seats_of_all(entries)
        return seats

    def _seats_of_all(self, entries: Mapping[str, Entry]) -> dict[str, Seats]:
        found = self._store.fetch("seats_of_all", ids=list(entries))
        kept = self._flights.seats_kept
        return {
            task_id: Seats(taken + kept(task_id), queued)
            for task_id, (taken, queued) in found.items()
        }

    def seats_of(self, entry: Entry) -> Seats:
        """Return who lives, and who waits for that to end."""
        taken, queued, _ = self._store.fetch("seats_of", task_id=entry.task_id)
        return Seats(taken + self._flights.seats_kept(entry.task_id), queued)

    def recall_ahead(self, task_id: str, work: Work) -> bool:
        """Take back what was claimed ahead of its moment, to be decided at it; False: nothing."""
        ahead = self.recall(task_id, work, is_ahead_only=True)
        if ahead is not None:
            self._store.execute("move_cursors", rows=[[task_id, ahead - 1, ahead, ahead, None]])
        return ahead is not None

    def replace(self, entries: Sequence[Entry], work: Work) -> None:
        """End the living runs of tasks for the sake of new ones."""
        names = {entry.task_id: entry.name for entry in entries}
        reason = SkipReason.SUPERSEDED
        given_up = [
            GivenUp.of_flight(flight, reason)
            for task_id in names
            for flight in self.revoked(task_id, work)
        ]
        for run_id, task_id, at, _, attempts, _ in self._store.fetch(
            "waiting_runs", ids=list(names)
        ):
            given_up.append(GivenUp(run_id, task_id, names[task_id], at, attempts, reason))
        give_up(self._store, given_up, work)
        work.vacated.update(names)
        ended = set(work.ended)
        living = [
            flight
            for flight in self._flights.in_hand.values()
            if flight.claim.task_id in names and flight.claim.run_id not in ended
        ]
        self._promise_cancel(living, _REPLACED, reason, work)

    def cancel(self, command: CancelRun, work: Work) -> bool:
        """End a run; return whether there was anything left to end. Raises RunNotFoundError."""
        row = self._store.fetch("run_by_id", run_id=command.run_id)
        if row is None:
            raise RunNotFoundError("errors.run_not_found", run_id=command.run_id)
        run_id, task_id, state, _ = row
        if state not in (RunState.WAITING, RunState.RUNNING):
            return False
        flight = self._flights.in_hand.get(run_id)
        if flight is not None and run_id not in work.ended:
            if not self._hands.revoke(run_id):
                self._promise_cancel([flight], command.reason, None, work)
                return True
            work.revoked.append(flight)
            work.ended.append(run_id)
            self._rates.void([flight])
            token = flight.claim.token
        else:
            token = None
        return self.cancel_waiting(run_id, task_id, command.reason, token=token, work=work)

    def cancel_waiting(
        self,
        run_id: int,
        task_id: str,
        reason: str | None,
        *,
        token: int | None = None,
        work: Work,
    ) -> bool:
        """Cancel a waiting run; False if it is in the hands of a process that is gone."""
        if not self._store.execute(
            "cancel_waiting", run_id=run_id, token=token, at=work.now, error=reason
        ):
            return False
        self._store.execute("count_cancelled", rows=[run_id])
        work.vacated.add(task_id)
        work.run_ends.append((task_id, run_id, RunState.CANCELLED))
        work.events.append(
            RunSettled(task_id, task_id, run_id, 0, Outcome.CANCELLED, reason, 0, work.now)
        )
        return True

    def _promise_cancel(
        self,
        flights: Sequence[Flight],
        cancel_reason: str,
        skip_reason: SkipReason | None,
        work: Work,
    ) -> None:
        """End attempts that began; whatever becomes of them, and of us, no other ones follow."""

        def cancel() -> None:
            for flight in flights:
                flight.cancel_reason = cancel_reason
                flight.skip_reason = skip_reason
                self._hands.cancel(flight.claim, cancel_reason)

        if flights:
            rows = [[flight.claim.run_id, cancel_reason, skip_reason] for flight in flights]
            self._store.execute("promise_cancel", rows=rows)
            work.after.append(cancel)

    # -- taking back ----------------------------------------------------------------------------

    def planned_ahead(
        self, task_ids: Sequence[str], work: Work
    ) -> dict[str, list[tuple[int, Microseconds]]]:
        """Return the runs of tasks whose moments are still to come and that nobody has claimed.

        Behind a backlog even what is planned ahead waits in the ledger; each as id and moment.
        """
        found: dict[str, list[tuple[int, Microseconds]]] = {}
        rows = self._store.fetch("planned_ahead", ids=list(task_ids), now=work.now)
        for task_id, run_id, at in rows:
            found.setdefault(task_id, []).append((run_id, at))
        return found

    def recall(
        self,
        task_id: str,
        work: Work,
        *,
        planned: Sequence[tuple[int, Microseconds]] = (),
        is_ahead_only: bool = False,
    ) -> Microseconds | None:
        """Take unstarted claims back: no old definition starts after the answer.

        Returns the moment of a claim taken ahead of its time: its run is forgotten, as if it had
        never been planned, and so are those `planned`. Others go back to the ledger and are claimed
        anew.
        """
        ahead = min((at for _, at in planned), default=None)
        forgotten, returned = [run_id for run_id, _ in planned], []
        wanted = partial(_is_ahead, now=work.now) if is_ahead_only else None
        for flight in self.revoked(task_id, work, wanted):
            claim = flight.claim
            if _is_ahead(flight, now=work.now):
                ahead = min(claim.scheduled_at, ahead or claim.scheduled_at)
                forgotten.append(claim.run_id)
            else:
                returned.append([claim.run_id, claim.token])
        if returned:
            self._store.execute("hand_back", rows=returned)
        if forgotten:
            self._store.execute("forget_runs", rows=forgotten)
            work.vacated.add(task_id)
        return ahead

    def revoked(
        self, task_id: str, work: Work, wanted: Callable[[Flight], bool] | None = None
    ) -> list[Flight]:
        """Revoke the unstarted claims of a task at the gate; return those that were caught."""
        caught = []
        already = set(work.ended)
        for flight in self._flights.unstarted_of(task_id):
            if flight.claim.run_id in already or (wanted is not None and not wanted(flight)):
                continue
            if self._hands.revoke(flight.claim.run_id):
                caught.append(flight)
                work.revoked.append(flight)
                work.ended.append(flight.claim.run_id)
        self._rates.void(caught)
        return caught


def _is_ahead(flight: Flight, now: Microseconds) -> bool:
    """Whether a claim was taken ahead of the moment of its occurrence, which is still to come."""
    claim = flight.claim
    return flight.origin == "schedule" and claim.attempt == 1 and claim.scheduled_at > now
