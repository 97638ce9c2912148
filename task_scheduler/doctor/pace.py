"""What slows a scheduler down: its seats, the interpreter, the disk, or one slow task.

Responsible for: judging the figures of `observe.measures` and of the ledger, each against a limit
that is written down here. Reads nothing by itself.

Every figure is of the last five to ten minutes, and with fewer than twenty values it says nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from task_scheduler.doctor.findings import Finding, Level

__all__ = [
    "Load",
    "SeatUse",
    "judge_commits",
    "judge_interpreter",
    "judge_lateness",
    "judge_overlaps",
    "judge_seats",
    "judge_slow_task",
]

_FEW = 20
"""Values fewer than these have no 99th percentile."""

_LATE = (0.5, 5.0)
"""Seconds of lateness, at p99, from which it is a warning and a problem."""
_FULL = (0.5, 0.9)
"""Shares of the time in which every seat was taken."""
_BEARABLE_WAIT = 0.1
"""Seconds: a pool that is full and lets nobody wait longer than that is just busy."""
_WAKE = (0.02, 0.2)
"""Seconds that the engine wakes too late: an idle interpreter takes a tenth of a millisecond, one
beside a function that computes 0.5 (`tsk up`) to 5 ms and a little more."""
_COMMIT = (0.05, 0.5)
"""Seconds of a commit at p99: a good disk takes well below one millisecond, a memory card tens."""
_HOG = 0.7
"""Of a core: a process that uses so much has little time for its own engine."""
_CROWDED = 1.5
"""Processes that want to run, for each core."""
_SLOW = 0.5
"""Of all the time of all seats, used by a single task."""
_MINUTE = 60.0
"""Seconds of work that are needed to tell whose work it was."""
_OVERLAPS = 3
"""Occurrences skipped in a day because the run before still lived."""

Figures = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Load:
    """How busy process and machine are; None for what cannot be read."""

    process_cores: float | None = None
    """The cores that the scheduler's own process uses."""
    runnable_per_core: float | None = None
    """The load average over one minute, for each core."""


@dataclass(frozen=True, slots=True)
class SeatUse:
    """How long the runs of a task held a seat, of the newest runs of all."""

    task_id: str
    runs: int
    seconds: float
    longest_seconds: float
    window_seconds: float
    """From the first start to the last end of all those runs."""


def judge_lateness(measures: Figures | None) -> Finding:
    """Say how late runs start."""
    late = _recent(measures, "start_lateness")
    if late is None:
        return Finding(check="lateness", level=Level.UNKNOWN, sentence="lateness_unknown")
    p50, p99 = late["p50_seconds"], late["p99_seconds"]
    return Finding(
        check="lateness",
        level=_level(p99, _LATE),
        sentence="lateness",
        remedy="lateness_remedy" if p99 >= _LATE[0] else "",
        figures={"p50_seconds": p50, "p99_seconds": p99, "count": late["count"]},
        texts={"p50": _spoken(p50), "p99": _spoken(p99)},
    )


def judge_seats(measures: Figures | None, *, backlog: int | None, load: Load) -> Finding:
    """Say for how much of the time every seat was taken, and how many seats would do."""
    share = measures["full_share"]["recent"] if measures else None
    if measures is None or share is None:
        return Finding(check="seats", level=Level.UNKNOWN, sentence="seats_unknown")
    workers = int(measures["workers"])
    waited = measures["queue_wait"]["recent"]["p95_seconds"] or 0.0
    level = _level(share, _FULL) if waited >= _BEARABLE_WAIT or backlog else Level.FINE
    # Where the interpreter is what is full, more threads only get in each other's way.
    is_busy = (load.process_cores or 0.0) >= _HOG
    wanted = max(workers + 1, math.ceil(workers * (1 + share)))
    remedy, command = "", ""
    if level is not Level.FINE:
        remedy = "seats_busy_remedy" if is_busy else "seats_remedy"
        command = "isolation: process" if is_busy else f"scheduler.max_workers: {wanted}"
    return Finding(
        check="seats",
        level=level,
        sentence="seats" if share else "seats_free",
        remedy=remedy,
        command=command,
        figures={
            "full_share": share,
            "workers": workers,
            "wait_p95_seconds": waited,
            "backlog": backlog,
            "process_cores": load.process_cores,
        },
        texts={"share": f"{share:.0%}", "wait": _spoken(waited), "waiting": str(backlog or 0)},
    )


def judge_interpreter(
    measures: Figures | None, *, load: Load, functions: Sequence[str] = ()
) -> Finding:
    """Say whether something keeps the engine from waking: a function that computes, the machine.

    `functions` are the tasks of which a function runs in a thread now.
    """
    wake = _recent(measures, "wake_delay")
    if wake is None:
        return Finding(check="interpreter", level=Level.UNKNOWN, sentence="interpreter_unknown")
    p99 = wake["p99_seconds"]
    level = _level(p99, _WAKE)
    figures = {
        "p99_seconds": p99,
        "process_cores": load.process_cores,
        "runnable_per_core": load.runnable_per_core,
        "functions": list(functions),
    }
    texts = {
        "p99": _spoken(p99),
        "cores": f"{load.process_cores or 0.0:.1f}",
        "crowd": f"{load.runnable_per_core or 0.0:.1f}",
        "names": ", ".join(functions) or "-",
    }
    sentence, remedy, command = "interpreter", "", ""
    if level is not Level.FINE:
        is_hog = (load.process_cores or 0.0) >= _HOG
        is_crowded = not is_hog and (load.runnable_per_core or 0.0) >= _CROWDED
        culprit = "hog" if is_hog else "crowded" if is_crowded else "unclear"
        sentence, remedy = f"interpreter_{culprit}", f"interpreter_{culprit}_remedy"
        command = "" if is_crowded else "isolation: process"
    return Finding(
        check="interpreter",
        level=level,
        sentence=sentence,
        remedy=remedy,
        command=command,
        figures=figures,
        texts=texts,
    )


def judge_commits(measures: Figures | None) -> Finding:
    """Say whether the disk is slow; not so where the interpreter is what a commit waits for."""
    commit = _recent(measures, "commit")
    if commit is None:
        return Finding(check="commits", level=Level.UNKNOWN, sentence="commits_unknown")
    p50, p99 = commit["p50_seconds"], commit["p99_seconds"]
    wake = _recent(measures, "wake_delay")
    level = _level(p99, _COMMIT)
    # A commit lets go of the interpreter and has to get it back.
    is_of_interpreter = wake is not None and wake["p99_seconds"] >= p99 / 2
    if level is not Level.FINE and is_of_interpreter:
        level = Level.FINE
        sentence, remedy = "commits_of_interpreter", ""
    else:
        sentence = "commits"
        remedy = "" if level is Level.FINE else "commits_remedy"
    return Finding(
        check="commits",
        level=level,
        sentence=sentence,
        remedy=remedy,
        command="storage.path" if remedy else "",
        figures={"p50_seconds": p50, "p99_seconds": p99, "count": commit["count"]},
        texts={"p50": _spoken(p50), "p99": _spoken(p99)},
    )


def judge_slow_task(
    uses: Sequence[SeatUse], *, workers: int, measures: Figures | None = None
) -> Finding:
    """Say whether one task uses most of the seats: it is why others wait.

    `workers` are those of the configuration, for a scheduler that does not run.
    """
    if not uses or uses[0].window_seconds < _MINUTE:
        return Finding(check="slow_task", level=Level.UNKNOWN, sentence="slow_task_unknown")
    workers = int(measures["workers"]) if measures else workers
    most = max(uses, key=lambda use: use.seconds)
    share = most.seconds / (most.window_seconds * workers)
    full = measures["full_share"]["recent"] if measures else None
    # A task that uses much while seats are free is in nobody's way.
    is_in_the_way = share >= _SLOW and (full is None or full >= _FULL[0])
    return Finding(
        check="slow_task",
        level=Level.WARNING if is_in_the_way else Level.FINE,
        sentence="slow_task",
        remedy="slow_task_remedy" if is_in_the_way else "",
        command=f"tsk show {most.task_id}" if is_in_the_way else "",
        figures={
            "task_id": most.task_id,
            "seat_share": round(share, 4),
            "runs": most.runs,
            "mean_seconds": round(most.seconds / most.runs, 6),
            "longest_seconds": most.longest_seconds,
        },
        texts={
            "share": f"{share:.0%}",
            "mean": _spoken(most.seconds / most.runs),
            "longest": _spoken(most.longest_seconds),
        },
    )


def judge_overlaps(skips: Sequence[tuple[str, int]]) -> Finding:
    """Say which tasks take longer than their own interval; `skips` are those of the last day."""
    most = [(task_id, count) for task_id, count in skips if count >= _OVERLAPS]
    if not most:
        return Finding(check="overlaps", level=Level.FINE, sentence="overlaps_none")
    task_id, count = max(most, key=lambda item: item[1])
    return Finding(
        check="overlaps",
        level=Level.WARNING,
        sentence="overlaps",
        remedy="overlaps_remedy",
        command=f"tsk why {task_id}",
        figures={"task_id": task_id, "count": count, "tasks": len(most)},
    )


def _recent(measures: Figures | None, name: str) -> Figures | None:
    """Return a figure of late; None where nobody measured, or too little."""
    if measures is None:
        return None
    found: Figures = measures[name]["recent"]
    return found if found["count"] >= _FEW else None


def _level(value: float, limits: tuple[float, float]) -> Level:
    if value >= limits[1]:
        return Level.PROBLEM
    return Level.WARNING if value >= limits[0] else Level.FINE


def _spoken(seconds: float) -> str:
    """Return a duration with the unit in which people say it."""
    if seconds < 0.001:
        return f"{seconds * 1_000_000:.0f} µs"
    if seconds < 1:
        return f"{seconds * 1_000:.3g} ms"
    return f"{seconds:.3g} s" if seconds < 120 else f"{seconds / 60:.3g} min"
