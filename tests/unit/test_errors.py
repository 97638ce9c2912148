"""Errors name what is wrong, where, and what to type, in every language."""

from __future__ import annotations

import json
import re
import string
from collections.abc import Iterator
from importlib import resources

import pytest

from task_scheduler.errors import TaskNotFoundError, TaskSchedulerError
from task_scheduler.i18n import LANGUAGES, current_language, set_language

CATALOGUES = resources.files("task_scheduler") / "i18n/catalogues"
SENTENCES: dict[str, str] = json.loads((CATALOGUES / "errors.en.json").read_text("utf-8"))


@pytest.fixture(autouse=True)
def language() -> Iterator[None]:
    before = current_language()
    set_language("en")
    yield
    set_language(before)


@pytest.mark.parametrize("tag", LANGUAGES)
@pytest.mark.parametrize("name", SENTENCES)
def test_every_error_fills_its_sentence(name: str, tag: str) -> None:
    fields = {field for _, field, _, _ in string.Formatter().parse(SENTENCES[name]) if field}
    set_language(tag)

    text = str(TaskSchedulerError(f"errors.{name}", **dict.fromkeys(fields, "WERT")))

    assert "errors." not in text
    assert not re.search(r"\{[a-z_]+[!:}]", text)
    assert text.count("WERT") >= len(fields)


def test_an_unknown_task_is_answered_with_the_nearest_where_there_is_one() -> None:
    alone = TaskNotFoundError("errors.task_not_found", task_id="zzz", hint="")
    near = TaskNotFoundError("errors.task_not_found", task_id="pumpp", hint="'pump'")

    assert str(alone) == "there is no task 'zzz'; list the tasks with: tsk ls"
    assert str(near) == (
        "there is no task 'pumpp'; did you mean 'pump'? List the tasks with: tsk ls"
    )
    assert isinstance(near, LookupError)


def test_a_damaged_ledger_comes_with_the_command_that_moves_it_aside() -> None:
    error = TaskSchedulerError("errors.store_damaged", path="/farm/s.db", reason="malformed")

    assert "nothing was deleted or changed" in str(error)
    assert "mv /farm/s.db /farm/s.db-wal /farm/s.db-shm /farm/s.db.damaged/" in str(error)
