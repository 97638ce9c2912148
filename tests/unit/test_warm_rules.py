"""Warm rules: what the section `python` and a task's own wish come to."""

from __future__ import annotations

from typing import Any

import pytest

from task_scheduler.core.model import LaunchSpec
from task_scheduler.warm_rules import WarmRules


def spec(python: dict[str, Any] | None, **options: Any) -> LaunchSpec:
    return LaunchSpec(argv=("python", "x.py"), working_dir="/", python=python, **options)


@pytest.mark.parametrize(
    ("is_warm", "wish", "chosen"),
    [
        (False, {}, None),
        (True, {}, {"preload": ("json",)}),
        (False, {"warm": True}, {"preload": ("json",)}),
        (True, {"warm": False}, None),
        (True, {"preload": ["requests"]}, {"preload": ("requests",)}),
        (True, {"preload": []}, {"preload": ()}),
        (False, {"preload": ["requests"]}, None),
        (True, None, None),
    ],
)
def test_a_task_has_its_own_way_and_else_that_of_the_section(
    is_warm: bool, wish: dict[str, Any] | None, chosen: dict[str, Any] | None
) -> None:
    rules = WarmRules(is_warm=is_warm, preload=("json",))

    assert rules.choose(spec(wish)).python == chosen


def test_what_a_confined_task_could_have_chosen_is_not_loaded_before_it_is_confined() -> None:
    rules = WarmRules(is_warm=True)
    env = {"PYTHONPATH": "/tmp/theirs"}

    free = rules.choose(spec({}, env=env))
    confined = rules.choose(spec({}, env=env, confinement={"no_new_privileges": True}))

    assert free.python == {"preload": ()}
    assert confined.python is None


def test_a_secret_is_given_to_no_template() -> None:
    rules = WarmRules(is_warm=True)

    in_variable = rules.choose(spec({}, env={"P": "x-hunter2"}, masks=(b"hunter2",)))
    in_file = rules.choose(spec({}, confinement={"files": {"P": "hunter2"}}))
    of_another = rules.choose(spec({}, env={"P": "open"}, masks=(b"hunter2",)))

    assert (in_variable.python, in_file.python) == (None, None)
    assert of_another.python == {"preload": ()}
