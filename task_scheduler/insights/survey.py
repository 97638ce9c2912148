"""A survey: what the ledger says of the last hour, day and weeks, read once.

Responsible for: the questions to the ledger, each a bounded number of the newest runs or the
roll-ups of two weeks, and who judges the answers. Changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from task_scheduler.core.model import SECOND, Microseconds, Policies
from task_scheduler.insights.crowding import judge_collisions, judge_levels
from task_scheduler.insights.habits import (
    Half,
    NeverRan,
    judge_failing_hours,
    judge_late,
    judge_near_limit,
    judge_never_ran,
    judge_retried,
    judge_slower,
)
from task_scheduler.insights.insight import Insight
from task_scheduler.rollups import SLOT

__all__ = ["survey"]

_HOUR: Microseconds = 3_600 * SECOND
_DAY: Microseconds = 24 * _HOUR
_WEEKS: Microseconds = 14 * _DAY
_SAMPLE = 10_000
"""The newest runs that are looked at: a tenth of a second."""
_SHOWN = 10
"""Of each kind."""
_NAMES = 5
_PAGE = 250
"""Tasks whose roll-ups are read at once."""
_LATE: Microseconds = SECOND
_LATE_SHARE = 0.2
_FEW = 5
_TIMES = 1.3
"""Of the last day against all before it, in which the longer ones may have begun already."""
_LONGER: Microseconds = SECOND // 5
_FAILURES = 3
_RETRIED_SHARE = 0.3
_NEAR = 0.8
"""So much of a limit is near to it."""
_OFTEN = 2
"""Once is chance."""
_FAR: Microseconds = 366 * _DAY

Fetch = Callable[..., Any]


def survey(
    fetch: Fetch, *, now: Microseconds, workers: int, pools: Mapping[str, int]
) -> list[Insight]:
    """Return what would go better otherwise; `fetch` is that of a reader of the ledger."""
    return [
        *_crowding(fetch, now, workers, pools),
        *_late(fetch, now),
        *_slower(fetch, now),
        *_failing(fetch, now),
        *_never_ran(fetch, now),
        *_near_limits(fetch, now),
        *_retried(fetch, now),
    ]


def _crowding(
    fetch: Fetch, now: Microseconds, workers: int, pools: Mapping[str, int]
) -> Iterator[Insight]:
    # Where very many run, the newest of them do not fill an hour.
    since = max(now - _HOUR, fetch("insight_reach", sample=_SAMPLE) or 0)
    rows = fetch("insight_levels", sample=_SAMPLE, since=since, now=now) if since < now else []
    levels = [(pool, what, level, lasted) for pool, what, level, lasted in rows]
    yield from judge_levels(levels, workers=workers, pools=pools, window=now - since)
    worst = fetch(
        "insight_collisions",
        sample=_SAMPLE,
        since=now - _DAY,
        workers=workers,
        least=_LATE,
        limit=_NAMES,
    )
    yield from judge_collisions(worst, workers=workers, day=_DAY)


def _late(fetch: Fetch, now: Microseconds) -> Iterator[Insight]:
    rows = fetch(
        "insight_late",
        sample=_SAMPLE,
        since=now - _DAY,
        least=_LATE,
        few=_FEW,
        share=_LATE_SHARE,
        limit=_SHOWN,
    )
    for task_id, runs, late_runs, late, pool in rows:
        yield judge_late(task_id, runs, late_runs, late, pool)


def _slower(fetch: Fetch, now: Microseconds) -> Iterator[Insight]:
    rows: list[list[Any]] = []
    for page in _pages(fetch):
        rows += fetch(
            "insight_slower",
            since=(now - _WEEKS) // SLOT,
            recent=(now - _DAY) // SLOT,
            few=_FEW,
            times=_TIMES,
            least=_LONGER,
            limit=3 * _SHOWN,
            **page,
        )
    rows = sorted(rows, key=lambda row: -row[2] / max(row[1], 1))[: 3 * _SHOWN]
    found = (
        judge_slower(task_id, _halves(fetch, task_id, now), old=old, new=new)
        for task_id, old, new in rows
    )
    yield from [insight for insight in found if insight is not None][:_SHOWN]


def _failing(fetch: Fetch, now: Microseconds) -> Iterator[Insight]:
    rows: list[list[Any]] = []
    since, limit = (now - _WEEKS) // SLOT, 3 * _SHOWN
    for page in _pages(fetch):
        rows += fetch("insight_failing", since=since, few=_FAILURES, limit=limit, **page)
    rows = sorted(rows, key=lambda row: -row[1])[:limit]
    found = (judge_failing_hours(task_id, _halves(fetch, task_id, now)) for task_id, _ in rows)
    yield from [insight for insight in found if insight is not None][:_SHOWN]


def _never_ran(fetch: Fetch, now: Microseconds) -> Iterator[Insight]:
    rows = fetch("insight_never_ran", before=now - _DAY, far=now + _FAR, limit=_SHOWN)
    for row in rows:
        yield judge_never_ran(NeverRan(*row), now=now)


def _near_limits(fetch: Fetch, now: Microseconds) -> Iterator[Insight]:
    rows = fetch(
        "insight_near_limits",
        sample=_SAMPLE,
        since=now - _DAY,
        usual_timeout=Policies().timeout_seconds,
        share=_NEAR,
        few=_OFTEN,
        limit=_SHOWN,
    )
    for row in rows:
        yield judge_near_limit(*row)


def _retried(fetch: Fetch, now: Microseconds) -> Iterator[Insight]:
    rows = fetch(
        "insight_retried",
        sample=_SAMPLE,
        since=now - _DAY,
        few=_FEW,
        share=_RETRIED_SHARE,
        limit=_SHOWN,
    )
    for task_id, runs, retried in rows:
        yield judge_retried(task_id, runs, retried)


def _pages(fetch: Fetch) -> Iterator[dict[str, str]]:
    """Give the pages of tasks: no reading lasts so long that the ledger's log grows with it."""
    after = ""
    while page := fetch("find_tasks", after=after, search=None, limit=_PAGE):
        yield {"after": after, "upto": page[-1]}
        after = page[-1]


def _halves(fetch: Fetch, task_id: str, now: Microseconds) -> list[Half]:
    """Return the half hours of a task in the last two weeks, oldest first."""
    counted, rest = fetch("activity", task_id=task_id, since=(now - _WEEKS) // SLOT)
    halves = []
    for slot, succeeded, failed, timed_out, cancelled, lost, _, duration in [*counted, *rest]:
        bad = failed + timed_out + lost
        runs = succeeded + bad + cancelled
        halves.append(Half(slot * SLOT, succeeded, bad, runs, duration))
    return sorted(halves)
