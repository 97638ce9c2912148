"""The section `security` and the confinement of declared tasks."""

from __future__ import annotations

import json
from typing import Any

import pytest

from task_scheduler.config import Config
from task_scheduler.errors import ConfigError
from tests.unit.config.conftest import Load


def load_plain(load: Load, values: dict[str, Any]) -> Config:
    return load(json.dumps(values))


def test_the_section_becomes_rules(load: Load) -> None:
    config = load_plain(
        load,
        {
            "security": {
                "enforce": True,
                "script_roots": ["jobs"],
                "function_modules": ["pond"],
                "environment": ["PATH", "LC_*"],
                "confinement": {
                    "nice": 5,
                    "limits": {"memory_bytes": "256MB", "cpu_seconds": "1m"},
                },
            }
        },
    )

    rules = config.settings.security.rules()

    assert rules.is_enforced
    assert rules.script_roots == (str(config.folder / "jobs"),)
    assert rules.function_modules == ("pond",)
    assert rules.environment == ("PATH", "LC_*")
    assert rules.confinement == {
        "nice": 5,
        "limits": {"memory_bytes": 256_000_000, "cpu_seconds": 60},
    }


def test_a_declared_task_takes_its_confinement(load: Load) -> None:
    config = load_plain(load,
        {
            "entries": {
                "job": {
                    "type": "script", "script_path": "job.py", "every": "1h", "user": "www-data",
                    "umask": "027", "network": {"tcp": [443]}, "sha256": "ab" * 32,
                }
            }
        }
    )  # fmt: skip

    [declared] = config.declared()

    assert declared.task.confinement == {  # type: ignore[attr-defined]
        "user": "www-data",
        "umask": 0o27,
        "network": {"tcp": ["443"]},
        "sha256": "ab" * 32,
    }


@pytest.mark.parametrize(
    ("keys", "place"),
    [
        ({"nice": 99}, "security.confinement.nice"),
        ({"limits": {"memory_bytes": "much"}}, "security.confinement.limits"),
        ({"network": {"tcp": ["example.com"]}}, "security.confinement.network"),
        ({"netwrk": "none"}, "network"),
    ],
)
def test_what_cannot_be_is_told_with_its_place(
    load: Load, keys: dict[str, Any], place: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        load_plain(load, {"security": {"confinement": keys}})

    assert place in str(caught.value)


def test_declared_functions_are_held_to_the_list_of_modules(load: Load) -> None:
    entry = {"type": "function", "function": "os:getcwd", "every": "1h"}
    load_plain(load, {"entries": {"a": entry}, "security": {"function_modules": ["os"]}})
    load_plain(load, {"entries": {"a": entry}})

    with pytest.raises(ConfigError) as caught:
        load_plain(load, {"entries": {"a": entry}, "security": {"function_modules": ["pond"]}})

    assert "os:getcwd" in str(caught.value)
    assert caught.value.values["problems"][0]["key"] == "entries.a.function"
