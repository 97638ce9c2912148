"""What slows a scheduler down is named, with the figure and the setting that mends it."""

from __future__ import annotations

from typing import Any

import pytest

from task_scheduler.doctor.findings import Level
from task_scheduler.doctor.pace import (
    Load,
    SeatUse,
    judge_commits,
    judge_interpreter,
    judge_lateness,
    judge_overlaps,
    judge_seats,
    judge_slow_task,
)

MILLI = 0.001


def summary(p99: float = MILLI, *, count: int = 1_000) -> dict[str, Any]:
    return {
        "count": count,
        "mean_seconds": p99 / 2,
        "p50_seconds": p99 / 4,
        "p95_seconds": p99,
        "p99_seconds": p99,
        "max_seconds": p99,
    }


def measures(full: float | None = 0.0, **p99_of: float) -> dict[str, Any]:
    """Return the figures of a calm scheduler of ten workers, but for those that are given."""
    names = ("start_lateness", "queue_wait", "duration", "tick", "commit", "wake_delay")
    figures = {name: {"recent": summary(p99_of.get(name, MILLI))} for name in names}
    return {"workers": 10, "full_share": {"recent": full, "whole": full}, **figures}


CALM = Load(process_cores=0.1, runnable_per_core=0.3)
BUSY = Load(process_cores=1.0, runnable_per_core=0.5)
CROWDED = Load(process_cores=0.1, runnable_per_core=8.0)


@pytest.mark.parametrize(
    ("p99", "level"),
    [(MILLI, Level.FINE), (0.5, Level.WARNING), (4.9, Level.WARNING), (5.0, Level.PROBLEM)],
)
def test_lateness_has_two_limits(p99: float, level: Level) -> None:
    assert judge_lateness(measures(start_lateness=p99)).level is level


@pytest.mark.parametrize("judge", [judge_lateness, judge_commits])
def test_without_figures_nothing_is_claimed(judge: Any) -> None:
    few = measures()
    for name in ("start_lateness", "commit"):
        few[name]["recent"] = summary(9.0, count=19)

    assert judge(None).level is Level.UNKNOWN
    assert judge(few).level is Level.UNKNOWN


def test_a_full_pool_in_which_runs_wait_names_the_workers_that_would_do() -> None:
    finding = judge_seats(measures(full=0.6, queue_wait=2.0), backlog=4, load=CALM)

    assert finding.level is Level.WARNING
    assert finding.command == "scheduler.max_workers: 16"
    assert "60%" in finding.told()
    assert "scheduler.max_workers: 16" in finding.advice()


def test_a_pool_that_is_always_full_is_a_problem() -> None:
    finding = judge_seats(measures(full=1.0, queue_wait=2.0), backlog=0, load=CALM)

    assert (finding.level, finding.command) == (Level.PROBLEM, "scheduler.max_workers: 20")


def test_more_workers_do_not_help_a_process_that_computes() -> None:
    finding = judge_seats(measures(full=1.0, queue_wait=2.0), backlog=9, load=BUSY)

    assert (finding.level, finding.command) == (Level.PROBLEM, "isolation: process")


def test_a_full_pool_in_which_nobody_waits_is_just_busy() -> None:
    finding = judge_seats(measures(full=0.95, queue_wait=0.05), backlog=0, load=CALM)

    assert (finding.level, finding.remedy) == (Level.FINE, "")


def test_seats_are_unknown_before_anything_was_seen() -> None:
    assert judge_seats(measures(full=None), backlog=0, load=CALM).level is Level.UNKNOWN
    assert judge_seats(None, backlog=None, load=CALM).level is Level.UNKNOWN


def test_a_function_that_computes_is_the_hog_of_the_interpreter() -> None:
    finding = judge_interpreter(measures(wake_delay=0.05), load=BUSY, functions=["fit_model"])

    assert finding.level is Level.WARNING
    assert finding.sentence == "interpreter_hog"
    assert "fit_model" in finding.told()
    assert finding.command == "isolation: process"


def test_a_crowded_machine_is_told_from_a_hog() -> None:
    finding = judge_interpreter(measures(wake_delay=0.3), load=CROWDED)

    assert (finding.level, finding.sentence) == (Level.PROBLEM, "interpreter_crowded")


def test_a_delay_of_which_nothing_is_left_to_see_is_not_pinned_on_anybody() -> None:
    finding = judge_interpreter(measures(wake_delay=0.3), load=CALM)

    assert finding.sentence == "interpreter_unclear"


def test_a_slow_disk_is_a_problem_of_the_disk() -> None:
    finding = judge_commits(measures(commit=0.6))

    assert (finding.level, finding.command) == (Level.PROBLEM, "storage.path")


def test_a_commit_that_waits_for_the_interpreter_is_no_slow_disk() -> None:
    finding = judge_commits(measures(commit=0.06, wake_delay=0.05))

    assert (finding.level, finding.sentence) == (Level.FINE, "commits_of_interpreter")


HOURLY = SeatUse("report", runs=10, seconds=3_000, longest_seconds=900, window_seconds=600)
SHORT = SeatUse("ping", runs=500, seconds=5, longest_seconds=0.1, window_seconds=600)


def test_a_task_that_holds_half_of_the_seats_while_they_are_short_is_named() -> None:
    finding = judge_slow_task([SHORT, HOURLY], workers=4, measures=measures(full=0.7))

    assert finding.level is Level.WARNING
    assert finding.figures["task_id"] == "report"
    assert finding.figures["seat_share"] == 0.5
    assert finding.command == "tsk show report"


def test_a_long_task_in_a_pool_with_free_seats_is_in_nobodys_way() -> None:
    finding = judge_slow_task([HOURLY], workers=10, measures=measures(full=0.1))

    assert (finding.level, finding.command) == (Level.FINE, "")


def test_with_the_scheduler_down_the_ledger_alone_tells() -> None:
    finding = judge_slow_task([HOURLY], workers=10)

    assert (finding.level, finding.figures["seat_share"]) == (Level.WARNING, 0.5)


def test_of_a_few_seconds_of_work_nothing_is_told() -> None:
    use = SeatUse("ping", runs=3, seconds=9, longest_seconds=3, window_seconds=9)

    assert judge_slow_task([use], workers=1).level is Level.UNKNOWN


def test_a_task_that_overtakes_itself_is_named() -> None:
    finding = judge_overlaps([("a", 2), ("b", 7), ("c", 5)])

    assert finding.figures == {"task_id": "b", "count": 7, "tasks": 2}
    assert finding.command == "tsk why b"


def test_one_overlap_is_no_habit() -> None:
    assert judge_overlaps([("a", 2)]).level is Level.FINE
