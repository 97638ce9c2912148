"""Stories about chains: who comes after whom, how often, and what failures make of it."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from task_scheduler.core.chains import circle_in
from task_scheduler.core.inbox import (
    CancelRun,
    PauseEntry,
    RemoveEntries,
    RequestRun,
)
from task_scheduler.core.model import (
    SECOND,
    AfterMode,
    ChainOn,
    Claim,
    Entry,
    Link,
    OnLost,
    Outcome,
    OverlapPolicy,
)
from task_scheduler.errors import DefinitionError, StoreUnavailableError
from tests.unit.core.engine_bench import T0, Bench, entry

NEVER = {"type": "once", "run_at": "2100-01-01T00:00:00+00:00"}


def task(task_id: str, *after: str | Link, **policies: Any) -> Entry:
    """Return an entry that is due by itself only in another century."""
    links = tuple(Link(item) if isinstance(item, str) else item for item in after)
    return entry(task_id, rules=[NEVER], after=links, **policies)


@pytest.fixture
def bench() -> Bench:
    return Bench()


def run(bench: Bench, task_id: str, outcome: Outcome = Outcome.SUCCEEDED) -> int:
    """Let a task be run on request, to its end."""
    requests = bench.__dict__.setdefault("requests", itertools.count())
    run_id: int = bench.command(RequestRun(task_id=task_id, request_id=str(next(requests))))
    bench.end(bench.start(run_id), outcome)
    bench.tick()
    return run_id


def waiting(bench: Bench) -> list[Claim]:
    return list(bench.hands.gate.values())


def test_a_child_comes_after_its_parent_in_the_same_transaction(bench: Bench) -> None:
    bench.add(task("a"), task("b", "a"))

    first = run(bench, "a")

    (claim,) = waiting(bench)
    assert (claim.task_id, claim.key) == ("b", f"after:{first}")
    assert bench.runs("origin, scheduled_at", "b") == [("chain", T0)]


def test_a_chain_goes_on_to_its_end(bench: Bench) -> None:
    bench.add(task("a"), task("b", "a"), task("c", "b"), task("d", "c"))
    run(bench, "a")

    for task_id in "bcd":
        claim = bench.start()
        assert claim.task_id == task_id
        bench.end(claim)
        bench.tick()

    assert not waiting(bench)


@pytest.mark.parametrize("on", list(ChainOn))
@pytest.mark.parametrize("outcome", list(Outcome))
def test_how_the_parent_ended_decides(bench: Bench, on: ChainOn, outcome: Outcome) -> None:
    at_most = {"on_lost": OnLost.AT_MOST_ONCE, "max_retries": 0}
    bench.add(task("a", **at_most), task("b", Link("a", on)))

    run(bench, "a", outcome)

    is_success = outcome is Outcome.SUCCEEDED
    is_failure = outcome in (Outcome.FAILED, Outcome.TIMED_OUT, Outcome.LOST)
    expected = {
        ChainOn.SUCCESS: is_success,
        ChainOn.FAILURE: is_failure,
        ChainOn.ALWAYS: True,
    }[on]
    assert bool(waiting(bench)) is expected


def test_a_retry_is_no_end(bench: Bench) -> None:
    bench.add(
        task("a", max_retries=1, retry_delay_seconds=5),
        task("b", Link("a", ChainOn.ALWAYS)),
    )
    run(bench, "a", Outcome.FAILED)
    assert not waiting(bench)

    bench.tick(after=5)
    bench.end(bench.start())
    bench.tick()

    assert [claim.task_id for claim in waiting(bench)] == ["b"]


def test_all_parents_are_awaited_since_the_last_time(bench: Bench) -> None:
    bench.add(task("a"), task("b"), task("c", "a", "b"))
    first = run(bench, "a")
    assert not waiting(bench)
    again = run(bench, "a")
    other = run(bench, "b")

    (claim,) = waiting(bench)
    assert claim.key == f"after:{again},{other}", f"the latest, not {first}"
    bench.end(bench.start())
    bench.tick()
    run(bench, "b")
    assert not waiting(bench), "a has not ended since"
    run(bench, "a")
    assert len(waiting(bench)) == 1


def test_the_latest_end_of_a_parent_decides_where_all_are_awaited(bench: Bench) -> None:
    bench.add(task("a", max_retries=0), task("b"), task("c", "a", "b"))
    run(bench, "a")
    run(bench, "a", Outcome.FAILED)
    run(bench, "b")
    assert not waiting(bench)

    run(bench, "a")

    assert len(waiting(bench)) == 1


def test_any_parent_is_enough_where_that_is_asked(bench: Bench) -> None:
    bench.add(
        task("a"),
        task("b"),
        task("c", "a", "b", after_mode=AfterMode.ANY, overlap=OverlapPolicy.QUEUE),
    )

    keys = [f"after:{run(bench, task_id)}" for task_id in "ab"]

    assert bench.runs("key", "c") == keys


@pytest.mark.parametrize(
    ("overlap", "states"),
    [
        (OverlapPolicy.SKIP, [("running", None), ("skipped", None)]),
        (OverlapPolicy.QUEUE, [("running", None), ("waiting", "overlap")]),
        (OverlapPolicy.ALLOW, [("running", None), ("waiting", None)]),
        (OverlapPolicy.REPLACE, [("running", None), ("waiting", "overlap")]),
    ],
)
def test_the_overlap_policy_holds_for_a_child(
    bench: Bench, overlap: OverlapPolicy, states: list[Any]
) -> None:
    bench.add(task("a"), task("b", "a", overlap=overlap))
    run(bench, "a")
    bench.start()
    run(bench, "a")

    assert bench.runs("state, waiting_for", "b") == states


def test_a_paused_child_is_skipped_and_says_so(bench: Bench) -> None:
    bench.add(task("a"), task("b", "a"))
    bench.command(PauseEntry(task_id="b"))
    run(bench, "a")

    assert bench.runs("state, reason", "b") == [("skipped", "paused")]
    assert bench.rows("SELECT skip_count FROM progress WHERE task_id = 'b'") == [(1,)]


@pytest.mark.parametrize("where", ["before", "after"])
def test_a_commit_that_fails_doubles_and_loses_no_child(bench: Bench, where: str) -> None:
    bench.add(task("a"), task("b", "a"))
    run_id = bench.command(RequestRun(task_id="a", request_id="1"))
    bench.end(bench.start(run_id))
    bench.store.fails = where

    with pytest.raises(StoreUnavailableError):
        bench.tick()
    bench.tick()
    bench.tick()

    assert bench.runs("key", "b") == [f"after:{run_id}"]
    assert len(waiting(bench)) == 1


def test_an_added_link_that_came_to_nothing_is_not_followed(bench: Bench) -> None:
    bench.add(task("a"))
    bench.store.fails = "before"
    with pytest.raises(StoreUnavailableError):
        bench.add(task("b", "a"))

    run(bench, "a")
    bench.add(task("b", "a"))
    assert not waiting(bench)
    run(bench, "a")

    assert len(waiting(bench)) == 1


def test_what_was_awaited_survives_an_edit_and_a_new_process(bench: Bench) -> None:
    bench.add(task("a"), task("b"), task("c", "a", "b"))
    run(bench, "a")
    bench.add(task("c", "a", "b", priority=3))
    bench.engine.flights.unlearn_all()

    run(bench, "b")

    assert len(waiting(bench)) == 1


def test_another_link_begins_anew(bench: Bench) -> None:
    bench.add(task("a"), task("b"), task("c", "a", "b"))
    run(bench, "a")
    bench.add(task("c", Link("a", ChainOn.ALWAYS), "b"))
    run(bench, "b")
    assert not waiting(bench)

    bench.add(task("c", "b"))
    run(bench, "b")

    assert len(waiting(bench)) == 1


def test_a_removed_child_comes_no_more_and_a_removed_parent_is_awaited(bench: Bench) -> None:
    bench.add(task("a"), task("b", "a"), task("c", "a"))
    bench.command(RemoveEntries(task_ids=["b"]))
    run(bench, "a")
    assert [claim.task_id for claim in waiting(bench)] == ["c"]
    bench.end(bench.start())
    bench.command(RemoveEntries(task_ids=["a"]))

    assert bench.rows("SELECT child, parent FROM chains") == [("c", "a")]
    bench.add(task("a"))
    run(bench, "a")
    assert len(waiting(bench)) == 1


def test_a_run_that_is_cancelled_before_it_began_has_ended(bench: Bench) -> None:
    bench.add(task("a"), task("b", "a"), task("c", Link("a", ChainOn.ALWAYS)))
    run_id = bench.command(RequestRun(task_id="a", request_id="1"))

    bench.command(CancelRun(run_id=run_id))

    assert [claim.task_id for claim in waiting(bench)] == ["c"]


def test_a_run_that_was_skipped_never_was(bench: Bench) -> None:
    bench.add(entry("a"), task("b", Link("a", ChainOn.ALWAYS)))
    claim = bench.start()
    bench.tick(after=10)
    assert not bench.runs("state", "b")

    bench.end(claim)
    bench.tick()

    assert len(bench.runs("state", "b")) == 1


def test_a_circle_is_refused_with_its_path(bench: Bench) -> None:
    bench.add(task("a", "c"), task("b", "a"))

    with pytest.raises(DefinitionError, match="c → a → b → c"):
        bench.add(task("c", "b"))
    with pytest.raises(DefinitionError, match="d → d"):
        bench.add(task("d", "d"))

    assert bench.rows("SELECT count(*) FROM entries") == [(2,)]
    bench.add(task("a"), task("c", "b"))


def test_a_long_chain_is_no_circle_and_soon_known() -> None:
    graph = {str(n): [str(n - 1)] for n in range(1, 20_000)}

    assert circle_in(graph, ["19999"]) == []
    graph["0"] = ["19999"]
    assert len(circle_in(graph, ["19999"])) == 20_001


def test_a_batch_of_ends_takes_a_bounded_number_of_steps() -> None:
    bench = Bench(workers=60)
    bench.add(*(task(f"p{n}") for n in range(50)))
    bench.add(*(task(f"c{n}", f"p{n}") for n in range(50)))
    for n in range(50):
        bench.command(RequestRun(task_id=f"p{n}", request_id="1"))
    for run_id in list(bench.hands.gate):
        bench.end(bench.start(run_id))

    bench.tick(after=SECOND / 1e9)

    assert len(waiting(bench)) == 50
    assert len(bench.store.steps) <= 20, bench.store.steps
