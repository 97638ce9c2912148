"""The run context: in a thread, in the environment of a script, and outside of both."""

from __future__ import annotations

import logging
import math
from datetime import UTC, datetime
from typing import Any

import pytest

from task_scheduler.core.model import Claim
from task_scheduler.errors import DefinitionError, RunNotFoundError
from task_scheduler.tasks.context import (
    Progress,
    RunContext,
    active_context,
    current_run,
    environment,
)

NOON = datetime(2024, 1, 1, 12, 0, 0, 250_001, tzinfo=UTC)


@pytest.fixture
def context() -> RunContext:
    return RunContext(
        run_id=5, task_id="pump", scheduled_at=NOON, attempt=2, token=2**40, key="1704110400250001"
    )


def test_a_claim_becomes_a_context_with_an_aware_exact_moment() -> None:
    claim = Claim(
        run_id=5,
        task_id="pump",
        key="k",
        attempt=2,
        token=9,
        scheduled_at=1_704_110_400_250_001,
        due_at=1_704_110_401_000_000,
        start_by=None,
        priority=0,
        slot=0,
        executor="thread",
        timeout=None,
        clock_offset=0,
    )

    context = RunContext.of_claim(claim)

    assert context.scheduled_at == NOON
    assert context.scheduled_at.tzinfo is UTC
    assert (context.run_id, context.task_id, context.attempt, context.token, context.key) == (
        5,
        "pump",
        2,
        9,
        "k",
    )


def test_outside_a_run_there_is_none_and_the_error_is_a_lookup_error(
    monkeypatch: pytest.MonkeyPatch, context: RunContext
) -> None:
    for name in environment(context):
        monkeypatch.delenv(name, raising=False)

    assert active_context() is None
    with pytest.raises(RunNotFoundError, match="no current run") as caught:
        current_run()
    assert isinstance(caught.value, LookupError)


def test_an_activated_run_is_the_current_one_until_it_is_over(context: RunContext) -> None:
    token = context.activate()
    try:
        assert current_run() is context
    finally:
        context.deactivate(token)

    assert active_context() is None


def test_a_script_finds_its_run_in_the_environment(
    monkeypatch: pytest.MonkeyPatch, context: RunContext
) -> None:
    variables = environment(context)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    found = current_run()

    assert variables["TASK_SCHEDULER_SCHEDULED_AT"] == "2024-01-01T12:00:00.250001+00:00"
    assert environment(found) == variables
    assert found.cancelled is False


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TASK_SCHEDULER_RUN_ID", "five"),
        ("TASK_SCHEDULER_SCHEDULED_AT", "noon"),
        ("TASK_SCHEDULER_SCHEDULED_AT", "2024-01-01T12:00:00"),
        ("TASK_SCHEDULER_TOKEN", ""),
    ],
)
def test_a_damaged_environment_is_no_run(
    monkeypatch: pytest.MonkeyPatch, context: RunContext, name: str, value: str
) -> None:
    for key, sound in environment(context).items():
        monkeypatch.setenv(key, sound)
    monkeypatch.setenv(name, value)

    with pytest.raises(RunNotFoundError):
        current_run()


def test_cancelling_is_seen(context: RunContext) -> None:
    assert context.cancelled is False

    context.cancel()

    assert context.cancelled is True
    assert context.wait_cancelled(0) is True


@pytest.mark.parametrize(
    ("given", "held"),
    [(0.25, 0.25), (-3, 0.0), (7, 1.0), (math.inf, 1.0), (10**400, 1.0), (None, None)],
)
def test_progress_is_held_to_its_range(
    context: RunContext, given: float | None, held: float | None
) -> None:
    context.progress(given, "pond 3")

    assert context.last_progress == Progress(held, "pond 3")


@pytest.mark.parametrize("fraction", [math.nan, "half", True, [1]])
def test_progress_that_is_no_number_is_refused(context: RunContext, fraction: Any) -> None:
    with pytest.raises(DefinitionError, match="progress"):
        context.progress(fraction)

    assert context.last_progress is None


def test_a_progress_message_is_text_and_short(context: RunContext) -> None:
    context.progress(message="x" * 10_000)

    assert context.last_progress == Progress(None, "x" * 500)
    with pytest.raises(DefinitionError, match="message"):
        context.progress(message=5)  # type: ignore[arg-type]


def test_the_logger_gives_each_record_the_ids_and_keeps_the_caller_s_extra(
    context: RunContext, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="TaskScheduler.task"):
        context.logger.info("read %d sensors", 4, extra={"pond": 3})

    record: Any = caplog.records[0]
    assert record.name == "TaskScheduler.task"
    assert record.getMessage() == "read 4 sensors"
    assert (record.run_id, record.task_id, record.attempt, record.pond) == (5, "pump", 2, 3)
    assert context.logger is context.logger
