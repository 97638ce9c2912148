"""The figures of tasks: a set of them for each of so many tasks, and one for all the others.

Responsible for: counting by task in plain values, and the bound on how many sets there are. Knows
nothing of Prometheus, of clocks or of where the figures come from.

One thread counts, the engine's, and any thread may look.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence

from task_scheduler.core.model import SECOND, Completion, Microseconds, Outcome, SkipReason

__all__ = ["MISSED", "OTHER", "SecondsHistogram", "TaskBook", "TaskFigures"]

OTHER = "_other"
"""The label of the tasks beyond the limit. A task of that very id is one of them."""

MISSED = (SkipReason.MISFIRE, SkipReason.CATCH_UP_LIMIT, SkipReason.EXPIRED)
"""Skips that somebody should look at; the others are what the user's own policies say."""

_DURATIONS = (0.005, 0.025, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 1_800.0, 7_200.0)
"""Seconds: from a function that does little to a script that takes the night's first hours."""
_LAGS = (0.001, 0.005, 0.025, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 1_800.0)
_OUTCOMES = tuple(outcome.value for outcome in Outcome)
_SUCCEEDED = Outcome.SUCCEEDED.value


class SecondsHistogram:
    """How many values fell into each bucket, and their sum."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, seconds: float) -> None:
        """Count one value."""
        self.counts[bisect_left(self.bounds, seconds)] += 1
        self.total += seconds

    def buckets(self) -> list[tuple[str, float]]:
        """Return (upper bound, how many at most that long)."""
        found, below = [], 0
        names = (*map(str, self.bounds), "+Inf")
        for name, count in zip(names, list(self.counts), strict=True):
            below += count
            found.append((name, float(below)))
        return found


class TaskFigures:
    """What is counted of one task.

    What an alert asks for begins at zero: an increase from nothing to one is none to Prometheus.
    """

    __slots__ = (
        "abandoned",
        "attempts",
        "cpu_seconds",
        "durations",
        "lag",
        "last_success",
        "peak_memory",
        "read_bytes",
        "retries",
        "rule_errors",
        "runs",
        "skips",
        "written_bytes",
    )

    def __init__(self) -> None:
        self.runs: Counter[str] = Counter(dict.fromkeys(_OUTCOMES, 0))
        self.attempts: Counter[str] = Counter()
        self.retries: Counter[str] = Counter()
        self.skips: Counter[str] = Counter(dict.fromkeys((r.value for r in MISSED), 0))
        self.durations: dict[str, SecondsHistogram] = {}
        self.lag = SecondsHistogram(_LAGS)
        self.abandoned = 0
        self.rule_errors = 0
        self.cpu_seconds: float | None = None
        """What its programs used; None where none was measured."""
        self.read_bytes: int | None = None
        """What they read from disks, and wrote to them; None where none was measured."""
        self.written_bytes: int | None = None
        self.peak_memory: int | None = None
        """Bytes, of the last attempt that was measured."""
        self.last_success: Microseconds | None = None

    def note_attempt(self, done: Completion, due_at: Microseconds, *, is_last: bool) -> None:
        """Count an attempt that has ended; `is_last`: its run is over with it."""
        outcome = done.outcome.value
        self.attempts[outcome] += 1
        self.lag.observe(max(0, done.started_at - due_at) / SECOND)
        if done.cpu_seconds is not None:
            self.cpu_seconds = (self.cpu_seconds or 0.0) + done.cpu_seconds
        if done.read_bytes is not None:
            self.read_bytes = (self.read_bytes or 0) + done.read_bytes
        if done.written_bytes is not None:
            self.written_bytes = (self.written_bytes or 0) + done.written_bytes
        if done.peak_memory_bytes is not None:
            self.peak_memory = done.peak_memory_bytes
        if is_last:
            durations = self.durations.get(outcome)
            if durations is None:
                durations = self.durations[outcome] = SecondsHistogram(_DURATIONS)
            durations.observe(max(0, done.ended_at - done.started_at) / SECOND)

    def note_run(self, outcome: str, at: Microseconds) -> None:
        """Count a run that is over."""
        self.runs[outcome] += 1
        if outcome == _SUCCEEDED:
            self.last_success = at


class TaskBook:
    """The figures of the first `limit` tasks that are heard of, and those of all others."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.others = TaskFigures()
        self.has_others = False
        self._figures: dict[str, TaskFigures] = {}

    def __len__(self) -> int:
        return len(self._figures)

    def of(self, task_id: str) -> TaskFigures:
        """Return the figures of a task, of its own while there is room."""
        found = self._figures.get(task_id)
        if found is not None:
            return found
        if len(self._figures) >= self.limit or task_id == OTHER:
            self.has_others = True
            return self.others
        # A rendering may meet the same task at the same moment.
        return self._figures.setdefault(task_id, TaskFigures())

    def forget(self, task_id: str) -> None:
        """Let the figures of a task go that was removed: another one may have its place."""
        self._figures.pop(task_id, None)

    def ids(self) -> list[str]:
        """Return the tasks that have figures of their own."""
        return list(self._figures)

    def all(self) -> list[tuple[str, TaskFigures]]:
        """Return every set of figures with its label."""
        found = list(self._figures.items())
        return [*found, (OTHER, self.others)] if self.has_others else found
