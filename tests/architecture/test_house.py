"""The package from outside: its public names, its import, and the two shims beside it."""

from __future__ import annotations

import ast
import importlib
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture.source_tree import PACKAGE, ROOT

MODULES = {"PyYAML": "yaml"}
"""The modules of projects that are called otherwise."""
HEAVY = ("click", "httpx", "prometheus_client", "psutil", "pydantic", "pymodbus", "rich")


def test_every_public_name_exists_and_everything_imported_for_users_is_public() -> None:
    package = importlib.import_module(PACKAGE)
    public = set(package.__all__)
    bound = set(_names_bound_by(ROOT / PACKAGE / "__init__.py"))

    assert [name for name in sorted(public) if not hasattr(package, name)] == []
    assert bound <= public, f"add to __all__ or begin with an underscore: {sorted(bound - public)}"


def _names_bound_by(path: Path) -> Iterator[str]:
    """Yield the public names that a module's text binds at its top level."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ImportFrom) and node.module != "__future__":
            names = [name.asname or name.name for name in node.names]
        elif isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            names = [node.name]
        elif isinstance(node, ast.Assign):
            names = [target.id for target in node.targets if isinstance(target, ast.Name)]
        else:
            continue
        yield from (name for name in names if not name.startswith("_"))


def test_importing_the_package_waits_with_the_heavy_libraries() -> None:
    program = f"import sys, task_scheduler; print([n for n in {HEAVY!r} if n in sys.modules])"

    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=True
    )

    assert done.stdout.strip() == "[]", "import these where they are used: the import has a budget"


@pytest.mark.parametrize(
    ("shim", "extras"), [("task_scheduler.py", ["farm"]), ("task_examples.py", [])]
)
def test_a_shim_asks_for_what_the_project_depends_on(shim: str, extras: list[str]) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [*project["dependencies"]]
    for extra in extras:
        wanted += project["optional-dependencies"][extra]
    tree = ast.parse((ROOT / shim).read_text(encoding="utf-8"))

    needs = next(
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "NEEDS"
    )

    names = [re.split(r"[^\w-]", name)[0].replace("-", "_") for name in wanted]
    assert set(needs) == {MODULES.get(name, name) for name in names}


@pytest.mark.parametrize(
    ("shim", "remedy"),
    [("task_scheduler.py", "scripts/run"), ("task_examples.py", "scripts/setup")],
)
def test_a_shim_without_its_dependencies_names_the_remedy(shim: str, remedy: str) -> None:
    # -S leaves out site-packages: a Python in which nothing is installed.
    done = subprocess.run(
        [sys.executable, "-S", str(ROOT / shim)], capture_output=True, text=True, check=False
    )

    assert done.returncode == 1
    assert f"{ROOT / remedy}\n" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("language", "word"),
    [("C.UTF-8", "lacks"), ("zh_CN.UTF-8", "缺少"), ("ja_JP.UTF-8", "ありません")],
)
@pytest.mark.parametrize("shim", ["task_scheduler.py", "task_examples.py"])
def test_a_shim_speaks_the_language_and_knows_the_environment_of_the_machine(
    shim: str, language: str, word: str
) -> None:
    variables = {"LC_ALL": language, "PYTHONUTF8": "1", "TASK_SCHEDULER_VENV": "/somewhere"}
    done = subprocess.run(
        [sys.executable, "-S", str(ROOT / shim)],
        capture_output=True,
        encoding="utf-8",
        env={**os.environ, **variables},
        check=False,
    )

    assert word in done.stderr
    assert ("/somewhere/bin/python" in done.stderr) == (shim == "task_examples.py")
