"""The help: complete, in three languages."""

from __future__ import annotations

import json
from importlib import import_module, resources

import click
import pytest

from task_scheduler.cli.parameters import GLOBAL_NAMES
from task_scheduler.cli.program import GROUPS, module_of
from task_scheduler.i18n import LANGUAGES

NAMES = [name for names in GROUPS.values() for name in names]


def sentences(language: str) -> dict[str, str]:
    """Return the catalogue of the command line."""
    path = resources.files("task_scheduler.i18n") / "catalogues" / f"cli.{language}.json"
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_command_and_option_has_its_sentence(language: str) -> None:
    known = sentences(language)
    wanted = {f"about_{name}" for name in NAMES} | {f"option_{name}" for name in GLOBAL_NAMES}
    for name in NAMES:
        command = import_module(module_of(name)).command
        wanted |= {
            f"option_{name}_{parameter.name}"
            for parameter in command.params
            if isinstance(parameter, click.Option) and parameter.name not in GLOBAL_NAMES
        }

    assert wanted - set(known) == set()
