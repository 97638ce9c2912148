"""After a restart: what became of the claims that an earlier process had in its hands.

Responsible for: turning marks, exit records and boot ids into facts, so that the next tick
settles, adopts or hands back each claim. Reads no file and no process itself: the evidence comes
as arguments.

The rule for a function: the same boot and its mark tell not started, running or ended exactly;
another boot, or no mark, counts as started. Only *running* is lost.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from task_scheduler.core.entries import StoredEntry
from task_scheduler.core.events import AttemptRecovered
from task_scheduler.core.flights import Flight
from task_scheduler.core.inbox import Returned
from task_scheduler.core.model import (
    SECOND,
    Claim,
    Completion,
    Entry,
    Microseconds,
    Outcome,
    RunState,
    SkipReason,
)
from task_scheduler.core.ports import Store

__all__ = [
    "Mark",
    "Recovered",
    "Verdict",
    "claim_of_row",
    "flight_of_row",
    "recover_functions",
    "take_over",
]


class Mark:
    """The values of a mark byte."""

    CLEAR = 0
    RUNNING = 1
    SUCCEEDED = 2
    FAILED = 3


class Verdict:
    """What recovery found out about an attempt."""

    NOT_STARTED = "not_started"
    ALIVE = "alive"
    ENDED = "ended"
    LOST = "lost"


@dataclass(slots=True)
class Recovered:
    """The claims of an earlier process and what is now known of them."""

    flights: list[Flight] = field(default_factory=list)
    facts: list[Completion | Returned] = field(default_factory=list)
    events: list[AttemptRecovered] = field(default_factory=list)

    def add(
        self,
        flight: Flight,
        verdict: str,
        completion: Completion | None = None,
    ) -> None:
        """Take up one claim with its verdict; an ended or lost one comes with its completion."""
        claim = flight.claim
        self.flights.append(flight)
        if verdict == Verdict.NOT_STARTED:
            self.facts.append(Returned(claim))
        else:
            flight.is_started = True
        if completion is not None:
            self.facts.append(completion)
        self.events.append(
            AttemptRecovered(claim.task_id, flight.name, claim.run_id, claim.attempt, verdict)
        )


def claim_of_row(row: Sequence[Any], entry: Entry | None) -> Claim:
    """Return the claim that a row of `claimed_runs` tells of."""
    run_id, task_id, key, at, due_at, attempt, priority, executor = row[:8]
    token, slot = row[12], row[13]
    timeout = entry.policies.timeout_seconds if entry is not None else None
    return Claim(
        run_id=run_id,
        task_id=task_id,
        key=key,
        attempt=attempt + 1,
        token=token,
        scheduled_at=at,
        due_at=due_at,
        start_by=None,
        priority=priority,
        slot=-1 if slot is None else slot,
        executor=executor,
        timeout=None if timeout is None else round(timeout * SECOND),
        clock_offset=0,
    )


def flight_of_row(row: Sequence[Any], entry: Entry | None) -> Flight:
    """Return the flight that a row of `claimed_runs` tells of, with what was promised about it."""
    return Flight(
        claim_of_row(row, entry),
        entry,
        recoveries=row[8],
        origin=row[11],
        cancel_reason=row[16],
        skip_reason=None if row[17] is None else SkipReason(row[17]),
        pool=row[18],
    )


def recover_functions(
    flights: Sequence[tuple[Flight, Microseconds | None]],
    *,
    mark_of: Callable[[int], int | None],
    boots: Mapping[int, str],
    boot_id: str,
    now: Microseconds,
    lost_text: str,
    recovered: Recovered,
) -> None:
    """Find out from the marks what became of functions that ran in the earlier process.

    `flights` come with the moment at which the ledger saw them start, `boots` maps an epoch to
    the boot in which it ran, `mark_of` answers None where no mark can be read.
    """
    for flight, started_at in flights:
        claim = flight.claim
        is_same_boot = boots.get(claim.token >> 32) == boot_id
        mark = mark_of(claim.slot) if is_same_boot else None
        if mark == Mark.CLEAR:
            recovered.add(flight, Verdict.NOT_STARTED)
            continue
        outcome = {Mark.SUCCEEDED: Outcome.SUCCEEDED, Mark.FAILED: Outcome.FAILED}.get(
            Mark.RUNNING if mark is None else mark, Outcome.LOST
        )
        began = claim.due_at if started_at is None else started_at
        completion = Completion(
            run_id=claim.run_id,
            task_id=claim.task_id,
            attempt=claim.attempt,
            token=claim.token,
            outcome=outcome,
            started_at=min(began, now),
            ended_at=now,
            error=None if outcome is Outcome.SUCCEEDED else lost_text,
        )
        is_lost = outcome is Outcome.LOST
        recovered.add(flight, Verdict.LOST if is_lost else Verdict.ENDED, completion)


def take_over(
    store: Store,
    *,
    boot_id: str,
    pid: int,
    version: str,
    now: Microseconds,
    fresh: Sequence[str],
    gone: Sequence[str],
    inspect: Callable[[Claim, bool], tuple[str, Completion | None]],
    mark_of: Callable[[int], int | None],
    lost_text: str,
) -> Recovered:
    """Begin an epoch and find out what became of every claim of the epochs before it.

    `fresh` are the entries whose code this process has just added, `gone` the functions that it
    cannot import; `inspect` answers for a program, told whether it was started in this boot.
    """
    with store.transaction():
        store.execute("begin_epoch", boot_id=boot_id, pid=pid, version=version, at=now)
        rows = store.fetch("claimed_runs")
        # Most processes end with nothing in hand: what there is not is not looked for.
        boots = {int(e): boot for e, boot in store.fetch("boot_of_epochs").items()} if rows else {}
        store.execute("unbind_all", bound=list(fresh))
        if gone:
            store.execute("resolve_functions", gone=list(gone))
        store.execute("resolve_again", gone=list(gone))
        store.execute("hold_unresolved")
        store.execute("free_resolved")
        store.execute("forget_threads")
        store.execute("plan_boot_runs", boot_id=boot_id, now=now)
    ids = sorted({row[1] for row in rows})
    stored = store.fetch("load_entries", ids=ids) if ids else ()
    entries = {row[0]: StoredEntry(row).entry for row in stored}
    recovered = Recovered()
    functions: list[tuple[Flight, Microseconds | None]] = []
    for row in rows:
        flight = flight_of_row(row, entries.get(row[1]))
        if flight.claim.executor == "process":
            is_same_boot = boots.get(flight.claim.token >> 32) == boot_id
            recovered.add(flight, *inspect(flight.claim, is_same_boot))
        else:
            # Of a run that does not show as running it is the start of an attempt before this one.
            functions.append((flight, row[15] if row[14] == RunState.RUNNING else None))
    recover_functions(
        functions,
        mark_of=mark_of,
        boots=boots,
        boot_id=boot_id,
        now=now,
        lost_text=lost_text,
        recovered=recovered,
    )
    return recovered
