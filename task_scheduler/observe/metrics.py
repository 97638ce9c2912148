"""Metrics of the event stream, for Prometheus.

Responsible for: counting events in a registry of its own and rendering it. Serves nothing and
knows no clock. Made only where monitoring is on: the client library is imported here, lazily.

The number of series is bounded: after the first 5,000 tasks the others share the label ``_other``.
How late attempts start is not measured here, because `AttemptStarted` does not tell when the
attempt was due.
"""

from __future__ import annotations

from collections.abc import Callable

from task_scheduler.core import events
from task_scheduler.core.model import SECOND
from task_scheduler.core.recovery import Verdict

__all__ = ["Metrics"]

_TASK_LIMIT = 5_000
_OTHER = "_other"
_BUCKETS = (0.005, 0.025, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 1_800.0, 7_200.0)
"""Seconds: from a function that does little to a script that takes the night's first hours."""


class Metrics:
    """Count what happens; call it with each event, `render` from any thread.

    `count_entries` is asked at each rendering; without it there is no ``task_scheduler_entries``.
    """

    def __init__(
        self, *, count_entries: Callable[[], int] | None = None, task_limit: int = _TASK_LIMIT
    ) -> None:
        from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

        self._task_limit = task_limit
        self._tasks: set[str] = set()
        self._running: set[int] = set()
        self._registry = registry = CollectorRegistry()

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"task_scheduler_{name}", text, labels, registry=registry)

        def gauge(name: str, text: str, read: Callable[[], float]) -> None:
            Gauge(f"task_scheduler_{name}", text, registry=registry).set_function(read)

        self._runs = counter("runs", "Runs that are over.", "task", "outcome")
        self._attempts = counter("attempts_started", "Attempts that began.", "task")
        self._retries = counter(
            "retries", "Attempts that ended badly and are tried again.", "task", "outcome"
        )
        self._skips = counter("skips", "Occurrences without an attempt.", "task", "reason")
        self._abandoned = counter(
            "abandoned_threads", "Functions that overran their timeout in a thread.", "task"
        )
        self._store_failures = counter("store_failures", "Failed writes of the ledger.")
        self._listener_failures = counter("listener_failures", "Listeners that raised.")
        self._entry_failures = counter("entry_failures", "Rules that raised.", "task")
        self._clock_steps = counter("clock_steps", "Times the wall clock was set.")
        self._durations = Histogram(
            "task_scheduler_run_duration_seconds",
            "How long the last attempt of a run took.",
            ("task", "outcome"),
            registry=registry,
            buckets=_BUCKETS,
        )
        gauge("running", "Attempts that run now.", lambda: len(self._running))
        if count_entries is not None:
            gauge("entries", "Entries in the ledger.", count_entries)

    def __call__(self, event: events.Event) -> None:
        """Count one event."""
        match event:
            case events.AttemptStarted():
                self._running.add(event.run_id)
                self._attempts.labels(self._label(event.task_id)).inc()
            case events.RunSettled():
                self._settle(event)
            case events.RetryScheduled():
                self._running.discard(event.run_id)
                self._retries.labels(self._label(event.task_id), event.outcome.value).inc()
            case events.RunSkipped():
                # A range that cannot be counted is at least one occurrence.
                skips = self._skips.labels(self._label(event.task_id), event.reason.value)
                skips.inc(1 if event.count is None else event.count)
            case events.AttemptRecovered(verdict=Verdict.ALIVE):
                self._running.add(event.run_id)
            case events.ThreadAbandoned():
                self._abandoned.labels(self._label(event.task_id)).inc(event.count)
            case events.EntryFailed():
                self._entry_failures.labels(self._label(event.task_id)).inc()
            case events.StoreFailed():
                self._store_failures.inc()
            case events.ListenerFailed():
                self._listener_failures.inc()
            case events.ClockStepped():
                self._clock_steps.inc()

    def render(self) -> bytes:
        """Return everything in Prometheus' text format, UTF-8."""
        from prometheus_client import generate_latest

        return generate_latest(self._registry)

    def _settle(self, event: events.RunSettled) -> None:
        self._running.discard(event.run_id)
        labels = (self._label(event.task_id), event.outcome.value)
        self._runs.labels(*labels).inc()
        if event.attempt > 0:  # 0: cancelled before it began, so it took no time at all
            self._durations.labels(*labels).observe(event.duration / SECOND)

    def _label(self, task_id: str) -> str:
        if task_id not in self._tasks:
            if len(self._tasks) >= self._task_limit:
                return _OTHER
            self._tasks.add(task_id)
        return task_id
