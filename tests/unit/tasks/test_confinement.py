"""The options by which a task is confined: what they may be, and how they are stored."""

from __future__ import annotations

from typing import Any

import pytest

from task_scheduler import CommandTask, DefinitionError, FunctionTask, ScriptTask
from task_scheduler.core.model import Policies
from task_scheduler.errors import PolicyError
from task_scheduler.tasks.confinement import ports_of
from task_scheduler.tasks.registry import entry_of, restore_task

ALL: dict[str, Any] = {
    "user": "www-data",
    "group": 33,
    "umask": "027",
    "nice": 5,
    "limits": {"cpu_seconds": 60, "memory_bytes": 256 << 20},
    "network": {"tcp": ["443", ":8000-8002"]},
    "no_new_privileges": True,
}


def read(path: str) -> None:
    """A function that can be imported."""


def test_what_was_asked_for_is_stored_and_comes_back_after_a_restart() -> None:
    task = ScriptTask("job", None, "job.py", sha256="AB" * 32, **ALL)
    entry = entry_of(task, [], Policies(), has_user_rule=False)

    again = restore_task(entry)

    assert isinstance(again, ScriptTask)
    assert again.confinement == task.confinement
    assert again.confinement["umask"] == 0o27
    assert again.confinement["sha256"] == "ab" * 32


def test_a_task_that_asks_for_nothing_stores_nothing() -> None:
    definition = CommandTask("job", None, ["true"], user=None).definition()

    assert definition is not None
    assert set(definition) == {"command", "working_dir", "env"}


def test_a_function_is_confined_in_a_process_of_its_own_only() -> None:
    task = FunctionTask("job", None, read, ["a"], isolation="process", network="none")
    entry = entry_of(task, [], Policies(), has_user_rule=False)

    assert restore_task(entry).confinement == {"network": "none"}  # type: ignore[attr-defined]
    with pytest.raises(DefinitionError, match="isolation"):
        FunctionTask("job", None, read, ["a"], network="none")


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("user", ""),
        ("user", " root"),
        ("user", True),
        ("user", -1),
        ("user", "a:b"),
        ("group", 1.5),
        ("umask", "0999"),
        ("umask", 0o1000),
        ("umask", True),
        ("nice", 20),
        ("nice", "5"),
        ("limits", []),
        ("limits", {"memory": 5}),
        ("limits", {"memory_bytes": 0}),
        ("limits", {"memory_bytes": "256MB"}),
        ("limits", {"processes": True}),
        ("network", "internet"),
        ("network", {"udp": [53]}),
        ("network", {"tcp": ["example.com:443"]}),
        ("network", {"tcp": ["0"]}),
        ("network", {"tcp": ["70000"]}),
        ("network", {"tcp": ["9-1"]}),
        ("network", {"tcp": ["1-65535"]}),
        ("no_new_privileges", 1),
    ],
)
def test_what_an_option_cannot_be_is_told_at_once(option: str, value: Any) -> None:
    with pytest.raises(DefinitionError) as caught:
        CommandTask("job", None, ["true"], **{option: value})

    assert "job" in str(caught.value)


def test_a_pin_belongs_to_scripts() -> None:
    with pytest.raises(DefinitionError):
        ScriptTask("job", None, "job.py", sha256="abc")
    with pytest.raises(PolicyError):
        CommandTask("job", None, ["true"], sha256="ab" * 32)


def test_ports_are_read_from_rules() -> None:
    assert ports_of(["443", ":80", "8000-8002", "8001"]) == [80, 443, 8000, 8001, 8002]
