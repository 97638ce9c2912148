"""Backfills through the facade and across processes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from task_scheduler import CommandTask
from tests.integration.facade.bench import Bench, eventually


def test_a_past_range_is_run_once_whoever_asks(bench: Bench) -> None:
    scheduler = bench.running()
    scheduler.add_task(CommandTask("c", command=["true"]), cron="0 0 * * *", timezone="UTC")
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    start, end = today - timedelta(days=3), today

    assert scheduler.backfill("c", start, end, dry_run=True) == {"planned": 3, "present": 0}
    assert scheduler.backfill("c", start, end) == {"planned": 3, "present": 0}
    assert bench.scheduler().backfill("c", start.isoformat(), end) == {"planned": 0, "present": 3}

    eventually("all ran", lambda: len(scheduler.view.runs("c", state="succeeded")) == 3)
    runs = scheduler.view.runs("c")
    moments = [datetime.fromisoformat(run["scheduled_at"]).astimezone(UTC) for run in runs]
    assert sorted(moments) == [start + timedelta(days=day) for day in range(3)]
    assert {run["origin"] for run in runs} == {"backfill"}
