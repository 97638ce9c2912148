"""The keyword `python` of a script task: checked when it is given, stored with the task."""

from __future__ import annotations

import pytest

from task_scheduler.core.model import Policies
from task_scheduler.errors import DefinitionError
from task_scheduler.tasks.python_wish import python_wish_of
from task_scheduler.tasks.script import ScriptTask


def test_what_was_given_is_kept_in_plain_form() -> None:
    wish = python_wish_of("t", {"warm": True, "preload": ("json", "urllib.request", "json")})

    assert wish == {"warm": True, "preload": ["json", "urllib.request"]}
    assert python_wish_of("t", None) == {}
    assert python_wish_of("t", {"warm": None}) == {}


@pytest.mark.parametrize(
    "wish",
    [
        True,
        {"hot": True},
        {"warm": "yes"},
        {"preload": "json"},
        {"preload": ["no module"]},
        {"preload": [1]},
        {"preload": ["os; import sys"]},
        {"preload": ["json"] * 101},
    ],
)
def test_anything_else_is_refused(wish: object) -> None:
    with pytest.raises(DefinitionError, match="preload"):
        python_wish_of("t", wish)


def test_it_is_stored_with_the_task_where_it_was_given() -> None:
    plain = ScriptTask("a", script_path="x.py")
    warm = ScriptTask("b", script_path="x.py", python={"warm": True})

    assert "python" not in (plain.definition() or {})
    assert (warm.definition() or {})["python"] == {"warm": True}


@pytest.mark.parametrize(
    ("script", "interpreter", "wish"),
    [
        ("x.py", None, {"warm": True}),
        ("x.py", "/venv/bin/python3.12", {"warm": True}),
        ("x.py", "node", None),
        ("x.sh", None, None),
        ("x", "python3", None),
    ],
)
def test_only_scripts_that_python_runs_can_be_warm(
    script: str, interpreter: str | None, wish: dict[str, bool] | None
) -> None:
    task = ScriptTask("t", script_path=script, interpreter=interpreter, python={"warm": True})

    assert task._spec({}, Policies()).python == wish
