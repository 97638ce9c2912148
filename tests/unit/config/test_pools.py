"""Pools and rate limits in the configuration."""

from __future__ import annotations

from typing import Any

import pytest

from task_scheduler.config import Config
from task_scheduler.errors import ConfigError

COMMAND = {"type": "command", "command": ["true"], "every": 5}


def load(**sections: Any) -> Config:
    return Config.load(sections, environ={})


def test_an_entry_names_a_pool_and_a_rate() -> None:
    config = load(
        pools={"serial": 1},
        tasks={"rate_limit": "1/90s"},
        entries={"x": {**COMMAND, "pool": "serial"}, "y": {**COMMAND, "rate_limit": "10/m"}},
    )

    assert config.settings.pools == {"serial": 1}
    assert config.policies.rate_limit == "1/90s"
    first, second = (declared.task.policy_options for declared in config.declared())
    assert (first["pool"], second["rate_limit"]) == ("serial", "10/m")


@pytest.mark.parametrize(
    ("sections", "text"),
    [
        ({"pools": {"serial": 0}}, "pools.serial"),
        ({"pools": {"serial": "two"}}, "pools.serial"),
        ({"pools": {"serial": True}}, "pools.serial"),
        ({"pools": [1]}, "pools"),
        ({"entries": {"x": {**COMMAND, "pool": "serail"}}, "pools": {"serial": 1}}, "serial"),
        ({"tasks": {"pool": "bus"}}, "there is no pool 'bus'"),
        ({"tasks": {"rate_limit": "10"}}, "10/1m"),
        ({"tasks": {"rate_limit": "0/1m"}}, "10/1m"),
        ({"tasks": {"rate_limit": 10}}, "10/1m"),
    ],
    ids=repr,
)
def test_what_is_wrong_is_told_with_its_place(sections: dict[str, Any], text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        load(**sections)


def test_a_limit_changes_while_it_runs() -> None:
    config = load(pools={"serial": 1})
    seen: list[dict[str, int]] = []
    config.subscribe(lambda settings: seen.append(dict(settings.pools)))

    config.config["pools"]["serial"] = 2
    config.config["pools"]["other"] = 1
    del config.config["pools"]["other"]

    assert seen == [{"serial": 2}, {"serial": 2, "other": 1}, {"serial": 2}]
    with pytest.raises(ConfigError):
        config.config["pools"]["serial"] = 0
