"""Stories about what rules say besides their instants: jitter, boots, ends."""

from __future__ import annotations

from typing import Any

import pytest

from task_scheduler.core.claims import jitter_seconds_of
from task_scheduler.core.inbox import PauseEntry, ResumeEntry
from task_scheduler.core.model import SECOND, OverlapPolicy
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
