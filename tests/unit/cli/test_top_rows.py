"""The rows of the live view fit, whatever stands in them."""

from __future__ import annotations

from datetime import UTC
from typing import Any

import pytest

from task_scheduler.cli.display_width import width_of
from task_scheduler.cli.foot_line import progress_bar, standing_text
from task_scheduler.cli.moments import Moments
from task_scheduler.cli.top.reading import Reading
from task_scheduler.cli.top.rows import (
    coming_text,
    cut,
    facts_text,
    header,
    log_title,
    needs_texts,
    running_texts,
    task_row,
)
from task_scheduler.i18n import LANGUAGES, set_language
from tests.unit.cli.made_ledger import NOW

MOMENTS = Moments(UTC, NOW)
AGO = "2026-11-23T20:59:52+00:00"
"""Twenty seconds ago."""


def task(task_id: str, **values: Any) -> dict[str, Any]:
    return {
        "task_id": task_id,
        "name": task_id,
        "status": "idle",
        "schedule": ["毎日 8:00 に実行します"],
        "rule_error": None,
        "next_run_time": "2026-11-23T21:05:00+00:00",
        "last_run_time": AGO,
        "paused_at": None,
        "run_count": 1_234_567,
        **values,
    }


def run(**values: Any) -> dict[str, Any]:
    return {
        "task_id": "upload",
        "run_id": 83,
        "state": "running",
        "started_at": AGO,
        "waiting_for": None,
        "attempt": 1,
        "duration_seconds": None,
        **values,
    }


def reading(**values: Any) -> Reading:
    return Reading(NOW, "", "fine", "All is well.", {"pid": 7, "state": "running"}, **values)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("width", [60, 80, 200])
def test_every_line_is_exactly_as_wide_as_the_screen(language: str, width: int) -> None:
    set_language(language)
    row = task_row(task("水温センサー" * 9), None, MOMENTS, width, is_late=True, is_selected=True)
    titles = header(width, "last", is_reversed=False)

    assert width_of("".join(piece.text for piece in row)) == width
    assert width_of("".join(piece.text for piece in titles)) == width


def test_what_does_not_fit_ends_with_a_mark_between_whole_characters() -> None:
    assert cut("水温センサー", 6) == "水温… "
    assert cut("水温", 6) == "水温  "
    assert cut("evil\x1b[2J", 9) == "evil\ufffd[2J "


def test_a_running_run_shows_its_time_and_the_usual_one() -> None:
    text = standing_text(run(), NOW, 40.0, width=79)

    assert text.startswith("● upload #83  00:20  usually 40s  ━━━━━━━━━━━━━━━─")
    assert width_of(text) <= 79


def test_one_that_takes_longer_than_usual_ends_its_bar_with_a_mark() -> None:
    assert progress_bar(0.5, 10) == "━" * 5 + "─" * 5
    assert progress_bar(1.2, 10) == "━" * 9 + "»"


def test_one_that_waits_says_for_what() -> None:
    text = standing_text(run(state="waiting", waiting_for="pool"), NOW, None, width=79)

    assert text == "● upload #83  waits for a place in its pool"


def test_of_many_that_run_the_rest_is_counted() -> None:
    many = reading(running=[run(run_id=number) for number in range(9)])

    lines = running_texts(many, NOW, 80, 4)

    assert len(lines) == 4
    assert lines[-1].strip() == "and 6 more that run"


def test_tasks_with_one_cause_are_one_line() -> None:
    found = reading(
        causes=[("exit code 1", ["a", "b", "c", "d", "e"]), ("lost", ["f"]), ("x", ["g"])]
    )

    assert needs_texts(found, 80) == [
        "✕ a, b, c and 2 more: exit code 1",
        "✕ f: lost  and 1 more causes",
    ]


def test_what_is_next_fills_a_line_and_no_more() -> None:
    found = reading(coming=[task(f"task-{number}") for number in range(9)])

    text = coming_text(found, MOMENTS, 60)

    assert text.startswith("Next: 21:05 in 4m 48s task-0 · 21:05 in 4m 48s task-1")
    assert width_of(text) <= 60
    assert coming_text(reading(), MOMENTS, 60) == "Next: nothing is planned"


def test_the_figures_name_the_process_and_the_counts() -> None:
    counts = {"total_tasks": 4, "running_tasks": 1, "waiting": 2, "retrying": 3}

    assert facts_text(reading(counts=counts), "UTC+0000") == (
        "scheduler 7 · tasks 4 · running 1 · waiting 2 · retrying 3 · UTC+0000"
    )


def test_the_title_of_the_output_tells_of_which_run_it_is() -> None:
    found = reading(run=run(state="failed", duration_seconds=12.4, attempt=2))

    title = log_title(found, 80, is_following=True).rstrip()

    assert title == "upload #83 · failed · 12s · attempt 2 · following"
    assert log_title(reading(), 80, is_following=True).startswith("No run of this task")
