"""What is said on a terminal fits it, and what is to be typed can be copied."""

from __future__ import annotations

import pytest

from task_scheduler.cli.display_width import width_of
from task_scheduler.cli.talk import hint_lines, talk_lines
from task_scheduler.i18n import LANGUAGES, set_language, translate


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("width", [40, 60, 80])
def test_a_sentence_is_broken_between_words_and_nothing_is_lost(language: str, width: int) -> None:
    set_language(language)
    sentence = translate("errors.task_not_found_near", task_id="hartbeat", hint="'heartbeat'")

    lines = talk_lines(sentence, width)

    assert [line for line in lines if width_of(line) > width] == []
    assert "".join(lines).replace(" ", "") == sentence.replace(" ", "")


@pytest.mark.parametrize("width", range(40, 80))
def test_a_command_is_never_broken(width: int) -> None:
    sentence = (
        "Wait until they have ended (tsk restore shows them), or go on from this moment:"
        " tsk restore --resume-from now; what runs says: tsk runs TASK"
    )

    lines = talk_lines(sentence, width)

    for command in ("tsk restore", "tsk restore --resume-from now", "tsk runs TASK"):
        assert any(command in line for line in lines), lines


def test_where_there_is_no_terminal_a_sentence_is_one_line() -> None:
    sentence = "word " * 50

    assert talk_lines(sentence, None) == [sentence]


def test_what_is_laid_out_stays_and_a_path_stands_out() -> None:
    path = "/" + "folder/" * 12
    text = f"error[E2101]: {path} is wrong here\n    0 25 * * *{' ' * 60}x\n      ^^"

    assert talk_lines(text, 40) == [
        "error[E2101]:",
        f"  {path}",
        "  is wrong here",
        *text.split("\n")[1:],
    ]


def test_a_command_that_does_not_fit_behind_its_reason_gets_a_line_of_its_own() -> None:
    command = "tsk backfill data_upload --from 2026-11-23T00:00 --to 2026-11-24T00:00"

    assert hint_lines("count first", "tsk ls", 40) == ["hint: count first: tsk ls"]
    assert hint_lines("count first", command, 40) == ["hint: count first:", f"  {command}"]
    assert hint_lines("count first", command, None) == [f"hint: count first: {command}"]
