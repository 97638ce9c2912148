"""Celery beat: the `beat_schedule` of an application that the user named.

Responsible for: what its schedules mean here. An entry becomes a command that sends the task to its
workers, as beat does. The application is the user's own code, imported by who asks for it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from task_scheduler.importing.cron_words import cron_of_sets
from task_scheduler.importing.found import Found, FoundTask, Ids, Refused, Remark
from task_scheduler.tasks.json_values import is_json

__all__ = ["read_beat_schedule"]

_OPTIONS = {"queue": "--queue", "exchange": "--exchange", "routing_key": "--routing-key"}
_SOLAR = {
    "sunrise": "sunrise",
    "sunset": "sunset",
    "solar_noon": "noon",
    "dawn_civil": "dawn",
    "dusk_civil": "dusk",
}
_SETS = ("minute", "hour", "day_of_week", "day_of_month", "month_of_year")


def read_beat_schedule(app: Any, name: str, ids: Ids, *, python: str, folder: str) -> Found:
    """Return what beat would send.

    `name` is how `celery -A` finds the application, `python` the interpreter that has Celery, and
    `folder` where it is called.
    """
    found = Found()
    for key, plan in dict(app.conf.beat_schedule).items():
        where, task = f"{name}:{key}", str(plan.get("task"))
        remarks: list[Remark] = []
        times = _times(plan.get("schedule"), str(app.timezone), remarks)
        if isinstance(times, Remark):
            found.refused.append(Refused(where, task, times))
            continue
        args, kwargs = list(plan.get("args") or ()), dict(plan.get("kwargs") or {})
        if not (is_json(args) and is_json(kwargs)):
            found.refused.append(Refused(where, task, Remark("arguments_not_plain")))
            continue
        command = [python, "-m", "celery", "-A", name, "call", task]
        command += ["--args", json.dumps(args)] if args else []
        command += ["--kwargs", json.dumps(kwargs)] if kwargs else []
        command += _options(plan.get("options") or {}, remarks)
        entry: dict[str, Any] = {
            "type": "command",
            "name": str(key),
            "command": command,
            **times,
            "working_dir": folder,
            # Beat sends what it missed once, and tries nothing again: the workers do.
            "misfire": "run_once",
            "overlap": "allow",
            "max_retries": 0,
        }
        found.tasks.append(FoundTask(ids.of(str(key)), entry, where, task, tuple(remarks)))
    return found


def _times(schedule: Any, zone: str, remarks: list[Remark]) -> dict[str, Any] | Remark:
    """Return the keys that say when, or why nothing here does."""
    if isinstance(schedule, bool) or schedule is None:
        return Remark("celery_schedule", {"name": repr(schedule)})
    if isinstance(schedule, int | float):
        return {"every": float(schedule)}
    if isinstance(schedule, timedelta):
        return {"every": schedule.total_seconds()}
    kinds = {kind.__name__ for kind in type(schedule).__mro__}
    if "crontab" in kinds:
        sets = {name: getattr(schedule, name) for name in _SETS}
        return {"cron": cron_of_sets(**sets), "day_and": True, "timezone": zone}
    if "solar" in kinds:
        event = _SOLAR.get(schedule.event)
        if event is None:
            return Remark("celery_schedule", {"name": schedule.event})
        place = {"latitude": float(schedule.lat), "longitude": float(schedule.lon)}
        return {"solar": event, **place, "timezone": zone}
    if "schedule" in kinds:
        if getattr(schedule, "relative", False):
            remarks.append(Remark("celery_relative"))
        return {"every": schedule.run_every.total_seconds()}
    return Remark("celery_schedule", {"name": type(schedule).__name__})


def _options(options: Mapping[str, Any], remarks: list[Remark]) -> list[str]:
    words: list[str] = []
    for name, value in options.items():
        if name in _OPTIONS:
            words += [_OPTIONS[name], str(value)]
        elif name == "expires" and isinstance(value, int | float):
            words += ["--expires", str(value)]
        else:
            remarks.append(Remark("celery_option", {"name": name}))
    return words
