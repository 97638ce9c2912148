"""Stories about pools and rate limits: who may start, who waits, and for what."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from task_scheduler.core.inbox import (
    AddEntries,
    CancelRun,
    PauseEntry,
    RequestRun,
    ResumeEntry,
    Returned,
    SetPools,
    ThreadEnded,
)
from task_scheduler.core.model import SECOND, Completion, Entry, Outcome, OverlapPolicy
from task_scheduler.core.recovery import flight_of_row
from task_scheduler.errors import DefinitionError
from tests.unit.core.engine_bench import T0, Bench, entry

MINUTE = 60 * SECOND


@pytest.fixture
def bench() -> Bench:
    return Bench(pools={"serial": 1})


def serial(task_id: str, **options: Any) -> Entry:
    return entry(task_id, pool="serial", **options)


# -- pools ----------------------------------------------------------------------------------------


def test_one_place_is_used_by_one_run_at_a_time_the_most_important_next(bench: Bench) -> None:
    bench.add(serial("a"))
    bench.add(serial("b"), serial("c", priority=5))
    assert [c.task_id for c in bench.hands.gate.values()] == ["a"]
    assert bench.runs("waiting_for, pool", "b") == [("pool", "serial")]

    order = []
    for _ in range(3):
        claim = bench.start()
        order.append(claim.task_id)
        bench.end(claim)
        bench.tick()

    assert order == ["a", "c", "b"]


def test_nothing_of_a_pool_is_claimed_ahead(bench: Bench) -> None:
    bench.add(serial("a"))
    bench.end(bench.start())

    wake = bench.tick()
    bench.tick(after=9.95)

    assert wake == T0 + 10 * SECOND
    assert not bench.hands.gate


def test_a_full_pool_wakes_nobody_and_its_flood_hides_nobody() -> None:
    bench = Bench(workers=3, pools={"serial": 1})
    bench.add(*(serial(f"flood-{n}", seconds=1e6, priority=9) for n in range(500)))
    bench.add(entry("other", seconds=1e6))
    bench.tick()

    started = [bench.start(run_id) for run_id in list(bench.hands.gate)]
    bench.store.steps = []
    wake = bench.tick(after=5)

    assert sorted(c.task_id for c in started if c.task_id == "other") == ["other"]
    assert len(started) == 2
    assert wake is not None
    assert wake > T0 + 1000 * SECOND


def test_a_thread_that_goes_on_after_its_timeout_keeps_the_place(bench: Bench) -> None:
    bench.add(serial("a", max_retries=0, seconds=1e6), serial("b", seconds=1e6))
    claim = bench.start()
    bench.end(claim, Outcome.TIMED_OUT, is_still_running=True)
    bench.tick(after=1)
    assert not bench.hands.gate

    bench.engine.inbox.put(ThreadEnded(claim.run_id, claim.task_id))
    bench.tick()

    assert len(bench.hands.gate) == 1


def test_a_retry_gives_its_place_up_and_waits_for_one_again(bench: Bench) -> None:
    bench.add(serial("a", seconds=1e6, max_retries=1, retry_delay_seconds=5))
    bench.add(serial("b", seconds=1e6))
    bench.end(bench.start(), Outcome.FAILED)
    bench.tick()
    other = bench.start()
    assert other.task_id == "b"

    bench.tick(after=6)
    assert bench.runs("waiting_for", "a") == ["pool"]
    bench.end(other)
    bench.tick()

    assert bench.start().attempt == 2


def test_a_changed_limit_takes_effect(bench: Bench) -> None:
    bench.add(*(serial(f"t{n}", seconds=1e6) for n in range(5)))
    assert len(bench.hands.gate) == 1

    bench.command(SetPools(pools={"serial": 3}))
    assert len(bench.hands.gate) == 3

    bench.command(SetPools(pools={"serial": 1}))
    for run_id in list(bench.hands.gate):
        bench.end(bench.start(run_id))
        bench.tick()

    assert len(bench.hands.gate) == 1


def test_a_pool_that_the_configuration_lost_has_one_place(bench: Bench) -> None:
    bench.add(*(serial(f"t{n}", seconds=1e6) for n in range(3)))
    bench.command(SetPools(pools={}))

    bench.end(bench.start())
    bench.tick()

    assert len(bench.hands.gate) == 1


def test_an_unknown_pool_is_refused_with_the_one_that_was_meant(bench: Bench) -> None:
    with pytest.raises(DefinitionError, match="did you mean 'serial'"):
        bench.add(entry("a", pool="serail"))
    with pytest.raises(DefinitionError, match="no such pool"):
        bench.add(entry("a", pool="xyz"))

    assert bench.rows("SELECT count(*) FROM entries") == [(0,)]


def test_a_run_that_waits_for_a_place_can_be_paused_moved_and_cancelled(bench: Bench) -> None:
    bench.add(serial("a", seconds=1e6))
    bench.add(serial("b", seconds=1e6), serial("c", seconds=1e6), serial("d", seconds=1e6))
    claim = bench.start()

    bench.command(PauseEntry(task_id="b"))
    (run,) = bench.runs("run_id", "c")
    assert bench.command(CancelRun(run_id=run))
    bench.add(entry("d", seconds=1e6))
    assert [c.task_id for c in bench.hands.gate.values()] == ["d"], "moved out of the pool"
    bench.end(claim)
    bench.tick()
    assert bench.runs("state, waiting_for", "b") == [("waiting", "pause")]
    bench.command(ResumeEntry(task_id="b"))

    assert {c.task_id for c in bench.hands.gate.values()} == {"b", "d"}
    assert bench.runs("state", "c") == ["cancelled"]


def test_a_place_is_free_again_after_a_claim_came_back(bench: Bench) -> None:
    bench.add(serial("a", seconds=1e6), serial("b", seconds=1e6))
    for _ in range(3):
        (claim,) = bench.hands.gate.values()
        bench.hands.gate.clear()
        bench.engine.inbox.put(Returned(claim))
        bench.tick()

        assert len(bench.hands.gate) == 1


# -- rate limits ----------------------------------------------------------------------------------


def test_starts_beyond_the_rate_wait_for_the_moment_that_allows_them(bench: Bench) -> None:
    policies = {"rate_limit": "2/1m", "overlap": OverlapPolicy.ALLOW, "seconds": 1e6}
    bench.add(entry(**policies))
    for n in range(5):
        bench.command(RequestRun(task_id="pump", request_id=str(n)))

    assert len(bench.hands.gate) == 2
    assert bench.runs("waiting_for, due_at")[2:] == [
        ("rate", T0 + MINUTE),
        ("rate", T0 + MINUTE),
        ("rate", T0 + 2 * MINUTE),
        ("rate", T0 + 2 * MINUTE),
    ]


def test_no_stretch_of_time_has_more_starts_than_the_rate_allows(bench: Bench) -> None:
    bench.add(entry(rate_limit="3/1m", overlap=OverlapPolicy.ALLOW, seconds=7, max_retries=1))
    starts: list[int] = []
    for step in range(1_500):
        due = [c.run_id for c in bench.hands.gate.values() if c.due_at <= bench.clock.wall]
        for run_id in due:
            claim = bench.start(run_id)
            starts.append(bench.clock.wall)
            bench.end(claim, Outcome.FAILED if step % 5 == 0 else Outcome.SUCCEEDED)
        if step % 40 == 0:
            bench.command(RequestRun(task_id="pump", request_id=str(step)))
        bench.tick(after=0.37)

    assert len(starts) > 20, "it goes on"
    gaps = [later - first for first, later in zip(starts, starts[3:], strict=False)]
    assert min(gaps) >= MINUTE
    assert max(b - a for a, b in itertools.pairwise(starts)) < 2 * MINUTE, "none is starved"


def test_a_late_start_counts_from_when_it_came(bench: Bench) -> None:
    bench.add(entry(rate_limit="1/1m", seconds=1e6))
    bench.clock.wall += 30 * SECOND
    bench.end(bench.start())
    bench.tick()
    bench.command(RequestRun(task_id="pump", request_id="again"))

    assert bench.runs("waiting_for, due_at")[1:] == [("rate", T0 + 90 * SECOND)]


def test_a_lost_start_counts_from_when_it_came_at_the_earliest(bench: Bench) -> None:
    bench.add(entry(rate_limit="1/1m", seconds=1e6))
    bench.clock.wall += 30 * SECOND
    claim = bench.start()
    bench.tick()
    bench.command(RequestRun(task_id="pump", request_id="again"))

    # Recovery knows no more of it than when it was due.
    lost = Completion(
        run_id=claim.run_id,
        task_id="pump",
        attempt=1,
        token=claim.token,
        outcome=Outcome.LOST,
        started_at=claim.due_at,
        ended_at=bench.clock.wall,
    )
    bench.engine.inbox.put(lost)
    bench.tick(after=31)

    assert not bench.hands.gate, "a minute after it was due, and half a one after it began"


def test_a_claim_that_came_back_is_no_start(bench: Bench) -> None:
    bench.add(entry(rate_limit="1/1m", seconds=1e6))
    (claim,) = bench.hands.gate.values()
    bench.hands.gate.clear()
    bench.engine.inbox.put(Returned(claim))
    bench.tick()

    assert len(bench.hands.gate) == 1


def test_another_rate_is_obeyed_at_once_and_old_starts_are_forgotten(bench: Bench) -> None:
    bench.add(entry(rate_limit="1/1h", seconds=1e6))
    bench.end(bench.start())
    bench.tick()
    bench.command(RequestRun(task_id="pump", request_id="again"))
    assert bench.runs("waiting_for")[1:] == ["rate"]

    bench.add(entry(rate_limit="5/1h", seconds=1e6))
    bench.end(bench.start())
    for n in range(3):
        bench.tick(after=7200)
        bench.end(bench.start(bench.command(RequestRun(task_id="pump", request_id=str(n)))))

    assert bench.rows("SELECT count(*) FROM starts") == [(1,)]


def test_a_clock_that_was_set_back_stalls_no_limited_task(bench: Bench) -> None:
    bench.add(entry(rate_limit="1/1m", seconds=1e6))
    bench.end(bench.start())
    bench.tick()
    bench.clock.wall -= 3600 * SECOND

    bench.start(bench.command(RequestRun(task_id="pump", request_id="again")))


def test_an_entry_added_again_keeps_its_waiting_runs(bench: Bench) -> None:
    limited = entry(rate_limit="1/1h", seconds=1e6, overlap=OverlapPolicy.ALLOW)
    bench.add(limited)
    bench.command(RequestRun(task_id="pump", request_id="again"))

    bench.command(AddEntries(entries=[limited]))

    assert bench.runs("waiting_for, due_at")[1:] == [("rate", T0 + 3600 * SECOND)]


def test_a_run_that_may_come_soon_is_not_asked_for_again_and_again(bench: Bench) -> None:
    bench.add(entry(rate_limit="1/1m", seconds=1e6))
    bench.end(bench.start())
    bench.command(RequestRun(task_id="pump", request_id="again"))

    wake = bench.tick(after=59.95)

    assert [claim.due_at for claim in bench.hands.gate.values()] == [T0 + MINUTE]
    assert wake is not None
    assert wake > T0 + MINUTE


def test_a_place_is_kept_whatever_becomes_of_the_entry_and_of_the_process(bench: Bench) -> None:
    bench.add(serial("a", seconds=1e6), serial("b", seconds=1e6))
    claim = bench.start()
    assert claim.task_id == "a"
    bench.add(entry("a", seconds=1e6))
    row = bench.ledger.fetch("claimed_runs")[0]
    bench.engine.flights.remove(claim.run_id)
    bench.engine.flights.add(flight_of_row(row, None))
    bench.tick(after=1)
    assert not bench.hands.gate

    bench.end(claim)
    bench.tick()

    assert [c.task_id for c in bench.hands.gate.values()] == ["b"]
