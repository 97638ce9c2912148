"""What was moved here fires when the original would have: a simulated month beside the original."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from apscheduler.jobstores.sqlalchemy import SQLAlchemyJobStore
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.combining import AndTrigger, OrTrigger
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.interval import IntervalTrigger
from celery import Celery
from celery.schedules import crontab
from cronsim import CronSim

from task_scheduler.importing.apscheduler_jobs import read_job_store
from task_scheduler.importing.celery_beat import read_beat_schedule
from task_scheduler.importing.crontab import Account, Crontab, read_crontab
from task_scheduler.importing.found import Found, Ids
from task_scheduler.testing import VirtualScheduler

TOKYO = ZoneInfo("Asia/Tokyo")
START = datetime(2032, 11, 1, tzinfo=TOKYO)
"""To come, whenever this runs: what is over fires nowhere."""
MONTH = timedelta(days=30)


def fired(found: Found) -> dict[str, list[datetime]]:
    """Run what was found for a month of virtual time; return when each was due."""
    entries = {task.task_id: {**task.entry, "overlap": "allow"} for task in found.tasks}
    world = VirtualScheduler({"entries": entries}, start=START, duration="1ms", max_workers=100)
    world.run_until(START + MONTH)
    fired: dict[str, list[datetime]] = {task_id: [] for task_id in entries}
    for run in world.runs():
        moment = datetime.fromisoformat(run["scheduled_at"])
        if moment < START + MONTH:
            fired[run["task_id"]].append(moment)
    return fired


def test_a_crontab_fires_as_cron_would(monkeypatch: pytest.MonkeyPatch) -> None:
    expressions = [
        "*/15 * * * *",
        "0 3 * * 1-5",
        "30 6 1,15 * 1",
        "5 */6 * nov sun",
        "0 0 31 * *",
        "17 4 */10 * *",
    ]
    lines = "".join(f"{each} job{index}\n" for index, each in enumerate(expressions))
    found = read_crontab(
        Crontab(f"CRON_TZ=Asia/Tokyo\n{lines}", "t", Account("a", "/"), runs_as="a"), Ids()
    )

    ours = fired(found)

    assert len(ours) == len(expressions)
    for index, expression in enumerate(expressions):
        theirs = []
        for moment in CronSim(expression, START - timedelta(microseconds=1)):
            if moment >= START + MONTH:
                break
            theirs.append(moment)
        assert ours[f"job{index}"] == theirs, expression


def tick(*_: Any, **__: Any) -> None:
    """Stand for a job; its reference is what the store keeps."""


TRIGGERS: dict[str, Any] = {
    "every-quarter": CronTrigger(minute="*/15", timezone=TOKYO),
    "weekdays": CronTrigger(day_of_week="mon-fri", hour=3, timezone=TOKYO),
    "numbered": CronTrigger(day_of_week="0,5-6", hour="8,20", minute=30, timezone=TOKYO),
    "both-days": CronTrigger(day="1-15", day_of_week="mon", hour=6, timezone=TOKYO),
    "last-day": CronTrigger(day="last", hour=22, timezone=TOKYO),
    "third-friday": CronTrigger(day="3rd fri,last mon", hour=9, timezone=TOKYO),
    "seconds": CronTrigger(hour=1, minute=0, second="*/20", timezone=TOKYO),
    "crontab": CronTrigger.from_crontab("0 12 * nov *", timezone=TOKYO),
    "stepped": CronTrigger(hour="2-20/6", minute="5/25", timezone=TOKYO),
    "interval": IntervalTrigger(hours=7, start_date=START + timedelta(hours=2), timezone=TOKYO),
    "ending": IntervalTrigger(
        minutes=50,
        start_date=START + timedelta(minutes=1),
        end_date=START + timedelta(days=2),
        timezone=TOKYO,
    ),
    "either": OrTrigger(
        [
            CronTrigger(day=5, hour=5, timezone=TOKYO),
            CronTrigger(day_of_week="tue", hour=6, timezone=TOKYO),
        ]
    ),
    "both": AndTrigger(
        [
            CronTrigger(day_of_week="wed", hour="*/6", timezone=TOKYO),
            CronTrigger(hour="6,7,12", timezone=TOKYO),
        ]
    ),
    "in-utc": CronTrigger(hour=15, timezone=UTC),
}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "jobs.sqlite"
    jobs = SQLAlchemyJobStore(f"sqlite:///{path}")
    scheduler = BackgroundScheduler(jobstores={"default": jobs}, timezone=TOKYO)
    for name, trigger in TRIGGERS.items():
        scheduler.add_job(
            tick, trigger, id=name, args=[1], kwargs={"a": "ü"}, misfire_grace_time=60
        )
    once = START + timedelta(days=3, seconds=1)
    scheduler.add_job(tick, "date", run_date=once, id="once")
    scheduler.add_job(tick, "cron", hour=1, id="paused", next_run_time=None)
    scheduler.add_job(tick, "cron", week="5-10", id="by-week")
    scheduler.add_job(tick, "interval", hours=1, args=[START], id="not-plain")
    scheduler.start(paused=True)
    yield path
    scheduler.shutdown()
    jobs.engine.dispose()


def test_a_job_store_of_apscheduler_fires_as_apscheduler_would(store: Path) -> None:
    found = read_job_store(store, Ids())

    refused = {each.where.partition(":")[2]: each.remark.key for each in found.refused}
    assert refused == {"by-week": "apscheduler_cron", "not-plain": "arguments_not_plain"}
    assert {task.task_id for task in found.tasks if not task.is_enabled} == {"paused"}
    ours = fired(found)
    assert ours.pop("paused") == []
    assert ours.pop("once") == [START + timedelta(days=3, seconds=1)]
    assert ours.keys() == TRIGGERS.keys()
    for name, trigger in TRIGGERS.items():
        theirs = []
        now = START
        # Without the previous moment: with one, `AndTrigger` looks at the same moments for ever.
        while (moment := trigger.get_next_fire_time(None, now)) and moment < START + MONTH:
            theirs.append(moment)
            now = moment + timedelta(microseconds=1)
        assert theirs, name
        # Instants of two rules that meet are one run here, as there.
        assert ours[name] == sorted(set(theirs)), name
    (task,) = [task for task in found.tasks if task.task_id == "weekdays"]
    assert task.entry["function"].endswith("test_imported_months:tick")
    assert (task.entry["args"], task.entry["kwargs"]) == ([1], {"a": "ü"})
    assert (task.entry["misfire"], task.entry["misfire_grace_seconds"]) == ("skip", 60.0)


def test_a_beat_schedule_of_celery_fires_as_beat_would() -> None:
    app = Celery("proj", broker="memory://")
    app.conf.timezone = "Asia/Tokyo"
    crontabs = {
        "weekly": crontab(minute=30, hour=7, day_of_week="mon"),
        "often": crontab(minute="*/20", hour="8-17", day_of_week="1-5"),
        "both": crontab(minute=0, hour=0, day_of_month="1-7", day_of_week="sun"),
        "months": crontab(minute=0, hour="*/8", day_of_month="10-20/5", month_of_year="11,12"),
    }
    app.conf.beat_schedule = {
        **{
            name: {"task": "t.add", "schedule": each, "args": (1, 2)}
            for name, each in crontabs.items()
        },
        "every": {"task": "t.poll", "schedule": timedelta(hours=5), "options": {"queue": "q"}},
        "objects": {"task": "t.bad", "schedule": 30.0, "args": (object(),)},
    }

    found = read_beat_schedule(app, "proj", Ids(), python="/usr/bin/python3", folder="/srv")

    assert [each.remark.key for each in found.refused] == ["arguments_not_plain"]
    ours = fired(found)
    assert len(ours["every"]) == 144
    every = next(task for task in found.tasks if task.task_id == "every")
    assert every.entry["command"][-3:] == ["t.poll", "--queue", "q"]
    for name, schedule in crontabs.items():
        theirs = []
        moment = START - timedelta(seconds=1)
        while True:
            remaining = schedule.remaining_delta(moment)
            moment = remaining[0] + remaining[1]
            if moment >= START + MONTH:
                break
            theirs.append(moment)
        assert theirs, name
        assert ours[name] == theirs, name
