"""Ends that wait for the engine's next tick change nothing.

The same world is lived twice: batched, and with a tick for every single fact. Both ledgers say
the same.
"""

from __future__ import annotations

import random
from typing import Any

import pytest

from task_scheduler import CommandTask, FunctionTask
from task_scheduler.core.inbox import Fact
from task_scheduler.testing import VirtualRun, VirtualScheduler, life


def lived(seed: int) -> VirtualScheduler:
    """Live hours with an operator, failures and crashes, all from one seed."""
    draw = random.Random(seed)
    world = VirtualScheduler(start="2026-11-01T00:00:00+09:00", max_workers=draw.randint(1, 4))

    def duration(run: VirtualRun) -> float:
        own = random.Random(f"{seed}{run.task_id}{run.scheduled_at}{run.attempt}")
        return round(10 ** own.uniform(-1, 2.7), 3)

    def outcome(run: VirtualRun) -> bool:
        return random.Random(f"{seed}{run.scheduled_at}{run.task_id}").random() < 0.8

    world.script("*", duration=duration, outcome=outcome)
    ids = [f"task-{number}" for number in range(draw.randint(2, 8))]
    for task_id in ids:
        options: dict[str, Any] = {
            "overlap": draw.choice(["skip", "skip", "allow", "queue", "replace"]),
            "misfire": draw.choice(["run_once", "run_all", "skip"]),
            "max_retries": draw.randint(0, 2),
            "priority": draw.randint(0, 2),
            "timeout": draw.choice([60, 300, None]),
        }
        if draw.random() < 0.5:
            task: Any = CommandTask(task_id, None, ["true"], **options)
        else:
            task = FunctionTask(task_id, None, print, **options)
        world.add_task(task, cron=draw.choice(["* * * * *", "*/5 * * * *", "7 * * * *"]))
    for _ in range(8):
        world.run_for(draw.choice([100, 1_000, 3_000.5]))
        happen = draw.choice(["pause", "resume", "run", "crash", "clock", ""])
        task_id = draw.choice(ids)
        if happen == "pause":
            world.pause_task(task_id)
        elif happen == "resume":
            world.resume_task(task_id)
        elif happen == "run":
            world.run_task(task_id)
        elif happen == "crash":
            world.crash(down=draw.choice([0, 500]))
        elif happen == "clock":
            world.set_clock(by=draw.choice([-900, 900]))
    return world


def ledger(world: VirtualScheduler) -> tuple[Any, Any]:
    """Return what the ledger says, but for the ids, which count in the order of planning."""
    names = ("task_id", "key", "state", "attempt", "started_at", "ended_at", "error", "waiting_for")
    runs = sorted([run[name] for name in names] for run in world.runs())
    names = ("task_id", "reason", "first", "last", "count")
    skips = sorted([skip[name] for name in names] for skip in world.skips())
    return runs, skips


@pytest.mark.parametrize("seed", range(6))
def test_a_batched_world_has_the_ledger_of_one_that_ticks_for_everything(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    batched = ledger(lived(seed))

    def report(self: life.Life, fact: Fact) -> None:
        self.engine.inbox.put(fact)
        self._is_urgent = True

    monkeypatch.setattr(life.Life, "_report", report)

    assert batched == ledger(lived(seed))


def test_the_same_input_is_the_same_ledger() -> None:
    first, second = lived(9), lived(9)

    assert first.runs() == second.runs()
    assert first.skips() == second.skips()
