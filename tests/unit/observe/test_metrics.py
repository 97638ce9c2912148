"""What happens becomes figures, and their number stays bounded."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from task_scheduler.core import events
from task_scheduler.core.faults import FaultKind, Trouble
from task_scheduler.core.model import Completion, Outcome, RunState, SkipReason
from task_scheduler.core.settlement import Settlement
from task_scheduler.observe.measures import Measures
from task_scheduler.observe.metrics import Metrics
from task_scheduler.observe.standing import Standing, TaskStanding

SECOND = 1_000_000


def ended(
    task_id: str = "a",
    outcome: Outcome = Outcome.SUCCEEDED,
    *,
    state: RunState = RunState.SUCCEEDED,
    events_told: tuple[Any, ...] = (),
    **completion: Any,
) -> Settlement:
    """Return the end of an attempt that was due at 10 s and took from 11 to 13 s."""
    given: dict[str, Any] = {"started_at": 11 * SECOND, "ended_at": 13 * SECOND, **completion}
    done = Completion(1, task_id, 1, 1, outcome, **given)
    flight: Any = SimpleNamespace(claim=SimpleNamespace(due_at=10 * SECOND))
    return Settlement(flight, done, state, None, None, 0, events_told)


def settled(outcome: Outcome = Outcome.FAILED, attempt: int = 1) -> events.RunSettled:
    return events.RunSettled("a", "a", 1, attempt, outcome, None, 2 * SECOND, 13 * SECOND)


def skipped(count: int | None) -> events.RunSkipped:
    return events.RunSkipped("a", "a", SkipReason.MISFIRE, 0, SECOND, count, 0)


def figures(metrics: Metrics) -> dict[str, float]:
    families = text_string_to_metric_families(metrics.render().decode())
    return {
        "/".join([sample.name.removeprefix("task_scheduler_"), *_values_of(sample.labels)]): (
            sample.value
        )
        for family in families
        for sample in family.samples
    }


def _values_of(labels: dict[str, str]) -> list[str]:
    names = ("task", "outcome", "reason", "kind", "result", "le")
    return [labels[name] for name in names if name in labels]


def test_a_run_that_went_well_and_of_which_nobody_else_hears() -> None:
    metrics = Metrics()

    metrics.note_ends([ended(cpu_seconds=0.5, peak_memory_bytes=1_000)])
    metrics.note_ends([ended(cpu_seconds=0.25, peak_memory_bytes=700)])

    found = figures(metrics)
    assert found["runs_total/a/succeeded"] == 2
    assert found["attempts_total/a/succeeded"] == 2
    assert found["run_duration_seconds_sum/a/succeeded"] == 4
    assert found["schedule_lag_seconds_sum/a"] == 2
    assert found["schedule_lag_seconds_bucket/a/1.0"] == 2
    assert found["run_cpu_seconds_total/a"] == 0.75
    assert found["run_peak_memory_bytes/a"] == 700
    assert found["last_success_timestamp_seconds/a"] == 13


def test_what_is_told_as_an_event_is_counted_once() -> None:
    metrics = Metrics()
    event = settled()

    metrics.note_ends([ended(outcome=Outcome.FAILED, state=RunState.FAILED, events_told=(event,))])
    metrics(event)

    found = figures(metrics)
    assert found["runs_total/a/failed"] == 1
    assert found["attempts_total/a/failed"] == 1
    assert "last_success_timestamp_seconds/a" not in found


def test_an_attempt_that_is_tried_again_is_no_run_yet() -> None:
    metrics = Metrics()
    retry = events.RetryScheduled("a", "a", 1, 1, Outcome.FAILED, None, SECOND, 0)

    metrics.note_ends([ended(outcome=Outcome.FAILED, state=RunState.WAITING, events_told=(retry,))])
    metrics(retry)

    found = figures(metrics)
    assert (found["attempts_total/a/failed"], found["retries_total/a/failed"]) == (1, 1)
    assert found["runs_total/a/failed"] == 0
    assert "run_duration_seconds_count/a/failed" not in found


def test_a_run_cancelled_before_it_began_took_no_time() -> None:
    metrics = Metrics()

    metrics(settled(Outcome.CANCELLED, attempt=0))

    found = figures(metrics)
    assert found["runs_total/a/cancelled"] == 1
    assert found["schedule_lag_seconds_count/a"] == 0


def test_what_alerts_ask_for_begins_at_zero() -> None:
    """From nothing to one is no increase to Prometheus."""
    metrics = Metrics()

    metrics.note_ends([ended()])

    found = figures(metrics)
    for outcome in Outcome:
        assert found[f"runs_total/a/{outcome}"] == (outcome is Outcome.SUCCEEDED)
    for reason in ("misfire", "catch_up_limit", "expired"):
        assert found[f"skips_total/a/{reason}"] == 0
    for kind in FaultKind:
        assert found[f"faults_total/{kind}"] == found[f"fault_active/{kind}"] == 0


def test_a_range_of_skips_counts_its_occurrences() -> None:
    metrics = Metrics()

    metrics(skipped(5))
    metrics(skipped(None))

    assert figures(metrics)["skips_total/a/misfire"] == 6


def test_trouble_is_counted() -> None:
    metrics = Metrics(look=lambda _ids, _room: Standing(faults=frozenset({"log_failed"})))

    metrics(events.ThreadAbandoned("a", "a", 1, 1))
    metrics(events.EntryFailed("a", "a", "boom"))
    metrics(events.FaultBegan(Trouble(FaultKind.STORE_FULL, "/farm", "full"), 0))
    metrics(events.FaultBegan(Trouble(FaultKind.LOG_FAILED, "/logs", "full"), 0))
    metrics(events.ListenerFailed("boom"))
    metrics(events.SupervisionFaltered("boom"))
    metrics(events.ClockStepped(-SECOND))
    metrics(events.FaultEnded(Trouble(FaultKind.STORE_FULL, "/farm", "full"), SECOND))

    found = figures(metrics)
    assert found["abandoned_threads_total/a"] == 1
    assert found["entry_failures_total/a"] == 1
    assert found["store_failures_total"] == 1
    assert found["faults_total/store_full"] == 1
    assert found["faults_total/log_failed"] == 1
    assert (found["fault_active/store_full"], found["fault_active/log_failed"]) == (0, 1)
    assert found["listener_failures_total"] == 1
    assert found["supervision_failures_total"] == 1
    assert found["clock_steps_total"] == 1


def test_a_ledger_is_held_until_it_is_released() -> None:
    metrics = Metrics()
    assert figures(metrics)["ledger_held"] == 0

    metrics(events.LedgerHeld("rolled_back", SECOND))
    assert figures(metrics)["ledger_held"] == 1

    metrics(events.LedgerReleased(SECOND, 3, 0))
    assert figures(metrics)["ledger_held"] == 0


def test_tasks_beyond_the_limit_share_a_label() -> None:
    metrics = Metrics(task_limit=2)

    metrics.note_ends([ended(task_id) for task_id in ["a", "b", "c", "d", "a", "_other"]])

    found = figures(metrics)
    counts = {name: found[f"runs_total/{name}/succeeded"] for name in ("a", "b", "_other")}
    assert counts == {"a": 2, "b": 1, "_other": 3}
    assert (found["task_series"], found["task_series_limit"]) == (2, 2)
    assert "last_success_timestamp_seconds/_other" not in found


def test_a_task_that_is_removed_makes_room() -> None:
    metrics = Metrics(task_limit=1)
    metrics.note_ends([ended("a")])

    metrics(events.EntryRemoved("a", "a"))
    metrics.note_ends([ended("b")])

    found = figures(metrics)
    assert found["runs_total/b/succeeded"] == 1
    assert "runs_total/a/succeeded" not in found


def test_the_number_of_lines_is_bounded_whatever_the_tasks_do() -> None:
    metrics = Metrics(task_limit=10)
    empty = len(figures(metrics))
    for number in range(200):
        for outcome in Outcome:
            metrics.note_ends([ended(f"t{number}", outcome, cpu_seconds=1.0, peak_memory_bytes=1)])
            metrics(events.RetryScheduled(f"t{number}", "t", 1, 1, outcome, None, 0, 0))
        for reason in SkipReason:
            metrics(events.RunSkipped(f"t{number}", "t", reason, 0, 0, 1, 0))

    assert len(figures(metrics)) - empty < 11 * 130


def test_a_hostile_id_is_escaped() -> None:
    metrics = Metrics()

    metrics.note_ends([ended('a"}\n1')])

    assert figures(metrics)['runs_total/a"}\n1/succeeded'] == 1


def test_a_task_with_a_secret_in_its_id_is_not_shown() -> None:
    metrics = Metrics(mask=lambda text: text.replace("s3cret", "***"))

    metrics.note_ends([ended("feed-s3cret"), ended("feed")])

    assert b"s3cret" not in metrics.render()
    assert figures(metrics)["runs_total/feed/succeeded"] == 1


def test_how_everything_stands_is_asked_for_at_each_rendering() -> None:
    asked: list[tuple[list[str], int]] = []

    def look(ids: Any, room: int) -> Standing:
        asked.append((list(ids), room))
        tasks = [
            TaskStanding("a", 20 * SECOND, False, False, 5 * SECOND),
            TaskStanding("b", None, True, True, None),
        ]
        return Standing(
            is_active=True, entries=2, running=1, queue_depth=4, programs=1, tasks=tasks
        )

    metrics = Metrics(look=look, task_limit=5)
    metrics.note_ends([ended("a")])

    first = figures(metrics)
    figures(metrics)

    assert asked == [(["a"], 4), (["a", "b"], 3)]
    assert (first["entries"], first["running"], first["queue_depth"]) == (2, 1, 4)
    assert first["next_run_timestamp_seconds/a"] == 20
    assert "next_run_timestamp_seconds/b" not in first
    assert (first["task_paused/a"], first["task_paused/b"]) == (0, 1)
    assert (first["task_unresolved/b"], first["launcher_up"]) == (1, 0)
    # It succeeded here after what the ledger told.
    assert first["last_success_timestamp_seconds/a"] == 13


def test_what_is_not_known_is_left_out() -> None:
    found = figures(Metrics(look=lambda _ids, _room: Standing(is_ledger_readable=False)))

    assert (found["ledger_readable"], found["active"]) == (0, 0)
    names = ("entries", "running", "queue_depth", "commit_seconds", "workers", "scrapes", "spans")
    assert [name for name in found if name.startswith(names)] == []


def test_two_schedulers_in_a_process_count_apart() -> None:
    one, other = Metrics(), Metrics()

    one.note_ends([ended()])

    assert "runs_total/a/succeeded" not in figures(other)


class StillClock:
    """Clocks that stand."""

    def now(self) -> int:
        return SECOND

    def boottime(self) -> int:
        return SECOND


def test_what_the_scheduler_measures_of_itself_is_rendered() -> None:
    measures = Measures(StillClock(), workers=7)
    measures.commit.observe_all([90, 150, 3 * SECOND, 2_000 * SECOND, 4_000 * SECOND])
    measures.seats.is_full = True
    measures.seats.note(2 * SECOND, is_full=True)

    found = figures(Metrics(look=lambda _ids, _room: Standing(measures=measures)))

    assert found["commit_seconds_count"] == 5
    assert found["commit_seconds_sum"] == pytest.approx(6_003.00024)
    buckets = [found[f"commit_seconds_bucket/{le}"] for le in ("5e-05", "0.0001", "0.0002", "5.0")]
    assert buckets == [0, 1, 2, 3]
    assert (found["full_seconds_total"], found["workers"]) == (2, 7)
    others = ("start_lateness", "queue_wait", "tick", "wake_delay")
    assert {f"{name}_seconds_count" for name in others} <= set(found)
