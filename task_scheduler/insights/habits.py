"""Habits of single tasks: late, slower than they were, failing at one hour, never running.

Responsible for: judging the figures of the ledger. Pure; days and hours are those of the machine's
zone, as people see them.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import date
from typing import NamedTuple

from task_scheduler.core.model import SECOND, Microseconds
from task_scheduler.insights.insight import Insight, InsightKind
from task_scheduler.insights.spoken import day_text, seconds_text
from task_scheduler.schedules.instants import datetime_at
from task_scheduler.schedules.zones import local_zone

__all__ = [
    "Half",
    "NeverRan",
    "judge_failing_hours",
    "judge_late",
    "judge_near_limit",
    "judge_never_ran",
    "judge_retried",
    "judge_slower",
]

_ONE_HOUR_SHARE = 0.9
"""Of the failures, at least so many lie in the one hour."""
_TIMES = 2.0
"""So many times as long as before is far longer, if it is so much more in all."""
_LONGER: Microseconds = SECOND // 2
_FEW_DAYS = 3
_FEW_HOURS = 4
"""A task that runs in fewer hours of the day fails in one of them for no other reason."""


class Half(NamedTuple):
    """What became of a task's runs that began in a half hour."""

    at: Microseconds
    succeeded: int
    bad: int
    """Failed, timed out or lost."""
    runs: int
    duration: Microseconds
    """Of all of them together."""


class NeverRan(NamedTuple):
    """A task that has a schedule and no run."""

    task_id: str
    added_at: Microseconds
    skips: int
    next_due_at: Microseconds | None


def judge_late(
    task_id: str, runs: int, late_runs: int, late: Microseconds, pool: str | None
) -> Insight:
    """Tell of a task that begins late again and again; `late` is the median of those times."""
    return Insight(
        kind=InsightKind.LATE,
        subject=task_id,
        variant="pool" if pool else "",
        command=f"tsk why {task_id}",
        figures={
            "runs": runs,
            "late_runs": late_runs,
            "late_seconds": round(late / SECOND, 3),
            "pool": pool,
        },
        texts={"percent": f"{late_runs / runs:.0%}", "late": seconds_text(late / SECOND)},
    )


def judge_slower(task_id: str, halves: Sequence[Half], *, old: float, new: float) -> Insight | None:
    """Tell since which day a task takes longer, and by how much; None where it is not far longer.

    `old` and `new` are the means, in microseconds, before the last day and of it. The day is the
    first of the newest that all lie nearer to the new mean than to the old one, on the scale on
    which twice as long is as far as half as long; the means that are told are those around it.
    """
    limit = math.sqrt(max(old, 1.0) * new)
    totals: defaultdict[date, list[int]] = defaultdict(lambda: [0, 0])
    first_of: dict[date, Microseconds] = {}
    for half in halves:
        day = datetime_at(half.at, local_zone().tz).date()
        totals[day][0] += half.runs
        totals[day][1] += half.duration
        first_of.setdefault(day, half.at)
    since = max(first_of.values(), default=0)
    for day in sorted(totals, reverse=True):
        runs, duration = totals[day]
        if runs and duration / runs < limit:
            break
        since = first_of[day]
    old, new = _mean(h for h in halves if h.at < since), _mean(h for h in halves if h.at >= since)
    if not old or new < _TIMES * old or new - old < _LONGER:
        return None
    return Insight(
        kind=InsightKind.SLOWER,
        subject=task_id,
        command=f"tsk show {task_id}",
        figures={
            "times": round(new / old, 2),
            "old_seconds": round(old / SECOND, 3),
            "new_seconds": round(new / SECOND, 3),
            "since": since,
        },
        texts={
            "factor": f"{new / old:.1f}",
            "old": seconds_text(old / SECOND),
            "new": seconds_text(new / SECOND),
            "day": day_text(since),
        },
    )


def judge_failing_hours(task_id: str, halves: Sequence[Half]) -> Insight | None:
    """Tell at which hour of the day alone a task fails; None where that is not so."""
    bad_in: Counter[int] = Counter()
    runs_in: Counter[int] = Counter()
    days: defaultdict[int, set[date]] = defaultdict(set)
    for half in halves:
        moment = datetime_at(half.at, local_zone().tz)
        runs_in[moment.hour] += half.succeeded + half.bad
        if half.bad:
            bad_in[moment.hour] += half.bad
            days[moment.hour].add(moment.date())
    if not bad_in:
        return None
    hour, bad = bad_in.most_common(1)[0]
    total = bad_in.total()
    elsewhere = [of for of, runs in runs_in.items() if runs and of != hour]
    if (
        bad < _ONE_HOUR_SHARE * total
        or len(days[hour]) < _FEW_DAYS
        or len(elsewhere) < _FEW_HOURS - 1
        # By chance: as if failures fell on the hours as the runs do.
        or bad / total < 2 * runs_in[hour] / runs_in.total()
    ):
        return None
    return Insight(
        kind=InsightKind.FAILS_AT,
        subject=task_id,
        command=f"tsk runs {task_id} --state failed",
        figures={
            "hour": hour,
            "failures": bad,
            "all_failures": total,
            "days": len(days[hour]),
            "runs_in_hour": runs_in[hour],
        },
        texts={"time": f"{hour:02}:00", "end": f"{hour:02}:59"},
    )


def judge_near_limit(task_id: str, what: str, runs: int, used: float, most: float) -> Insight:
    """Tell of a task that comes near to a limit: ``timeout`` (microseconds) or ``memory`` (bytes).

    What is proposed leaves as much room again as it needed.
    """
    is_time = what == "timeout"
    unit = SECOND if is_time else 1_000_000
    proposed = math.ceil(used * 2 / unit)
    setting = f"timeout: {proposed}" if is_time else f"limits.memory_bytes: {proposed}MB"
    texts = (
        {"used": seconds_text(used / unit), "most": seconds_text(most / unit)}
        if is_time
        else {"used": f"{used / unit:.0f} MB", "most": f"{most / unit:.0f} MB"}
    )
    return Insight(
        kind=InsightKind.NEAR_LIMIT,
        subject=task_id,
        variant=what,
        command=f"entries.{task_id}.{setting}",
        figures={
            "runs": runs,
            "used": used / SECOND if is_time else used,
            "most": most / SECOND if is_time else most,
        },
        texts={**texts, "percent": f"{used / most:.0%}"},
    )


def judge_never_ran(of: NeverRan, *, now: Microseconds) -> Insight:
    """Tell why a task never ran."""
    variant = "skipped" if of.skips else "no_moment" if of.next_due_at is None else "far"
    next_text = "" if of.next_due_at is None else day_text(of.next_due_at)
    return Insight(
        kind=InsightKind.NEVER_RAN,
        subject=of.task_id,
        variant=variant,
        command=f"tsk why {of.task_id}" if of.skips else f"tsk next {of.task_id}",
        figures={"added_at": of.added_at, "skips": of.skips, "next_due_at": of.next_due_at},
        texts={
            "since": day_text(of.added_at),
            "time": seconds_text((now - of.added_at) / SECOND),
            "next": next_text,
        },
    )


def _mean(halves: Iterable[Half]) -> float:
    """Return how long a run took in the mean; 0 where there was none."""
    runs = duration = 0
    for half in halves:
        runs, duration = runs + half.runs, duration + half.duration
    return duration / runs if runs else 0.0


def judge_retried(task_id: str, runs: int, retried: int) -> Insight:
    """Tell of a task that often succeeds only when it is tried again."""
    return Insight(
        kind=InsightKind.LATE_SUCCESS,
        subject=task_id,
        command=f"tsk runs {task_id}",
        figures={"runs": runs, "retried": retried},
        texts={"percent": f"{retried / runs:.0%}"},
    )
