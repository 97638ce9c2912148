"""Events become spans."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import TraceIdRatioBased

from task_scheduler.core import events
from task_scheduler.core.model import Outcome
from task_scheduler.observe.trace_ids import TraceIds
from task_scheduler.observe.tracing import TracePlan, Tracing

SECOND = 1_000_000
NS = 1_000_000_000


class Traced:
    """A tracing, and the spans that it made."""

    def __init__(self, ratio: float = 1.0) -> None:
        self.memory = InMemorySpanExporter()
        self.ids = TraceIds("farm", ratio)
        self.tracing = Tracing(TracePlan(), self.ids, exporter=self.memory)

    def hear(self, *heard: events.Event) -> list[Any]:
        for event in heard:
            self.tracing(event)
        self.tracing.flush()
        return list(self.memory.get_finished_spans())


@pytest.fixture
def traced() -> Iterator[Traced]:
    made = Traced()
    yield made
    made.tracing.close()


def started(attempt: int, at: int) -> events.AttemptStarted:
    return events.AttemptStarted("a", "A", 7, attempt, at * SECOND)


def retried(attempt: int, at: int) -> events.RetryScheduled:
    return events.RetryScheduled("a", "A", 7, attempt, Outcome.FAILED, "off", SECOND, at * SECOND)


def ended(
    attempt: int, at: int, took: int, outcome: Outcome = Outcome.SUCCEEDED
) -> events.RunSettled:
    return events.RunSettled("a", "A", 7, attempt, outcome, None, took * SECOND, at * SECOND)


def times(spans: list[Any]) -> list[tuple[str, float, float]]:
    return [(span.name, span.start_time / NS, span.end_time / NS) for span in spans]


def test_a_run_that_is_tried_again(traced: Traced) -> None:
    spans = traced.hear(started(1, 10), retried(1, 12), started(2, 15), ended(2, 18, 3))

    assert times(spans) == [("attempt a", 10, 12), ("attempt a", 15, 18), ("run a", 10, 18)]
    whole = spans[-1]
    assert whole.parent is None
    assert [span.parent.span_id for span in spans[:2]] == [whole.context.span_id] * 2
    assert {span.context.trace_id for span in spans} == {traced.ids.trace_id(7)}
    assert [span.context.span_id for span in spans] == [
        traced.ids.span_id(7, 1),
        traced.ids.span_id(7, 2),
        traced.ids.span_id(7),
    ]
    assert [span.attributes.get("error.type") for span in spans] == ["failed", None, None]
    assert spans[0].status.description == "off"


def test_a_run_of_which_the_beginning_was_not_heard(traced: Traced) -> None:
    """Another process began it."""
    spans = traced.hear(ended(1, 18, 3))

    assert times(spans) == [("attempt a", 15, 18), ("run a", 15, 18)]


def test_a_run_that_is_cancelled_before_it_begins_took_no_time(traced: Traced) -> None:
    assert traced.hear(ended(0, 18, 0, Outcome.CANCELLED)) == []


def test_a_run_that_is_given_up_between_two_attempts_has_the_one_it_had(traced: Traced) -> None:
    spans = traced.hear(started(1, 10), retried(1, 12), ended(1, 20, 0, Outcome.CANCELLED))

    assert times(spans) == [("attempt a", 10, 12), ("run a", 10, 20)]


def test_what_is_not_sampled_makes_no_span() -> None:
    traced = Traced(0.0)

    assert traced.hear(started(1, 10), ended(1, 12, 2)) == []
    traced.tracing.close()


def test_the_decision_is_that_of_the_ratio_sampler() -> None:
    ids, sampler = TraceIds("farm", 0.3), TraceIdRatioBased(0.3)

    for run_id in range(1_000):
        found = sampler.should_sample(None, ids.trace_id(run_id), "x").decision.is_sampled()
        assert found is ids.is_sampled(run_id)


def test_spans_that_arrive_and_those_that_do_not_are_counted(
    traced: Traced, monkeypatch: pytest.MonkeyPatch
) -> None:
    traced.hear(ended(1, 18, 3))
    assert (traced.tracing.results["exported"], traced.tracing.trouble()) == (2, None)

    def refuse(spans: object) -> None:
        raise OSError("away")

    monkeypatch.setattr(traced.memory, "export", refuse)
    traced.hear(ended(1, 18, 3))

    assert traced.tracing.results["failed"] == 2
    trouble = traced.tracing.trouble()
    assert trouble is not None
    assert "away" in trouble.why
