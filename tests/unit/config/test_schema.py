"""The committed JSON Schema, the document, and the models say the same."""

from __future__ import annotations

import json
import re
from enum import StrEnum
from pathlib import Path
from typing import Any, get_args

import jsonschema
import pytest

from task_scheduler.config.document import parse_document
from task_scheduler.config.schema import schema_text
from task_scheduler.config.sections import PolicyKeys
from task_scheduler.config.settings import SECTIONS, known_keys, plain_defaults
from task_scheduler.core.model import Backoff, Isolation, MisfirePolicy, OnLost, OverlapPolicy
from task_scheduler.core.policies import POLICY_KEYS
from tests.unit.config.conftest import Load

ROOT = Path(__file__).parents[3]
SCHEMA = json.loads((ROOT / "docs" / "scheduler_config.schema.json").read_text("utf-8"))
DOCUMENT = (ROOT / "docs" / "configuration.md").read_text("utf-8")
EXAMPLES = re.findall(r"```json\n(.*?)```", DOCUMENT, re.DOTALL)
EXAMPLE = EXAMPLES[0]
COMMAND = {"type": "command", "command": ["x", 1]}


def is_valid(value: Any) -> bool:
    """Whether the committed schema allows a value."""
    return jsonschema.Draft202012Validator(SCHEMA).is_valid(value)


def test_the_committed_schema_is_that_of_the_models() -> None:
    remedy = "python -m task_scheduler.config.schema > docs/scheduler_config.schema.json"

    assert json.loads(schema_text()) == SCHEMA, remedy


def test_the_schema_is_itself_right() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_the_original_s_json_is_valid() -> None:
    text = (ROOT / "tests" / "docs" / "original-readme.zh.md").read_text("utf-8")
    blocks = re.findall(r"```json\n(.*?)```", text, re.DOTALL)

    assert len(blocks) == 2
    assert all(is_valid(parse_document(block, "x").value) for block in blocks)


@pytest.mark.parametrize(
    "value",
    [
        {},
        plain_defaults(),
        {"$schema": "x"},
        {"scheduler": {"max_workers": "${env:WORKERS}", "language": "ja_JP.UTF-8"}},
        {"tasks": {"timeout": None}},
        {"tasks": {"timeout": 0}},
        {"tasks": {"default_timeout": "5m"}},
        {"entries": {"x": {**COMMAND, "every": "1h30m", "timeout": 5}}},
        {"entries": {"x": {**COMMAND, "schedule": {"type": "cron", "cron": "@daily"}}}},
        {"entries": {"x": {**COMMAND, "schedule": [{"type": "interval", "seconds": 5}]}}},
        {"entries": {"x": {"type": "function", "function": "a.b:c", "at": "2030-01-01"}}},
        {"entries": {"x": {"type": "log_cleanup", "every": 5}}},
        {"entries": {"x": {"type": "script", "script_path": "x.py", "cron": "@daily"}}},
    ],
    ids=repr,
)
def test_what_the_models_take_the_schema_takes(value: dict[str, Any], load: Load) -> None:
    load(json.dumps(value), environ={"WORKERS": "5"})

    assert is_valid(value)


@pytest.mark.parametrize(
    "value",
    [
        [],
        {"schedulr": {}},
        {"scheduler": {"max_workers": "10"}},
        {"scheduler": {"max_workers": True}},
        {"scheduler": {"max_workers": 0}},
        {"scheduler": {"log_level": "debug"}},
        {"scheduler": {"language": "fr"}},
        {"scheduler": {"check_interval": "1x"}},
        {"tasks": {"timeout": 5, "default_timeout": 5}},
        {"tasks": {"overlap": "skp"}},
        {"logging": {"max_log_size": "10 XB"}},
        {"entries": {"x": {}}},
        {"entries": {"x": COMMAND}},
        {"entries": {"x": {**COMMAND, "every": 5, "cron": "@daily"}}},
        {"entries": {"x": {**COMMAND, "every": 0}}},
        {"entries": {"x": {**COMMAND, "every": 5, "script_path": "x"}}},
        {"entries": {"x": {**COMMAND, "schedule": {}}}},
        {"entries": {"x": {"type": "function", "function": "abc", "every": 5}}},
    ],
    ids=repr,
)
def test_what_the_models_refuse_the_schema_refuses(value: Any, load: Load) -> None:
    with pytest.raises(ValueError, match="problem"):
        load(json.dumps(value))

    assert not is_valid(value)


def test_the_document_s_example_loads(load: Load) -> None:
    config = load(EXAMPLE)

    assert [found.task.task_id for found in config.declared()] == [
        "data_upload",
        "nightly_report",
        "log_cleanup",
        "feeding",
    ]
    assert all(is_valid(parse_document(example, "x").value) for example in EXAMPLES)


def test_the_document_names_every_key_with_its_default() -> None:
    rows = dict(re.findall(r"^\| `(\w+)`[^|]*\| `([^|]+)` \|", DOCUMENT, re.MULTILINE))
    defaults = plain_defaults()

    for section in SECTIONS:
        for key, value in defaults[section].items():
            assert json.loads(rows[key]) == value, f"{section}.{key}"


def test_the_policy_keys_are_those_of_the_core() -> None:
    assert tuple(PolicyKeys.model_fields) == POLICY_KEYS
    assert set(known_keys("tasks")) == {*POLICY_KEYS, "default_timeout"}


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("backoff", Backoff),
        ("misfire", MisfirePolicy),
        ("overlap", OverlapPolicy),
        ("on_lost", OnLost),
        ("isolation", Isolation),
    ],
)
def test_the_words_of_a_policy_are_those_of_the_core(key: str, words: type[StrEnum]) -> None:
    assert get_args(PolicyKeys.model_fields[key].annotation) == tuple(str(word) for word in words)


def test_the_calendars_of_the_document_are_read(load: Load) -> None:
    (example,) = [example for example in EXAMPLES if '"calendars"' in example]

    config = load(example.replace('"file": "harbour.ics"', '"weekends": "mon"'))

    assert {"maintenance", "days_off", "harbour"} < set(config.calendars.names())
    assert len(config.declared()) == 1


@pytest.mark.parametrize(
    "value",
    [
        {"calendars": {"x": {"weekends": True}}},
        {"calendars": {"x": {"windows": [{"from": "22:00", "to": "06:00"}]}}},
        {"entries": {"x": {**COMMAND, "daily": "08:00", "exclude": "japan", "roll": "next"}}},
        {"entries": {"x": {**COMMAND, "at": ["2030-01-01", "2031-01-01"]}}},
        {"entries": {"x": {**COMMAND, "every": 5, "kind": "fixed_delay"}}},
        {
            "entries": {
                "x": {
                    **COMMAND,
                    "schedule": {"type": "any_of", "rules": [{"type": "daily", "daily": "8:00"}]},
                }
            }
        },
    ],
)
def test_the_schema_takes_calendars_and_every_kind_of_rule(value: dict[str, Any]) -> None:
    assert is_valid(value)


@pytest.mark.parametrize(
    "value",
    [
        {"calendars": {"x": {"weekend": True}}},
        {"calendars": {"x": {"windows": [{"from": "22:00"}]}}},
        {"calendars": {"x": {"weekends": 5}}},
        {"entries": {"x": {**COMMAND, "daily": "08:00", "roll": "later"}}},
        {"entries": {"x": {**COMMAND, "daily": "08:00", "weekly": "mon 08:00"}}},
    ],
)
def test_the_schema_refuses_what_the_models_refuse_in_these_too(value: dict[str, Any]) -> None:
    assert not is_valid(value)
