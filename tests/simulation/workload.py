"""The fixed workload: twenty mostly daily entries, their instants by independent arithmetic.

Responsible for: the table that the figures of years stand on, and how long its attempts take. It is
not drawn: only what goes wrong is. The arithmetic is that of `datetime` and `zoneinfo` alone; no
instant lies near a change of its zone's offset.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from task_scheduler.core.model import (
    SECOND,
    AfterMode,
    Backoff,
    ChainOn,
    Entry,
    Link,
    MisfirePolicy,
    OnLost,
    Outcome,
    OverlapPolicy,
    Policies,
)
from tests.simulation.machine import BEGIN
from tests.simulation.rules import GridRule

__all__ = ["JOBS", "POOLS", "WORKERS", "Job", "draw_attempt"]

POOLS = {"line": 1}
WORKERS = 8
DAY = 86_400 * SECOND
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Instants = Callable[[int, int], list[int]]


@dataclass(frozen=True, slots=True)
class Job:
    """An entry, and its instants in ``(low, high]``; None: they follow from its runs."""

    entry: Entry
    instants: Instants | None = None
    user_rule: GridRule | None = None


def _job(
    task_id: str,
    times: tuple[dict[str, Any] | None, Instants | None],
    *,
    executor: str = "thread",
    user_rule: GridRule | None = None,
    **policies: Any,
) -> Job:
    rule, instants = times
    drawn: dict[str, Any] = {
        "timeout_seconds": 1_800.0,
        "max_retries": 2,
        "retry_delay_seconds": 60.0,
        "backoff": Backoff.EXPONENTIAL,
        **policies,
    }
    entry = Entry(
        task_id=task_id,
        name=task_id,
        kind="custom",
        executor=executor,
        definition={},
        rules=() if rule is None else (rule,),
        policies=Policies(**drawn),
        is_code_bound=user_rule is not None,
    )
    return Job(entry, instants, user_rule)


def _days(low: int, high: int) -> Iterator[date]:
    """Yield every day, and one more at either end, of a stretch of time."""
    day = (_EPOCH + timedelta(microseconds=low)).date() - timedelta(days=2)
    last = (_EPOCH + timedelta(microseconds=high)).date() + timedelta(days=2)
    while day <= last:
        yield day
        day += timedelta(days=1)


def _moment(day: date, text: str, zone: ZoneInfo) -> int:
    hour, minute = map(int, text.split(":"))
    local = datetime(day.year, day.month, day.day, hour, minute, tzinfo=zone)
    return (local - _EPOCH) // timedelta(microseconds=1)


def _on_days(zone: str, *times: str, on: Callable[[date], bool] = lambda day: True) -> Instants:
    place = ZoneInfo(zone)

    def instants(low: int, high: int) -> list[int]:
        moments = (_moment(d, text, place) for d in _days(low, high) if on(d) for text in times)
        return sorted(at for at in moments if low < at <= high)

    return instants


def _daily(zone: str, *times: str) -> tuple[dict[str, Any], Instants]:
    rule = {"type": "daily", "daily": ",".join(times), "timezone": zone}
    return rule, _on_days(zone, *times)


def _cron(
    text: str, *times: str, on: Callable[[date], bool] = lambda day: True
) -> tuple[dict[str, Any], Instants]:
    return {"type": "cron", "cron": text, "timezone": "UTC"}, _on_days("UTC", *times, on=on)


def _every(hours: int, start: int) -> tuple[dict[str, Any], Instants]:
    step = hours * 3600 * SECOND
    text = (_EPOCH + timedelta(microseconds=start)).isoformat()

    def instants(low: int, high: int) -> list[int]:
        return list(range(start + max(0, (low - start) // step + 1) * step, high + 1, step))

    return {"type": "interval", "seconds": hours * 3600, "start_at": text}, instants


def _grid(rule: GridRule, low: int, high: int) -> list[int]:
    step = rule.step
    return [n * step for n in range(low // step + 1, high // step + 1) if rule.has(n)]


_GRID = GridRule(BEGIN, 24 * 60)
_SKIP: dict[str, Any] = {"misfire": MisfirePolicy.SKIP, "misfire_grace_seconds": 1_800.0}
_ONCE: dict[str, Any] = {"on_lost": OnLost.AT_MOST_ONCE}
_LINE: dict[str, Any] = {"pool": "line"}

JOBS: tuple[Job, ...] = (
    _job("report", _daily("Europe/Berlin", "06:15")),
    _job("backup", _daily("UTC", "02:30"), executor="process"),
    _job("feed", _daily("Asia/Shanghai", "07:00"), executor="process", **_SKIP, **_ONCE),
    _job("feed-again", _daily("Asia/Shanghai", "17:30"), executor="process", **_SKIP),
    _job("invoices", _daily("America/New_York", "23:45"), **_ONCE),
    _job("cleanup", _daily("UTC", "04:00"), overlap=OverlapPolicy.QUEUE),
    _job("sync", _daily("UTC", "12:00"), executor="process", **_LINE),
    _job("export", _daily("UTC", "12:00"), **_LINE, **_ONCE),
    _job("import", _daily("UTC", "12:01"), executor="process", priority=5, **_LINE),
    _job("pumps", _daily("UTC", "08:00", "20:00"), overlap=OverlapPolicy.ALLOW, overlap_limit=2),
    _job(
        "oxygen",
        _cron("20 */6 * * *", "00:20", "06:20", "12:20", "18:20"),
        executor="process",
        misfire=MisfirePolicy.RUN_ALL,
    ),
    _job("weekly", _cron("0 4 * * 1", "04:00", on=lambda day: day.weekday() == 0)),
    _job("monthly", _cron("0 5 1 * *", "05:00", on=lambda day: day.day == 1), executor="process"),
    _job("ledger", _every(12, BEGIN - 5_000_000_123), overlap=OverlapPolicy.REPLACE),
    _job("own-anchor", ({"type": "interval", "seconds": 24 * 3600}, None), executor="process"),
    _job("delay", ({"type": "interval", "seconds": 20 * 3600, "kind": "fixed_delay"}, None)),
    _job("after-backup", (None, None), after=(Link("backup"),), after_mode=AfterMode.ANY),
    _job(
        "alarm", (None, None), after=(Link("invoices", ChainOn.FAILURE),), after_mode=AfterMode.ANY
    ),
    _job(
        "of-the-user",
        ({"type": "user", "made_at": BEGIN}, lambda low, high: _grid(_GRID, low, high)),
        user_rule=_GRID,
    ),
    _job("limited", _daily("UTC", "09:00", "09:01", "09:02"), rate_limit="1/5m"),
)


def draw_attempt(draw: random.Random) -> tuple[int, Outcome]:
    """Return how long an attempt takes and how it ends: a few fail, fewer hang."""
    share = draw.random()
    if share < 0.03:
        return round(10 ** draw.uniform(9.3, 10.3)), Outcome.SUCCEEDED
    duration = round(10 ** draw.uniform(5.5, 9.2))
    return duration, Outcome.FAILED if share < 0.13 else Outcome.SUCCEEDED
