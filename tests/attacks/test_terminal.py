"""What would command a terminal, or show as another text: in tables, outputs, logs and JSON."""

from __future__ import annotations

import json
import logging
import re
from pathlib import Path
from typing import Any

import pytest

from task_scheduler.actors import actor_of_peer
from task_scheduler.cli.display_width import showable, shown_json, shown_lines
from task_scheduler.cli.run_output import Neutraliser
from task_scheduler.observe.log_lines import JsonLines, TextLines
from task_scheduler.supervision.output import Output
from tests.attacks.payloads import COMMANDS_OF_TERMINALS as HOSTILE
from tests.attacks.payloads import harmful_in
from tests.unit.cli.made_ledger import MadeLedger

NAMES = pytest.mark.parametrize("name", HOSTILE)


def record_of(message: str, **more: Any) -> logging.LogRecord:
    return logging.makeLogRecord(
        {"name": "TaskScheduler", "levelname": "INFO", "msg": message, **more}
    )


@NAMES
def test_a_log_line_stays_one_line_that_commands_nothing(name: str) -> None:
    line = TextLines().format(record_of("said: %s", args=(HOSTILE[name],)))

    assert harmful_in(line) == []
    assert "\n" not in line
    assert "said: " in line


@NAMES
def test_a_json_line_of_the_log_means_the_text_and_shows_none_of_it(name: str) -> None:
    line = JsonLines().format(record_of("said: %s", args=(HOSTILE[name],)))

    assert harmful_in(line) == []
    assert "\n" not in line
    assert json.loads(line)["message"] == f"said: {HOSTILE[name]}"


@NAMES
def test_a_traceback_in_the_log_passes_for_no_line_of_its_own(name: str) -> None:
    try:
        raise RuntimeError(HOSTILE[name])
    except RuntimeError as error:
        trace = (RuntimeError, error, error.__traceback__)

    first, *more = TextLines().format(record_of("failed", exc_info=trace)).split("\n")

    assert harmful_in("".join([first, *more])) == []
    assert all(line.startswith("    | ") for line in more)


@NAMES
def test_a_field_of_the_log_is_a_field(name: str) -> None:
    line = JsonLines().format(record_of("x", task_id=HOSTILE[name], action=HOSTILE[name]))

    assert harmful_in(line) == []
    assert json.loads(line)["task_id"] == HOSTILE[name]


@NAMES
def test_a_cell_of_a_table_is_one_line_of_letters(name: str) -> None:
    assert harmful_in(showable(HOSTILE[name])) == []
    assert "\n" not in showable(HOSTILE[name])


@NAMES
def test_what_is_said_keeps_colours_and_nothing_else(name: str) -> None:
    text = shown_lines(f"\x1b[31mred\x1b[0m\n{HOSTILE[name]}")

    assert text.startswith("\x1b[31mred\x1b[0m\n")
    assert harmful_in(text.removeprefix("\x1b[31mred\x1b[0m")) == []


@NAMES
def test_json_says_the_text_and_shows_none_of_it(name: str) -> None:
    text = shown_json(json.dumps({"a": HOSTILE[name]}, ensure_ascii=False))

    assert harmful_in(text) == []
    assert json.loads(text) == {"a": HOSTILE[name]}


@NAMES
@pytest.mark.parametrize("size", [1, 3, 1_000])
def test_output_is_shown_without_commands_wherever_it_is_cut(name: str, size: int) -> None:
    data = f"before {HOSTILE[name]} after\n".encode()
    plain = Neutraliser()

    pieces = [plain.feed(data[at : at + size]) for at in range(0, len(data), size)]
    shown = "".join([*pieces, plain.feed(b"", is_last=True)])

    assert [mark for mark in harmful_in(shown) if mark != "\t"] == []
    assert shown.startswith("before ")


@NAMES
def test_the_last_line_as_the_reason_of_a_failure_is_letters(name: str, tmp_path: Path) -> None:
    output = Output(bytes(tmp_path / "output"), 10_000, dict)
    output.add(f"why: {HOSTILE[name]}\n".encode())

    assert harmful_in(output.last_line()) == []
    assert "\n" not in output.last_line()


@NAMES
def test_who_asks_cannot_forge_a_line_of_the_audit(name: str) -> None:
    actor = actor_of_peer(7, 0, f"x, pid 1, {HOSTILE[name]}")

    assert harmful_in(actor) == []
    assert actor.startswith("root, pid 7, ")


def test_who_asks_cannot_name_another_user_or_process() -> None:
    assert actor_of_peer(7, 0, "bob, pid 99, root, pid 1, tsk pause") == "root, pid 7, tsk pause"


@pytest.fixture
def farm(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> MadeLedger:
    return MadeLedger(tmp_path, capsys)


COMMANDS: dict[str, tuple[str, ...]] = {
    "ls": ("ls",),
    "show": ("show", "evil"),
    "runs": ("runs",),
    "runs-of": ("runs", "evil"),
    "why": ("why", "evil"),
    "status": ("status",),
    "next": ("next",),
}


def poison(farm: MadeLedger, text: str) -> None:
    """Put a text wherever a ledger holds one, as one who can write to it."""
    text = text.replace("\0", "")
    farm.task(
        "evil",
        {"type": "user", "class": text, "description": text},
        name=text,
        last_error=text,
        rule_error=text,
        paused_at=5,
        pause_reason=text,
    )
    farm.run(1, "evil", "failed", "05:00:00", error=text, reason=text, started_at=5, ended_at=6)


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("form", ["table", "json"])
@pytest.mark.parametrize(
    "name", ["title", "clear", "c1-csi", "line-feed", "carriage-return", "override", "delete"]
)
def test_a_poisoned_ledger_commands_no_terminal(
    name: str, form: str, command: str, farm: MadeLedger
) -> None:
    poison(farm, HOSTILE[name])

    answer = farm.tsk(*COMMANDS[command], *(["--json"] if form == "json" else []))

    assert harmful_in(answer.out) == []
    assert harmful_in(answer.err) == []
    assert not re.search(r"^2026-01-01 00:00:00 - TaskScheduler", answer.out, re.MULTILINE)
    if form == "json":
        assert json.loads(answer.out)


@NAMES
def test_a_task_that_is_not_there_is_named_without_its_commands(
    name: str, farm: MadeLedger
) -> None:
    answer = farm.tsk("show", "--", HOSTILE[name])

    assert answer.code != 0
    assert harmful_in(answer.err) == []


@NAMES
def test_a_traceback_that_was_asked_for_commands_nothing(name: str, farm: MadeLedger) -> None:
    answer = farm.tsk("show", "-vv", "--", HOSTILE[name])

    assert harmful_in(answer.err) == []


@pytest.mark.parametrize(
    "name", ["title", "clipboard", "clear", "c1-osc", "override", "carriage-return"]
)
def test_the_output_of_a_run_is_shown_without_commands(name: str, farm: MadeLedger) -> None:
    farm.task("evil")
    farm.run(1, "evil", "failed", "05:00:00", attempt=1, token=1, started_at=5, ended_at=6)
    (farm.runs_folder / "1-1").mkdir()
    (farm.runs_folder / "1-1" / "output").write_bytes(f"so: {HOSTILE[name]}\n".encode())

    answer = farm.tsk("logs", "1")

    assert harmful_in(answer.out) == []
    assert harmful_in(answer.err) == []
