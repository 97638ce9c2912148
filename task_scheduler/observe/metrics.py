"""Metrics of the scheduler, for Prometheus.

Responsible for: counting events and ends of attempts, and rendering the counts in the text format.
Serves nothing and knows no clock. Made only where monitoring is on: the client library is imported
here, lazily, and only to render.

Counting is on the way of every run, rendering happens a few times a minute: so what is counted are
plain values, and they become metrics when somebody asks. The number of series is bounded: the first
`task_limit` tasks have series of their own, all others share the label ``_other``. What the
scheduler measures of itself, such as how late attempts start, is counted in `measures`; how
everything stands at the moment of a rendering is asked for then.
"""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from task_scheduler.core import events
from task_scheduler.core.faults import FaultKind
from task_scheduler.core.model import SECOND, Microseconds, RunState
from task_scheduler.core.settlement import Settlement
from task_scheduler.observe.measures import BOUNDS, Measures
from task_scheduler.observe.task_book import OTHER, SecondsHistogram, TaskBook, TaskFigures
from task_scheduler.version import __version__

__all__ = ["CONTENT_TYPE", "TASK_LIMIT", "Metrics", "Standing", "TaskStanding"]

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
TASK_LIMIT = 500
"""Some fifty lines of text each: a rendering of all of them takes a quarter of a second."""

_PREFIX = "task_scheduler"


class TaskStanding(NamedTuple):
    """How one task stands in the ledger."""

    task_id: str
    next_due_at: Microseconds | None
    is_paused: bool
    is_unresolved: bool
    last_success_at: Microseconds | None


@dataclass(frozen=True, slots=True)
class Standing:
    """How the scheduler stands at the moment of a rendering; None where it is not known."""

    is_active: bool = False
    """Whether it runs the ledger, and is no standby."""
    is_ledger_readable: bool = True
    entries: int | None = None
    running: int | None = None
    queue_depth: int | None = None
    """Runs that are due and that nobody has begun."""
    faults: frozenset[str] = frozenset()
    """The kinds of the faults that last."""
    measures: Measures | None = None
    programs: int | None = None
    """Attempts that live under supervision."""
    launcher_memory: int | None = None
    """Bytes of the process that starts programs; None where there is none."""
    launcher_cpu_seconds: float | None = None
    tasks: Sequence[TaskStanding] = ()
    scrapes: Mapping[str, int] = field(default_factory=dict)
    """How requests for the metrics ended."""
    spans: Mapping[str, int] = field(default_factory=dict)
    """What became of spans of traces."""


class Metrics:
    """Count what happens; `render` from any thread.

    Call it with each event, and `note_ends` with what ended. `look` is asked at each rendering for
    how everything stands; it gets the tasks that have series of their own and how many more may.
    A task of whose id `mask` leaves something out has a secret in it and is not shown.
    """

    hears_routine = False
    """Successes of which nobody else wants to hear come through `note_ends` alone."""

    def __init__(
        self,
        *,
        look: Callable[[Sequence[str], int], Standing] = lambda _ids, _room: Standing(),
        mask: Callable[[str], str] = lambda text: text,
        task_limit: int = TASK_LIMIT,
    ) -> None:
        self.tasks = TaskBook(task_limit)
        self._look = look
        self._mask = mask
        self._is_held = False
        self._faults: Counter[str] = Counter(dict.fromkeys((k.value for k in FaultKind), 0))
        self._counts = Counter(dict.fromkeys(_COUNTERS, 0))

    def note_ends(self, settlements: Sequence[Settlement]) -> None:
        """Count attempts whose ends are durable; in the engine's thread."""
        of = self.tasks.of
        for flight, done, state, _, _, _, told in settlements:
            figures = of(done.task_id)
            figures.note_attempt(done, flight.claim.due_at, is_last=state is not RunState.WAITING)
            if not told:
                figures.note_run(done.outcome.value, done.ended_at)

    def __call__(self, event: events.Event) -> None:
        """Count one event."""
        match event:
            case events.RunSettled():
                self.tasks.of(event.task_id).note_run(event.outcome.value, event.at)
            case events.RetryScheduled():
                self.tasks.of(event.task_id).retries[event.outcome.value] += 1
            case events.RunSkipped():
                # A range that cannot be counted is at least one occurrence.
                count = 1 if event.count is None else event.count
                self.tasks.of(event.task_id).skips[event.reason.value] += count
            case events.ThreadAbandoned():
                self.tasks.of(event.task_id).abandoned += event.count
            case events.EntryFailed():
                self.tasks.of(event.task_id).rule_errors += 1
            case events.EntryRemoved():
                self.tasks.forget(event.task_id)
            case events.FaultBegan():
                kind = event.trouble.kind
                self._faults[kind.value] += 1
                self._counts["store_failures"] += kind.is_of_store
            case events.LedgerHeld():
                self._is_held = True
            case events.LedgerReleased():
                self._is_held = False
            case events.ListenerFailed():
                self._counts["listener_failures"] += 1
            case events.SupervisionFaltered():
                self._counts["supervision_failures"] += 1
            case events.ClockStepped():
                self._counts["clock_steps"] += 1

    def render(self) -> bytes:
        """Return everything in Prometheus' text format, UTF-8."""
        from prometheus_client import (
            CollectorRegistry,
            GCCollector,
            PlatformCollector,
            ProcessCollector,
            generate_latest,
        )

        registry = CollectorRegistry(auto_describe=False)
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        GCCollector(registry=registry)
        registry.register(self)
        return generate_latest(registry)

    def collect(self) -> Iterator[Any]:
        """Yield what is counted as the client library's families: it calls this to render."""
        book = self.tasks
        standing = self._look(book.ids(), max(0, book.limit - len(book)))
        for task in standing.tasks:
            figures = book.of(task.task_id)
            if figures.last_success is None and figures is not book.others:
                figures.last_success = task.last_success_at
        yield from self._own_families(standing)
        yield from _standing_families(standing)
        if standing.measures is not None:
            yield from _measured_families(standing.measures)
        found = [(task, figures) for task, figures in book.all() if self._mask(task) == task]
        shown = dict(found)
        yield from _counted_families(found)
        yield from _timed_families(found)
        yield from _task_gauges(found, [t for t in standing.tasks if t.task_id in shown])

    def _own_families(self, standing: Standing) -> Iterator[Any]:
        info = {"version": __version__, "python_version": platform.python_version()}
        yield _gauge("build_info", "The release that runs.", 1, info)
        yield _gauge("active", "Whether this process runs the ledger.", standing.is_active)
        text = "Whether nothing starts until somebody says from where the ledger goes on."
        yield _gauge("ledger_held", text, self._is_held)
        for name, text in _COUNTERS.items():
            yield _counter(name, text, (), [((), self._counts[name])])
        text = "What kept the scheduler from its work, each time it began."
        yield _counter("faults", text, ("kind",), _labelled(self._faults))
        family = _gauge_family("fault_active", "What keeps it from its work now.", ("kind",))
        for kind in FaultKind:
            family.add_metric((kind.value,), float(kind.value in standing.faults))
        yield family
        yield _gauge("task_series", "Tasks with series of their own.", len(self.tasks))
        text = "How many tasks may have series of their own; the others are _other."
        yield _gauge("task_series_limit", text, self.tasks.limit)


_COUNTERS = {
    "store_failures": "Times the ledger could not be written.",
    "listener_failures": "Listeners that raised.",
    "supervision_failures": "What supervision of programs could not do.",
    "clock_steps": "Times the wall clock was set.",
}

_OWN = {
    "start_lateness": "From due to started, of runs that only the scheduler kept from starting.",
    "queue_wait": "The same, of runs that were due while every seat was taken.",
    "tick": "One turn of the engine.",
    "commit": "One commit of the ledger, with its sync.",
    "wake_delay": "By how much the engine woke later than it asked for.",
}
"""What the scheduler measures of itself; durations are counted by task already."""


def _standing_families(standing: Standing) -> Iterator[Any]:
    """Yield how it stands now, as far as that is known."""
    yield _gauge("ledger_readable", "Whether the ledger can be read.", standing.is_ledger_readable)
    known = {
        "entries": ("Entries in the ledger.", standing.entries),
        "running": ("Attempts that run now.", standing.running),
        "queue_depth": ("Runs that are due and that nobody has begun.", standing.queue_depth),
        "supervised_programs": ("Programs that live under supervision.", standing.programs),
        "launcher_up": (
            "Whether there is a process that starts programs: from the first one on.",
            standing.launcher_memory is not None,
        ),
        "launcher_resident_memory_bytes": ("What that uses.", standing.launcher_memory),
    }
    for name, (text, value) in known.items():
        if value is not None:
            yield _gauge(name, text, value)
    if standing.launcher_cpu_seconds is not None:
        cpu = [((), standing.launcher_cpu_seconds)]
        yield _counter("launcher_cpu_seconds", "What it used.", (), cpu)
    if standing.scrapes:
        text = "How requests for the metrics ended."
        yield _counter("scrapes", text, ("result",), _labelled(standing.scrapes))
    if standing.spans:
        text = "What became of the spans of traces."
        yield _counter("spans", text, ("result",), _labelled(standing.spans))


def _measured_families(measures: Measures) -> Iterator[Any]:
    """Yield the scheduler's own figures as families, with every second of their bounds."""
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
        family = _histogram_family(f"{name}_seconds", text, ())
        family.add_metric((), buckets, sum_value=whole.total / SECOND)
        yield family
    full = [((), measures.seats.full_seconds)]
    yield _counter("full_seconds", "For how long every seat was taken.", (), full)
    yield _gauge("workers", "Seats for attempts.", measures.workers)


def _counted_families(found: Sequence[tuple[str, TaskFigures]]) -> Iterator[Any]:
    """Yield what is counted by task and one more label, or by task alone."""
    by_outcome = {
        "runs": ("Runs that are over.", "outcome", [(t, f.runs) for t, f in found]),
        "attempts": ("Attempts that are over.", "outcome", [(t, f.attempts) for t, f in found]),
        "retries": (
            "Attempts that ended badly and are tried again.",
            "outcome",
            [(t, f.retries) for t, f in found],
        ),
        "skips": ("Occurrences without an attempt.", "reason", [(t, f.skips) for t, f in found]),
    }
    for name, (text, label, counts) in by_outcome.items():
        rows = [((task, kind), n) for task, of in counts for kind, n in list(of.items())]
        yield _counter(name, text, ("task", label), rows)
    by_task: dict[str, tuple[str, list[tuple[tuple[str], float]]]] = {
        "abandoned_threads": (
            "Functions that overran their timeout in a thread.",
            [((t,), f.abandoned) for t, f in found],
        ),
        "entry_failures": ("Rules that raised.", [((t,), f.rule_errors) for t, f in found]),
        "run_cpu_seconds": (
            "What programs used of processors, with all that they started.",
            [((t,), f.cpu_seconds) for t, f in found if f.cpu_seconds is not None],
        ),
        "run_read_bytes": (
            "What programs read from disks, with all that they started.",
            [((t,), f.read_bytes) for t, f in found if f.read_bytes is not None],
        ),
        "run_written_bytes": (
            "What programs wrote to disks, with all that they started.",
            [((t,), f.written_bytes) for t, f in found if f.written_bytes is not None],
        ),
    }
    for name, (text, rows_of_tasks) in by_task.items():
        yield _counter(name, text, ("task",), rows_of_tasks)


def _timed_families(found: Sequence[tuple[str, TaskFigures]]) -> Iterator[Any]:
    """Yield the histograms by task."""
    text = "How long the last attempt of a run took."
    durations = _histogram_family("run_duration_seconds", text, ("task", "outcome"))
    for task, figures in found:
        for outcome, histogram in list(figures.durations.items()):
            _add_histogram(durations, (task, outcome), histogram)
    yield durations
    text = "From due to started, of every attempt, whatever kept it."
    lags = _histogram_family("schedule_lag_seconds", text, ("task",))
    for task, figures in found:
        _add_histogram(lags, (task,), figures.lag)
    yield lags


def _task_gauges(
    found: Sequence[tuple[str, TaskFigures]], tasks: Sequence[TaskStanding]
) -> Iterator[Any]:
    """Yield how each task stands; of many together that says nothing."""
    own = [(task, figures) for task, figures in found if task != OTHER]
    rows: dict[str, tuple[str, list[tuple[str, float | None]]]] = {
        "last_success_timestamp_seconds": (
            "When a run of it last succeeded.",
            [(task, _seconds(figures.last_success)) for task, figures in own],
        ),
        "run_peak_memory_bytes": (
            "The most memory its last program used, with all that it started.",
            [(task, figures.peak_memory) for task, figures in own],
        ),
        "next_run_timestamp_seconds": (
            "When it is due next.",
            [(task.task_id, _seconds(task.next_due_at)) for task in tasks],
        ),
        "task_paused": ("Whether it is paused.", [(t.task_id, t.is_paused) for t in tasks]),
        "task_unresolved": (
            "Whether its code is not there.",
            [(task.task_id, task.is_unresolved) for task in tasks],
        ),
    }
    for name, (text, values) in rows.items():
        family = _gauge_family(name, text, ("task",))
        for task, value in values:
            if value is not None:
                family.add_metric((task,), float(value))
        yield family


# -- the client library's families ----------------------------------------------------------------


def _gauge(name: str, text: str, value: float, labels: Mapping[str, str] | None = None) -> Any:
    family = _gauge_family(name, text, tuple(labels or ()))
    family.add_metric(tuple((labels or {}).values()), float(value))
    return family


def _gauge_family(name: str, text: str, labels: Sequence[str]) -> Any:
    from prometheus_client.core import GaugeMetricFamily

    return GaugeMetricFamily(f"{_PREFIX}_{name}", text, labels=labels)


def _counter(
    name: str, text: str, labels: Sequence[str], rows: Sequence[tuple[tuple[str, ...], float]]
) -> Any:
    from prometheus_client.core import CounterMetricFamily

    family = CounterMetricFamily(f"{_PREFIX}_{name}", text, labels=labels)
    for values, count in rows:
        family.add_metric(values, count)
    return family


def _histogram_family(name: str, text: str, labels: Sequence[str]) -> Any:
    from prometheus_client.core import HistogramMetricFamily

    return HistogramMetricFamily(f"{_PREFIX}_{name}", text, labels=labels)


def _add_histogram(family: Any, labels: tuple[str, ...], histogram: SecondsHistogram) -> None:
    family.add_metric(labels, histogram.buckets(), sum_value=histogram.total)


def _labelled(counts: Mapping[str, int]) -> list[tuple[tuple[str, ...], float]]:
    return [((label,), count) for label, count in list(counts.items())]


def _seconds(moment: Microseconds | None) -> float | None:
    return None if moment is None else moment / SECOND
