"""docs/service.md names commands, options, files and exit codes that there are."""

from __future__ import annotations

import re
from importlib import import_module

import pytest

from task_scheduler.cli.program import GROUPS, module_of
from task_scheduler.service.unit import DEPLOYED, unit_text
from tests.docs.walkthrough import ROOT

PAGE = ROOT / "docs" / "service.md"
NAMES = {name for names in GROUPS.values() for name in names}


@pytest.fixture(scope="module")
def text() -> str:
    return PAGE.read_text(encoding="utf-8")


def test_every_command_that_it_names_exists(text: str) -> None:
    # After a folder, a container's name or `-c FILE` too, and not where only the program is named.
    named = set(re.findall(r"(?:^|[`/ ])tsk(?: -c \S+)? ([a-z][a-z-]+)", text, re.MULTILINE))

    assert {"install-service", "uninstall-service", "doctor", "up", "down"} <= named
    assert sorted(named - NAMES) == []


def test_the_options_of_its_table_are_those_of_the_command(text: str) -> None:
    listed = set(re.findall(r"^\| `(--\w+)", text, re.MULTILINE))
    command = import_module(module_of("install-service")).command

    assert listed == {"--user", "--print", "--name", "--force"}
    assert listed <= {flag for parameter in command.params for flag in parameter.opts}


def test_every_file_that_it_links_to_exists(text: str) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#\s]+)", text)

    assert {"../deploy/container/Containerfile", "../deploy/task-scheduler.service"} <= set(links)
    assert sorted(link for link in links if not (PAGE.parent / link).exists()) == []


def test_every_setting_of_the_unit_that_it_explains_is_in_the_unit(text: str) -> None:
    settings = set(re.findall(r"\*\*`(\w+=\w*)`", text))
    unit = unit_text(DEPLOYED)

    assert len(settings) == 5
    assert [setting for setting in settings if f"\n{setting}" not in unit] == []
