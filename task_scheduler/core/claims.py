"""From a planned instant to a run in the ledger, and from that to a claim.

Responsible for: the identity of a planned run, when it is due (its instant and the jitter of its
rules), its row, and what a claim says. Pure: who may have which claim is decided elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from task_scheduler.core.clock_steps import instant_key
from task_scheduler.core.flights import Known
from task_scheduler.core.model import (
    SECOND,
    Claim,
    Microseconds,
    MisfirePolicy,
    RunState,
    WaitingFor,
)
from task_scheduler.core.planner import PlannedRun
from task_scheduler.schedules.jitter import jitter_of

__all__ = ["Start", "claim_of", "jitter_seconds_of"]


def jitter_seconds_of(rules: Sequence[Mapping[str, Any]]) -> float:
    """Return by how much the runs of an entry are put off at most: the greatest of its rules'."""
    return max(
        (
            max(float(rule.get("jitter_seconds") or 0), jitter_seconds_of(rule.get("rules") or ()))
            for rule in rules
        ),
        default=0.0,
    )


@dataclass(frozen=True, slots=True)
class Start:
    """A planned run on its way into the ledger."""

    known: Known
    at: Microseconds
    key: str
    due_at: Microseconds
    """The instant, put off by the jitter, which is no part of what the run is."""
    waiting_for: WaitingFor | None

    @classmethod
    def of(cls, known: Known, run: PlannedRun, lap: int) -> Start:
        """Return the start of a planned run; `lap` as `clock_steps.instant_key` takes it."""
        entry, due_at = known.entry, run.at
        longest = jitter_seconds_of(entry.rules)
        if longest:
            due_at += jitter_of(entry.task_id, run.at, longest)
        return cls(known, run.at, instant_key(run.at, lap), due_at, run.waiting_for)

    def row(self, run_id: int, claim: Claim | None) -> list[Any]:
        """Return the parameters of `insert_runs`."""
        entry = self.known.entry
        return [
            run_id,
            entry.task_id,
            self.key,
            "schedule",
            RunState.WAITING,
            self.at,
            self.due_at,
            self.waiting_for,
            entry.policies.priority,
            entry.executor,
            claim.token if claim is not None else None,
            claim.slot if claim is not None else None,
            None,
        ]


def claim_of(
    known: Known,
    run_id: int,
    key: str,
    *,
    at: Microseconds,
    due_at: Microseconds,
    attempt: int,
    token: int,
    slot: int,
    clock_offset: Microseconds,
) -> Claim:
    """Return the claim of one attempt."""
    policies = known.entry.policies
    is_bounded = policies.misfire is MisfirePolicy.SKIP and attempt == 1
    grace = round(policies.misfire_grace_seconds * SECOND)
    timeout = policies.timeout_seconds
    return Claim(
        run_id=run_id,
        task_id=known.entry.task_id,
        key=key,
        attempt=attempt,
        token=token,
        scheduled_at=at,
        due_at=due_at,
        start_by=due_at + grace if is_bounded else None,
        priority=policies.priority,
        slot=slot,
        executor=known.entry.executor,
        timeout=None if timeout is None else round(timeout * SECOND),
        clock_offset=clock_offset,
    )
