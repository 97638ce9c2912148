"""From a planned instant to a run in the ledger, and from that to a claim.

Responsible for: the identity of a planned run, when it is due (its instant and the jitter of its
rules), its row, and what a claim says. Pure: who may have which claim is decided elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from task_scheduler.core.clock_steps import instant_key
from task_scheduler.core.flights import Known
from task_scheduler.core.model import (
    SECOND,
    Claim,
    Entry,
    Microseconds,
    MisfirePolicy,
    Policies,
    RunState,
    WaitingFor,
)
from task_scheduler.core.planner import PlannedRun
from task_scheduler.schedules.jitter import jitter_of

__all__ = ["Start", "Terms", "claim_of", "jitter_seconds_of", "terms_of"]

_TERMS_LIMIT = 1_000
_WAITING = RunState.WAITING.value


def jitter_seconds_of(rules: Sequence[Mapping[str, Any]]) -> float:
    """Return by how much the runs of an entry are put off at most: the greatest of its rules'."""
    return max(
        (
            max(float(rule.get("jitter_seconds") or 0), jitter_seconds_of(rule.get("rules") or ()))
            for rule in rules
        ),
        default=0.0,
    )


class Terms(NamedTuple):
    """What policies say of every claim, worked out once."""

    priority: int
    grace: Microseconds | None
    """How late the first attempt may start; None: never too late."""
    timeout: Microseconds | None
    is_claimed_ahead: bool


def terms_of(policies: Policies) -> Terms:
    """Return the terms of policies; most entries share theirs, so they are kept by identity."""
    kept = _kept_terms.get(id(policies))
    if kept is not None and kept[0] is policies:
        return kept[1]
    timeout = policies.timeout_seconds
    is_bounded = policies.misfire is MisfirePolicy.SKIP
    terms = Terms(
        policies.priority,
        round(policies.misfire_grace_seconds * SECOND) if is_bounded else None,
        None if timeout is None else round(timeout * SECOND),
        policies.is_claimed_ahead,
    )
    if len(_kept_terms) >= _TERMS_LIMIT:
        _kept_terms.clear()
    _kept_terms[id(policies)] = policies, terms
    return terms


_kept_terms: dict[int, tuple[Policies, Terms]] = {}
"""With the policies themselves, so that no others get their identity."""


class Start(NamedTuple):
    """A planned run on its way into the ledger; starts sort as they are to be claimed."""

    rank: int
    due_at: Microseconds
    """The instant, put off by the jitter, which is no part of what the run is."""
    number: int
    """Tells starts apart that are equal so far."""
    known: Known
    at: Microseconds
    key: str
    waiting_for: WaitingFor | None
    terms: Terms

    @classmethod
    def of(cls, known: Known, run: PlannedRun, lap: int, number: int) -> Start:
        """Return the start of a planned run; `lap` as `clock_steps.instant_key` takes it."""
        at, waiting_for = run
        entry = known.entry
        due_at = at
        for rule in entry.rules:
            if "jitter_seconds" in rule or "rules" in rule:
                due_at += _put_off(entry, at)
                break
        terms = terms_of(entry.policies)
        key = instant_key(at, lap)
        return cls(-terms.priority, due_at, number, known, at, key, waiting_for, terms)

    def row(self, run_id: int, claim: Claim | None) -> tuple[Any, ...]:
        """Return the parameters of `insert_runs`."""
        rank, due_at, _, known, at, key, waiting_for, _ = self
        entry = known.entry
        return (
            run_id,
            entry.task_id,
            key,
            "schedule",
            _WAITING,
            at,
            due_at,
            None if waiting_for is None else waiting_for.value,
            -rank,
            entry.executor,
            claim.token if claim is not None else None,
            claim.slot if claim is not None else None,
            None,
        )


def _put_off(entry: Entry, at: Microseconds) -> Microseconds:
    """Return by how much the jitter of an entry puts an instant off."""
    longest = jitter_seconds_of(entry.rules)
    return jitter_of(entry.task_id, at, longest) if longest else 0


def claim_of(
    entry: Entry,
    terms: Terms,
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
    priority, grace, timeout, _ = terms
    return Claim(
        run_id,
        entry.task_id,
        key,
        attempt,
        token,
        at,
        due_at,
        due_at + grace if grace is not None and attempt == 1 else None,
        priority,
        slot,
        entry.executor,
        timeout,
        clock_offset,
    )
