"""Traces for OpenTelemetry: a span of each run, and one of each attempt below it.

Responsible for: making spans of events and handing them to the SDK, which exports them in a thread
of its own and drops what does not fit its queue. Imports the SDK, which is an extra: so this is
imported only where traces are configured.

A span is made when what it tells of is over: nothing is kept open, and a crash leaves no half of
one. Its ids are those that the attempt was told at its start (`trace_ids`).
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from opentelemetry.context import Context, attach, detach
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)

from task_scheduler.core import events
from task_scheduler.core.faults import FaultKind, Trouble
from task_scheduler.core.model import Microseconds, Outcome
from task_scheduler.observe.trace_ids import TraceIds
from task_scheduler.version import __version__

__all__ = ["TracePlan", "Tracing"]

_MOST_RUNS = 20_000
"""Runs that are remembered while they are not over; of older ones the first attempt is missing."""
_LONGEST_ERROR = 1_000
_CLOSE_SECONDS = 3.0
_BAD = frozenset({Outcome.FAILED, Outcome.TIMED_OUT, Outcome.LOST})


@dataclass(frozen=True, slots=True)
class TracePlan:
    """Where traces go; what is not given is as the variables ``OTEL_...`` say, or the SDK."""

    endpoint: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    sample_ratio: float = 1.0
    service_name: str | None = None
    timeout_seconds: float = 10.0


@dataclass(slots=True)
class _Begun:
    """A run that is not over: when it began, and the attempt that goes on."""

    at: Microseconds
    attempt: int
    attempt_at: Microseconds


class Tracing:
    """Make spans; call it with each event, in the engine's thread."""

    def __init__(
        self, plan: TracePlan, ids: TraceIds, *, exporter: SpanExporter | None = None
    ) -> None:
        self.plan = plan
        self.ids = ids
        self._begun: dict[int, _Begun] = {}
        self._next = _NextIds()
        self._exporter = _Counting(exporter or _otlp(plan))
        # Its failures are counted and shown; nobody asked for them on stderr.
        logging.getLogger("opentelemetry").addHandler(_QUIET)
        self._provider = TracerProvider(
            resource=_resource(plan),
            sampler=ALWAYS_ON,
            id_generator=self._next,
            shutdown_on_exit=False,
        )
        self._provider.add_span_processor(BatchSpanProcessor(self._exporter))
        self._tracer = self._provider.get_tracer("task_scheduler", __version__)

    @property
    def results(self) -> Mapping[str, int]:
        """What became of spans: ``exported`` or ``failed``."""
        return dict(self._exporter.results)

    def trouble(self) -> Trouble | None:
        """Return why spans do not arrive, if so."""
        why = self._exporter.why
        where = self.plan.endpoint or os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT", "OTLP")
        return Trouble(FaultKind.MONITORING_FAILED, where, why) if why else None

    def __call__(self, event: events.Event) -> None:
        """Make the spans of what is over with an event."""
        match event:
            case events.AttemptStarted():
                self._begin(event)
            case events.RetryScheduled():
                self._retry(event)
            case events.RunSettled():
                self._settle(event)

    @contextlib.contextmanager
    def within(self, traceparent: str) -> Iterator[None]:
        """Make what this thread traces meanwhile part of an attempt's span."""
        _, trace, span, flags = traceparent.split("-")
        parent = SpanContext(
            int(trace, 16), int(span, 16), is_remote=True, trace_flags=TraceFlags(int(flags, 16))
        )
        token = attach(set_span_in_context(NonRecordingSpan(parent)))
        try:
            yield
        finally:
            detach(token)

    def flush(self) -> None:
        """Send what waits, however long that takes."""
        self._provider.force_flush()

    def close(self) -> None:
        """Send what waits, but do not wait for it for long: the SDK itself would for 30 seconds."""
        ending = threading.Thread(
            target=self._provider.shutdown, name="task-scheduler-traces-end", daemon=True
        )
        ending.start()
        ending.join(_CLOSE_SECONDS)
        if ending.is_alive():
            # It gives up between two tries.
            self._exporter.shutdown()

    def _begin(self, event: events.AttemptStarted) -> None:
        begun = self._begun.get(event.run_id)
        if begun is not None:
            begun.attempt, begun.attempt_at = event.attempt, event.at
            return
        while len(self._begun) >= _MOST_RUNS:
            del self._begun[next(iter(self._begun))]
        self._begun[event.run_id] = _Begun(event.at, event.attempt, event.at)

    def _retry(self, event: events.RetryScheduled) -> None:
        begun = self._begun.setdefault(event.run_id, _Begun(event.at, event.attempt, event.at))
        began = begun.attempt_at if begun.attempt == event.attempt else event.at
        self._make_attempt(event, began)
        begun.attempt = 0

    def _settle(self, event: events.RunSettled) -> None:
        begun = self._begun.pop(event.run_id, None)
        if begun is None and not event.attempt:
            return  # cancelled before it began: there is nothing that took time
        first = event.at - event.duration
        if begun is None or begun.attempt:
            self._make_attempt(event, first)
        self._make(
            f"run {event.task_id}",
            event,
            began=first if begun is None else min(first, begun.at),
            span_id=self.ids.span_id(event.run_id),
            context=Context(),
            more={"task_scheduler.attempts": event.attempt},
        )

    def _make_attempt(
        self, event: events.RetryScheduled | events.RunSettled, began: Microseconds
    ) -> None:
        parent = SpanContext(
            self.ids.trace_id(event.run_id),
            self.ids.span_id(event.run_id),
            is_remote=False,
            trace_flags=TraceFlags(TraceFlags.SAMPLED),
        )
        self._make(
            f"attempt {event.task_id}",
            event,
            began=began,
            span_id=self.ids.span_id(event.run_id, event.attempt),
            context=set_span_in_context(NonRecordingSpan(parent), Context()),
            more={"task_scheduler.attempt": event.attempt},
        )

    def _make(
        self,
        name: str,
        event: events.RetryScheduled | events.RunSettled,
        *,
        began: Microseconds,
        span_id: int,
        context: Context,
        more: Mapping[str, int],
    ) -> None:
        if not self.ids.is_sampled(event.run_id):
            return
        self._next.trace_id, self._next.span_id = self.ids.trace_id(event.run_id), span_id
        attributes: dict[str, str | int] = {
            "task_scheduler.task.id": event.task_id,
            "task_scheduler.task.name": event.name,
            "task_scheduler.run.id": event.run_id,
            "task_scheduler.outcome": event.outcome.value,
            **more,
        }
        is_bad = event.outcome in _BAD
        if is_bad:
            attributes["error.type"] = event.outcome.value
        span = self._tracer.start_span(
            name,
            context=context,
            kind=SpanKind.INTERNAL,
            attributes=attributes,
            start_time=began * 1_000,
        )
        if is_bad:
            span.set_status(Status(StatusCode.ERROR, (event.error or "")[:_LONGEST_ERROR]))
        span.end(end_time=event.at * 1_000)


class _NextIds(IdGenerator):
    """Gives the next span the ids that were decided for it."""

    trace_id = 1
    span_id = 1

    def generate_trace_id(self) -> int:
        return self.trace_id

    def generate_span_id(self) -> int:
        return self.span_id


class _Counting(SpanExporter):
    """Exports as another exporter does, and counts what became of it."""

    def __init__(self, inner: SpanExporter) -> None:
        self.results: Counter[str] = Counter(exported=0, failed=0)
        self.why = ""
        """Why the last export failed; empty where it did not."""
        self._inner = inner

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        try:
            result = self._inner.export(spans)
        except Exception as error:  # fence: listener
            self.why = f"{type(error).__name__}: {error}"
            self.results["failed"] += len(spans)
            return SpanExportResult.FAILURE
        is_sent = result is SpanExportResult.SUCCESS
        self.results["exported" if is_sent else "failed"] += len(spans)
        self.why = "" if is_sent else "not accepted"
        return result

    def shutdown(self) -> None:
        self._inner.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._inner.force_flush(timeout_millis)


_QUIET = logging.NullHandler()


def _otlp(plan: TracePlan) -> SpanExporter:
    return OTLPSpanExporter(
        endpoint=plan.endpoint, headers=dict(plan.headers) or None, timeout=plan.timeout_seconds
    )


def _resource(plan: TracePlan) -> Resource:
    """Return who sends: as configured, else as ``OTEL_SERVICE_NAME`` says, else our name."""
    attributes: dict[str, str | int] = {
        "service.version": __version__,
        "host.name": socket.gethostname(),
        "process.pid": os.getpid(),
    }
    name = plan.service_name or os.environ.get("OTEL_SERVICE_NAME") or "task-scheduler"
    return Resource.create({**attributes, "service.name": name})
