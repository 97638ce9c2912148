"""The metrics as text: which there are, what they are called, and what they mean.

Responsible for: names, labels and help texts; docs/monitoring.md lists them for users. What the
client library knows of the process and of Python is taken from it, and it is imported here.
"""

from __future__ import annotations

import platform
from collections.abc import Sequence

from prometheus_client import (
    CollectorRegistry,
    GCCollector,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)

from task_scheduler.core.faults import FaultKind
from task_scheduler.core.model import SECOND, Microseconds
from task_scheduler.observe.exposition import Exposition, labels_of
from task_scheduler.observe.measures import BOUNDS, Measures
from task_scheduler.observe.standing import OwnCounts, Standing, TaskStanding
from task_scheduler.observe.task_book import OTHER, TaskFigures
from task_scheduler.version import __version__

__all__ = ["text_of"]

_OWN = {
    "start_lateness": "From due to started, of runs that only the scheduler kept from starting.",
    "queue_wait": "The same, of runs that were due while every seat was taken.",
    "tick": "One turn of the engine.",
    "commit": "One commit of the ledger, with its sync.",
    "wake_delay": "By how much the engine woke later than it asked for.",
}
"""What the scheduler measures of itself; durations are counted by task already."""


def text_of(
    standing: Standing, found: Sequence[tuple[str, TaskFigures]], own: OwnCounts, *, limit: int
) -> bytes:
    """Return the whole page; `found` are the figures by task, `limit` how many there may be."""
    page = Exposition()
    _write_own(page, standing, own)
    series = len([task for task, _ in found if task != OTHER])
    page.gauge("task_series", "Tasks with series of their own.", series)
    text = "How many tasks may have series of their own; the others are _other."
    page.gauge("task_series_limit", text, limit)
    _write_standing(page, standing)
    if standing.measures is not None:
        _write_measures(page, standing.measures)
    labelled = [(labels_of({"task": task}), figures) for task, figures in found]
    _write_counted(page, labelled)
    _write_used(page, labelled)
    _write_timed(page, labelled)
    _write_tasks(page, found, standing.tasks)
    return _of_process() + page.bytes()


def _of_process() -> bytes:
    registry = CollectorRegistry(auto_describe=False)
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)
    return generate_latest(registry)


def _write_own(page: Exposition, standing: Standing, own: OwnCounts) -> None:
    info = {"version": __version__, "python_version": platform.python_version()}
    page.gauge("build_info", "The release that runs.", 1, labels_of(info))
    page.gauge("active", "Whether this process runs the ledger.", standing.is_active)
    text = "Whether nothing starts until somebody says from where the ledger goes on."
    page.gauge("ledger_held", text, own.is_held)
    counted = {
        "store_failures": ("Times the ledger could not be written.", own.store_failures),
        "listener_failures": ("Listeners that raised.", own.listener_failures),
        "supervision_failures": (
            "What supervision of programs could not do.",
            own.supervision_failures,
        ),
        "clock_steps": ("Times the wall clock was set.", own.clock_steps),
    }
    for name, (text, count) in counted.items():
        page.counter(name, text, [("", count)])
    kinds = {kind.value: labels_of({"kind": kind.value}) for kind in FaultKind}
    text = "What kept the scheduler from its work, each time it began."
    page.counter("faults", text, [(labels, own.faults[kind]) for kind, labels in kinds.items()])
    now = [(labels, kind in standing.faults) for kind, labels in kinds.items()]
    page.gauges("fault_active", "What keeps it from its work now.", now)


def _write_standing(page: Exposition, standing: Standing) -> None:
    """Write how it stands now, as far as that is known."""
    page.gauge("ledger_readable", "Whether the ledger can be read.", standing.is_ledger_readable)
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
            page.gauge(name, text, value)
    if standing.launcher_cpu_seconds is not None:
        page.counter("launcher_cpu_seconds", "What it used.", [("", standing.launcher_cpu_seconds)])
    results = {
        "scrapes": ("How requests for the metrics ended.", standing.scrapes),
        "spans": ("What became of the spans of traces.", standing.spans),
    }
    for name, (text, counts) in results.items():
        if counts:
            rows = [(labels_of({"result": result}), count) for result, count in counts.items()]
            page.counter(name, text, rows)


def _write_measures(page: Exposition, measures: Measures) -> None:
    """Write the scheduler's own figures, with every second of their bounds."""
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
        page.begin(f"{name}_seconds", "histogram", text)
        page.histogram(f"{name}_seconds", "", buckets, whole.total / SECOND)
    full = [("", measures.seats.full_seconds)]
    page.counter("full_seconds", "For how long every seat was taken.", full)
    page.gauge("workers", "Seats for attempts.", measures.workers)


def _write_counted(page: Exposition, found: Sequence[tuple[str, TaskFigures]]) -> None:
    """Write what is counted by task and one more label."""
    families = {
        "runs": ("Runs that are over.", "outcome", [(t, f.runs) for t, f in found]),
        "attempts": ("Attempts that are over.", "outcome", [(t, f.attempts) for t, f in found]),
        "retries": (
            "Attempts that ended badly and are tried again.",
            "outcome",
            [(t, f.retries) for t, f in found],
        ),
        "skips": ("Occurrences without an attempt.", "reason", [(t, f.skips) for t, f in found]),
    }
    for name, (text, label, counts) in families.items():
        rows = (
            (f'{task},{label}="{kind}"', count)
            for task, of in counts
            for kind, count in list(of.items())
        )
        page.counter(name, text, rows)


def _write_used(page: Exposition, found: Sequence[tuple[str, TaskFigures]]) -> None:
    """Write what is counted by task alone."""
    families: dict[str, tuple[str, list[tuple[str, float | None]]]] = {
        "abandoned_threads": (
            "Functions that overran their timeout in a thread.",
            [(task, figures.abandoned) for task, figures in found],
        ),
        "entry_failures": (
            "Rules that raised.",
            [(task, figures.rule_errors) for task, figures in found],
        ),
        "run_cpu_seconds": (
            "What programs used of processors, with all that they started.",
            [(task, figures.cpu_seconds) for task, figures in found],
        ),
        "run_read_bytes": (
            "What programs read from disks, with all that they started.",
            [(task, figures.read_bytes) for task, figures in found],
        ),
        "run_written_bytes": (
            "What programs wrote to disks, with all that they started.",
            [(task, figures.written_bytes) for task, figures in found],
        ),
    }
    for name, (text, values) in families.items():
        page.counter(name, text, [(task, value) for task, value in values if value is not None])


def _write_timed(page: Exposition, found: Sequence[tuple[str, TaskFigures]]) -> None:
    """Write the histograms by task."""
    text = "How long the last attempt of a run took."
    page.begin("run_duration_seconds", "histogram", text)
    for task, figures in found:
        for outcome, durations in list(figures.durations.items()):
            labels = f'{task},outcome="{outcome}"'
            page.histogram("run_duration_seconds", labels, durations.buckets(), durations.total)
    text = "From due to started, of every attempt, whatever kept it."
    page.begin("schedule_lag_seconds", "histogram", text)
    for task, figures in found:
        page.histogram("schedule_lag_seconds", task, figures.lag.buckets(), figures.lag.total)


def _write_tasks(
    page: Exposition, found: Sequence[tuple[str, TaskFigures]], tasks: Sequence[TaskStanding]
) -> None:
    """Write how each task stands; of many together that says nothing."""
    labels = {task: labels_of({"task": task}) for task, _ in found if task != OTHER}
    own = [(labels[task], figures) for task, figures in found if task != OTHER]
    known = [(labels[task.task_id], task) for task in tasks if task.task_id in labels]
    families: dict[str, tuple[str, list[tuple[str, float | None]]]] = {
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
            [(task, _seconds(standing.next_due_at)) for task, standing in known],
        ),
        "task_paused": (
            "Whether it is paused.",
            [(task, standing.is_paused) for task, standing in known],
        ),
        "task_unresolved": (
            "Whether its code is not there.",
            [(task, standing.is_unresolved) for task, standing in known],
        ),
    }
    for name, (text, values) in families.items():
        page.gauges(name, text, [(task, value) for task, value in values if value is not None])


def _seconds(moment: Microseconds | None) -> float | None:
    return None if moment is None else moment / SECOND
