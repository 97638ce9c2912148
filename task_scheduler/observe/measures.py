"""The scheduler's own figures: how late runs start, how long they wait, and where the time goes.

Responsible for: histograms of bounded memory, the share of time in which every seat was taken, and
both as plain values, since the start and of the last minutes. Judges nothing (`doctor` does).

One thread observes, the engine's, and any thread reads. An observation is a look in a table of
bounds and an addition: of each run two are made when it ends, of each tick three.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Sequence
from itertools import pairwise
from typing import Any

from task_scheduler.core.model import SECOND, Entry, Microseconds, OverlapPolicy
from task_scheduler.core.ports import Clock
from task_scheduler.core.settlement import Settlement

__all__ = ["BOUNDS", "Histogram", "Measure", "Measures", "SeatTime"]

BOUNDS: tuple[Microseconds, ...] = (
    *(step * 10**power for power in range(8) for step in (10, 15, 20, 30, 50, 70)),
    1_000 * SECOND,
    3_600 * SECOND,
)
"""Ten microseconds to an hour, six steps a decade: a quantile is known to a fifth of itself."""

_GENERATION: Microseconds = 300 * SECOND
"""What is recent are this generation and the one before: the last five to ten minutes."""
_NEVER = 1 << 62
_QUEUE, _REPLACE = OverlapPolicy.QUEUE, OverlapPolicy.REPLACE


class Histogram:
    """How many values fell between two bounds, and their sum and greatest."""

    __slots__ = ("counts", "greatest", "total")

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS) + 1)
        self.total: Microseconds = 0
        self.greatest: Microseconds = 0

    def observe(self, value: Microseconds) -> None:
        """Count one value."""
        self.observe_all((value,))

    def observe_all(self, values: Collection[Microseconds]) -> None:
        """Count many values, each for a tenth of a microsecond."""
        counts, bounds, bucket = self.counts, BOUNDS, bisect_left
        for value in values:
            counts[bucket(bounds, value)] += 1
        self.total += sum(values)
        self.greatest = max(self.greatest, max(values, default=0))

    def add(self, other: Histogram) -> None:
        """Count all that another one counted."""
        self.counts = [mine + its for mine, its in zip(self.counts, other.counts, strict=True)]
        self.total += other.total
        self.greatest = max(self.greatest, other.greatest)

    @property
    def count(self) -> int:
        """How many values there were."""
        return sum(self.counts)

    def quantile(self, share: float) -> Microseconds | None:
        """Return the value that this share of all do not exceed; None where there is none.

        Between two bounds the values are taken to lie evenly.
        """
        wanted = share * self.count
        if not wanted:
            return None
        below = 0
        for (low, high), count in zip(pairwise((0, *BOUNDS, _NEVER)), self.counts, strict=True):
            if count and below + count >= wanted:
                top = min(high, self.greatest)
                return round(low + max(0, top - low) * (wanted - below) / count)
            below += count
        return self.greatest

    def summary(self) -> dict[str, int | float | None]:
        """Return count, mean, quantiles and greatest; durations in seconds."""
        count = self.count
        quantiles = {f"p{round(share * 100)}": self.quantile(share) for share in (0.5, 0.95, 0.99)}
        return {
            "count": count,
            "mean_seconds": round(self.total / count / SECOND, 6) if count else None,
            **{
                f"{name}_seconds": None if value is None else value / SECOND
                for name, value in quantiles.items()
            },
            "max_seconds": self.greatest / SECOND if count else None,
        }


class Measure:
    """One figure since the start and of late, without keeping what is older than both."""

    __slots__ = ("_before", "_now", "_past")

    def __init__(self) -> None:
        self._past = Histogram()
        self._before = Histogram()
        self._now = Histogram()

    def observe(self, value: Microseconds) -> None:
        """Count one value."""
        self._now.observe(value)

    def observe_all(self, values: Collection[Microseconds]) -> None:
        """Count many values."""
        self._now.observe_all(values)

    def turn(self) -> None:
        """Begin a generation: what is older than the last one is not recent any more."""
        self._past.add(self._before)
        self._before, self._now = self._now, Histogram()

    def recent(self) -> Histogram:
        """Return what was counted in this generation and the one before."""
        return _sum(self._before, self._now)

    def whole(self) -> Histogram:
        """Return all that was ever counted."""
        return _sum(self._past, self._before, self._now)


class SeatTime:
    """For how much of the time every seat was taken."""

    __slots__ = ("_full", "_seen", "is_full")

    def __init__(self) -> None:
        self.is_full = False
        self._full: list[Microseconds] = [0, 0, 0]
        self._seen: list[Microseconds] = [0, 0, 0]

    def note(self, took: Microseconds, *, is_full: bool) -> None:
        """Take into account how it was for so long, and how it is now."""
        self._seen[-1] += took
        if self.is_full:
            self._full[-1] += took
        self.is_full = is_full

    def turn(self) -> None:
        """Begin a generation."""
        for times in (self._full, self._seen):
            times[:] = [times[0] + times[1], times[2], 0]

    def recent_share(self) -> float | None:
        """Return the share of late, 0..1; None while nothing was seen."""
        return _share(sum(self._full[1:]), sum(self._seen[1:]))

    def whole_share(self) -> float | None:
        """Return the share since the start."""
        return _share(sum(self._full), sum(self._seen))

    @property
    def full_seconds(self) -> float:
        """For how long in all every seat was taken."""
        return sum(self._full) / SECOND


class Measures:
    """All figures of one holding."""

    def __init__(self, clock: Clock, *, workers: int) -> None:
        self.workers = workers
        self.lateness = Measure()
        """From due to started, of runs that nothing but the scheduler kept from starting."""
        self.queue_wait = Measure()
        """The same of those that were due while every seat was taken."""
        self.duration = Measure()
        """From started to ended."""
        self.tick = Measure()
        self.commit = Measure()
        self.wake = Measure()
        """By how much the engine wakes later than it asked for: the interpreter, or the machine,
        was busy with something else."""
        self.seats = SeatTime()
        self._clock = clock
        self._since = clock.now()
        self._turned_at = self._noted_at = clock.boottime()
        self._looked_at = self._since
        self._full_from: Microseconds = _NEVER
        self._full_until: Microseconds = _NEVER

    def named(self) -> dict[str, Measure]:
        """Return the histograms by the names under which they are shown."""
        return {
            "start_lateness": self.lateness,
            "queue_wait": self.queue_wait,
            "duration": self.duration,
            "tick": self.tick,
            "commit": self.commit,
            "wake_delay": self.wake,
        }

    def note_ends(self, settlements: Sequence[Settlement]) -> None:
        """Count attempts whose ends are durable."""
        since, full_from, full_until = self._since, self._full_from, self._full_until
        durations, late, waits = [], [], []
        for item in settlements:
            done, flight = item.completion, item.flight
            started_at, due_at = done.started_at, flight.claim.due_at
            durations.append(done.ended_at - started_at)
            # What was due before is late because nobody was here, not because we are slow.
            if due_at < since or _is_kept_back(flight.entry):
                continue
            late.append(started_at - due_at)
            if full_from <= due_at <= full_until:
                waits.append(started_at - due_at)
        self.duration.observe_all(durations)
        self.lateness.observe_all(late)
        self.queue_wait.observe_all(waits)

    def note_tick(self, began: Microseconds, *, is_full: bool) -> None:
        """Count a tick that began at this moment of the boot clock and is over now."""
        ended = self._clock.boottime()
        self.tick.observe(ended - began)
        if is_full is not self.seats.is_full:
            if is_full:
                # It became so after the last look.
                self._full_from, self._full_until = self._looked_at, _NEVER
            else:
                self._full_until = self._clock.now()
        self.seats.note(ended - self._noted_at, is_full=is_full)
        self._noted_at, self._looked_at = ended, self._clock.now()
        if ended - self._turned_at >= _GENERATION:
            self._turned_at = ended
            self.seats.turn()
            for measure in self.named().values():
                measure.turn()

    def plain(self) -> dict[str, Any]:
        """Return all figures as JSON values."""
        return {
            "seconds": (self._clock.now() - self._since) / SECOND,
            "workers": self.workers,
            "is_full": self.seats.is_full,
            "full_share": {
                "recent": self.seats.recent_share(),
                "whole": self.seats.whole_share(),
            },
            **{
                name: {"recent": measure.recent().summary(), "whole": measure.whole().summary()}
                for name, measure in self.named().items()
            },
        }


def _is_kept_back(entry: Entry | None) -> bool:
    """Whether a run may have started late because its own task wants it so."""
    if entry is None:
        return True
    policies = entry.policies
    if policies.pool is not None or policies.rate_limit is not None:
        return True
    overlap = policies.overlap
    return overlap is _QUEUE or overlap is _REPLACE or policies.overlap_limit > 0


def _sum(*parts: Histogram) -> Histogram:
    whole = Histogram()
    for part in parts:
        whole.add(part)
    return whole


def _share(part: Microseconds, whole: Microseconds) -> float | None:
    return round(part / whole, 4) if whole else None
