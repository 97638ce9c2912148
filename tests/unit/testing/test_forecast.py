"""A forecast says what the engine then does, whatever the ledger has gone through before."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from task_scheduler import CommandTask, FunctionTask, ScheduleError
from task_scheduler.core.model import SECOND, Entry, Policies
from task_scheduler.core.policies import policies_from
from task_scheduler.testing import VirtualScheduler
from task_scheduler.testing.forecast import Forecast, ForecastRow, Planned, forecast

BEGIN = 1_793_458_800 * SECOND
"""2026-11-01 00:00 in Tokyo."""
HOUR = 3_600 * SECOND
MINUTE = 60 * SECOND


def planned(task_id: str, *rules: dict[str, Any], **policies: Any) -> Planned:
    return Planned(
        Entry(
            task_id=task_id,
            name=task_id,
            kind="command",
            executor="process",
            definition={},
            rules=rules,
            policies=policies_from(policies, Policies(max_retries=0)),
        ),
        BEGIN,
    )


def every(seconds: int) -> dict[str, Any]:
    return {"type": "interval", "seconds": seconds}


def found(
    *entries: Planned, hours: float = 1, workers: int = 10, keep: int | None = None, **takes: int
) -> Forecast:
    durations = {entry.entry.task_id: SECOND for entry in entries}
    durations.update({task_id: seconds * SECOND for task_id, seconds in takes.items()})
    until = BEGIN + round(hours * HOUR)
    return forecast(
        entries, begin=BEGIN, until=until, workers=workers, durations=durations, keep=keep
    )


def test_every_occurrence_of_the_window_is_there_and_none_after_it() -> None:
    answer = found(planned("a", every(600)))

    assert [row.at - BEGIN for row in answer.rows] == [n * 10 * MINUTE for n in range(6)]
    assert answer.rows[0] == ForecastRow(BEGIN, "a", BEGIN, BEGIN + SECOND)
    assert (answer.runs, answer.skips, answer.late, answer.peak) == (6, 0, 0, 1)


def test_an_occurrence_that_overlaps_is_skipped() -> None:
    answer = found(planned("a", every(600), timeout=None), a=900)

    assert [row.skip_reason for row in answer.rows] == ["", "overlap"] * 3
    assert (answer.runs, answer.skips) == (3, 3)


def test_a_queued_run_waits_for_the_one_before_it_and_not_for_a_worker() -> None:
    answer = found(planned("a", every(600), overlap="queue", timeout=None), a=900)

    assert [row.waits_for for row in answer.rows[:2]] == ["", "overlap"]
    assert answer.rows[1].starts_at == BEGIN + 15 * MINUTE
    assert answer.late == 0


def test_runs_that_wait_for_a_worker_are_counted_and_told() -> None:
    answer = found(*(planned(name, every(3600)) for name in "abcde"), workers=2, a=60, b=60)

    assert [row.waits_for for row in answer.rows] == ["", "", "worker", "worker", "worker"]
    assert (answer.late, answer.longest_wait, answer.peak) == (3, 61 * SECOND, 2)
    assert answer.crowded(5) == [BEGIN // SECOND]
    assert answer.crowded(6) == []


def test_a_run_that_never_gets_its_turn_is_told_too() -> None:
    endless = planned("a", every(3600), timeout=None, priority=1)
    answer = found(endless, planned("b", every(3600)), workers=1, a=10_000)

    assert answer.rows[1] == ForecastRow(BEGIN, "b", waits_for="worker")
    assert (answer.runs, answer.late, answer.longest_wait) == (2, 1, HOUR)


def test_a_usual_duration_beyond_the_timeout_times_out() -> None:
    answer = found(planned("a", every(3600), timeout=30), a=60)

    assert answer.rows == [ForecastRow(BEGIN, "a", BEGIN, BEGIN + 30 * SECOND, is_timed_out=True)]


def test_only_the_first_rows_are_kept_and_all_are_counted() -> None:
    answer = found(planned("a", every(1)), planned("b", every(1)), hours=1 / 6, keep=3)

    assert [(row.at, row.task_id) for row in answer.rows] == [
        (BEGIN, "a"),
        (BEGIN, "b"),
        (BEGIN + SECOND, "a"),
    ]
    assert answer.is_cut
    assert answer.runs + answer.skips == 2 * 600


def test_a_window_of_too_much_is_refused_at_once() -> None:
    with pytest.raises(ScheduleError, match="2000000"):
        found(planned("a", every(1)), hours=24 * 365)


@pytest.mark.parametrize("seed", range(6))
def test_a_forecast_is_what_the_engine_then_does(seed: int) -> None:
    draw = random.Random(seed)
    world = VirtualScheduler(start="2026-11-01T00:00:00+09:00", max_workers=3)
    durations = {}
    for number in range(6):
        task_id = f"task-{number}"
        durations[task_id] = draw.choice([0, 1, 7, 90, 400])
        world.script(task_id, duration=durations[task_id], listens=True)
        options: dict[str, Any] = {"overlap": draw.choice(["skip", "allow", "queue"])}
        options |= {"timeout": None, "priority": draw.randint(0, 2)}
        kind = draw.choice([CommandTask, FunctionTask])
        task = kind(task_id, None, ["true"] if kind is CommandTask else print, **options)
        rule = draw.choice([{"every": 77}, {"every": "11m"}, {"cron": "*/3 * * * *"}])
        world.add_task(task, **rule)
        world.run_for(draw.choice([0, 40.25]))
    # Calm: the forecast begins where nothing runs.
    for task_id in durations:
        world.pause_task(task_id)
    world.run_for("2h")
    for task_id in durations:
        world.resume_task(task_id)
    begin = _at(world.now.isoformat())
    until = begin + HOUR
    entries = [
        Planned(entry, world.ledger.plans([entry.task_id])[entry.task_id]["anchor"])
        for entry in world._bindings.bound()
    ]
    answer = forecast(
        entries,
        begin=begin,
        until=until,
        workers=3,
        durations={task_id: durations[task_id] * SECOND for task_id in durations},
    )

    world.run_for("1h")

    runs = [run for run in world.runs() if _at(run["scheduled_at"]) >= begin]
    lived = sorted(
        (_at(run["scheduled_at"]), run["task_id"], _at(run["started_at"]))
        for run in runs
        if run["started_at"] and _at(run["started_at"]) < until
    )
    skipped = sum(
        skip["count"]
        for skip in world.skips()
        if skip["reason"] == "overlap" and begin <= _at(skip["last"]) < until
    )
    forecasted = [(row.at, row.task_id, row.starts_at) for row in answer.rows if row.starts_at]
    assert forecasted == lived
    due = [run for run in runs if _at(run["scheduled_at"]) < until]
    assert answer.runs == len(due)
    assert answer.skips == skipped


def _at(text: str) -> int:
    since = datetime.fromisoformat(text) - datetime(1970, 1, 1, tzinfo=UTC)
    return since // timedelta(microseconds=1)
