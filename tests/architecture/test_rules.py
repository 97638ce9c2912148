"""Every file keeps the house rules. What is exempt from one stands here, with its reason."""

from __future__ import annotations

from collections.abc import Callable
from fnmatch import fnmatch
from typing import NamedTuple

import pytest

from tests.architecture import rules
from tests.architecture.source_tree import SourceFile, files_under

PACKAGE = ("task_scheduler",)
EVERYTHING = ("task_scheduler", "tests", "scripts", "benchmarks")

SUPERVISION = "a program of its own, standard library only: it cannot be handed a clock"
FARM = "a program of its own that runs as a user's script would"


class HouseRule(NamedTuple):
    """A rule, the folders it holds in, and the files exempt from it: pattern -> reason."""

    find: Callable[[SourceFile], list[str]]
    folders: tuple[str, ...]
    exempt: dict[str, str] = {}  # noqa: RUF012  a NamedTuple's default is never changed


HOUSE_RULES = (
    HouseRule(rules.long_files, EVERYTHING),
    HouseRule(rules.long_functions, EVERYTHING),
    # Not in tests: pytest gives fixtures by name.
    HouseRule(rules.many_positional_parameters, ("task_scheduler", "scripts", "benchmarks")),
    HouseRule(rules.banned_module_names, EVERYTHING),
    HouseRule(
        rules.clock_readers,
        PACKAGE,
        {
            "task_scheduler/clock.py": "the one reader",
            "task_scheduler/supervision/launcher.py": SUPERVISION,
            "task_scheduler/supervision/supervisor.py": SUPERVISION,
            "task_scheduler/supervision/attempt_folder.py": SUPERVISION,
            "task_scheduler/presets/farm/*": FARM,
        },
    ),
    HouseRule(rules.sleeps, ("tests/unit", "tests/contract", "tests/simulation")),
    HouseRule(rules.broad_excepts, PACKAGE),
    HouseRule(rules.impure_imports, ("task_scheduler/core",)),
    HouseRule(
        rules.dangerous_calls,
        EVERYTHING,
        {
            "task_scheduler/confinement/as_script.py": "it runs a script as Python does",
            "tests/unit/importing/test_frozen_objects.py": "it freezes what must not be thawed",
        },
    ),
    HouseRule(rules.missing_docstrings, PACKAGE),
)


@pytest.mark.parametrize("rule", HOUSE_RULES, ids=lambda rule: rule.find.__name__)
def test_no_file_breaks_the_rule(rule: HouseRule) -> None:
    problems = [
        problem
        for file in files_under(*rule.folders)
        if not any(fnmatch(file.path, pattern) for pattern in rule.exempt)
        for problem in rule.find(file)
    ]

    assert not problems, "\n" + "\n".join(problems)
