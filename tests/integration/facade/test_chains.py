"""Chains through the facade: across restarts and kinds of tasks."""

from __future__ import annotations

import pytest

from task_scheduler import CommandTask, DefinitionError, FunctionTask
from tests.integration.facade.bench import Bench, eventually, ran, settled


def test_children_follow_success_and_failure(bench: Bench) -> None:
    scheduler = bench.running()
    order: list[str] = []
    scheduler.add_task(FunctionTask("good", func=lambda: order.append("good")))
    scheduler.add_task(FunctionTask("bad", func=lambda: False))
    scheduler.add_task(FunctionTask("next", func=lambda: order.append("next"), after="good"))
    failed = [{"task": "bad", "on": "failure"}]
    scheduler.add_task(FunctionTask("alarm", func=lambda: order.append("alarm"), after=failed))
    both = ["good", {"task": "bad", "on": "always"}]
    scheduler.add_task(FunctionTask("report", func=lambda: order.append("report"), after=both))

    parent = scheduler.run_task("good")
    settled(scheduler, parent)
    ran(scheduler, "next")
    settled(scheduler, scheduler.run_task("bad"))
    ran(scheduler, "alarm")
    ran(scheduler, "report")

    assert sorted(order) == ["alarm", "good", "next", "report"]
    (run,) = scheduler.view.runs("next")
    assert (run["origin"], run["key"]) == ("chain", f"after:{parent}")


def test_a_child_comes_once_though_the_scheduler_is_started_again(bench: Bench) -> None:
    first = bench.running()
    first.add_task(CommandTask("a", command=["true"]))
    first.add_task(CommandTask("b", command=["sleep", "0.5"], after="a"))
    settled(first, first.run_task("a"))
    eventually("the child begins", lambda: first.view.runs("b"))
    first.stop()

    second = bench.running()
    ran(second, "b")

    assert len(second.view.runs("b")) == 1
    settled(second, second.run_task("a"))
    eventually("the next child", lambda: len(second.view.runs("b")) == 2)


def test_a_circle_is_refused_and_nothing_is_added(bench: Bench) -> None:
    scheduler = bench.scheduler()
    scheduler.add_task(CommandTask("a", command=["true"], after="b"))

    with pytest.raises(DefinitionError, match="→"):
        scheduler.add_task(CommandTask("b", command=["true"], after="a"))

    assert scheduler.get_task_status()["total_tasks"] == 1


def test_declared_tasks_need_no_time_where_they_follow_others(bench: Bench) -> None:
    command = {"type": "command", "command": ["true"]}
    entries = {
        "first": {**command, "every": 3600},
        "then": {**command, "after": {"task": "first", "on": "always"}},
    }
    scheduler = bench.running(entries=entries)

    ran(scheduler, "then")

    assert scheduler.get_task_status("then")["policies"]["after"] == [
        {"task": "first", "on": "always"}
    ]
