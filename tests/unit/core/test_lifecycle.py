"""The life of a run: every state with every fact."""

from __future__ import annotations

import itertools

import pytest

from task_scheduler.core.lifecycle import (
    TERMINAL_STATES,
    TRANSITIONS,
    UNFINISHED_STATES,
    Fact,
    advance,
    fact_of,
)
from task_scheduler.core.model import Outcome, RunState

LEGAL = """
    waiting + started -> running
    waiting + handed_back -> waiting
    waiting + skipped -> skipped
    waiting + cancelled -> cancelled
    running + succeeded -> succeeded
    running + failed -> failed
    running + timed_out -> timed_out
    running + cancelled -> cancelled
    running + lost -> lost
    running + retried -> waiting
    running + handed_back -> waiting
"""


def test_the_table_says_what_the_design_says() -> None:
    table = {f"{state} + {fact} -> {following}" for (state, fact), following in TRANSITIONS.items()}

    assert table == {line.strip() for line in LEGAL.strip().splitlines()}


@pytest.mark.parametrize(("state", "fact"), list(itertools.product(RunState, Fact)))
def test_every_state_with_every_fact_is_in_the_table_or_refused(
    state: RunState, fact: Fact
) -> None:
    if (state, fact) in TRANSITIONS:
        assert advance(state, fact) is TRANSITIONS[state, fact]
    else:
        with pytest.raises(ValueError, match=f"a run that is {state} cannot be {fact}"):
            advance(state, fact)


def test_nothing_leads_out_of_a_terminal_state() -> None:
    assert not [state for state, _ in TRANSITIONS if state in TERMINAL_STATES]


def test_every_state_can_be_reached_and_is_either_unfinished_or_terminal() -> None:
    assert set(TRANSITIONS.values()) | {RunState.WAITING} == set(RunState)
    assert set(RunState) == UNFINISHED_STATES | TERMINAL_STATES
    assert not UNFINISHED_STATES & TERMINAL_STATES


@pytest.mark.parametrize("outcome", Outcome)
def test_every_outcome_ends_a_running_run_in_the_state_of_its_name(outcome: Outcome) -> None:
    assert advance(RunState.RUNNING, fact_of(outcome)) == RunState(outcome)
