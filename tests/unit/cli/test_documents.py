"""docs/command-line.md says what is."""

from __future__ import annotations

import json
import re
from importlib import import_module, resources
from pathlib import Path

import click
import pytest

from task_scheduler.cli.exit_codes import ExitCode
from task_scheduler.cli.parameters import GLOBAL_NAMES, global_options
from task_scheduler.cli.program import GROUPS, module_of

DOCUMENT = Path(__file__).parents[3] / "docs" / "command-line.md"
NAMES = [name for names in GROUPS.values() for name in names]


@pytest.fixture(scope="module")
def text() -> str:
    return DOCUMENT.read_text(encoding="utf-8")


def test_the_exit_codes_are_those_of_the_program(text: str) -> None:
    catalogue = resources.files("task_scheduler.i18n") / "catalogues" / "cli.en.json"
    sentences = json.loads(catalogue.read_text(encoding="utf-8"))
    section = text.partition("## Exit codes")[2]

    listed = re.findall(r"^\| (\d+) \| (.+) \|$", section, re.MULTILINE)

    assert listed == [(str(int(code)), sentences[f"exit_{int(code)}"]) for code in ExitCode]


@pytest.mark.parametrize("name", NAMES)
def test_every_command_and_each_of_its_options_is_documented(text: str, name: str) -> None:
    row = next(line for line in text.splitlines() if re.search(rf"`{name}[ `]", line))
    command = import_module(module_of(name)).command
    own = [
        parameter
        for parameter in command.params
        if isinstance(parameter, click.Option) and parameter.name not in GLOBAL_NAMES
    ]

    missing = [o.opts for o in own if not any(flag in row for flag in o.opts)]

    assert missing == []


def test_every_global_option_is_documented(text: str) -> None:
    missing = [option.opts for option in global_options() if f"`{option.opts[0]}" not in text]

    assert missing == []
