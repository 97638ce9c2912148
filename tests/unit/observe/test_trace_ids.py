"""The ids of traces follow from what they are of."""

from __future__ import annotations

import re

from task_scheduler.observe.trace_ids import TraceIds


def test_whoever_computes_them_finds_the_same() -> None:
    one, other = TraceIds("farm"), TraceIds("farm")

    assert one.traceparent(7, 2) == other.traceparent(7, 2)
    assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-01", one.traceparent(7, 2))


def test_each_run_has_a_trace_and_each_attempt_a_span() -> None:
    ids = TraceIds("farm")
    traces = {ids.trace_id(run_id) for run_id in range(1_000)}
    spans = {ids.span_id(7, attempt) for attempt in [None, *range(1, 1_000)]}

    assert (len(traces), len(spans)) == (1_000, 1_000)
    assert ids.trace_id(7) != TraceIds("other farm").trace_id(7)


def test_the_share_that_is_recorded_is_the_one_that_was_asked_for() -> None:
    shares = {
        ratio: sum(TraceIds("farm", ratio).is_sampled(run_id) for run_id in range(10_000))
        for ratio in (0.0, 0.1, 1.0)
    }

    assert (shares[0.0], shares[1.0]) == (0, 10_000)
    assert 900 < shares[0.1] < 1_100
    assert TraceIds("farm", 0.0).traceparent(1, 1).endswith("-00")
