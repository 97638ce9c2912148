"""`run --watch`, `logs -f` and Ctrl-C, as they look in a terminal."""

from __future__ import annotations

import subprocess

import pytest

from tests.integration.shell import until
from tests.integration.terminal.conftest import Place, Screen

pytestmark = pytest.mark.may_skip(reason="tmux is installed where that is allowed")

Up = subprocess.Popen


def test_a_watched_run_shows_how_long_it_takes_and_usually_takes(
    place: Place, screen: Screen, up: Up
) -> None:
    assert place.tsk("run", "brief", "--wait").returncode == 0

    screen.tsk("run brief --watch")

    screen.until("working", "● brief #", "  usually ", "━")
    ended = screen.until("code=0")
    assert "succeeded after" in ended
    assert "●" not in ended


def test_a_watched_run_ends_with_its_outcome_and_what_to_type(screen: Screen, up: Up) -> None:
    screen.tsk("run bad --watch")

    ended = screen.until("code=9")
    assert "going down" in ended
    assert "exit code 3" in ended
    assert "tsk retry " in ended


def test_the_exit_code_of_the_program_is_passed_where_that_is_asked_for(
    screen: Screen, up: Up
) -> None:
    screen.tsk("run bad --watch --exit-status")

    screen.until("code=3")


def test_ctrl_c_ends_the_watching_and_not_the_run(place: Place, screen: Screen, up: Up) -> None:
    screen.tsk("run slow --watch")
    screen.until("line 2")

    screen.press("C-c")

    told = screen.until("code=130")
    run_id = place.json("runs", "slow")["runs"][0]["run_id"]
    assert f"run {run_id} goes on" in told
    assert f"tsk kill {run_id}" in told
    assert "Traceback" not in told
    assert place.state_of(run_id) == "running"


def test_a_second_ctrl_c_ends_at_once_and_quietly(place: Place, screen: Screen, up: Up) -> None:
    screen.tsk("run slow --watch")
    screen.until("line 1")

    screen.press("C-c", "C-c", "C-c")

    screen.until("ready>")
    screen.type("echo still here")
    told = screen.until("still here\n")
    assert "Traceback" not in told
    assert place.json("runs", "slow")["runs"][0]["state"] == "running"


def test_followed_output_is_shown_as_it_comes_and_ctrl_c_leaves_the_run_alive(
    place: Place, screen: Screen, up: Up
) -> None:
    run_id = int(place.tsk("run", "slow", "-q").stdout)
    screen.tsk("logs slow -f")
    screen.until("line 0", "line 3")

    screen.press("C-c")

    told = screen.until("code=130", f"run {run_id} goes on", f"tsk logs {run_id} -f")
    assert "Traceback" not in told
    assert place.state_of(run_id) == "running"


def test_following_goes_on_through_a_retry(screen: Screen, place: Place, up: Up) -> None:
    run_id = place.tsk("run", "flaky", "-q").stdout.strip()
    screen.tsk(f"logs {run_id} -f")

    told = screen.until("code=0")

    assert told.split("\n").count("one try") == 2
    assert told.index("attempt 2 comes at") < told.index("-- attempt 2 --")
    assert "has ended: failed" in told


def test_following_goes_on_where_the_log_was_emptied(place: Place, screen: Screen, up: Up) -> None:
    log = place.folder / "logs" / "scheduler.log"
    until(lambda: log.exists() and log.stat().st_size)
    screen.tsk("logs --scheduler -f -n 3")
    with log.open("a", encoding="utf-8") as file:
        file.write("before it was emptied\n" * 3)
    screen.until("before it was emptied")

    log.write_text("and after it\n", encoding="utf-8")

    screen.until("and after it")
    screen.press("C-c")
    screen.until("code=130")
