"""Stories about a clock that is set: what moves with it, what waits for it, and what it costs."""

from __future__ import annotations

import time
import tracemalloc
from typing import Any

import pytest

from task_scheduler.core.clock_steps import anchoring_of, instant_key
from task_scheduler.core.events import ClockFollowed
from task_scheduler.core.inbox import PauseEntry, RemoveEntries, RequestRun, Returned
from task_scheduler.core.model import SECOND, MisfirePolicy, Outcome, OverlapPolicy
from task_scheduler.errors import StoreUnavailableError
from tests.unit.core.engine_bench import T0, Bench, entry

HOUR = 3600
YEAR = 365 * 86_400
DAILY: dict[str, Any] = {"type": "cron", "cron": "0 12 * * *", "timezone": "UTC"}
MINUTELY: dict[str, Any] = {"type": "cron", "cron": "* * * * *", "timezone": "UTC"}


@pytest.fixture
def bench() -> Bench:
    return Bench()


def due_of(bench: Bench) -> int:
    """Return when the entry is due next, on the wall clock."""
    return int(bench.rows("SELECT next_due_at FROM progress")[0][0])


def restart(bench: Bench, boot_id: str) -> None:
    """Begin another epoch on this ledger."""
    bench.engine.open(
        epoch=9, last_run_id=bench.store.fetch("last_run_id"), boot_id=boot_id, marks=bench.marks
    )


def followed(bench: Bench) -> list[ClockFollowed]:
    return [event for event in bench.events if isinstance(event, ClockFollowed)]


# -- what an entry counts from --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ([{"type": "interval", "seconds": 5}], 1),
        ([{"type": "interval", "seconds": 5, "jitter_seconds": 2, "max_runs": 9}], 1),
        ([{"type": "interval", "seconds": 5, "anchor": "start", "kind": "fixed_delay"}], 3),
        ([{"type": "cron", "cron": "@every 5m"}], 1),
        ([{"type": "interval", "seconds": 5, "end_at": "2030-01-01T00:00:00+00:00"}], 2),
        ([{"type": "interval", "seconds": 5, "exclude": ["japan"]}], 2),
        ([{"type": "interval", "seconds": 5, "start_at": "2030-01-01T00:00:00+00:00"}], 0),
        ([{"type": "interval", "seconds": 5, "anchor": "epoch"}], 0),
        ([{"type": "interval", "seconds": 5, "anchor": "06:30"}], 0),
        ([{"type": "interval", "seconds": 5}, DAILY], 0),
        ([DAILY], 0),
        ([{"type": "user"}], 0),
        ([], 0),
    ],
)
def test_only_an_interval_by_itself_counts_from_its_anchor(
    rules: list[dict[str, Any]], expected: int
) -> None:
    assert anchoring_of(rules) == expected


def test_a_moment_that_the_clock_shows_again_has_another_key() -> None:
    assert instant_key(7, 0) == "7"
    assert instant_key(7, 2) == "7.2"


# -- a step back ----------------------------------------------------------------------------------


@pytest.mark.parametrize("by", [-1, -10, -HOUR, -HOUR - 0.25, -60 * YEAR])
def test_an_interval_goes_on_in_real_time(bench: Bench, by: float) -> None:
    bench.clock.wall += 10 * YEAR * SECOND
    bench.engine.open(epoch=2, last_run_id=0)
    bench.add(entry())
    bench.end(bench.start())
    bench.tick(after=3)

    bench.set_clock(by)
    bench.tick(after=7)

    bench.start()
    assert due_of(bench) == bench.clock.wall + 10 * SECOND
    assert len(set(bench.runs("key"))) == 2


def test_a_claim_in_the_gate_moves_with_the_clock(bench: Bench) -> None:
    bench.add(entry())
    bench.end(bench.start())
    bench.tick(after=9.95)
    assert len(bench.hands.gate) == 1

    bench.set_clock(-HOUR)
    bench.tick(after=0.05)

    claim = bench.start()
    assert claim.due_at == claim.scheduled_at == T0 + (10 - HOUR) * SECOND
    assert claim.key == f"{claim.scheduled_at}.1"
    assert bench.runs() == ["succeeded", "waiting"]


def test_a_claim_that_comes_back_after_the_step_moves_too(bench: Bench) -> None:
    bench.add(entry())
    bench.end(bench.start())
    bench.tick(after=9.95)
    (run_id,) = bench.hands.gate
    claim = bench.hands.gate.pop(run_id)

    bench.set_clock(-HOUR)
    bench.engine.inbox.put(Returned(claim))
    bench.tick(after=0.05)

    assert bench.start().due_at == T0 + (10 - HOUR) * SECOND


@pytest.mark.parametrize("by", [-HOUR, -60 * YEAR])
def test_a_retry_keeps_its_delay(bench: Bench, by: float) -> None:
    bench.add(entry(rules=[DAILY], retry_delay_seconds=30, max_retries=1))
    bench.clock.wall = due_of(bench)
    bench.tick()
    bench.end(bench.start(), Outcome.FAILED)
    bench.tick()

    bench.set_clock(by)
    assert not bench.hands.gate
    bench.tick(after=30)

    assert bench.start().attempt == 2


def test_a_request_that_waits_for_a_worker_is_not_put_off() -> None:
    bench = Bench(workers=1)
    bench.engine._reception.usual_duration = 1e9
    bench.add(entry("long", seconds=1e6), entry("asked", rules=[DAILY]))
    claim = bench.start()
    bench.command(RequestRun(task_id="asked", request_id="1"))

    bench.set_clock(-HOUR)
    bench.end(claim)
    bench.tick()

    assert bench.start().task_id == "asked"


def test_the_calendar_repeats_nothing_and_goes_on_with_the_next_new_moment(bench: Bench) -> None:
    bench.add(entry(rules=[MINUTELY]))
    bench.end(bench.start())
    bench.tick()
    for _ in range(3):
        bench.clock.wall = due_of(bench)
        bench.tick()
        bench.end(bench.start())
    bench.tick()
    known = bench.runs("scheduled_at")

    bench.set_clock(-150)
    for _ in range(4):
        bench.clock.wall = due_of(bench)
        bench.tick()
        if bench.hands.gate:
            bench.end(bench.start())

    assert bench.runs("scheduled_at") == [*known, known[-1] + 60 * SECOND]
    assert bench.skips() == []


def test_what_a_wrong_clock_had_planned_and_nobody_begun_is_planned_when_it_comes(
    bench: Bench,
) -> None:
    bench.add(entry(rules=[DAILY], overlap=OverlapPolicy.QUEUE))
    bench.clock.wall = due_of(bench) - SECOND // 20
    bench.tick()
    assert bench.runs() == ["waiting"]

    bench.set_clock(-1.9 * 86_400)

    assert bench.runs() == []
    assert due_of(bench) < bench.clock.wall + 86_400 * SECOND


def test_a_paused_entry_follows_and_stays_paused(bench: Bench) -> None:
    bench.add(entry())
    bench.end(bench.start())
    bench.tick()
    bench.command(PauseEntry(task_id="pump"))

    bench.set_clock(-HOUR)

    assert bench.rows("SELECT plan_at, next_due_at FROM progress") == [
        (None, T0 + (10 - HOUR) * SECOND)
    ]


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_step_is_followed_once_whatever_becomes_of_the_tick(bench: Bench, when: str) -> None:
    bench.add(entry())
    bench.end(bench.start())
    bench.tick()
    bench.store.fails = when
    with pytest.raises(StoreUnavailableError):
        bench.set_clock(-HOUR)

    bench.tick()

    assert due_of(bench) == T0 + (10 - HOUR) * SECOND


def test_a_clock_that_is_slewed_is_no_step(bench: Bench) -> None:
    bench.add(entry())
    bench.end(bench.start())
    for _ in range(50):
        bench.set_clock(-0.02)
    bench.command(PauseEntry(task_id="pump"))

    assert due_of(bench) == T0 + 10 * SECOND
    assert followed(bench) == []


# -- wrong for long -------------------------------------------------------------------------------


def test_a_clock_that_was_decades_ahead_leaves_the_calendar_as_it_was(bench: Bench) -> None:
    bench.add(entry(rules=[DAILY]))
    first = due_of(bench)
    bench.set_clock(72 * YEAR)
    bench.end(bench.start())
    bench.tick()
    ((_, first_at, count),) = bench.rows("SELECT reason, first_at, count FROM skips")
    assert (first_at, count > 25_000) == (first, True)

    bench.set_clock(-72 * YEAR)

    assert due_of(bench) == first
    bench.clock.wall = first
    bench.tick()
    assert bench.start().scheduled_at == first
    (event,) = followed(bench)
    assert (event.by, event.moved, event.rewound) == (-72 * YEAR * SECOND, 0, 1)


def test_a_skipped_range_that_reaches_into_the_future_again_ends_now(bench: Bench) -> None:
    bench.add(entry(rules=[MINUTELY], misfire=MisfirePolicy.SKIP))
    bench.end(bench.start())
    bench.tick()
    first = due_of(bench)
    bench.tick(after=HOUR)
    assert bench.skips("reason, first_at, count")[0] == ("misfire", first, 58)

    bench.set_clock(-HOUR / 2)

    (_, last_at, count), *ahead = bench.skips("reason, last_at, count")
    assert last_at == bench.clock.wall
    assert count == (last_at - first) // (60 * SECOND) + 1
    assert bench.rows("SELECT skip_count FROM progress") == [(count + len(ahead),)]


@pytest.mark.parametrize("rules", [[{"type": "interval", "seconds": 10}], [MINUTELY]])
def test_another_boot_with_another_clock_stalls_nothing(
    bench: Bench, rules: list[dict[str, Any]]
) -> None:
    restart(bench, "wrong")
    bench.set_clock(72 * YEAR)
    bench.add(entry(rules=rules))
    bench.clock.wall = due_of(bench)
    bench.tick()
    bench.end(bench.start())
    bench.tick()

    restart(bench, "right")
    bench.set_clock(-72 * YEAR)

    assert bench.clock.wall < due_of(bench) <= bench.clock.wall + 60 * SECOND
    assert followed(bench)[-1].by is None


def test_a_step_while_nobody_held_the_ledger_is_found_on_the_same_boot(bench: Bench) -> None:
    restart(bench, "one")
    bench.add(entry(seconds=HOUR))
    bench.end(bench.start())
    bench.tick()

    restart(bench, "one")
    bench.set_clock(-10)

    assert due_of(bench) == T0 + (HOUR - 10) * SECOND
    assert followed(bench)[-1].by == -10 * SECOND


# -- what it costs --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "by"), [(1, 100_000), (1, 170 * YEAR), (1, 200 * YEAR)], ids=str
)
@pytest.mark.parametrize("misfire", list(MisfirePolicy))
def test_a_jump_costs_nothing_in_proportion_to_it(
    bench: Bench, seconds: float, by: float, misfire: MisfirePolicy
) -> None:
    bench.add(
        entry(seconds=seconds, misfire=misfire, overlap=OverlapPolicy.QUEUE),
        *(entry(f"cron-{n}", rules=[MINUTELY], misfire=misfire) for n in range(10)),
    )
    bench.tick()
    tracemalloc.start()
    begin = time.process_time()
    bench.set_clock(by)
    bench.set_clock(-by)
    spent, (_, most) = time.process_time() - begin, tracemalloc.get_traced_memory()
    tracemalloc.stop()

    # Measuring memory makes everything some times slower.
    assert spent < 0.5
    assert most < 10_000_000


def test_a_claim_taken_ahead_of_a_small_step_back_is_not_skipped_for_its_own_sake(
    bench: Bench,
) -> None:
    bench.add(entry(rules=[DAILY]))
    bench.clock.wall = due_of(bench) - SECOND // 20
    bench.tick()
    assert len(bench.hands.gate) == 1

    bench.set_clock(-0.6)
    bench.tick(after=0.65)

    bench.end(bench.start())
    bench.tick()
    assert bench.runs() == ["succeeded"]
    assert bench.rows("SELECT * FROM skips") == []


def test_what_a_task_skipped_before_it_was_removed_and_added_again_stays_told(bench: Bench) -> None:
    bench.add(entry(rules=[MINUTELY]))
    bench.tick(after=HOUR)
    bench.command(RemoveEntries(task_ids=["pump"]))
    told = bench.skips("first_at, last_at, count")
    bench.add(entry(rules=[DAILY]))

    bench.set_clock(-HOUR / 2)

    assert bench.skips("first_at, last_at, count") == told
