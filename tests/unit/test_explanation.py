"""Why a task ran or did not: the engine lives, and its ledger is asked."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from task_scheduler import CommandTask, TaskNotFoundError
from task_scheduler.explanation import Explanation, explain_task
from task_scheduler.i18n import LANGUAGES, set_language
from task_scheduler.schedules.instants import instant_of
from task_scheduler.testing import VirtualScheduler

MINUTE = timedelta(minutes=1)


def command(task_id: str = "t", **options: Any) -> CommandTask:
    return CommandTask(task_id, command=["true"], **{"timeout": None, "max_retries": 0, **options})


def world(**options: Any) -> VirtualScheduler:
    return VirtualScheduler({}, start="2026-01-05T00:00:00+00:00", **options)


def why(
    made: VirtualScheduler,
    task_id: str = "t",
    *,
    minutes: float | None = None,
    is_running: bool = True,
) -> Explanation:
    """Ask about a moment so many minutes after the beginning."""
    begin = instant_of(made.now.replace(2026, 1, 5, 0, 0, 0, 0), made.now.tzinfo)
    at = None if minutes is None else begin + round(minutes * 60_000_000)
    return explain_task(
        made.ledger._fetch,
        task_id,
        at,
        now=instant_of(made.now, made.now.tzinfo),
        is_running=is_running,
    )


def ran() -> tuple[VirtualScheduler, dict[str, Any]]:
    made = world()
    made.add_task(command(), every=60)
    made.run_for("90s")
    return made, {"minutes": 1}


def failed() -> tuple[VirtualScheduler, dict[str, Any]]:
    made = world()
    made.script("t", outcome="failed")
    made.add_task(command(), every=60)
    made.run_for("90s")
    return made, {"minutes": 1}


def runs() -> tuple[VirtualScheduler, dict[str, Any]]:
    made = world()
    made.script("t", duration=math.inf)
    made.add_task(command(), every=600)
    made.run_for("90s")
    return made, {}


def overlapped() -> tuple[VirtualScheduler, dict[str, Any]]:
    made = world()
    made.script("t", duration=math.inf)
    made.add_task(command(), every=60)
    made.run_for("150s")
    return made, {"minutes": 2}


def queued() -> tuple[VirtualScheduler, dict[str, Any]]:
    made = world()
    made.script("t", duration=math.inf)
    made.add_task(command(overlap="queue"), every=60)
    made.run_for("90s")
    return made, {"minutes": 1}


def paused() -> tuple[VirtualScheduler, dict[str, Any]]:
    made = world()
    made.add_task(command(), every=60)
    made.run_for("30s")
    made.pause_task("t", "disk swap")
    made.run_for("60s")
    return made, {"minutes": 1}


def was_paused() -> tuple[VirtualScheduler, dict[str, Any]]:
    made, asked = paused()
    made.resume_task("t")
    return made, asked


def was_down() -> tuple[VirtualScheduler, dict[str, Any]]:
    made = world()
    made.add_task(command(), every=60)
    made.run_for("30s")
    made.crash("10m")
    made.run_for("1m")
    return made, {"minutes": 3}


def full_pool() -> tuple[VirtualScheduler, dict[str, Any]]:
    made = world(pools={"serial": 1})
    made.script("a", duration=math.inf)
    made.add_task(command("a", pool="serial"), every=600)
    made.run_for("1s")
    made.add_task(command(pool="serial"), every=600)
    made.run_for("1s")
    return made, {}


def used_rate() -> tuple[VirtualScheduler, dict[str, Any]]:
    made = world()
    made.add_task(command(rate_limit="1/1h"), every=60)
    made.run_for("90s")
    return made, {"minutes": 1}


def retrying() -> tuple[VirtualScheduler, dict[str, Any]]:
    made = world()
    made.script("t", outcome="failed")
    made.add_task(command(max_retries=2, retry_delay=100), every=600)
    made.run_for("30s")
    return made, {}


def to_come() -> tuple[VirtualScheduler, dict[str, Any]]:
    made, _ = ran()
    return made, {"minutes": 2}


def nobody() -> tuple[VirtualScheduler, dict[str, Any]]:
    made, _ = ran()
    return made, {"minutes": 2, "is_running": False}


def between() -> tuple[VirtualScheduler, dict[str, Any]]:
    made, _ = ran()
    return made, {"minutes": 1.5}


def left_out() -> tuple[VirtualScheduler, dict[str, Any]]:
    made = world()
    made.add_task(command(), cron="0 9 * * *", timezone="UTC", exclude=["weekends"])
    return made, {"minutes": 5 * 24 * 60 + 9 * 60}


def on_request() -> tuple[VirtualScheduler, dict[str, Any]]:
    made = world()
    made.add_task(command())
    return made, {"minutes": 1}


def requested() -> tuple[VirtualScheduler, dict[str, Any]]:
    made, _ = on_request()
    made.run_task("t")
    made.run_for("10s")
    return made, {}


def cancelled() -> tuple[VirtualScheduler, dict[str, Any]]:
    made, asked = queued()
    made.cancel_run(made.runs()[-1]["run_id"], "not today")
    return made, asked


def chained() -> tuple[VirtualScheduler, dict[str, Any]]:
    made = world()
    made.add_task(command("a"))
    made.add_task(command(after="a"))
    made.run_task("a")
    made.run_for("10s")
    return made, {}


def too_old() -> tuple[VirtualScheduler, dict[str, Any]]:
    made = world()
    made.add_task(command(), cron="* * * * *", timezone="UTC")
    return made, {"minutes": -5}


CASES: list[tuple[Callable[[], Any], str, str | None, str]] = [
    (ran, "ran", None, "tsk logs 2"),
    (failed, "ran", "attempt", "tsk logs 2"),
    (runs, "runs", None, "tsk logs 1 -f"),
    (overlapped, "not_started", "overlap", "tsk logs 1"),
    (queued, "waits", "overlap", "tsk logs 1"),
    (paused, "not_started", "paused", "tsk resume t"),
    (was_paused, "not_started", "paused", "tsk resume t"),
    (was_down, "not_started", "scheduler", "tsk run t"),
    (full_pool, "waits", "pool", "tsk runs --state running"),
    (used_rate, "waits", "rate", "tsk show t"),
    (retrying, "waits", "retry", "tsk runs t"),
    (to_come, "to_come", None, "tsk next t"),
    (nobody, "to_come", "scheduler", "tsk up"),
    (between, "not_due", "schedule", "tsk next t"),
    (left_out, "not_due", "excluded", "tsk next t"),
    (on_request, "not_due", "schedule", "tsk next t"),
    (requested, "ran", None, "tsk logs 1"),
    (cancelled, "not_started", "attempt", "tsk runs t"),
    (chained, "ran", None, "tsk logs 2"),
    (too_old, "not_started", "history", "tsk show t"),
]


@pytest.mark.parametrize(
    ("story", "verdict", "decided_by", "next_command"),
    CASES,
    ids=lambda v: getattr(v, "__name__", ""),
)
def test_the_rule_that_decided_is_the_last_line_and_names_what_to_type(
    story: Callable[[], tuple[VirtualScheduler, dict[str, Any]]],
    verdict: str,
    decided_by: str | None,
    next_command: str,
) -> None:
    made, asked = story()

    found = why(made, **asked)

    assert (found.verdict, found.decided_by, found.command) == (verdict, decided_by, next_command)
    assert all(check.is_fine for check in found.checks[:-1])
    assert found.checks[-1].is_fine is (decided_by is None)
    assert found.checks[0].name == "schedule"
    for language in LANGUAGES:
        set_language(language)
        assert all(check["sentence"] for check in found.plain()["checks"])
    set_language("en")


def test_an_unknown_task_is_none() -> None:
    with pytest.raises(TaskNotFoundError):
        why(world())


def test_a_late_start_says_how_late() -> None:
    made = VirtualScheduler({}, start="2026-01-05T00:00:00+00:00", max_workers=1)
    made.script("a", duration=40)
    made.add_task(command("a"), every=6000)
    made.run_for("1s")
    made.add_task(command(), every=6000)
    made.run_for("2m")

    found = why(made)

    assert "39 s after its moment" in [check.sentence() for check in found.checks]


def test_a_task_that_follows_others_says_whom_it_awaits() -> None:
    made = world()
    made.add_task(command("a"))
    made.add_task(command(after=["a", {"task": "gone", "on": "always"}]))
    made.run_task("a")
    made.run_for("10s")

    (check,) = why(made, minutes=1).checks

    assert check.sentence() == (
        "it runs after others: a (success; run 1), gone (any end; there is no such task)"
    )
