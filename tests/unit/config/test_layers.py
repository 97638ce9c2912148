"""Defaults, file, environment, options: which wins, and who is named when one is wrong."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from task_scheduler.config import Config
from task_scheduler.core.model import Policies
from tests.unit.config.conftest import Load, Problems

ORIGINAL = Path(__file__).parents[2] / "docs" / "original-readme.zh.md"


def original_blocks() -> list[str]:
    """Return the JSON blocks of the original document, comments included."""
    return re.findall(r"```json\n(.*?)```", ORIGINAL.read_text(encoding="utf-8"), re.DOTALL)


def test_the_original_file_loads_as_printed(load: Load, tmp_path: Path) -> None:
    settings = load(original_blocks()[0]).settings

    assert settings.scheduler.max_workers == 10
    assert (settings.tasks.timeout, settings.tasks.retry_delay) == (300, 5)
    assert (settings.logging.log_dir, settings.logging.max_log_size) == (
        tmp_path / "logs",
        10_000_000,
    )


def test_the_original_s_production_file_loads_as_printed(load: Load) -> None:
    settings = load(original_blocks()[1]).settings

    assert (settings.scheduler.log_level, settings.tasks.max_retries) == ("WARNING", 5)


def test_the_defaults_of_policies_are_those_of_the_policies(load: Load) -> None:
    assert load().policies == Policies()


def test_each_layer_wins_over_the_one_before(load: Load) -> None:
    text = '{"scheduler": {"max_workers": 1, "check_interval": 2, "log_level": "DEBUG"}}'
    environ = {
        "TASK_SCHEDULER__SCHEDULER__CHECK_INTERVAL": "3",
        "TASK_SCHEDULER__SCHEDULER__LOG_LEVEL": "ERROR",
    }

    scheduler = load(text, environ=environ, options={"log_level": "CRITICAL"}).settings.scheduler

    assert scheduler.stop_timeout_seconds == 30
    assert scheduler.max_workers == 1
    assert scheduler.check_interval == 3
    assert scheduler.log_level == "CRITICAL"


def test_a_layer_wins_under_either_name_of_the_timeout(load: Load) -> None:
    config = load(
        '{"tasks": {"default_timeout": 60}}', environ={"TASK_SCHEDULER__TASKS__TIMEOUT": "2m"}
    )

    assert config.settings.tasks.timeout == 120


@pytest.mark.parametrize("value", ["0", "none", "null", ""])
def test_the_environment_can_say_that_there_is_no_timeout(value: str, load: Load) -> None:
    config = load(environ={"TASK_SCHEDULER__TASKS__DEFAULT_TIMEOUT": value})

    assert config.policies.timeout_seconds is None


@pytest.mark.parametrize(
    ("value", "is_on"), [("true", True), ("1", True), ("on", True), ("OFF", False), ("no", False)]
)
def test_text_of_the_environment_becomes_what_is_wanted(
    value: str, is_on: bool, load: Load
) -> None:
    config = load(environ={"TASK_SCHEDULER__LOGGING__CONSOLE": value})

    assert config.settings.logging.console is is_on
    assert config.config["logging"]["console"] is is_on


def test_a_reference_alone_may_stand_for_a_number(load: Load) -> None:
    config = load('{"scheduler": {"max_workers": "${env:WORKERS}"}}', environ={"WORKERS": "7"})

    assert config.settings.scheduler.max_workers == 7


def test_a_wrong_reference_is_shown_as_it_is_written(problems: Problems) -> None:
    text = '{"scheduler": {"max_workers": "${env:SECRET}"}}'

    (problem,) = problems(text, environ={"SECRET": "hunter2"})

    assert '"${env:SECRET}"; it must be a whole number' in problem["message"]


@pytest.mark.parametrize(
    ("variable", "what"),
    [
        ("TASK_SCHEDULER__SCHEDULER__MAX_WORKER", "did you mean 'max_workers'?"),
        ("TASK_SCHEDULER__LOGING__CONSOLE", "did you mean 'logging'?"),
        ("TASK_SCHEDULER__ENTRIES__X", "write them in the file"),
        ("TASK_SCHEDULER__SCHEDULER", "SECTION__KEY"),
        ("TASK_SCHEDULER__SCHEDULER__A__B", "SECTION__KEY"),
        ("TASK_SCHEDULER__SCHEDULER__MAX_WORKERS", "must be a whole number"),
    ],
)
def test_a_wrong_variable_is_named(variable: str, what: str, load: Load) -> None:
    with pytest.raises(ValueError, match=re.escape(what)) as caught:
        load(environ={variable: "many"})

    assert f"environment variable {variable}: " in str(caught.value)


def test_variables_of_scripts_are_no_overrides(load: Load) -> None:
    assert load(environ={"TASK_SCHEDULER_RUN_ID": "5"}).path is not None


@pytest.mark.parametrize("storage", [":memory:", {"path": ":memory:"}])
def test_storage_may_be_its_path_alone(storage: object, load: Load) -> None:
    assert load(options={"storage": storage}).settings.storage.path == ":memory:"


def test_options_take_paths_and_tuples(load: Load, tmp_path: Path) -> None:
    entry = {"type": "command", "command": ("echo", "x"), "every": 5}

    config = load(options={"logging": {"log_dir": Path("here")}, "entries": {"echo": entry}})

    assert config.settings.logging.log_dir == tmp_path / "here"
    assert config.declared()[0].task.argv() == ["echo", "x"]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("options", "name", "what"),
    [
        ({"max_worker": 3}, "max_worker", "did you mean 'max_workers'?"),
        ({"max_workers": "3"}, "max_workers", "must be a whole number"),
        ({"max_workers": True}, "max_workers", "must be a whole number"),
        ({"storage": {"pth": 1}}, "storage.pth", "did you mean 'path'?"),
        ({"storage": 5}, "storage.path", "must be a path"),
        ({"tasks": 5}, "tasks", "must be an object"),
    ],
)
def test_a_wrong_option_is_named(
    options: dict[str, object], name: str, what: str, load: Load
) -> None:
    with pytest.raises(ValueError, match=re.escape(what)) as caught:
        load(options=options)

    assert f"option {name}: " in str(caught.value)


def test_a_mapping_can_be_the_configuration(tmp_path: Path) -> None:
    config = Config.load({"scheduler": {"max_workers": 2}}, environ={}, folder=tmp_path / "x")

    assert (config.path, config.folder) == (None, tmp_path / "x")
    assert config.settings.scheduler.max_workers == 2


def test_an_entry_of_a_later_layer_replaces_the_whole_entry(load: Load) -> None:
    text = '{"entries": {"x": {"type": "command", "command": ["a"], "cron": "@daily"}}}'
    entry = {"type": "command", "command": ["b"], "every": 5}

    config = load(text, options={"entries": {"x": entry}})

    assert config.config["entries"]["x"] == entry
