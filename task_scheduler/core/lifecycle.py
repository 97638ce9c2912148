"""The life of a run: one table, and the only place where a state changes.

Responsible for: which fact leads from which state to which. An illegal fact raises and changes
nothing; the store's statements carry the same guard (`state IN ('waiting', 'running')` and the
token), so that a stale writer cannot pass by either door.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from task_scheduler.core.model import Outcome, RunState

__all__ = ["TERMINAL_STATES", "TRANSITIONS", "UNFINISHED_STATES", "Fact", "advance", "fact_of"]


class Fact(StrEnum):
    """What can happen to a run."""

    STARTED = "started"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    CANCELLED = "cancelled"
    LOST = "lost"
    RETRIED = "retried"
    """An attempt ended badly and another one is due later."""
    HANDED_BACK = "handed_back"
    """A claim was revoked, or recovery proved that it never started."""
    SKIPPED = "skipped"


TRANSITIONS: Mapping[tuple[RunState, Fact], RunState] = {
    (RunState.WAITING, Fact.STARTED): RunState.RUNNING,
    (RunState.WAITING, Fact.HANDED_BACK): RunState.WAITING,
    (RunState.WAITING, Fact.SKIPPED): RunState.SKIPPED,
    (RunState.WAITING, Fact.CANCELLED): RunState.CANCELLED,
    (RunState.RUNNING, Fact.SUCCEEDED): RunState.SUCCEEDED,
    (RunState.RUNNING, Fact.FAILED): RunState.FAILED,
    (RunState.RUNNING, Fact.TIMED_OUT): RunState.TIMED_OUT,
    (RunState.RUNNING, Fact.CANCELLED): RunState.CANCELLED,
    (RunState.RUNNING, Fact.LOST): RunState.LOST,
    (RunState.RUNNING, Fact.RETRIED): RunState.WAITING,
    # Shown as running when it was handed to a worker; then recovery proved that it never started.
    (RunState.RUNNING, Fact.HANDED_BACK): RunState.WAITING,
}

UNFINISHED_STATES = frozenset({RunState.WAITING, RunState.RUNNING})
TERMINAL_STATES = frozenset(RunState) - UNFINISHED_STATES

_FACT_OF_OUTCOME = {
    Outcome.SUCCEEDED: Fact.SUCCEEDED,
    Outcome.FAILED: Fact.FAILED,
    Outcome.TIMED_OUT: Fact.TIMED_OUT,
    Outcome.CANCELLED: Fact.CANCELLED,
    Outcome.LOST: Fact.LOST,
}


def advance(state: RunState, fact: Fact) -> RunState:
    """Return the state that `fact` leads to.

    Raises ValueError for a fact that cannot happen in `state`.
    """
    try:
        return TRANSITIONS[state, fact]
    except KeyError:
        raise ValueError(f"a run that is {state} cannot be {fact}") from None


def fact_of(outcome: Outcome) -> Fact:
    """Return the fact that an attempt's outcome is for its run when no retry follows."""
    return _FACT_OF_OUTCOME[outcome]
