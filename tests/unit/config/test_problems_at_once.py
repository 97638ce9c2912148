"""Everything that is wrong is told at once, each at its place, in the user's language."""

from __future__ import annotations

import json
import re
import string

import pytest

from task_scheduler.errors import ConfigError
from task_scheduler.i18n import LANGUAGES, set_language
from tests.unit.config.conftest import Load, Problems

WRONG = """{
  "scheduler": {"max_workers": "10", "log_levl": "INFO", "enable_monitoring": 1},
  "task": {},
  "tasks": {"timeout": 5, "default_timeout": 3, "max_retries": true, "retry_delay": NaN},
  "logging": [],
  "storage": {"path": "${env:NOPE}", "retention_days": -1},
  "max_workers": 4,
  "entries": {
    "a": {"type": "scrpt"},
    "b": {"script_path": "x", "every": 5},
    "c": {"type": "command", "command": ["x"], "cron": "99 * * * *", "timezon": "x"}
  }
}"""
PLACES = {
    (2, 32): "scheduler.max_workers",
    (2, 38): "scheduler.log_levl",
    (2, 79): "scheduler.enable_monitoring",
    (3, 3): "task",
    (4, 27): "tasks.default_timeout",
    (4, 64): "tasks.max_retries",
    (4, 85): "tasks.retry_delay",
    (5, 14): "logging",
    (6, 23): "storage.path",
    (6, 56): "storage.retention_days",
    (7, 3): "max_workers",
    (9, 5): "entries.a",
    (9, 19): "entries.a.type",
    (10, 10): "entries.b.type",
    (11, 56): "entries.c.cron",
    (11, 70): "entries.c.timezon",
}


def test_each_problem_has_its_line_and_column(problems: Problems) -> None:
    found = problems(WRONG)

    assert {(p["line"], p["column"]): p["key"] for p in found} == PLACES
    assert len(found) == len(PLACES)
    assert all(p["file"].endswith("scheduler_config.json") for p in found)


def test_all_that_is_wrong_with_an_entry_is_told_in_one_round(problems: Problems) -> None:
    found = problems("""{"entries": {
      "c": {"type": "command", "command": "echo hi", "cron": "0 25 * * *"},
      "g": {"type": "command", "command": ["true"], "weekly": "mo 08:00", "exclude": "japn"},
      "e": {"type": "function", "function": "no_such_module_x:f", "daily": "25:00"},
      "i": {"type": "command", "command": ["true"], "solar": "sunrise", "timezone": "Asia/Tokio"}
    }}""")

    assert [p["key"] for p in found] == [
        "entries.c.command",
        "entries.c.cron",
        "entries.g.weekly",
        "entries.g.exclude",
        "entries.e.function",
        "entries.e.daily",
        "entries.i.solar",
        "entries.i.timezone",
    ]
    assert '"latitude": 35.7' in next(p for p in found if "solar" in p["key"])["message"]


def test_the_message_counts_them_and_lists_one_a_line(load: Load) -> None:
    with pytest.raises(ConfigError) as caught:
        load(WRONG)

    first, *others = str(caught.value).splitlines()
    assert first.endswith(f"{len(PLACES)} problems")
    assert len(others) == len(PLACES)
    assert all(re.match(r"  .*scheduler_config\.json:\d+:\d+: ", line) for line in others)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_problem_is_a_whole_sentence_in_each_language(language: str, load: Load) -> None:
    set_language(language)

    with pytest.raises(ConfigError) as caught:
        load(WRONG)

    text = str(caught.value)
    assert "config." not in text.replace("scheduler_config.json", "")
    assert not [name for _, name, _, _ in string.Formatter().parse(_without_values(text)) if name]
    if language != "en":
        sentences = [p["message"] for p in caught.value.values["problems"]]
        assert all(re.search(r"[぀-ヿ一-鿿]", sentence) for sentence in sentences)


def test_problems_of_all_layers_are_told_together(load: Load) -> None:
    with pytest.raises(ConfigError) as caught:
        load(
            '{"scheduler": {"max_workers": 0}}',
            environ={"TASK_SCHEDULER__LOGGING__FORMAT": "xml"},
            options={"log_level": "debug"},
        )

    assert sorted(p["key"] for p in caught.value.values["problems"]) == [
        "logging.format",
        "scheduler.log_level",
        "scheduler.max_workers",
    ]


@pytest.mark.parametrize(
    ("section", "key", "value", "what"),
    [
        ("scheduler", "max_workers", 0, "at least 1"),
        ("scheduler", "max_workers", 1001, "at most 1000"),
        ("scheduler", "max_workers", 1.5, "whole number"),
        ("scheduler", "check_interval", "1x", "1h30m"),
        ("scheduler", "check_interval", True, "1h30m"),
        ("scheduler", "log_level", "debug", "did you mean 'DEBUG'?"),
        ("scheduler", "language", "fr", "en, zh, ja"),
        ("scheduler", "timeout", 5, "move it into the section tasks"),
        ("logging", "log_dir", "", "must be a path"),
        ("logging", "log_dir", 5, "must be a path"),
        ("logging", "max_log_size", "10 XB", "1GiB"),
        ("logging", "console", "true", "true or false"),
        ("logging", "format", "jsn", "did you mean 'json'?"),
        ("storage", "output_limit", 5, "at least 1000"),
        ("tasks", "overlap", None, '"queue"'),
        ("tasks", "retry_jitter", "0.5", "must be a number"),
        ("tasks", "timeout", 0.0001, "at least 0.001"),
    ],
)
def test_a_wrong_value_is_told_with_what_is_allowed(
    section: str, key: str, value: object, what: str, problems: Problems
) -> None:
    (problem,) = problems(json.dumps({section: {key: value}}))

    assert problem["key"] == f"{section}.{key}"
    assert what in problem["message"]


def test_a_problem_has_the_name_of_the_variable_or_option_as_its_place(problems: Problems) -> None:
    found = problems(
        environ={"TASK_SCHEDULER__LOGGING__FORMAT": "xml"}, options={"log_level": "debug"}
    )

    assert sorted(p["place"] for p in found) == [
        "environment variable TASK_SCHEDULER__LOGGING__FORMAT",
        "option log_level",
    ]


def test_what_a_rule_says_comes_with_the_entry_s_key(problems: Problems) -> None:
    entry = {"type": "command", "command": ["x"], "cron": "99 * * * *"}

    (problem,) = problems(json.dumps({"entries": {"pump": entry}}))

    assert problem["message"].startswith("entries.pump.cron: ")


@pytest.mark.parametrize("text", ["[]", "5", '"x"', "null"])
def test_a_file_that_is_no_object_is_told(text: str, problems: Problems) -> None:
    (problem,) = problems(text)

    assert "object of sections" in problem["message"]


def test_schema_keys_are_for_editors(load: Load) -> None:
    assert load('{"$schema": "x.json", "$schema_version": 5}').path is not None


def _without_values(text: str) -> str:
    """Take out what the file and the remedies themselves write in braces."""
    return re.sub(r"\$\{.*?\}", "", text)
