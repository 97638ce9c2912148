"""Paths that begin with the home of a user whom nobody knows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from task_scheduler.config import Config
from task_scheduler.config.home_paths import home_path
from task_scheduler.errors import ConfigError

NOBODY = "~no-such-user/x"


@pytest.mark.parametrize(
    "plain",
    [
        {"include": [NOBODY]},
        {"scheduler": {"language": f"${{file:{NOBODY}}}"}},
        {"calendars": {"days": {"file": NOBODY}}},
    ],
)
def test_a_file_in_the_home_of_nobody_is_a_file_that_is_not_there(
    plain: dict[str, Any], tmp_path: Path
) -> None:
    path = tmp_path / "scheduler_config.json"
    path.write_text(json.dumps(plain), encoding="utf-8")

    with pytest.raises(ConfigError, match="no-such-user/x"):
        Config.load(path, environ={})


def test_a_configuration_in_the_home_of_nobody_is_one_that_is_not_there() -> None:
    with pytest.raises(ConfigError, match="no-such-user/x"):
        Config.load(f"{NOBODY}.json", environ={})


def test_a_home_is_that_of_its_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/pond")

    assert home_path("~/x") == Path("/home/pond/x")
    assert home_path("a~/x") == Path("a~/x")
