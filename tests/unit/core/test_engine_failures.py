"""Stories about ticks that fail, before their commit and after it really happened."""

from __future__ import annotations

import pytest

from task_scheduler.core.inbox import (
    PauseEntry,
    RemoveEntries,
)
from task_scheduler.core.model import (
    SECOND,
    Outcome,
    RunState,
)
from task_scheduler.errors import (
    StoreUnavailableError,
)
from tests.unit.core.engine_bench import Bench, entry, interval

SLOTS = 65_536


@pytest.fixture
def bench() -> Bench:
    return Bench()


# -- failing stores -------------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["before", "after"])
def test_a_failed_tick_loses_nothing_and_counts_nothing_twice(bench: Bench, where: str) -> None:
    bench.add(entry())
    bench.end(bench.start())
    bench.clock.wall += 10 * SECOND
    bench.store.fails = where
    with pytest.raises(StoreUnavailableError):
        bench.tick()
    assert not bench.hands.gate

    bench.tick(after=1)

    assert bench.runs() == ["succeeded", "waiting"]
    assert bench.rows("SELECT run_count, success_count FROM progress") == [(1, 1)]
    assert len(bench.hands.gate) == 1
    bench.end(bench.start())
    bench.tick()
    assert bench.free_slots() == SLOTS


@pytest.mark.parametrize("where", ["before", "after"])
def test_after_a_failed_tick_no_run_id_is_used_twice(bench: Bench, where: str) -> None:
    bench.store.fails = where
    with pytest.raises(StoreUnavailableError):
        bench.add(entry("lamp"))

    bench.add(entry("pump"), entry("lamp"))

    assert bench.runs(task_id="pump") == bench.runs(task_id="lamp") == ["waiting"]
    assert len(bench.hands.gate) == 2


@pytest.mark.parametrize("where", ["before", "after"])
def test_a_command_in_a_failed_tick_is_answered_at_once_and_may_be_given_again(
    bench: Bench, where: str
) -> None:
    bench.add(entry())
    bench.store.fails = where

    with pytest.raises(StoreUnavailableError):
        bench.command(PauseEntry(task_id="pump"))
    bench.command(PauseEntry(task_id="pump"))

    assert not bench.hands.gate
    assert bench.runs("waiting_for") == ["pause"]


def test_a_claim_revoked_by_a_pause_that_was_committed_unknowingly_does_not_start(
    bench: Bench,
) -> None:
    bench.add(entry())
    bench.store.fails = "after"
    with pytest.raises(StoreUnavailableError):
        bench.command(PauseEntry(task_id="pump"))

    bench.tick()

    assert not bench.hands.gate
    assert bench.runs("state, waiting_for") == [("waiting", "pause")]


def test_the_run_of_a_task_whose_removal_was_committed_unknowingly_is_not_tried_again(
    bench: Bench,
) -> None:
    bench.add(entry(max_retries=3))
    claim = bench.start()
    bench.tick()
    bench.store.fails = "after"
    with pytest.raises(StoreUnavailableError):
        bench.command(RemoveEntries(task_ids=["pump"]))

    bench.tick()
    bench.end(claim, Outcome.FAILED)
    bench.tick()

    assert bench.runs() == [RunState.FAILED]


def test_what_a_failed_tick_read_is_not_believed(bench: Bench) -> None:
    bench.add(entry(seconds=1000))
    bench.end(bench.start())
    bench.tick(after=1)
    bench.store.fails = "before"
    with pytest.raises(StoreUnavailableError):
        bench.add(entry(priority=3, rules=[interval(7)]))

    bench.add(entry(priority=4, rules=[interval(7)]))
    bench.tick(after=7)

    assert [claim.priority for claim in bench.hands.gate.values()] == [4]
