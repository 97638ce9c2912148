"""`tsk top` in a terminal of 80 by 24, in three languages."""

from __future__ import annotations

import subprocess

import pytest

from task_scheduler import CommandTask, TaskScheduler
from task_scheduler.i18n import translate_into
from tests.integration.shell import until
from tests.integration.terminal.conftest import ENTRIES, HEIGHT, Place, Screen, configured

pytestmark = pytest.mark.may_skip(reason="tmux is installed where that is allowed")

Up = subprocess.Popen


def said(language: str, key: str, **values: object) -> str:
    return translate_into(language, key, **values)


@pytest.mark.parametrize("language", ["en", "zh", "ja"])
def test_everything_is_on_one_screen(place: Place, screen: Screen, up: Up, language: str) -> None:
    assert place.tsk("run", "bad", "--wait").returncode == 9
    assert place.tsk("run", "slow", "-q").returncode == 0

    screen.tsk(f"top --lang {language} --search slow")

    seen = screen.until("line 4", "● slow #")
    lines = seen.split("\n")
    assert lines[0] == "✕ " + said(language, "cli.verdict_problems", problems=1, count=5)
    assert f"{up.pid} · " in lines[1]
    assert "✕ bad: " in seen
    assert said(language, "top.coming").strip() in seen
    assert said(language, "cli.column_task") in seen
    assert said(language, "cli.state_running") in seen
    foot = lines[HEIGHT - 1]
    assert said(language, "top.filtered", text="slow", count=1) in foot
    assert f"r {said(language, 'top.key_run')}" in foot
    screen.press("q")
    screen.until("code=0")
    assert place.json("runs", "slow")["runs"][0]["state"] == "running"


def test_it_is_calm_when_all_is_well(place: Place, screen: Screen, up: Up) -> None:
    until(lambda: place.json("runs", "heartbeat")["runs"][:1])
    until(lambda: place.json("runs", "heartbeat")["runs"][0]["state"] == "succeeded")

    screen.tsk("top")

    seen = screen.until("✓ All is well", "heartbeat", "flaky")
    assert "STALE" not in seen
    screen.press("C-c")
    screen.until("code=0")


def test_a_key_runs_a_task_after_asking_and_its_output_comes(
    place: Place, screen: Screen, up: Up
) -> None:
    screen.tsk("top --search slow")
    screen.until("slow", "No run of this task has begun yet")

    screen.press("r")
    screen.until("Run slow now?")
    screen.press("n")
    screen.until("slow", gone="Run slow now?")
    assert place.json("runs", "slow")["runs"] == []

    screen.press("r")
    screen.until("Run slow now?")
    screen.press("y")

    screen.until("● slow #", "line 2")


def test_a_key_pauses_a_task_and_plans_it_again(place: Place, screen: Screen, up: Up) -> None:
    screen.tsk("top --search heartbeat")
    screen.until("✓ heartbeat")

    screen.press("p")
    screen.until("Pause heartbeat?")
    screen.press("y")
    screen.until("= heartbeat", gone="Pause heartbeat?")
    assert place.json("show", "heartbeat")["task"]["status"] == "paused"

    screen.press("p")
    screen.until("Plan heartbeat again?")
    screen.press("y")
    screen.until("✓ heartbeat", gone="= heartbeat")
    assert place.json("show", "heartbeat")["task"]["status"] == "idle"


def test_a_key_ends_what_runs(place: Place, screen: Screen, up: Up) -> None:
    assert place.tsk("run", "slow", "-q").returncode == 0
    screen.tsk("top --search slow")
    screen.until("● slow #", "line 1")

    screen.press("K")
    screen.until("End what runs of slow")
    screen.press("y")

    screen.until("cancelled", gone="● slow #")
    assert place.json("runs", "slow")["runs"][0]["state"] == "cancelled"


def test_a_key_does_a_failed_run_again(place: Place, screen: Screen, up: Up) -> None:
    assert place.tsk("run", "bad", "--wait").returncode == 9
    screen.tsk("top")
    screen.until("✕ bad")

    screen.press("R")
    screen.until("Do the failed run of bad again?")
    screen.press("y")

    until(lambda: len(place.json("runs", "bad")["runs"]) == 2)
    new, old = place.json("runs", "bad")["runs"]
    assert new["retry_of"] == old["run_id"]


def test_a_text_narrows_the_list_while_it_is_typed(screen: Screen, up: Up) -> None:
    screen.tsk("top")
    screen.until("heartbeat", "flaky")

    screen.press("/")
    screen.write("flak")
    # The row of the task that is gone; in the line of what is next it may stand.
    screen.until("flaky", "[/flak: 1]", gone="   brief")
    screen.press("Escape")

    screen.until("brief", "slow", gone="[/flak")


def test_the_keys_and_a_task_have_their_pages(screen: Screen, up: Up) -> None:
    screen.tsk("top")
    screen.until("heartbeat")

    screen.press("?")
    screen.until("do the last failed run again")
    screen.press("Escape")
    screen.until("heartbeat", gone="do the last failed run again")
    screen.press("g", "t")
    screen.press("Enter")

    screen.until("declared by: config", "bad")


def test_without_a_scheduler_it_shows_what_the_ledger_says(place: Place, screen: Screen) -> None:
    with place.scheduler():
        until(lambda: place.json("runs", "heartbeat")["runs"][:1])
        screen.tsk("top")
        screen.until("heartbeat", gone="No scheduler answers")

    seen = screen.until("No scheduler answers", "heartbeat", "✕ No scheduler runs")
    assert "✓ All is well" not in seen

    with place.scheduler():
        screen.until("heartbeat", gone="No scheduler answers")


def test_ten_thousand_tasks_are_one_key_away_from_their_end(place: Place, screen: Screen) -> None:
    place.write_config(configured({}))
    scheduler = TaskScheduler(place.folder / "scheduler_config.json")
    scheduler.add_tasks((CommandTask(f"task-{n:05}", None, ["true"]), None) for n in range(10_000))
    scheduler.stop()
    screen.tsk("top")
    screen.until("task-00000")

    screen.press("End")
    screen.until("task-09999")
    screen.press("/")
    screen.write("task-0777")

    screen.until("task-07770", "[/task-0777: 10]", gone="task-09999")


def test_nothing_is_lost_without_colours(place: Place, screen: Screen, up: Up) -> None:
    screen.type("export NO_COLOR=1")
    screen.tsk("top")
    seen = screen.until(*list(ENTRIES))

    assert len(seen.split("\n")) <= HEIGHT
