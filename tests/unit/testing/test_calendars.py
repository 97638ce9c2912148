"""Calendars of a configuration hold in virtual time too."""

from __future__ import annotations

from task_scheduler import FunctionTask
from task_scheduler.testing import VirtualScheduler

CLOSED = {"calendars": {"closed": {"days": ["2026-11-03", "2026-11-04"]}}}


def test_a_day_of_a_calendar_has_no_run() -> None:
    world = VirtualScheduler(CLOSED, start="2026-11-02T00:00:00+00:00")
    world.add_task(
        FunctionTask("feed", "Feed", lambda: True),
        daily="08:00",
        timezone="UTC",
        exclude=["closed"],
    )

    world.run_for(days=4)

    days = [run["scheduled_at"][:10] for run in world.runs("feed")]
    assert days == ["2026-11-02", "2026-11-05"]
