"""Alerts by tag and by what programs used, from the engine to a real receiver."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest

from task_scheduler import CommandTask, FunctionTask, TaskScheduler, memory_care
from task_scheduler.observe.memory_trend import Growth
from tests.integration.alerts import work
from tests.integration.alerts.conftest import until
from tests.integration.alerts.servers import Receiver

Start = Callable[..., TaskScheduler]
HUNGRY = "kept = bytearray(80_000_000); kept[::4096] = b'x' * len(kept[::4096])"


def alerts_of(receiver: Receiver, **rule: Any) -> dict[str, Any]:
    return {
        "channels": {"chat": {"webhook": {"url": receiver.url}}},
        "rules": [{"name": "one", **rule}],
    }


def test_a_rule_follows_who_has_its_tag(started: Start, receiver: Receiver) -> None:
    scheduler = started(alerts_of(receiver, on=["failed"], tags=["pond"]))
    scheduler.add_task(FunctionTask("pump", "Pump", work.fail, tags=["pond"]))
    scheduler.add_task(FunctionTask("upload", "Upload", work.work))
    scheduler.run_task("pump")
    until(lambda: receiver.requests)
    assert receiver.alerts[0]["task_id"] == "pump"

    # The other one gets the tag, fails in its own way, and is heard of too.
    scheduler.add_task(FunctionTask("lamp", "Lamp", work.crash, tags=["pond"]))
    scheduler.run_task("lamp")

    until(lambda: "lamp" in {alert["task_id"] for alert in receiver.alerts})
    assert "upload" not in {alert["task_id"] for alert in receiver.alerts}


def test_a_task_that_loses_the_tag_is_heard_of_no_more(started: Start, receiver: Receiver) -> None:
    scheduler = started(alerts_of(receiver, on=["failed"], tags=["pond"]))
    scheduler.add_task(FunctionTask("pump", "Pump", work.fail, tags=["other"]))
    scheduler.add_task(FunctionTask("last", "Last", work.crash, tags=["pond"]))
    scheduler.run_task("pump")
    until(lambda: scheduler.view.runs("pump", state="failed"))

    scheduler.run_task("last")

    until(lambda: receiver.requests)
    assert {alert["task_id"] for alert in receiver.alerts} == {"last"}


def test_tags_outlive_a_restart(started: Start, receiver: Receiver) -> None:
    first = started({})
    first.add_task(
        CommandTask("pump", "Pump", [sys.executable, "-c", "raise SystemExit(3)"], tags=["pond"])
    )
    first.stop(timeout=5)

    second = started(alerts_of(receiver, on=["failed"], tags=["pond"]))
    second.run_task("pump")

    until(lambda: receiver.requests)
    assert receiver.alerts[0]["exit_code"] == 3
    assert receiver.alerts[0]["tags"] == ["pond"]
    assert second.view.task("pump")["tags"] == ["pond"]


def test_a_program_that_uses_too_much_memory_is_told_though_it_succeeds(
    started: Start, receiver: Receiver
) -> None:
    scheduler = started(alerts_of(receiver, on=["heavy"], memory_bytes="64MB", cpu_seconds="10m"))
    scheduler.add_task(CommandTask("big", "Big", [sys.executable, "-c", HUNGRY]))
    scheduler.add_task(CommandTask("small", "Small", [sys.executable, "-c", "pass"]))
    scheduler.run_task("small")
    scheduler.run_task("big")

    until(lambda: receiver.requests)
    [alert] = receiver.alerts[:1]
    assert (alert["kind"], alert["cause"], alert["task_id"]) == ("heavy", "memory_bytes", "big")
    assert "more than 64.0 MB" in alert["subject"]
    until(lambda: scheduler.view.runs("small", state="succeeded"))
    [run] = scheduler.view.runs("big")
    assert run["peak_memory_bytes"] > 64_000_000
    assert run["written_bytes"] is not None

    scheduler.add_task(CommandTask("big", "Big", [sys.executable, "-c", "pass"]))
    scheduler.run_task("big")

    until(lambda: [alert["notice"] for alert in receiver.alerts] == ["opened", "recovered"])


def test_a_program_that_uses_too_much_is_told_while_it_still_runs(
    started: Start, receiver: Receiver
) -> None:
    scheduler = started(alerts_of(receiver, on=["heavy"], memory_bytes="64MB"))
    scheduler.add_task(
        CommandTask(
            "big",
            "Big",
            [sys.executable, "-c", f"{HUNGRY}; import time; time.sleep(600)"],
            kill_grace_seconds=1,
        )
    )
    run_id = scheduler.run_task("big")

    until(lambda: receiver.requests)
    assert scheduler.view.run(run_id)["state"] == "running"
    assert receiver.alerts[0]["run_id"] == run_id

    scheduler.cancel_run(run_id)
    until(lambda: scheduler.view.run(run_id)["state"] == "cancelled")


def test_growing_memory_of_the_scheduler_is_told_with_its_figure_and_when_it_is_over(
    started: Start, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    growth: list[Growth | None] = [Growth(20_000_000, 140_000_000, 7, 270_000_000)]
    monkeypatch.setattr(memory_care, "_JUDGE", 0)
    monkeypatch.setattr(memory_care, "growth_of", lambda *_: growth[0])

    scheduler = started(alerts_of(receiver, on=["fault"]), is_begun=False)
    # As under `tsk up`: the watchdog looks every second, whether there is work or not.
    scheduler._runtime.vigil.is_close = True
    scheduler.start()

    until(lambda: receiver.requests)
    [alert] = receiver.alerts
    assert (alert["kind"], alert["cause"]) == ("fault", "memory_grows")
    [problem] = scheduler.problems()
    assert problem["why"] == "140.0 MB more in 7 h, 20.0 MB an hour, 270.0 MB now"
    assert "scheduler.gc_interval_seconds" in problem["remedy"]

    growth[0] = None

    until(lambda: len(receiver.requests) >= 2)
    assert receiver.alerts[1]["notice"] == "recovered"
