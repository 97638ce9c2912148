"""A forecast: what the engine will do with these entries in a window of time.

Responsible for: running the real engine on a virtual clock over stored entries, from their own
anchors, and counting what comes of it: starts, skips, many tasks at one second, waits for a
worker. Keeps as many rows as are asked for, whatever the window. Prints nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from heapq import heappop, heappush
from types import MappingProxyType
from typing import Any, NamedTuple

from task_scheduler.bindings import Bindings
from task_scheduler.core.chains import link_rows
from task_scheduler.core.entries import plan_moment
from task_scheduler.core.events import Event, RunSkipped
from task_scheduler.core.limits import EngineLimits
from task_scheduler.core.model import SECOND, Claim, Entry, Microseconds, Outcome
from task_scheduler.core.policies import to_plain
from task_scheduler.errors import ScheduleError
from task_scheduler.schedules.calendars.registry import BUILT_IN, Calendars
from task_scheduler.stores.sqlite import MEMORY, SqliteStore
from task_scheduler.testing.life import Life, Surroundings, may_queue
from task_scheduler.testing.scripts import Ending
from task_scheduler.testing.virtual_hands import Attempt, VirtualClock

__all__ = ["Forecast", "ForecastRow", "Planned", "forecast"]

MOST = 2_000_000
"""Starts and skips beyond which a window is refused: some minutes of work."""


class Planned(NamedTuple):
    """An entry to be forecast; `anchor` is when the ledger has it from, None: it is new."""

    entry: Entry
    anchor: Microseconds | None


class ForecastRow(NamedTuple):
    """One occurrence, or a row of them without an attempt; moments in microseconds."""

    at: Microseconds
    task_id: str
    starts_at: Microseconds | None = None
    """None: skipped, or still waiting at the end of the window."""
    ends_at: Microseconds | None = None
    waits_for: str = ""
    """Why it starts late: ``worker`` or ``overlap``, the run of its task before it."""
    skip_reason: str = ""
    times: int = 1
    is_timed_out: bool = False


@dataclass(slots=True)
class Forecast:
    """What comes in a window; `rows` are the first ones, the numbers are of all."""

    rows: list[ForecastRow] = field(default_factory=list)
    is_cut: bool = False
    runs: int = 0
    skips: int = 0
    late: int = 0
    """Starts that had to wait for a worker, or still wait at the end."""
    longest_wait: Microseconds = 0
    peak: int = 0
    """The most workers that are busy at a time."""
    tasks_at: Counter[int] = field(default_factory=Counter)
    """By second since the epoch: how many tasks are due in it."""

    def crowded(self, crowd: int) -> list[int]:
        """Return the seconds in which so many tasks or more are due, in order."""
        return sorted(second for second, count in self.tasks_at.items() if count >= crowd)


class _Observer:
    """Make the rows of a forecast from what the engine and its hands tell."""

    def __init__(self, begin: Microseconds, until: Microseconds, keep: int | None) -> None:
        self.found = Forecast()
        self._begin = begin
        self._until = until
        self._keep = keep
        self._busy: list[Microseconds] = []
        self._last_end: dict[str, Microseconds] = {}
        self._last_second: dict[str, int] = {}

    def on_begin(self, attempt: Attempt) -> None:
        """Take up an attempt that begins; how long it takes is known already."""
        claim, now = attempt.claim, attempt.started_at
        if now >= self._until:
            return
        length = attempt.ending.duration or 0
        is_timed_out = claim.timeout is not None and length > claim.timeout
        ends_at = now + (claim.timeout or 0 if is_timed_out else length)
        while self._busy and self._busy[0] <= now:
            heappop(self._busy)
        heappush(self._busy, ends_at)
        self.found.peak = max(self.found.peak, len(self._busy))
        before, self._last_end[claim.task_id] = self._last_end.get(claim.task_id, 0), ends_at
        if claim.attempt > 1:
            return
        wait = now - max(claim.due_at, self._begin)
        waits_for = "" if wait <= 0 else "overlap" if before > claim.due_at else "worker"
        if waits_for == "worker" and attempt.entry.policies.pool is not None:
            waits_for = "pool"
        if waits_for == "worker":
            self.count_late(wait)
        self.found.runs += 1
        self.add(
            ForecastRow(
                claim.scheduled_at,
                claim.task_id,
                now,
                ends_at,
                waits_for,
                is_timed_out=is_timed_out,
            )
        )

    def on_event(self, event: Event) -> None:
        """Take up a skip."""
        if isinstance(event, RunSkipped) and event.first < self._until:
            count = event.count or 1
            self.found.skips += count
            self.add(ForecastRow(event.first, event.task_id, skip_reason=event.reason, times=count))

    def count_late(self, wait: Microseconds) -> None:
        """Count a start that had to wait for a worker."""
        self.found.late += 1
        self.found.longest_wait = max(self.found.longest_wait, wait)

    def add(self, row: ForecastRow) -> None:
        """Keep a row while it may be among the first ones."""
        found = self.found
        second = row.at // SECOND
        if self._last_second.get(row.task_id) != second:
            self._last_second[row.task_id] = second
            found.tasks_at[second] += 1
        if found.runs + found.skips > MOST:
            raise ScheduleError("simulate.too_many", most=MOST)
        found.rows.append(row)
        if self._keep is not None and len(found.rows) > 2 * self._keep + 1_000:
            self.cut()

    def cut(self) -> None:
        """Put the rows in order and let go of what is too much."""
        rows = self.found.rows
        rows.sort(key=lambda row: (row.at, row.task_id))
        if self._keep is not None and len(rows) > self._keep:
            del rows[self._keep :]
            self.found.is_cut = True


def forecast(
    planned: Sequence[Planned],
    *,
    begin: Microseconds,
    until: Microseconds,
    workers: int,
    durations: Mapping[str, Microseconds],
    keep: int | None = None,
    calendars: Calendars = BUILT_IN,
    pools: Mapping[str, int] = MappingProxyType({}),
) -> Forecast:
    """Return what comes from `begin` to before `until` where every attempt succeeds.

    `durations` are by task id; `keep` is how many rows are kept; `calendars` are what the rules
    name, `pools` how many places each has. Raises ScheduleError for rules that cannot be read, and
    for a window with more than two million occurrences.
    """
    observer = _Observer(begin, until, keep)
    clock = VirtualClock(begin)
    with closing(SqliteStore(MEMORY)) as store:
        around = Surroundings(
            clock=clock,
            store=store,
            bindings=Bindings(lambda: calendars),
            workers=workers,
            pools=pools,
            draw=_drawn_from({p.entry.task_id: durations[p.entry.task_id] for p in planned}),
            emit=observer.on_event,
            on_begin=observer.on_begin,
            queueing={p.entry.task_id for p in planned if may_queue(p.entry.policies)}
            | {link.task_id for p in planned for link in p.entry.policies.after},
        )
        _put(around, planned, begin, until)
        life = Life(around)
        end = until - clock.offset
        while (moment := life.next_boot()) is not None and moment < end:
            clock.boot = max(clock.boot, moment)
            life.turn()
        clock.boot = end
        life.settle()
        _count_waiting(store, observer, until)
    observer.cut()
    return observer.found


def _drawn_from(durations: Mapping[str, Microseconds]) -> Any:
    """Return what draws the attempts: programs and functions that end when they are asked to."""
    endings = {
        task_id: (Ending(length, Outcome.SUCCEEDED, None), True)
        for task_id, length in durations.items()
    }

    def draw(claim: Claim, _: Entry) -> tuple[Ending, bool]:
        return endings[claim.task_id]

    return draw


def _put(
    around: Surroundings,
    planned: Sequence[Planned],
    begin: Microseconds,
    until: Microseconds,
) -> None:
    """Write the entries with their cursors into the virtual ledger."""
    look_ahead = EngineLimits().look_ahead
    definitions, progress = [], []
    total = 0
    for given, known_since in planned:
        # What is planned needs the rules alone, not the code.
        entry = replace(given, is_code_bound=False)
        occurrences = around.bindings.occurrences_of(entry)
        anchor = begin if known_since is None else known_since
        if known_since is None:
            due_at = occurrences.first(begin)
        else:
            due_at = occurrences.next_after(begin - 1, anchor)
        total += occurrences.count_between(begin - 1, until - 1, anchor) or 0
        if total > MOST:
            raise ScheduleError("simulate.too_many", most=MOST)
        plan_at = plan_moment(entry, due_at, look_ahead)
        progress.append([entry.task_id, 1, anchor, begin - 1, due_at, plan_at])
        definitions.append(
            [
                entry.task_id,
                entry.name,
                entry.kind,
                entry.executor,
                dict(entry.definition),
                [dict(rule) for rule in entry.rules],
                to_plain(entry.policies),
                entry.origin,
                0,
                begin,
            ]
        )
    with around.store.transaction():
        around.store.execute("put_entries", rows=definitions)
        around.store.execute("put_progress", rows=progress)
        around.store.execute("put_pools", ids=[row[0] for row in definitions])
        links = link_rows(given for given, _ in planned)
        if links:
            around.store.execute("put_links", rows=links)


def _count_waiting(store: SqliteStore, observer: _Observer, until: Microseconds) -> None:
    """Add the runs that are due and still wait for their turn at the end."""
    before = (1 << 63) - 1
    while ids := store.fetch(
        "find_unfinished_runs", task_id=None, state="waiting", before=before, limit=1_000
    ):
        before = ids[-1]
        for row in store.fetch("list_runs", ids=ids):
            if row["attempt"] or row["scheduled_at"] >= until:
                continue
            waiting_for = row["waiting_for"]
            waits_for = waiting_for if waiting_for in ("overlap", "pool", "rate") else "worker"
            if waits_for == "worker":
                observer.count_late(until - row["due_at"])
            observer.found.runs += 1
            observer.add(ForecastRow(row["scheduled_at"], row["task_id"], waits_for=waits_for))
