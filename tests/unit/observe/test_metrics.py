"""Events become figures, and their number stays bounded."""

from __future__ import annotations

import pytest
from prometheus_client.parser import text_string_to_metric_families

from task_scheduler.core import events
from task_scheduler.core.faults import FaultKind, Trouble
from task_scheduler.core.model import Outcome, SkipReason
from task_scheduler.observe.measures import Measures
from task_scheduler.observe.metrics import Metrics

SECOND = 1_000_000


def started(task_id: str = "a", run_id: int = 1) -> events.AttemptStarted:
    return events.AttemptStarted(task_id, task_id, run_id, 1, 0)


def settled(run_id: int = 1, attempt: int = 1) -> events.RunSettled:
    return events.RunSettled("a", "a", run_id, attempt, Outcome.SUCCEEDED, None, 2 * SECOND, 0)


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
    return [labels[name] for name in ("task", "outcome", "reason", "kind", "le") if name in labels]


def test_a_run_from_start_to_end() -> None:
    metrics = Metrics()

    metrics(started())
    running = figures(metrics)
    metrics(settled())

    assert (running["running"], running["attempts_started_total/a"]) == (1, 1)
    over = figures(metrics)
    assert (over["running"], over["runs_total/a/succeeded"]) == (0, 1)
    assert over["run_duration_seconds_sum/a/succeeded"] == 2
    assert over["run_duration_seconds_count/a/succeeded"] == 1


def test_a_retry_ends_its_attempt() -> None:
    metrics = Metrics()
    metrics(started())

    metrics(events.RetryScheduled("a", "a", 1, 1, Outcome.FAILED, None, SECOND, 0))

    found = figures(metrics)
    assert (found["running"], found["retries_total/a/failed"]) == (0, 1)


def test_an_attempt_found_alive_after_a_restart_runs() -> None:
    metrics = Metrics()

    metrics(events.AttemptRecovered("a", "a", 1, 1, "alive"))
    metrics(events.AttemptRecovered("a", "a", 2, 1, "lost"))

    assert figures(metrics)["running"] == 1


def test_a_run_cancelled_before_it_began_took_no_time() -> None:
    metrics = Metrics()

    metrics(settled(attempt=0))

    assert "run_duration_seconds_count/a/succeeded" not in figures(metrics)


def test_a_range_of_skips_counts_its_occurrences() -> None:
    metrics = Metrics()

    metrics(skipped(5))
    metrics(skipped(None))

    assert figures(metrics)["skips_total/a/misfire"] == 6


def test_trouble_is_counted() -> None:
    metrics = Metrics()

    metrics(events.ThreadAbandoned("a", "a", 1, 1))
    metrics(events.EntryFailed("a", "a", "boom"))
    metrics(events.FaultBegan(Trouble(FaultKind.STORE_FULL, "/farm", "full"), 0))
    metrics(events.FaultBegan(Trouble(FaultKind.LOG_FAILED, "/logs", "full"), 0))
    metrics(events.ListenerFailed("boom"))
    metrics(events.ClockStepped(-SECOND))
    metrics(events.FaultEnded(Trouble(FaultKind.STORE_FULL, "/farm", "full"), SECOND))

    found = figures(metrics)
    assert found["abandoned_threads_total/a"] == 1
    assert found["entry_failures_total/a"] == 1
    assert found["store_failures_total"] == 1
    assert found["faults_total/store_full"] == 1
    assert found["faults_total/log_failed"] == 1
    assert found["listener_failures_total"] == 1
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

    for number, task_id in enumerate(["a", "b", "c", "d", "a"]):
        metrics(started(task_id, number))

    found = figures(metrics)
    counts = {name: found[f"attempts_started_total/{name}"] for name in ("a", "b", "_other")}
    assert counts == {"a": 2, "b": 1, "_other": 2}


def test_a_hostile_id_is_escaped() -> None:
    metrics = Metrics()

    metrics(started('a"}\n1'))

    assert figures(metrics)['attempts_started_total/a"}\n1'] == 1


def test_entries_are_asked_for_at_each_rendering() -> None:
    count = [3]
    metrics = Metrics(count_entries=lambda: count[0])
    before = figures(metrics)["entries"]
    count[0] = 4

    assert (before, figures(metrics)["entries"]) == (3, 4)
    assert "entries" not in figures(Metrics())


def test_two_schedulers_in_a_process_count_apart() -> None:
    one, other = Metrics(), Metrics()

    one(started())

    assert figures(other)["running"] == 0


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

    found = figures(Metrics(measures=lambda: measures))

    assert found["commit_seconds_count"] == 5
    assert found["commit_seconds_sum"] == pytest.approx(6_003.00024)
    buckets = [found[f"commit_seconds_bucket/{le}"] for le in ("5e-05", "0.0001", "0.0002", "5.0")]
    assert buckets == [0, 1, 2, 3]
    assert (found["full_seconds_total"], found["workers"]) == (2, 7)
    others = ("start_lateness", "queue_wait", "tick", "wake_delay")
    assert {f"{name}_seconds_count" for name in others} <= set(found)


def test_a_process_that_holds_nothing_has_no_figures_of_its_own() -> None:
    found = figures(Metrics(measures=lambda: None))

    assert [name for name in found if name.startswith(("commit", "workers"))] == []
