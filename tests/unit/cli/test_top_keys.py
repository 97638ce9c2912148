"""The keys of the live view: one table, and nothing beside it."""

from __future__ import annotations

from collections import Counter

import pytest

from task_scheduler.cli.top.app import TopApp
from task_scheduler.cli.top.keys import GO, KEYS
from task_scheduler.cli.top.pages import help_lines
from task_scheduler.i18n import LANGUAGES, set_language


def test_every_key_does_something() -> None:
    missing = [key.action for key in KEYS if f"action_{key.action}" not in vars(TopApp)]

    assert missing == []


def test_no_key_does_two_things() -> None:
    names = Counter(name for key in KEYS for name in key.names)
    after_g = Counter(name for key in GO for name in key.names)

    assert [name for name, count in (names + Counter()).items() if count > 1] == []
    assert [name for name, count in after_g.items() if count > 1] == []
    assert "g" not in names


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_of_keys_tells_what_each_does(language: str) -> None:
    set_language(language)
    lines = help_lines(72)

    assert "top.key" not in "\n".join(lines)
    assert all(any(key.shown in line for line in lines) for key in (*KEYS, *GO))
