"""The hold: a ledger that is older than what ran waits for the operator to say where it goes on.

Responsible for: telling a rolled-back ledger from a sound one by what is known beside it, and the
release: which occurrences are passed over, and which waiting runs are given up. Reads no file
itself: the evidence comes as arguments.

Nothing of a held ledger is planned or started. It accepts edits, and attempts that live go on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

from task_scheduler.core import planner
from task_scheduler.core.entries import EntryShelf, plan_moment
from task_scheduler.core.events import LedgerReleased
from task_scheduler.core.flights import Known, Work
from task_scheduler.core.inbox import ReleaseLedger
from task_scheduler.core.limits import EngineLimits
from task_scheduler.core.model import SECOND, Microseconds, SkipReason
from task_scheduler.core.planner import Plan, PlannedSkip
from task_scheduler.core.ports import Store
from task_scheduler.core.skips import GivenUp, give_up, record_skips, skip_event
from task_scheduler.errors import DefinitionError

__all__ = ["HoldReason", "Mileage", "Release", "Witness", "is_given_up", "is_rolled_back"]

_PAGE = 1_000


class _Moments(NamedTuple):
    """Where an entry stands, and up to where it is passed over."""

    anchor: Microseconds
    cursor: Microseconds | None
    due_at: Microseconds | None
    until: Microseconds


class HoldReason(StrEnum):
    """Why a ledger is held."""

    RESTORED = "restored"
    """From a backup, by `tsk restore`."""
    ROLLED_BACK = "rolled_back"
    """What lies beside it tells of claims that it does not know."""


@dataclass(frozen=True, slots=True)
class Mileage:
    """How far a ledger came: the greatest token and the greatest id of a run."""

    token: int = 0
    run_id: int = 0

    def most(self, other: Mileage) -> Mileage:
        """Return the greater of each."""
        return Mileage(max(self.token, other.token), max(self.run_id, other.run_id))


@dataclass(frozen=True, slots=True)
class Witness:
    """What is noted beside the database: of which ledger, and how far its claims came.

    It is noted after the commit that it tells of. So it can only be behind that ledger, unless the
    database is an older one.
    """

    ledger_id: str
    mileage: Mileage


def is_rolled_back(
    ledger_id: str, own: Mileage, witness: Witness | None, attempts: Mileage
) -> bool:
    """Whether claims are known beside a ledger that it has not made yet.

    `attempts` is how far the folders of attempts came, which do not tell whose they are: they
    count where the witness knows this ledger. Without one, or with that of another ledger (which
    was here before this one was made), nothing is known.
    """
    if witness is None or witness.ledger_id != ledger_id:
        return False
    return max(witness.mileage.token, attempts.token) > own.token


def is_given_up(
    *,
    is_planned: bool,
    scheduled_at: Microseconds,
    since: Microseconds | None,
    is_asked_since: bool,
    keep_waiting: bool,
) -> bool:
    """Whether a waiting run of a held ledger does not start again.

    `is_planned`: a rule planned it and it had no attempt yet, so its moment decides. Every other
    one (retries, requests, chained runs) may have come to its end after the backup; it is kept
    where the operator says so, or where somebody asked for it since the ledger is held.
    """
    if is_planned:
        return since is not None and scheduled_at < since
    return not keep_waiting and not is_asked_since


class Release:
    """Let a held ledger go on from the point that the operator chose."""

    def __init__(
        self,
        store: Store,
        shelf: EntryShelf,
        limits: EngineLimits,
        *,
        on_release: Callable[[], None],
    ) -> None:
        self._store = store
        self._shelf = shelf
        self._limits = limits
        self._on_release = on_release

    def apply(self, command: ReleaseLedger, work: Work) -> dict[str, int]:
        """Pass over what was due before, give up what waited; answer how many of each.

        Raises DefinitionError for a ledger that is not held, and a point that is yet to come.
        """
        row = self._store.fetch("ledger_row")
        if row["held_at"] is None:
            raise DefinitionError("errors.not_held")
        since = command.since
        if since is not None and since > work.now + SECOND:
            raise DefinitionError("errors.resume_point_ahead")
        given_up, kept = self._give_up(command, row["held_run_id"] or 0, work)
        entries, passed = (0, 0) if since is None else self._pass_over(since, work)
        self._store.execute("release_ledger")
        work.after.append(self._on_release)
        work.has_unclaimed = True
        work.events.append(LedgerReleased(since, passed, given_up))
        return {"entries": entries, "skipped": passed, "given_up": given_up, "kept": kept}

    def _give_up(self, command: ReleaseLedger, boundary: int, work: Work) -> tuple[int, int]:
        """End the waiting runs that do not start again; return how many, and how many stay."""
        rows = self._store.fetch("unclaimed_runs")
        ended = []
        for run_id, task_id, name, at, attempts, origin, is_boot in rows:
            if is_given_up(
                is_planned=origin == "schedule" and not attempts and not is_boot,
                scheduled_at=at,
                since=command.since,
                # A chained run follows from others: nobody asked for it.
                is_asked_since=run_id > boundary and origin in ("manual", "backfill"),
                keep_waiting=command.keep_waiting,
            ):
                reason = SkipReason.RESTORED
                ended.append(GivenUp(run_id, task_id, name, at, attempts, reason))
        give_up(self._store, ended, work)
        return len(ended), len(rows) - len(ended)

    def _pass_over(self, since: Microseconds, work: Work) -> tuple[int, int]:
        """Skip every occurrence before `since`; return of how many entries, and how many."""
        after, entries, passed = "", 0, 0
        while True:
            rows = self._store.fetch("pending_entries", since=since, after=after, limit=_PAGE)
            if not rows:
                return entries, passed
            known_of = self._shelf.look_up([(row[0], row[1]) for row in rows])
            skips: list[list[Any]] = []
            cursors: list[list[Any]] = []
            for task_id, _, anchor, cursor, due_at in rows:
                known = known_of[task_id]
                moments = _Moments(anchor, cursor, due_at, since - 1)
                plan = self._plan(known, moments, work)
                if not plan.skips:
                    continue
                entries += 1
                cursors.append(self._cursor(known, plan, work))
                for skip in plan.skips:
                    work.events.append(skip_event(known.entry, skip, work.now))
                    skips.append(
                        [task_id, skip.reason, skip.first, skip.last, skip.count, None, work.now]
                    )
                    passed += skip.count or 1
                # What counts from the end of a run is set anew.
                work.vacated.add(task_id)
            record_skips(self._store, skips)
            self._store.execute("pass_over", rows=cursors)
            after = rows[-1][0]

    def _plan(self, known: Known, moments: _Moments, work: Work) -> Plan:
        """Return the skips of one entry; one range, not counted, where its rule cannot tell."""
        anchor, cursor, due_at, until = moments
        found = known.occurrences
        if found is not None:
            try:
                if due_at is None:
                    # Its rule raised before it told the moment that comes next.
                    due_at = (
                        found.first(anchor) if cursor is None else found.next_after(cursor, anchor)
                    )
                if due_at is None:
                    return Plan(None)
                return planner.skip_until(
                    found, SkipReason.RESTORED, due_at=due_at, anchor=anchor, now=until
                )
            except Exception as error:  # fence: rule
                self._shelf.keep_error(known.entry, error, work)
        first = due_at or min(until, anchor if cursor is None else cursor + 1)
        skip = PlannedSkip(first, max(first, until), None, SkipReason.RESTORED)
        return Plan(None, skips=(skip,))

    def _cursor(self, known: Known, plan: Plan, work: Work) -> list[Any]:
        """Return a row of `pass_over`."""
        entry = known.entry
        last = max(skip.last for skip in plan.skips)
        plan_at = plan_moment(entry, plan.next_due_at, self._limits.look_ahead)
        error = None
        if any(skip.count is None for skip in plan.skips) and plan.next_due_at is None:
            # Its rule did not answer: it is asked for the moment after the last one, until it does.
            plan_at, error = work.now, self._shelf.error_of(entry.task_id)
        return [entry.task_id, last, plan.next_due_at, plan_at, error]
