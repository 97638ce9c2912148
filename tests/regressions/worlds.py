"""Where the stories of the regressions happen: virtual worlds, walked rules, a ledger's processes.

Responsible for: what several of them begin with or look at. Asserts nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

from task_scheduler import CommandTask, FunctionTask
from task_scheduler.core.engine import Engine
from task_scheduler.core.limits import EngineLimits
from task_scheduler.core.model import SECOND
from task_scheduler.core.recovery import Mark, Recovered, take_over
from task_scheduler.schedules.instants import instant_of
from task_scheduler.schedules.rule import ScheduleRule, occurrences_of
from task_scheduler.testing import VirtualScheduler
from tests.unit.core.engine_bench import Bench, Hands

__all__ = [
    "DAY",
    "FIRST_BOOT",
    "HOLDER",
    "HOUR",
    "YEAR",
    "began",
    "command",
    "cron",
    "function",
    "gaps",
    "moment",
    "next_process",
    "only",
    "planned",
    "skipped",
    "states",
    "walk",
]

HOUR = 3_600
DAY = 24 * HOUR
YEAR = 365 * DAY
"""Seconds."""

FIRST_BOOT = "first boot"
HOLDER = """
    import sys
    from pathlib import Path
    from task_scheduler.stores.engine_lock import EngineLock
    print(EngineLock(Path(sys.argv[1])).acquire(), flush=True)
    sys.stdin.read()
"""
"""A program that tries for a lock, tells whether it has it, and keeps it until it is ended."""


def command(task_id: str = "job", **policies: Any) -> CommandTask:
    """Return a program; the worlds script what it does."""
    return CommandTask(task_id, None, ["true"], **policies)


def function(task_id: str = "job", **policies: Any) -> FunctionTask:
    """Return a function that runs in a thread of the scheduler."""
    return FunctionTask(task_id, None, print, **policies)


def states(world: VirtualScheduler, task_id: str = "job") -> list[str]:
    """Return where the runs of a task stand, oldest first."""
    return [run["state"] for run in world.runs(task_id)]


def began(world: VirtualScheduler, task_id: str = "job", *, zone: str = "UTC") -> list[datetime]:
    """Return when the runs of a task began, in a zone; those that did not are left out."""
    moments = [run["started_at"] for run in world.runs(task_id)]
    return [datetime.fromisoformat(one).astimezone(ZoneInfo(zone)) for one in moments if one]


def planned(world: VirtualScheduler, task_id: str = "job") -> list[datetime]:
    """Return the moments that the runs of a task are for."""
    return [datetime.fromisoformat(run["scheduled_at"]) for run in world.runs(task_id)]


def skipped(world: VirtualScheduler, task_id: str = "job") -> list[tuple[str, int]]:
    """Return the ranges of skipped occurrences: why, and how many."""
    return [(skip["reason"], skip["count"]) for skip in world.skips(task_id)]


def only(runs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the one run that there is."""
    (run,) = runs
    return run


def gaps(moments: Sequence[datetime]) -> set[float]:
    """Return the seconds of real time between moments that follow each other."""
    pairs = pairwise(one.astimezone(UTC) for one in moments)
    return {(after - before).total_seconds() for before, after in pairs}


def cron(text: str, zone: str, **more: Any) -> ScheduleRule:
    """Return a cron rule."""
    return ScheduleRule("cron", cron=text, timezone=zone, **more)


def moment(text: str) -> int:
    """Return an ISO 8601 moment with its offset in microseconds since the Unix epoch."""
    return instant_of(datetime.fromisoformat(text), UTC)


def walk(rule: ScheduleRule, begin: str, end: str, *, zone: str) -> list[datetime]:
    """Return the moments of a rule from one to another, found one after the other, in a zone.

    Stops at one that is not after the one before: a rule that does not advance is seen.
    """
    occurrences = occurrences_of(rule)
    at, until = moment(begin) - 1, moment(end)
    found: list[datetime] = []
    while (following := occurrences.next_after(at, 0)) is not None and following <= until:
        found.append(datetime.fromtimestamp(following // SECOND, UTC).astimezone(ZoneInfo(zone)))
        if following <= at:
            break
        at = following
    return found


def next_process(
    bench: Bench,
    *,
    boot_id: str = FIRST_BOOT,
    after: timedelta = timedelta(0),
    gone: Sequence[str] = (),
) -> Recovered:
    """Let the bench's process die and another one take its ledger over.

    A worker had begun what is in `started`, and nothing else; of a program nobody knows anything.
    """
    old = bench.engine
    bench.clock.wall += round(after.total_seconds()) * SECOND
    begun = {claim.slot for claim in bench.hands.started.values()}
    if bench.ledger.fetch("last_epoch") is None:
        # Of the process that ends here; its engine was opened with this epoch.
        bench.ledger.execute("begin_epoch", boot_id=FIRST_BOOT, pid=1, version="1", at=0)
    recovered = take_over(
        bench.ledger,
        boot_id=boot_id,
        pid=2,
        version="2",
        now=bench.clock.wall,
        fresh=(),
        gone=gone,
        inspect=lambda claim, is_same_boot: ("not_started", None),
        mark_of=lambda slot: Mark.RUNNING if slot in begun else Mark.CLEAR,
        lost_text="lost",
    )
    bench.hands = Hands()
    bench.store.fails = None
    bench.engine = Engine(
        store=bench.store,  # type: ignore[arg-type]
        clock=bench.clock,
        catalog=bench.bindings,
        hands=bench.hands,
        marks=bench.marks,
        emit=bench.events.append,
        limits=EngineLimits(workers=old.limits.workers, pools=old.limits.pools),
    )
    bench.engine.open(
        epoch=bench.ledger.fetch("last_epoch")[0],
        last_run_id=bench.ledger.fetch("last_run_id"),
        boot_id=boot_id,
    )
    for flight in recovered.flights:
        bench.engine.flights.add(flight)
    bench.engine.inbox.put_back(recovered.facts)
    bench.engine.tick()
    return recovered
