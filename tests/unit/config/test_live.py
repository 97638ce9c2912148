"""The live mapping: reading like a dict, and changes that are checked at once."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from task_scheduler.config import Config
from task_scheduler.config.settings import Settings
from task_scheduler.errors import ConfigError
from tests.unit.config.conftest import Load

ECHO = {"type": "command", "command": ["echo"], "every": "1h"}


@pytest.fixture
def config(load: Load) -> Config:
    return load(json.dumps({"logging": {"max_log_size": "5MB"}, "entries": {"echo": ECHO}}))


def test_it_reads_like_the_file_with_its_defaults(config: Config) -> None:
    assert config.config["logging"]["max_log_size"] == "5MB"
    assert config.config["tasks"]["default_timeout"] == 300
    assert config.config["tasks"]["timeout"] == 300
    assert config.config["scheduler"].get("nothing") is None
    assert list(config.config) == [
        "scheduler",
        "tasks",
        "logging",
        "storage",
        "security",
        "alerts",
        "python",
        "monitoring",
        "entries",
        "calendars",
        "pools",
    ]


def test_an_assigned_key_takes_effect_at_once(config: Config) -> None:
    config.config["scheduler"]["log_level"] = "DEBUG"

    assert config.settings.scheduler.log_level == "DEBUG"
    assert config.config["scheduler"]["log_level"] == "DEBUG"


def test_update_sets_all_or_nothing(config: Config) -> None:
    with pytest.raises(ConfigError):
        config.config["tasks"].update(max_retries=9, retry_delay=-1)
    assert config.settings.tasks.max_retries == 3

    config.config["tasks"].update({"max_retries": 9}, retry_delay="2s")
    assert (config.settings.tasks.max_retries, config.settings.tasks.retry_delay) == (9, 2)


def test_an_assigned_section_is_laid_over_its_defaults(config: Config) -> None:
    config.config["logging"] = {"console": False}

    assert config.settings.logging.max_log_size == 10_000_000
    assert config.settings.logging.console is False


def test_either_name_of_the_timeout_replaces_the_other(config: Config) -> None:
    config.config["tasks"]["timeout"] = 60

    assert config.settings.tasks.timeout == 60
    assert config.config["tasks"]["default_timeout"] == 60


WRONG: dict[str, tuple[Callable[[Any], Any], str]] = {
    "key": (lambda c: c["scheduler"].update(log_levl="INFO"), "did you mean 'log_level'"),
    "value": (lambda c: c["scheduler"].update(max_workers="10"), "whole number"),
    "section": (lambda c: c.update(loging={}), "did you mean 'logging'"),
    "no section": (lambda c: c.update(logging=5), "must be an object"),
    "entry": (lambda c: c["entries"].update(x={"type": "command"}), "entries.x.command"),
    "in entry": (lambda c: c["entries"]["echo"].update(every="x"), "1h30m"),
    "deep": (lambda c: c["entries"]["echo"].pop("every"), "does not say when"),
    "removed key": (lambda c: c["scheduler"].pop("log_level"), "cannot be removed"),
    "removed section": (lambda c: c.pop("scheduler"), "cannot be removed"),
    "cleared": (lambda c: c["scheduler"].clear(), "cannot be removed"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_change_raises_and_changes_nothing(case: str, config: Config) -> None:
    change, what = WRONG[case]
    before, settings = config.config.copy(), config.settings  # type: ignore[attr-defined]

    with pytest.raises(ConfigError, match=what):
        change(config.config)

    assert config.config == before
    assert config.settings is settings


def test_entries_can_be_added_changed_and_removed(config: Config) -> None:
    config.config["entries"]["more"] = ECHO
    config.config["entries"]["more"]["every"] = "5m"
    del config.config["entries"]["echo"]

    (declared,) = config.declared()
    assert (declared.task.task_id, declared.rules[0].seconds) == ("more", 300)


def test_a_list_that_is_read_is_a_copy(config: Config) -> None:
    config.config["entries"]["echo"]["command"].append("x")

    assert config.config["entries"]["echo"]["command"] == ["echo"]


def test_a_copy_is_json(config: Config) -> None:
    plain = json.loads(json.dumps(config.config.copy()))  # type: ignore[attr-defined]

    assert plain == config.config
    assert json.loads(json.dumps(dict(config.config["scheduler"])))["max_workers"] == 10


def test_settings_are_frozen(config: Config) -> None:
    with pytest.raises(ValidationError):
        config.settings.scheduler.max_workers = 5


def test_subscribers_hear_of_each_new_settings(config: Config) -> None:
    heard: list[Settings] = []
    config.subscribe(heard.append)

    config.config["scheduler"]["max_workers"] = 5
    config.config["scheduler"]["max_workers"] = 5
    with pytest.raises(ConfigError):
        config.config["scheduler"]["max_workers"] = 0

    assert heard == [config.settings]


def test_reload_reads_the_file_again(config: Config, tmp_path: Path) -> None:
    heard: list[Settings] = []
    config.subscribe(heard.append)
    (tmp_path / "scheduler_config.json").write_text('{"scheduler": {"max_workers": 2}}', "utf-8")

    config.reload()

    assert config.settings.scheduler.max_workers == 2
    assert heard == [config.settings]


def test_reload_keeps_environment_and_options(load: Load, tmp_path: Path) -> None:
    options = {"max_workers": 4}
    environ = {"TASK_SCHEDULER__LOGGING__CONSOLE": "off"}
    config = load(options=options, environ=environ)
    options.clear()
    environ.clear()
    (tmp_path / "scheduler_config.json").write_text('{"logging": {"backup_count": 1}}', "utf-8")

    config.reload()

    assert config.settings.scheduler.max_workers == 4
    assert (config.settings.logging.console, config.settings.logging.backup_count) == (False, 1)


UNRESOLVED = '{"entries": {"x": {"type": "function", "function": "no_module_x:f", "every": 5}}}'


@pytest.mark.parametrize("text", ["{", '{"x": 1}', UNRESOLVED, None])
def test_a_reload_that_fails_keeps_the_last_good_one(
    text: str | None, config: Config, tmp_path: Path
) -> None:
    before = config.settings
    path = tmp_path / "scheduler_config.json"
    if text is None:
        path.unlink()
    else:
        path.write_text(text, encoding="utf-8")

    with pytest.raises(ConfigError):
        config.reload()

    assert config.settings is before
