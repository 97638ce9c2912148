"""Pools and rate limits through the facade: what really runs at the same time, and how often."""

from __future__ import annotations

import threading
import time
from datetime import datetime
from typing import Any

import pytest

from task_scheduler import DefinitionError, FunctionTask
from tests.integration.facade.bench import Bench, Neighbour, eventually, settled


class Bus:
    """A resource that counts who uses it."""

    def __init__(self) -> None:
        self.most = self.users = self.uses = 0
        self._guard = threading.Lock()

    def use(self) -> None:
        with self._guard:
            self.users += 1
            self.uses += 1
            self.most = max(self.most, self.users)
        time.sleep(0.02)
        with self._guard:
            self.users -= 1


def test_the_tasks_of_a_pool_take_turns_and_disturb_nobody(bench: Bench) -> None:
    scheduler = bench.running(pools={"serial": 1})
    neighbour = Neighbour(scheduler)
    bus = Bus()
    for n in range(6):
        scheduler.add_task(FunctionTask(f"t{n}", func=bus.use, pool="serial"), every=0.1)

    eventually("the bus is used", lambda: bus.uses >= 30)
    neighbour.goes_on()

    assert bus.most == 1
    scheduler.config.config["pools"]["serial"] = 3
    eventually("three at a time", lambda: bus.most == 3)


def test_an_unknown_pool_is_refused(bench: Bench) -> None:
    scheduler = bench.scheduler(pools={"serial": 1})

    with pytest.raises(DefinitionError, match="did you mean 'serial'"):
        scheduler.add_task(FunctionTask("t", func=print, pool="seriel"))

    assert scheduler.get_task_status()["total_tasks"] == 0


def test_a_rate_holds_across_a_restart(bench: Bench) -> None:
    def work() -> None:
        pass

    def task() -> FunctionTask:
        return FunctionTask("t", func=work, rate_limit="2/1s", overlap="allow")

    first = bench.running()
    first.add_task(task())
    runs = [first.run_task("t") for _ in range(3)]
    waiting = eventually("the third waits", lambda: first.view.runs("t", state="waiting") or None)
    assert waiting[0]["waiting_for"] == "rate"
    first.stop()

    second = bench.running()
    second.add_task(task())
    runs += [second.run_task("t") for _ in range(3)]
    starts = sorted(_start(settled(second, run)) for run in runs)

    gaps = [(b - a).total_seconds() for a, b in zip(starts, starts[2:], strict=False)]
    assert min(gaps) >= 1.0
    assert max(gaps) < 2.5


def _start(run: dict[str, Any]) -> datetime:
    assert run["state"] == "succeeded"
    return datetime.fromisoformat(run["started_at"])
