"""Traces of real runs arrive at a collector, and what a run starts is told which trace it is in."""

from __future__ import annotations

import json
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.trace import get_current_span

from task_scheduler import FunctionTask, HttpTask, ScriptTask, current_run
from tests.integration.facade.bench import eventually, settled
from tests.integration.http_tasks.servers import answer, closed_port, serving
from tests.integration.monitoring.conftest import Make, troubles
from tests.integration.monitoring.receivers import attributes_of, collecting


def parts(traceparent: str) -> tuple[str, str, str]:
    version, trace, span, flags = traceparent.split("-")
    assert version == "00"
    return trace, span, flags


def test_a_run_is_a_span_and_each_attempt_one_below_it(make: Make) -> None:
    told: list[str | None] = []

    def once() -> bool:
        told.append(current_run().traceparent)
        if len(told) == 1:
            raise ValueError("the pump is off")
        return True

    with collecting() as collector:
        traces = {"endpoint": collector.url, "headers": {"X-Farm": "7"}, "service_name": "farm"}
        scheduler = make(monitoring={"traces": traces})
        scheduler.add_task(FunctionTask("pump", "The pump", once, max_retries=1, retry_delay=0))
        run_id = scheduler.run_task("pump")
        settled(scheduler, run_id)
        scheduler.stop(10)  # what waits is sent at the end
        [whole] = collector.named("run pump")
        first, second = sorted(
            collector.named("attempt pump"), key=lambda span: span.start_time_unix_nano
        )

    assert whole.parent_span_id == b""
    assert {first.parent_span_id, second.parent_span_id} == {whole.span_id}
    assert [parts(text or "")[:2] for text in told] == [
        (whole.trace_id.hex(), first.span_id.hex()),
        (whole.trace_id.hex(), second.span_id.hex()),
    ]
    assert whole.start_time_unix_nano <= first.start_time_unix_nano
    assert second.end_time_unix_nano <= whole.end_time_unix_nano
    known = {"task_scheduler.task.id": "pump", "task_scheduler.run.id": run_id}
    assert known.items() <= attributes_of(whole).items()
    assert attributes_of(first)["error.type"] == "failed"
    assert "the pump is off" in first.status.message
    assert (first.status.code, second.status.code, whole.status.code) == (2, 0, 0)
    assert attributes_of(whole)["task_scheduler.attempts"] == 2
    assert collector.resource["service.name"] == "farm"
    assert collector.headers[0]["path"] == "/v1/traces"
    assert collector.headers[0]["x-farm"] == "7"


def test_a_script_and_a_request_are_told_their_span(make: Make, tmp_path: Path) -> None:
    script = tmp_path / "tell.py"
    script.write_text(
        textwrap.dedent(
            """
            import json, os, sys
            from task_scheduler import current_run
            told = [os.environ.get("TRACEPARENT"), current_run().traceparent]
            open(sys.argv[1], "w").write(json.dumps(told))
            """
        )
    )
    kept = tmp_path / "told.json"
    root = str(Path(__file__).parents[3])
    with collecting() as collector, serving(answer()) as server:
        scheduler = make(monitoring={"traces": {"endpoint": collector.url}})
        scheduler.add_task(
            ScriptTask(
                "script",
                None,
                str(script),
                [str(kept)],
                interpreter=sys.executable,
                env={"PYTHONPATH": root},
            )
        )
        scheduler.add_task(HttpTask("http", None, server.url("/x")))
        for task_id in ("script", "http"):
            assert settled(scheduler, scheduler.run_task(task_id))["state"] == "succeeded"
        scheduler.stop(10)
        of_script, of_http = collector.named("attempt script"), collector.named("attempt http")

    told = json.loads(kept.read_text())
    assert told[0] == told[1]
    assert parts(told[0]) == (of_script[0].trace_id.hex(), of_script[0].span_id.hex(), "01")
    given = parts(server.seen[0].headers["traceparent"])
    assert given == (of_http[0].trace_id.hex(), of_http[0].span_id.hex(), "01")


def test_what_a_function_traces_is_part_of_its_run(make: Make) -> None:
    seen: list[Any] = []

    def look() -> bool:
        seen.append((get_current_span().get_span_context(), current_run().traceparent))
        return True

    with collecting() as collector:
        scheduler = make(monitoring={"traces": {"endpoint": collector.url}})
        scheduler.add_task(FunctionTask("f", None, look))
        settled(scheduler, scheduler.run_task("f"))

    [(context, told)] = seen
    assert parts(told)[:2] == (f"{context.trace_id:032x}", f"{context.span_id:016x}")
    assert not get_current_span().get_span_context().is_valid


def test_without_traces_nobody_is_told_of_one(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Any] = []
    with serving(answer()) as server:
        scheduler = make()
        scheduler.add_task(HttpTask("http", None, server.url()))
        scheduler.add_task(
            FunctionTask("f", None, lambda: told.append(current_run().traceparent) is None)
        )
        for task_id in ("http", "f"):
            settled(scheduler, scheduler.run_task(task_id))

    assert "traceparent" not in server.seen[0].headers
    assert told == [None]


def test_what_is_not_sampled_is_told_so_and_not_sent(make: Make) -> None:
    told: list[str | None] = []
    with collecting() as collector:
        traces = {"endpoint": collector.url, "sample_ratio": 0}
        scheduler = make(monitoring={"traces": traces})
        scheduler.add_task(
            FunctionTask("f", None, lambda: told.append(current_run().traceparent) is None)
        )
        settled(scheduler, scheduler.run_task("f"))
        scheduler.stop(10)

    assert parts(told[0] or "")[2] == "00"
    assert collector.spans == []


def test_a_collector_that_is_away_holds_up_nothing_and_is_told(make: Make) -> None:
    endpoint = f"http://127.0.0.1:{closed_port()}/v1/traces"
    traces = {"endpoint": endpoint, "timeout_seconds": 0.5}
    scheduler = make(monitoring={"traces": traces})
    scheduler.add_task(FunctionTask("f", None, lambda: True))

    runs = [settled(scheduler, scheduler.run_task("f")) for _ in range(5)]
    problem = eventually("the problem is shown", lambda: troubles(scheduler))[0]

    assert [run["state"] for run in runs] == ["succeeded"] * 5
    assert problem["where"] == endpoint


def test_an_error_in_a_span_has_no_secret(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    canary = "c4n4ry-secret-9f8e"
    monkeypatch.setenv("POND_KEY", canary)

    with collecting() as collector, serving(answer("500 Oops", f"not {canary}".encode())) as server:
        scheduler = make(
            monitoring={"traces": {"endpoint": collector.url}},
            security={"secrets": {"KEY": {"env": "POND_KEY"}}},
        )
        scheduler.add_task(HttpTask("http", None, server.url(), headers={"X-Key": "${secret:KEY}"}))
        settled(scheduler, scheduler.run_task("http"))
        scheduler.stop(10)
        [span] = collector.named("run http")

    assert "500" in span.status.message
    assert canary not in repr(collector.spans)


def test_a_problem_with_an_endpoint_tells_no_secret(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    canary = "c4n4ry-secret-9f8e"
    monkeypatch.setenv("TRACES_KEY", canary)
    endpoint = f"http://127.0.0.1:{closed_port()}/v1/traces?key="
    scheduler = make(
        monitoring={"traces": {"endpoint": endpoint + "${secret:KEY}", "timeout_seconds": 0.5}},
        security={"secrets": {"KEY": {"env": "TRACES_KEY"}}},
    )
    scheduler.add_task(FunctionTask("f", None, lambda: True))

    settled(scheduler, scheduler.run_task("f"))
    problem = eventually("the problem is shown", lambda: troubles(scheduler))[0]

    assert problem["where"] == f"{endpoint}***"
    assert canary not in repr(problem)
