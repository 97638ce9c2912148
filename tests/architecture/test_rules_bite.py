"""A rule that finds nothing may be blind: each finds what it forbids, and lets the rest pass."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.architecture import layers, rules
from tests.architecture.source_tree import SourceFile, our_imports, parse

Rule = Callable[[SourceFile], list[str]]

FORBIDDEN: list[tuple[Rule, str]] = [
    (rules.long_files, "x = 1\n" * 501),
    (rules.long_functions, "def f():\n" + "    x = 1\n" * 70),
    (rules.long_functions, "class A:\n    async def f(self):\n" + "        x = 1\n" * 70),
    (rules.many_positional_parameters, "def f(a, b, c, d, e, f): ..."),
    (rules.many_positional_parameters, "class A:\n    def f(self, a, b, c, /, d, e, f): ..."),
    (rules.clock_readers, "import time\nx = time.time()"),
    (rules.clock_readers, "import time as t\nx = t.monotonic_ns()"),
    (rules.clock_readers, "from time import perf_counter as p\nread = p"),
    (rules.clock_readers, "from datetime import datetime\nx = datetime.now()"),
    (rules.clock_readers, "import datetime as dt\nx = dt.datetime.utcnow()"),
    (rules.clock_readers, "from datetime import date\nx = date.today()"),
    (rules.clock_readers, "import time\nx = time.strftime('%Y')"),
    (rules.clock_readers, "def f():\n    from time import time\n    return time()"),
    (rules.sleeps, "import time\ntime.sleep(1)"),
    (rules.sleeps, "from time import sleep as wait\nwait(1)"),
    (rules.sleeps, "import asyncio\nasync def f():\n    await asyncio.sleep(0)"),
    (rules.broad_excepts, "try: pass\nexcept Exception: pass"),
    (rules.broad_excepts, "try: pass\nexcept: pass"),
    (rules.broad_excepts, "try: pass\nexcept (ValueError, BaseException): pass"),
    (rules.broad_excepts, "try: pass\nexcept Exception:  # fence: laziness\n    pass"),
    (rules.broad_excepts, "import contextlib\nwith contextlib.suppress(Exception): pass"),
    (rules.impure_imports, "import threading"),
    (rules.impure_imports, "from random import random"),
    (rules.impure_imports, "def f():\n    import os.path"),
    (rules.impure_imports, "from task_scheduler.clock import SystemClock"),
    (rules.impure_imports, "import pydantic"),
    (rules.dangerous_calls, "import pickle"),
    (rules.dangerous_calls, "from marshal import loads"),
    (rules.dangerous_calls, "x = eval('1')"),
    (rules.dangerous_calls, "import subprocess\nsubprocess.run('ls', shell=True)"),
    (rules.dangerous_calls, "import os\nos.system('ls')"),
    (rules.dangerous_calls, "import yaml\nyaml.load('')"),
    (rules.missing_docstrings, "x = 1"),
    (rules.missing_docstrings, '"""Doc."""\ndef f(): ...'),
    (rules.missing_docstrings, '"""Doc."""\nclass A:\n    """Doc."""\n    def f(self): ...'),
]

WELCOME: list[tuple[Rule, str]] = [
    (rules.long_files, "x = 1\n" * 500),
    (rules.long_functions, "def f():\n" + "    x = 1\n" * 69),
    (rules.many_positional_parameters, "def f(a, b, c, d, e, *, f, g): ..."),
    (rules.many_positional_parameters, "class A:\n    def f(self, a, b, c, d, e): ..."),
    (rules.clock_readers, "import time\nx = time.strftime('%Y', moment)\ntime.sleep(1)"),
    (rules.clock_readers, "def f(clock, now):\n    return clock.now() - now"),
    (rules.sleeps, "x = 'time.sleep(1)'"),
    (rules.broad_excepts, "try: pass\nexcept OSError: pass"),
    (rules.broad_excepts, "try: pass\nexcept Exception:  # fence: tick\n    pass"),
    (rules.broad_excepts, "try: pass\nexcept BaseException:\n    undo()\n    raise"),
    (rules.impure_imports, "from task_scheduler.core import model\nimport json"),
    (rules.dangerous_calls, "import re\nre.compile('')\ncursor.execute('')\nrun([], shell=False)"),
    (rules.missing_docstrings, '"""Doc."""\ndef _f(): ...\nclass A:\n    """Doc."""'),
]


def name_of(value: object) -> str | None:
    return getattr(value, "__name__", None)


@pytest.mark.parametrize(("rule", "text"), FORBIDDEN, ids=name_of)
def test_a_rule_finds_what_it_forbids(rule: Rule, text: str) -> None:
    assert len(rule(parse("task_scheduler/core/pump.py", text))) == 1


@pytest.mark.parametrize(("rule", "text"), WELCOME, ids=name_of)
def test_a_rule_lets_the_rest_pass(rule: Rule, text: str) -> None:
    assert rule(parse("task_scheduler/core/pump.py", text)) == []


@pytest.mark.parametrize(
    "path", ["task_scheduler/utils.py", "task_scheduler/base/__init__.py", "tests/unit/logging.py"]
)
def test_an_empty_or_taken_name_is_found(path: str) -> None:
    assert len(rules.banned_module_names(parse(path, ""))) == 1


@pytest.mark.parametrize(
    "path", ["task_scheduler/__init__.py", "task_scheduler/__main__.py", "scripts/bench"]
)
def test_a_telling_name_passes(path: str) -> None:
    assert rules.banned_module_names(parse(path, "")) == []


def package(**texts: str) -> tuple[SourceFile, ...]:
    """Return a package in miniature: module path with ``__`` for the dots -> text."""
    return tuple(
        parse(f"task_scheduler/{name.replace('__', '/')}.py", text) for name, text in texts.items()
    )


def test_an_import_that_points_upwards_is_found_even_when_lazy_or_for_types_only() -> None:
    files = package(
        core__engine="def f():\n    from task_scheduler.stores.sqlite import Store",
        schedules__cron="if TYPE_CHECKING:\n    import task_scheduler.core.engine",
        stores__sqlite="from task_scheduler import scheduler",
        scheduler="from task_scheduler.stores import sqlite",
    )

    found = layers.upward_imports(our_imports(files))

    assert [problem.split(" ", 1)[0] for problem in found] == [
        "task_scheduler/core/engine.py:2",
        "task_scheduler/schedules/cron.py:2",
        "task_scheduler/stores/sqlite.py:1",
    ]


def test_adapters_that_import_each_other_are_found_and_the_named_exception_passes() -> None:
    files = package(
        stores__sqlite="import task_scheduler.executors.thread",
        executors__thread="from task_scheduler.executors import marks",
        executors__marks="x = 1",
        executors__process="from task_scheduler.supervision import client",
        supervision__client="import task_scheduler.executors.process",
    )

    found = layers.sideways_imports(our_imports(files))

    assert [problem.split(" ", 1)[0] for problem in found] == [
        "task_scheduler/stores/sqlite.py:1",
        "task_scheduler/supervision/client.py:1",
    ]


def test_each_ring_of_imports_is_found_once() -> None:
    files = package(
        core__a="from task_scheduler.core import b",
        core__b="from task_scheduler.core.c import thing",
        core__c="if TYPE_CHECKING:\n    from task_scheduler.core import a",
        core__d="from task_scheduler.core import a",
    )

    found = layers.import_cycles(our_imports(files))

    assert len(found) == 1
    assert found[0].startswith("task_scheduler/core/a.py:1 import cycle")
