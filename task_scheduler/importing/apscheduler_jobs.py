"""Job stores of APScheduler 3 (`SQLAlchemyJobStore` on SQLite): its jobs without running any code.

Responsible for: the table, and what triggers and options mean here. Frozen jobs are read as values
(see `frozen_objects`); nothing of them is imported.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from task_scheduler.importing.cron_words import CronError, cron_of_apscheduler
from task_scheduler.importing.found import Found, FoundTask, Ids, Refused, Remark
from task_scheduler.importing.frozen_objects import Frozen, UnreadableError, read_frozen
from task_scheduler.tasks.json_values import is_json

__all__ = ["TABLE", "read_job_store"]

TABLE = "apscheduler_jobs"
_TRIGGERS = "apscheduler.triggers."


class _UnmetError(Exception):
    """A job that cannot be had."""

    def __init__(self, key: str, **values: Any) -> None:
        super().__init__(key)
        self.remark = Remark(key, values)


def read_job_store(path: Path, ids: Ids, *, table: str = TABLE) -> Found:
    """Return the jobs of a store; raises OSError or sqlite3.Error where it cannot be read."""
    found = Found()
    quoted = '"' + table.replace('"', '""') + '"'
    uri = path.resolve(strict=True).as_uri() + "?mode=ro"
    with closing(sqlite3.connect(uri, uri=True)) as connection:
        rows = connection.execute(f"SELECT id, job_state FROM {quoted} ORDER BY id").fetchall()  # noqa: S608  quoted above
    for job_id, data in rows:
        where = f"{path.name}:{job_id}"
        try:
            job = read_frozen(bytes(data))
            found.tasks.append(_task_of(where, job, ids))
        except UnreadableError as error:
            reason = Remark("apscheduler_unreadable", {"reason": str(error)})
            found.refused.append(Refused(where, str(job_id), reason))
        except _UnmetError as unmet:
            found.refused.append(Refused(where, str(job_id), unmet.remark))
    return found


def _task_of(where: str, job: Any, ids: Ids) -> FoundTask:
    if not isinstance(job, dict) or not isinstance(job.get("func"), str):
        raise UnreadableError("no job")
    remarks: list[Remark] = []
    args, kwargs = list(job.get("args") or ()), dict(job.get("kwargs") or {})
    if not (is_json(args) and is_json(kwargs)):
        raise _UnmetError("arguments_not_plain")
    trigger = job.get("trigger")
    if not isinstance(trigger, Frozen):
        raise UnreadableError("no trigger")
    entry: dict[str, Any] = {
        "type": "function",
        "function": job["func"],
        **({"args": args} if args else {}),
        **({"kwargs": kwargs} if kwargs else {}),
        "schedule": _rules(trigger.name, trigger.state),
        "overlap": "skip" if job.get("max_instances", 1) == 1 else "allow",
        **_lateness(job),
        "max_retries": 0,
        "timeout": 0,
    }
    if isinstance(job.get("name"), str) and job["name"]:
        entry["name"] = job["name"]
    if (job.get("max_instances") or 1) > 1:
        remarks.append(Remark("apscheduler_instances", {"count": job["max_instances"]}))
    if job.get("executor") == "processpool":
        entry["isolation"] = "process"
    is_enabled = job.get("next_run_time") is not None
    if not is_enabled:
        entry["enabled"] = False
        remarks.append(Remark("was_paused"))
    task_id = ids.of(str(job.get("id")))
    return FoundTask(task_id, entry, where, job["func"], tuple(remarks), is_enabled=is_enabled)


def _lateness(job: dict[str, Any]) -> dict[str, Any]:
    """Return the misfire policy: what is later than the grace is dropped there."""
    grace = job.get("misfire_grace_time")
    missed = "run_once" if job.get("coalesce", True) else "run_all"
    if grace is None:
        return {"misfire": missed}
    return {"misfire": "skip", "misfire_grace_seconds": float(grace)}


def _rules(name: str, state: Any) -> list[dict[str, Any]]:
    """Return the rules of a trigger, by the name of its class (with ``:`` in combined ones)."""
    if isinstance(state, tuple):
        state = next((part for part in state if part), {})
    plain = name.replace(":", ".")
    make = _MAKERS.get(plain)
    if make is None or not isinstance(state, dict):
        raise _UnmetError("apscheduler_trigger", name=plain)
    return make(state)


def _cron(state: dict[str, Any]) -> list[dict[str, Any]]:
    try:
        expression = cron_of_apscheduler(state["fields"])
    except CronError as error:
        raise _UnmetError("apscheduler_cron", field=error.field, value=error.value) from error
    rule = {"type": "cron", "cron": expression, "day_and": True, **_bounds(state)}
    if state.get("start_date"):
        rule["start_at"] = _iso(state["start_date"])
    return [rule]


def _interval(state: dict[str, Any]) -> list[dict[str, Any]]:
    interval = state["interval"]
    if not isinstance(interval, timedelta):
        raise UnreadableError("no interval")
    rule = {"type": "interval", "seconds": interval.total_seconds()}
    return [{**rule, "start_at": _iso(state["start_date"]), **_bounds(state)}]


def _date(state: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"type": "once", "run_at": _iso(state["run_date"])}]


def _either(state: dict[str, Any]) -> list[dict[str, Any]]:
    return [rule for name, inner in state["triggers"] for rule in _rules(name, inner)]


def _both(state: dict[str, Any]) -> list[dict[str, Any]]:
    rules = _either(state)
    if any(rule["type"] == "interval" for rule in rules):
        raise _UnmetError("apscheduler_trigger", name="AndTrigger of intervals")
    return [{"type": "all_of", "rules": rules}]


_MAKERS: dict[str, Callable[[dict[str, Any]], list[dict[str, Any]]]] = {
    f"{_TRIGGERS}cron.CronTrigger": _cron,
    f"{_TRIGGERS}interval.IntervalTrigger": _interval,
    f"{_TRIGGERS}date.DateTrigger": _date,
    f"{_TRIGGERS}combining.OrTrigger": _either,
    f"{_TRIGGERS}combining.AndTrigger": _both,
}


def _bounds(state: dict[str, Any]) -> dict[str, Any]:
    """Return zone, end and jitter."""
    bounds: dict[str, Any] = {}
    zone = getattr(state.get("timezone"), "key", None)
    if zone:
        bounds["timezone"] = zone
    elif state.get("timezone") is not None:
        bounds["timezone"] = _fixed_zone(state["timezone"])
    if state.get("end_date"):
        bounds["end_at"] = _iso(state["end_date"])
    if state.get("jitter"):
        bounds["jitter_seconds"] = float(state["jitter"])
    return bounds


def _fixed_zone(zone: Any) -> str:
    """Return the name of a zone that is a fixed offset, where the database has one for it."""
    if isinstance(zone, Frozen):
        raise _UnmetError("apscheduler_zone", name=zone.name)
    offset = zone.utcoffset(None)
    hours, rest = divmod(offset, timedelta(hours=1))
    if rest:
        raise _UnmetError("apscheduler_zone", name=str(zone))
    return "UTC" if not hours else f"Etc/GMT{-hours:+d}"


def _iso(moment: Any) -> str:
    if not isinstance(moment, datetime):
        raise UnreadableError("no moment")
    return moment.isoformat()
