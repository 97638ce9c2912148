"""A line is one event, whatever a stranger put into it."""

from __future__ import annotations

import json
import logging
import re
import sys
from datetime import datetime
from typing import Any

import pytest

from task_scheduler.observe.log_lines import JsonLines, TextLines, neutralised

NOON = 1_704_110_400.25


def record(message: object, *args: object, **extras: Any) -> logging.LogRecord:
    values = {
        "name": "TaskScheduler",
        "levelno": logging.INFO,
        "levelname": "INFO",
        "funcName": "_execute_task",
        "lineno": 123,
        "created": NOON,
        "msg": message,
        "args": args,
        **extras,
    }
    return logging.makeLogRecord(values)


def caught(error: BaseException) -> Any:
    try:
        raise error
    except BaseException:
        return sys.exc_info()


def test_a_line_has_the_format_of_the_original() -> None:
    line = TextLines().format(record("开始执行任务: %s", "数据上传任务"))

    local = datetime.fromtimestamp(NOON).strftime("%Y-%m-%d %H:%M:%S")
    assert (
        line == f"{local} - TaskScheduler - INFO - _execute_task:123 - 开始执行任务: 数据上传任务"
    )


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("a\nb", r"a\nb"),
        ("a\r\nb", r"a\r\nb"),
        ("\x1b[31mred", r"\x1b[31mred"),
        ("a\x00\x07\x7fb", r"a\x00\x07\x7fb"),
        ("a\x85\u2028\u2029b", r"a\x85\u2028\u2029b"),
        ("exe.\u202egpj", r"exe.\u202egpj"),
        ("\u2066hidden\u2069\u200b", r"\u2066hidden\u2069\u200b"),
        ("\udcff", r"\udcff"),
        ("\U000e0041", r"\U000e0041"),
        ("水温\u3000２５℃ — 🐟", "水温\u3000２５℃ — 🐟"),
        ("C:\\path", "C:\\path"),
    ],
)
def test_what_is_more_than_a_character_is_escaped(hostile: str, shown: str) -> None:
    assert neutralised(hostile) == shown
    assert TextLines().format(record(hostile)).endswith(f" - {shown}")


def test_no_line_of_a_traceback_can_pass_for_an_event() -> None:
    forged = "x\n2024-01-01 12:00:00 - TaskScheduler - INFO - f:1 - forged\x1b[2J"

    lines = TextLines().format(record("broken", exc_info=caught(ValueError(forged)))).split("\n")

    assert lines[0].endswith("broken")
    assert all(line.startswith("    | ") for line in lines[1:])
    assert lines[-1].endswith(r"forged\x1b[2J")


def test_a_message_whose_arguments_do_not_fit_is_still_told() -> None:
    line = TextLines().format(record("%d fish", "many"))

    assert line.endswith("%d fish (its arguments do not fit: TypeError)")


def test_an_object_that_cannot_be_shown_is_still_told() -> None:
    class Mute:
        def __str__(self) -> str:
            raise RuntimeError

    line = TextLines().format(record(Mute()))

    assert line.endswith("Mute (its arguments do not fit: RuntimeError)")


def test_a_json_line_has_the_ids_of_its_record() -> None:
    line = JsonLines().format(
        record("done\n\u202e", action="RunSettled", task_id="泵", run_id=7, attempt=2)
    )

    assert line.isprintable()
    event = json.loads(line)
    assert list(event) == [
        *("time", "level", "logger", "function", "line", "message"),
        *("action", "task_id", "run_id", "attempt"),
    ]
    assert event["message"] == "done\n\u202e"
    assert (event["task_id"], event["run_id"], event["attempt"]) == ("泵", 7, 2)


def test_the_time_of_a_json_line_has_an_offset() -> None:
    event = json.loads(JsonLines().format(record("x")))

    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d", event["time"])
    assert datetime.fromisoformat(event["time"]).timestamp() == NOON


def test_a_json_line_without_ids_or_with_strange_ones_is_sound() -> None:
    event = json.loads(JsonLines().format(record("\udcff\U000e0041", task_id=object())))

    assert event["task_id"] == "object"
    assert "run_id" not in event
    assert event["message"] == "\udcff\U000e0041"


def test_a_json_line_holds_its_traceback() -> None:
    line = JsonLines().format(record("broken", exc_info=caught(ValueError("a\nb"))))

    assert "\n" not in line
    assert json.loads(line)["traceback"].endswith("ValueError: a\nb")
