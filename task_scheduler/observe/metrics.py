"""Metrics of the event stream, for Prometheus.

Responsible for: counting events and rendering the counts. Serves nothing and knows no clock. Made
only where monitoring is on: the client library is imported here, lazily, and only to render.

Counting is on the way of every run, rendering happens a few times a minute: so what is counted are
plain dictionaries, and they become metrics when somebody asks. The number of series is bounded:
after the first 5,000 tasks the others share the label ``_other``. What the scheduler measures of
itself, such as how late attempts start, is counted in `measures` and rendered here.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from task_scheduler.core import events
from task_scheduler.core.model import SECOND
from task_scheduler.core.recovery import Verdict
from task_scheduler.observe.measures import BOUNDS, Measures

__all__ = ["Metrics"]

_TASK_LIMIT = 5_000
_OTHER = "_other"
_BUCKETS = (0.005, 0.025, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 1_800.0, 7_200.0)
"""Seconds: from a function that does little to a script that takes the night's first hours."""
_BUCKET_NAMES = (*(str(bound) for bound in _BUCKETS), "+Inf")

_COUNTERS = {
    "runs": ("Runs that are over.", ("task", "outcome")),
    "attempts_started": ("Attempts that began.", ("task",)),
    "retries": ("Attempts that ended badly and are tried again.", ("task", "outcome")),
    "skips": ("Occurrences without an attempt.", ("task", "reason")),
    "abandoned_threads": ("Functions that overran their timeout in a thread.", ("task",)),
    "store_failures": ("Times the ledger could not be written.", ()),
    "faults": ("What kept the scheduler from its work, each time it began.", ("kind",)),
    "listener_failures": ("Listeners that raised.", ()),
    "entry_failures": ("Rules that raised.", ("task",)),
    "clock_steps": ("Times the wall clock was set.", ()),
}


class _Histogram:
    """The durations of one task and outcome: how many fell into each bucket, and their sum."""

    __slots__ = ("counts", "total")

    def __init__(self) -> None:
        self.counts = [0] * len(_BUCKET_NAMES)
        self.total = 0.0

    def observe(self, seconds: float) -> None:
        self.counts[bisect_left(_BUCKETS, seconds)] += 1
        self.total += seconds

    def buckets(self) -> list[tuple[str, float]]:
        """Return (upper bound, how many at most that long)."""
        found, below = [], 0
        for name, count in zip(_BUCKET_NAMES, list(self.counts), strict=True):
            below += count
            found.append((name, float(below)))
        return found


class Metrics:
    """Count what happens; call it with each event, `render` from any thread.

    `count_entries` is asked at each rendering; without it there is no ``task_scheduler_entries``.
    So is `measures`, which answers None while this process does not hold the ledger.
    """

    def __init__(
        self,
        *,
        count_entries: Callable[[], int] | None = None,
        measures: Callable[[], Measures | None] | None = None,
        task_limit: int = _TASK_LIMIT,
    ) -> None:
        self._count_entries = count_entries
        self._measures = measures
        self._task_limit = task_limit
        self._tasks: set[str] = set()
        self._running: set[int] = set()
        self._is_held = False
        self._counts: dict[str, Counter[tuple[str, ...]]] = {
            name: Counter() if labels else Counter({(): 0})
            for name, (_, labels) in _COUNTERS.items()
        }
        self._durations: dict[tuple[str, str], _Histogram] = {}

    def __call__(self, event: events.Event) -> None:
        """Count one event."""
        counts = self._counts
        match event:
            case events.AttemptStarted():
                self._running.add(event.run_id)
                counts["attempts_started"][self._label(event.task_id),] += 1
            case events.RunSettled():
                self._settle(event)
            case events.RetryScheduled():
                self._running.discard(event.run_id)
                counts["retries"][self._label(event.task_id), event.outcome.value] += 1
            case events.RunSkipped():
                # A range that cannot be counted is at least one occurrence.
                count = 1 if event.count is None else event.count
                counts["skips"][self._label(event.task_id), event.reason.value] += count
            case events.AttemptRecovered(verdict=Verdict.ALIVE):
                self._running.add(event.run_id)
            case events.ThreadAbandoned():
                counts["abandoned_threads"][self._label(event.task_id),] += event.count
            case events.EntryFailed():
                counts["entry_failures"][self._label(event.task_id),] += 1
            case events.FaultBegan():
                kind = event.trouble.kind
                counts["faults"][kind.value,] += 1
                counts["store_failures"][()] += kind.is_of_store
            case events.LedgerHeld():
                self._is_held = True
            case events.LedgerReleased():
                self._is_held = False
            case events.ListenerFailed():
                counts["listener_failures"][()] += 1
            case events.ClockStepped():
                counts["clock_steps"][()] += 1

    def render(self) -> bytes:
        """Return everything in Prometheus' text format, UTF-8."""
        from prometheus_client import CollectorRegistry, generate_latest

        registry = CollectorRegistry(auto_describe=False)
        registry.register(self)
        return generate_latest(registry)

    def collect(self) -> Iterator[Any]:
        """Yield what is counted as the client library's families: it calls this to render."""
        from prometheus_client.core import (
            CounterMetricFamily,
            GaugeMetricFamily,
            HistogramMetricFamily,
        )

        for name, (text, labels) in _COUNTERS.items():
            counter = CounterMetricFamily(f"task_scheduler_{name}", text, labels=labels)
            for values, count in list(self._counts[name].items()):
                counter.add_metric(values, count)
            yield counter
        durations = HistogramMetricFamily(
            "task_scheduler_run_duration_seconds",
            "How long the last attempt of a run took.",
            labels=("task", "outcome"),
        )
        for labels_of, histogram in list(self._durations.items()):
            durations.add_metric(labels_of, histogram.buckets(), sum_value=histogram.total)
        yield durations
        running = len(self._running)
        yield GaugeMetricFamily("task_scheduler_running", "Attempts that run now.", running)
        text = "Whether nothing starts until somebody says from where the ledger goes on."
        yield GaugeMetricFamily("task_scheduler_ledger_held", text, float(self._is_held))
        if self._count_entries is not None:
            count = self._count_entries()
            yield GaugeMetricFamily("task_scheduler_entries", "Entries in the ledger.", count)
        measures = None if self._measures is None else self._measures()
        if measures is not None:
            yield from _families_of(measures)

    def _settle(self, event: events.RunSettled) -> None:
        self._running.discard(event.run_id)
        labels = (self._label(event.task_id), event.outcome.value)
        self._counts["runs"][labels] += 1
        if event.attempt > 0:  # 0: cancelled before it began, so it took no time at all
            histogram = self._durations.get(labels)
            if histogram is None:
                histogram = self._durations[labels] = _Histogram()
            histogram.observe(event.duration / SECOND)

    def _label(self, task_id: str) -> str:
        if task_id not in self._tasks:
            if len(self._tasks) >= self._task_limit:
                return _OTHER
            self._tasks.add(task_id)
        return task_id


_OWN = {
    "start_lateness": "From due to started, of runs that only the scheduler kept from starting.",
    "queue_wait": "The same, of runs that were due while every seat was taken.",
    "tick": "One turn of the engine.",
    "commit": "One commit of the ledger, with its sync.",
    "wake_delay": "By how much the engine woke later than it asked for.",
}
"""What the scheduler measures of itself; durations are counted by task already."""


def _families_of(measures: Measures) -> Iterator[Any]:
    """Yield the scheduler's own figures as families, with every second of their bounds."""
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

    named = measures.named()
    for name, text in _OWN.items():
        whole, below = named[name].whole(), 0
        buckets = []
        for index, bound in enumerate((*BOUNDS, None)):
            below += whole.counts[index]
            # 10, 20, 50, 100, ... microseconds: a series for each is enough.
            if bound is None or index % 2 == 0:
                label = "+Inf" if bound is None else str(bound / SECOND)
                buckets.append((label, float(below)))
        family = HistogramMetricFamily(f"task_scheduler_{name}_seconds", text)
        family.add_metric((), buckets, sum_value=whole.total / SECOND)
        yield family
    text = "For how long every seat was taken."
    yield CounterMetricFamily("task_scheduler_full_seconds", text, measures.seats.full_seconds)
    workers = measures.workers
    yield GaugeMetricFamily("task_scheduler_workers", "Seats for attempts.", workers)
