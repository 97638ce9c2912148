"""Stories about what rules say besides their instants: jitter, boots, ends."""

from __future__ import annotations

from typing import Any

import pytest

from task_scheduler.core.claims import jitter_seconds_of
from task_scheduler.core.inbox import CancelRun, PauseEntry, ResumeEntry
from task_scheduler.core.model import SECOND, MisfirePolicy, Outcome, OverlapPolicy
from task_scheduler.schedules.jitter import jitter_of
from tests.unit.core.engine_bench import T0, Bench, entry


@pytest.fixture
def bench() -> Bench:
    return Bench()


def every(seconds: float, **more: Any) -> dict[str, Any]:
    return {"type": "interval", "seconds": seconds, **more}


# -- jitter ---------------------------------------------------------------------------------------


def test_jitter_puts_a_run_off_and_is_no_part_of_what_it_is(bench: Bench) -> None:
    bench.add(entry(rules=[every(100, jitter_seconds=30)]))
    late = jitter_of("pump", T0, 30)
    assert bench.runs("key, scheduled_at, due_at") == [(str(T0), T0, T0 + late)]
    assert not bench.hands.gate

    wake = bench.tick()
    assert wake == T0 + late - 100_000
    bench.clock.wall = wake
    bench.tick()

    (claim,) = bench.hands.gate.values()
    assert (claim.scheduled_at, claim.due_at) == (T0, T0 + late)


def test_a_run_that_its_jitter_puts_off_keeps_the_seat_of_its_task(bench: Bench) -> None:
    bench.add(entry(rules=[every(10, jitter_seconds=10_000)], overlap=OverlapPolicy.SKIP))
    for _ in range(2):
        bench.tick(after=10)

    assert bench.runs() == ["waiting"]
    assert bench.skips() == [("overlap", 2)]


def test_the_greatest_jitter_of_the_rules_counts() -> None:
    inner = {"type": "any_of", "rules": [every(1, jitter_seconds=9), every(2)]}
    assert jitter_seconds_of([every(1), every(2, jitter_seconds=3)]) == 3
    assert jitter_seconds_of([every(2, jitter_seconds=3), inner]) == 9
    assert jitter_seconds_of([every(1), {"type": "user"}]) == 0
    assert jitter_seconds_of([]) == 0


# -- the end of a rule ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "bound",
    [
        {"max_runs": 3},
        {"end_at": "2027-01-15T08:00:25+00:00"},
        {"end_at": "2027-01-15T08:00:20+00:00"},
    ],
)
def test_a_rule_that_has_come_to_its_end_leaves_nothing_due(
    bench: Bench, bound: dict[str, Any]
) -> None:
    bench.add(entry(rules=[every(10, **bound)]))
    for _ in range(5):
        if bench.hands.gate:
            bench.end(bench.start())
        bench.tick(after=10)

    assert bench.runs() == ["succeeded"] * 3
    assert bench.rows("SELECT next_due_at, plan_at FROM progress") == [(None, None)]
    assert bench.tick() is None


# -- boots ----------------------------------------------------------------------------------------

AT_BOOT = {"type": "cron", "cron": "@reboot"}


def boot(bench: Bench, boot_id: str) -> None:
    """Let a process begin on a boot of the machine, as `holding` does it."""
    with bench.store.transaction():
        bench.store.execute("begin_epoch", boot_id=boot_id, pid=1, version="0", at=bench.clock.wall)
        bench.store.execute("plan_boot_runs", boot_id=boot_id, now=bench.clock.wall)
    bench.engine.open(
        epoch=bench.store.fetch("last_epoch")[0],
        last_run_id=bench.store.fetch("last_run_id"),
        boot_id=boot_id,
        marks=bench.marks,
    )
    bench.engine._has_queue = True
    bench.tick()


def test_a_task_of_the_boot_runs_once_after_each_boot(bench: Bench) -> None:
    bench.add(entry(rules=[AT_BOOT]), entry("other", rules=[every(1e6)]))
    bench.end(bench.start())
    bench.tick()
    assert bench.runs() == []

    for boot_id in ("one", "one", "two", "one"):
        boot(bench, boot_id)
        if bench.hands.gate:
            bench.end(bench.start())
            bench.tick(after=1)

    assert bench.runs("key, state") == [("boot:one", "succeeded"), ("boot:two", "succeeded")]


def test_a_task_that_is_added_after_the_boot_waits_for_the_next_one(bench: Bench) -> None:
    boot(bench, "one")
    bench.add(entry(rules=[AT_BOOT]))
    boot(bench, "one")
    assert bench.runs() == []

    boot(bench, "two")
    assert bench.runs("key") == ["boot:two"]


def test_a_paused_task_of_the_boot_waits_for_the_end_of_the_pause(bench: Bench) -> None:
    bench.add(entry(rules=[AT_BOOT]))
    bench.command(PauseEntry(task_id="pump"))
    boot(bench, "one")
    assert not bench.hands.gate

    bench.command(ResumeEntry(task_id="pump"))
    assert [claim.key for claim in bench.hands.gate.values()] == ["boot:one"]


def test_a_run_of_the_boot_survives_a_clock_that_is_set_back(bench: Bench) -> None:
    bench.add(entry(rules=[AT_BOOT]))
    boot(bench, "one")

    bench.set_clock(-3600)
    bench.tick()

    (claim,) = bench.hands.gate.values()
    assert claim.key == "boot:one"
    assert claim.due_at <= T0 - 3600 * SECOND + SECOND


# -- fixed delay ----------------------------------------------------------------------------------


def delay(seconds: float = 10, **more: Any) -> dict[str, Any]:
    return {"type": "interval", "seconds": seconds, "kind": "fixed_delay", **more}


def due_of(bench: Bench) -> int | None:
    ((due_at,),) = bench.rows("SELECT next_due_at FROM progress")
    return None if due_at is None else int(due_at)


def test_a_delay_counts_from_the_end_of_the_last_run(bench: Bench) -> None:
    bench.add(entry(rules=[delay()]))
    claim = bench.start()
    bench.tick(after=35)
    assert due_of(bench) is None
    assert bench.skips() == []

    bench.end(claim)
    bench.tick()
    assert due_of(bench) == T0 + 45 * SECOND

    bench.tick(after=10)
    assert bench.start().scheduled_at == T0 + 45 * SECOND


def test_a_delay_counts_from_the_last_of_several_attempts(bench: Bench) -> None:
    bench.add(entry(rules=[delay()], max_retries=1, retry_delay_seconds=5))
    bench.end(bench.start(), Outcome.FAILED)
    bench.tick()
    assert due_of(bench) is None

    bench.tick(after=5)
    bench.end(bench.start(), Outcome.FAILED)
    bench.tick()
    assert due_of(bench) == T0 + 15 * SECOND


@pytest.mark.parametrize("policy", list(MisfirePolicy))
def test_after_a_long_absence_a_delay_is_due_once(bench: Bench, policy: MisfirePolicy) -> None:
    bench.add(entry(rules=[delay()], misfire=policy))
    bench.end(bench.start())
    bench.tick()

    bench.tick(after=100_000)

    if policy is MisfirePolicy.SKIP:
        assert bench.skips() == [("misfire", 1)]
        assert due_of(bench) == bench.clock.wall + 10 * SECOND
    else:
        assert bench.skips() == []
        assert bench.start().scheduled_at == T0 + 10 * SECOND


def test_a_delay_goes_on_after_a_cancel_a_pause_and_a_restart(bench: Bench) -> None:
    bench.add(entry(rules=[delay()]))
    claim = bench.start()
    bench.end(claim)
    bench.tick(after=9.95)
    bench.tick()
    (run_id,) = bench.hands.gate
    bench.command(CancelRun(run_id=run_id))
    assert due_of(bench) == bench.clock.wall + 10 * SECOND

    bench.command(PauseEntry(task_id="pump"))
    bench.tick(after=100)
    bench.command(ResumeEntry(task_id="pump"))
    assert bench.skips() == [("paused", 1)]
    assert due_of(bench) == bench.clock.wall + 10 * SECOND

    bench.ledger._connection.execute("UPDATE progress SET next_due_at = NULL, plan_at = NULL")
    boot(bench, "two")
    assert due_of(bench) is not None


def test_a_delay_that_is_added_again_while_it_runs_waits_for_the_end(bench: Bench) -> None:
    bench.add(entry(rules=[delay()]))
    claim = bench.start()
    bench.tick(after=5)
    bench.add(entry(rules=[delay()]))
    bench.add(entry(rules=[delay(20)]))
    assert due_of(bench) is None

    bench.tick(after=30)
    bench.end(claim)
    bench.tick()
    assert due_of(bench) == bench.clock.wall + 20 * SECOND


def test_a_delay_ends_where_its_rule_ends(bench: Bench) -> None:
    bench.add(entry(rules=[delay(end_at="2027-01-15T08:00:15+00:00")]))
    for _ in range(4):
        if bench.hands.gate:
            bench.end(bench.start())
        bench.tick()
        bench.tick(after=10)

    assert bench.runs() == ["succeeded"] * 2
    assert due_of(bench) is None


def test_a_delay_with_a_start_begins_there_and_counts_from_its_ends(bench: Bench) -> None:
    start = T0 + 7 * SECOND
    bench.add(entry(rules=[delay(start_at="2027-01-15T08:00:07+00:00")]))
    assert due_of(bench) == start
    bench.tick(after=7)
    claim = bench.start()
    bench.tick(after=4)
    bench.end(claim)
    bench.tick()

    assert due_of(bench) == start + 14 * SECOND


def test_a_delay_follows_a_clock_that_is_set_back(bench: Bench) -> None:
    bench.add(entry(rules=[delay()]))
    claim = bench.start()
    bench.tick()
    bench.set_clock(-3600)
    assert due_of(bench) is None
    bench.end(claim)
    bench.tick()
    assert due_of(bench) == T0 - 3590 * SECOND

    bench.set_clock(-3600)
    assert due_of(bench) == T0 - 7190 * SECOND


def test_a_run_that_is_put_off_a_little_is_not_late_for_having_been_looked_at_too_early() -> None:
    bench = Bench()
    rules = ({"type": "interval", "seconds": 10, "jitter_seconds": 0.9},)
    bench.add(*(entry(f"pump-{number}", rules=rules) for number in range(5)))

    wake: int | None = bench.clock.wall
    while bench.clock.wall < T0 + SECOND:
        assert wake is not None
        bench.clock.wall = max(wake, bench.clock.wall + 10_000)
        wake = bench.tick()
        waiting = bench.rows(
            "SELECT task_id FROM runs WHERE token IS NULL AND due_at <= ?", bench.clock.wall
        )
        assert not waiting

    assert len(bench.hands.gate) == 5
