"""`tsk edit` with an editor in a terminal: the difference first, then the question."""

from __future__ import annotations

import subprocess

import pytest

from tests.integration.terminal.conftest import Place, Screen

pytestmark = pytest.mark.may_skip(reason="tmux is installed where that is allowed")

Up = subprocess.Popen


def test_the_difference_is_shown_before_it_is_saved(place: Place, screen: Screen, up: Up) -> None:
    # An editor that puts its file in the place of the old one, as many do.
    screen.type("export VISUAL=\"sed -i 's/2592000/3600/'\"")
    screen.tsk("edit heartbeat")
    seen = screen.until('+      "seconds": 3600', "Save this?")
    assert '-      "seconds": 2592000' in seen

    screen.press("n", "Enter")
    screen.until("nothing of heartbeat was changed", "code=0")
    assert place.json("show", "heartbeat")["task"]["rules"][0]["seconds"] == 2_592_000

    screen.tsk("edit heartbeat")
    screen.until("Save this?", gone="code=0")
    screen.press("y", "Enter")

    screen.until("saved heartbeat: every hour", "code=0")
    assert place.json("show", "heartbeat")["task"]["rules"][0]["seconds"] == 3_600
    assert "tsk diff" in screen.text()


def test_what_is_wrong_can_be_edited_again_and_is_kept(
    place: Place, screen: Screen, up: Up
) -> None:
    screen.type("export VISUAL=\"sed -i 's/interval/intervall/'\" TMPDIR=$PWD")
    screen.tsk("edit heartbeat")
    screen.until("Edit again?")

    screen.press("n", "Enter")

    screen.until("What you typed is kept in", "code=7")
    (kept,) = place.folder.glob("tsk-edit-heartbeat-*.json")
    assert "intervall" in kept.read_text(encoding="utf-8")
