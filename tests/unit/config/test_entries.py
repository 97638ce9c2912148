"""Declared entries: from the file to tasks and rules."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from task_scheduler.config.entries import Declared
from task_scheduler.errors import ConfigError
from task_scheduler.schedules.rule import to_plain
from tests.unit.config.conftest import Load, Problems


def declared(load: Load, entry: dict[str, Any], **sections: Any) -> Declared:
    """Return what one entry declares."""
    (found,) = load(json.dumps({"entries": {"it": entry}, **sections})).declared()
    return found


def test_a_script_is_seen_from_the_folder_of_the_file(load: Load, tmp_path: Path) -> None:
    entry = {
        "type": "script",
        "name": "数据上传任务",
        "script_path": "client/updata.py",
        "args": ["--count", 3],
        "every": "1h",
        "timeout": "1m",
        "max_retries": 0,
    }

    found = declared(load, entry)

    assert found.task.definition() == {
        "script_path": str(tmp_path / "client" / "updata.py"),
        "args": ["--count", "3"],
        "working_dir": str(tmp_path),
        "env": {},
        "interpreter": None,
    }
    assert found.task.name == "数据上传任务"
    assert found.task.policy_options == {"timeout": 60, "max_retries": 0}
    assert found.is_enabled


def test_a_command_runs_in_its_working_folder(load: Load, tmp_path: Path) -> None:
    entry = {"type": "command", "command": ["./x"], "working_dir": "w", "env": {"A": 1}, "every": 5}

    assert declared(load, entry).task.definition() == {
        "command": ["./x"],
        "working_dir": str(tmp_path / "w"),
        "env": {"A": "1"},
    }


def test_a_function_beside_the_file_is_found(
    load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "pond_jobs_of_a_test.py").write_text("def feed(grams):\n    return True\n", "utf-8")
    entry = {"type": "function", "function": "pond_jobs_of_a_test:feed", "args": [5], "every": 5}

    task = declared(load, entry).task

    assert task.definition() == {
        "function": "pond_jobs_of_a_test:feed",
        "args": [5],
        "kwargs": {},
    }


def test_a_log_cleanup_cleans_the_log_folder_of_the_file(load: Load, tmp_path: Path) -> None:
    entry = {"type": "log_cleanup", "every": "24h", "days": 3}

    definition = declared(load, entry, logging={"log_dir": "our-logs"}).task.definition()

    assert definition is not None
    assert (definition["log_dir"], definition["days"]) == (str(tmp_path / "our-logs"), 3)


@pytest.mark.parametrize(
    ("when", "rules"),
    [
        ({"every": 30}, [{"type": "interval", "seconds": 30}]),
        ({"every": "1h30m"}, [{"type": "interval", "seconds": 5400}]),
        (
            {"every": "1d", "start_at": "2030-01-01T06:00", "timezone": "Asia/Tokyo"},
            [
                {
                    "type": "interval",
                    "seconds": 86400,
                    "timezone": "Asia/Tokyo",
                    "start_at": "2030-01-01T06:00:00+09:00",
                }
            ],
        ),
        ({"schedule": []}, []),
        ({"cron": "0 3 * * *"}, [{"type": "cron", "cron": "0 3 * * *"}]),
        (
            {"at": "2030-01-01T06:00", "timezone": "Asia/Tokyo"},
            [{"type": "once", "timezone": "Asia/Tokyo", "run_at": "2030-01-01T06:00:00+09:00"}],
        ),
        ({"schedule": {"type": "interval", "hours": 1}}, [{"type": "interval", "seconds": 3600}]),
        (
            {
                "schedule": [{"type": "cron", "cron": "@daily", "gap": "skip"}],
                "timezone": "Asia/Tokyo",
            },
            [{"type": "cron", "cron": "@daily", "gap": "skip", "timezone": "Asia/Tokyo"}],
        ),
    ],
)
def test_every_way_to_say_when(
    when: dict[str, Any], rules: list[dict[str, Any]], load: Load
) -> None:
    found = declared(load, {"type": "command", "command": ["x"], **when})

    assert [to_plain(rule) for rule in found.rules] == rules


def test_a_disabled_entry_is_declared_as_such(load: Load) -> None:
    entry = {"type": "command", "command": ["x"], "every": 5, "enabled": False}

    assert not declared(load, entry).is_enabled


def test_a_reference_in_an_entry_is_replaced(load: Load) -> None:
    entry = {"type": "command", "command": ["x", "${env:TOKEN}"], "every": "${env:PERIOD}"}
    text = json.dumps({"entries": {"it": entry}})

    (found,) = load(text, environ={"TOKEN": "12", "PERIOD": "15"}).declared()

    assert found.task.definition()["command"] == ["x", "12"]  # type: ignore[index]
    assert found.rules[0].seconds == 15


@pytest.mark.parametrize(
    ("entry", "key", "what"),
    [
        ({"every": 0}, "every", "greater than 0"),
        ({"every": "x"}, "every", "1h30m"),
        ({"cron": "99 * * * *"}, "cron", "99"),
        ({"at": "tomorrow"}, "at", "ISO 8601"),
        ({"every": 5, "timezone": "Asia/Tokio"}, "timezone", "Asia/Tokio"),
        ({"every": 5, "start_at": "x"}, "start_at", "ISO 8601"),
        ({"daily": "25:00"}, "daily", "25:00"),
        ({"weekly": "mun 08:00"}, "weekly", "mon"),
        ({"every": 5, "gap": "skip"}, "every", "gap"),
        ({"every": 5, "end_at": "1999-01-01", "start_at": "2000-01-01"}, "end_at", "before"),
        ({"every": 5, "max_runs": 0}, "max_runs", "at least 1"),
        ({"every": 5, "exclude": ["japan", "chena"]}, "exclude", "'china'"),
        ({"every": 5, "include": 5}, "include", "text"),
        ({"every": 5, "exclude": ["japan", 5]}, "exclude[1]", "text"),
        ({"every": 60, "roll": "next"}, "every", '"exclude"'),
        ({"at": ["2030-01-01", "x"]}, "at", "ISO 8601"),
        ({"schedule": {"type": "weekly", "weekly": "08:00"}}, "schedule.weekly", "mon,fri"),
        (
            {"schedule": {"type": "any_of", "rules": [{"type": "interval", "second": 5}]}},
            "schedule.rules[0].second",
            "'seconds'",
        ),
        ({"schedule": {"type": "cron"}}, "schedule", "cron"),
        ({"schedule": {"type": "interval", "second": 5}}, "schedule.second", "'seconds'"),
        ({"schedule": [{"type": "interval", "seconds": "5"}]}, "schedule[0].seconds", "number"),
        ({"schedule": [{"type": "cron", "cron": "x"}]}, "schedule[0].cron", "x"),
        ({}, "", "does not say when"),
        ({"every": 5, "cron": "@daily"}, "", "more than once"),
        ({"every": 5, "timout": 5}, "timout", "did you mean 'timeout'"),
        ({"every": 5, "timeout": -1}, "timeout", "at least"),
        ({"every": 5, "isolation": "thread"}, "isolation", "process of its own"),
        ({"every": 5, "command": "echo x"}, "command", "list"),
        ({"every": 5, "command": []}, "command", "empty"),
        ({"every": 5, "command": [True]}, "command[0]", "text or a number"),
        ({"every": 5, "command": ["a\0"]}, "command", "NUL"),
        ({"every": 5, "env": {"A=B": "x"}}, "env", "A=B"),
        ({"every": 5, "name": "a\nb"}, "name", "one line"),
        ({"every": 5, "script_path": "x"}, "script_path", "command"),
    ],
)
def test_a_wrong_entry_is_told_at_its_key(
    entry: dict[str, Any], key: str, what: str, problems: Problems
) -> None:
    whole = {"type": "command", "command": ["x"], **entry}

    (problem,) = problems(json.dumps({"entries": {"it": whole}}))

    assert problem["key"] == f"entries.it.{key}".rstrip(".")
    assert what in problem["message"]
    assert problem["line"] == 1


def test_an_id_that_cannot_be_is_told(problems: Problems) -> None:
    entry = {"type": "command", "command": ["x"], "every": 5}

    (problem,) = problems(json.dumps({"entries": {"a\nb": entry}}))

    assert "control character" in problem["message"]


def test_each_wrong_rule_of_a_list_is_told(problems: Problems) -> None:
    rules = [{"type": "cron", "cron": "x"}, {"type": "cron", "cron": "@daily"}, {"type": "once"}]
    entry = {"type": "command", "command": ["x"], "schedule": rules}

    found = problems(json.dumps({"entries": {"it": entry}}))

    assert [p["key"] for p in found] == ["entries.it.schedule[0].cron", "entries.it.schedule[2]"]


def test_functions_that_cannot_be_imported_are_told_together_with_their_places(load: Load) -> None:
    text = """{"entries": {
      "a": {"type": "function", "function": "no_such_module_x:f", "every": 5},
      "b": {"type": "function", "function": "json:no_such", "every": 5},
      "c": {"type": "command", "command": ["x"], "every": 5}
    }}"""
    config = load(text)

    with pytest.raises(ConfigError) as caught:
        config.declared()

    found = caught.value.values["problems"]
    assert [(p["key"], p["line"]) for p in found] == [
        ("entries.a.function", 2),
        ("entries.b.function", 3),
    ]


def test_where_no_code_is_needed_a_missing_function_stops_no_other_task(load: Load) -> None:
    config = load("""{"entries": {
      "bad": {"type": "function", "function": "no_such_module_x:f", "every": 5},
      "good": {"type": "command", "command": ["x"], "every": 5}
    }}""")

    bad, good = (declared.task for declared in config.declared(is_code_needed=False))

    assert good.task_id == "good"
    (warning,) = bad.warnings()
    assert warning.startswith("task 'bad' does not run until its function is there: ")
    assert "No module named 'no_such_module_x'" in warning


def test_loading_imports_no_code_of_the_user(load: Load, tmp_path: Path) -> None:
    (tmp_path / "never_imported_x.py").write_text("raise SystemExit\n", encoding="utf-8")

    load('{"entries": {"a": {"type": "function", "function": "never_imported_x:f", "every": 5}}}')

    assert "never_imported_x" not in sys.modules
