"""Crowding: seats and places of pools that are all taken, and moments at which too much is due.

Responsible for: judging the figures of the ledger. Pure.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence

from task_scheduler.core.model import SECOND, Microseconds
from task_scheduler.insights.insight import Insight, InsightKind
from task_scheduler.insights.spoken import clock_time, seconds_text

__all__ = ["Level", "judge_collisions", "judge_levels"]

Level = tuple[str, str, int, Microseconds]
"""A pool ('': all seats), ``busy`` or ``wanted``, how many at a time, and for how long together."""

_FULL_SHARE = 0.10
"""Of the time; less is what peaks are."""
_ENOUGH = 0.99
"""The share of the time in which nothing waits, with as many seats as are proposed."""
_MOST_SEATS = 1_000


def judge_levels(
    levels: Sequence[Level], *, workers: int, pools: Mapping[str, int], window: Microseconds
) -> list[Insight]:
    """Tell which seats and pools were full for much of a window, and how many would do.

    Only where something waited: seats that are all taken and enough are well used.
    """
    busy: defaultdict[str, dict[int, Microseconds]] = defaultdict(dict)
    wanted: defaultdict[str, dict[int, Microseconds]] = defaultdict(dict)
    for pool, what, level, lasted in levels:
        (busy if what == "busy" else wanted)[pool][level] = lasted
    found = []
    for pool in sorted(busy):
        places = workers if not pool else pools.get(pool, 0)
        if places <= 0:
            continue
        full = sum(lasted for level, lasted in busy[pool].items() if level >= places)
        # A clock that was set back may have left ends that are still to come.
        share = min(1.0, full / window)
        enough = _enough(wanted[pool], window)
        if share < _FULL_SHARE or enough <= places:
            continue
        setting = f"pools.{pool}: {enough}" if pool else f"scheduler.max_workers: {enough}"
        found.append(
            Insight(
                kind=InsightKind.SATURATED,
                subject=pool,
                variant="pool" if pool else "seats",
                command=setting,
                figures={"share": round(share, 4), "places": places, "enough": enough},
                texts={"percent": f"{share:.0%}", "time": seconds_text(window / SECOND)},
            )
        )
    return sorted(found, key=lambda of: -of.figures["share"])


def judge_collisions(
    worst: Sequence[object] | None, *, workers: int, day: Microseconds
) -> list[Insight]:
    """Tell of the moment at which most was due at once; `worst` as ``insight_collisions`` says it.

    The proposed jitter is what the last one was late by: the same work, begun as it can begin.
    """
    if not worst:
        return []
    moments, at, tasks, late, ids = worst
    assert isinstance(at, int) and isinstance(late, int) and isinstance(ids, list)  # noqa: PT018
    jitter = max(1, math.ceil(late / SECOND))
    return [
        Insight(
            kind=InsightKind.COLLISION,
            subject=str(ids[0]) if ids else "",
            command=f"entries.{ids[0]}.jitter_seconds: {jitter}" if ids else "",
            figures={
                "moments": moments,
                "at": at,
                "tasks": tasks,
                "workers": workers,
                "late_seconds": round(late / SECOND, 3),
                "task_ids": ids,
                "window_seconds": day / SECOND,
            },
            texts={
                "time": clock_time(at),
                "late": seconds_text(late / SECOND),
                "names": ", ".join(map(str, ids)),
            },
        )
    ]


def _enough(levels: Mapping[int, Microseconds], window: Microseconds) -> int:
    """Return the least number of places with which nothing waits for nearly all of the time."""
    over = sum(lasted for level, lasted in levels.items() if level > 0)
    for level in sorted(levels):
        if level > 0:
            over -= levels[level]
        if over <= (1 - _ENOUGH) * window:
            return min(max(1, level), _MOST_SEATS)
    return 1
