"""Imports point downwards only, adapters stand side by side, and nothing goes round in a ring."""

from __future__ import annotations

from tests.architecture import layers
from tests.architecture.source_tree import PACKAGE, files_under, imported_modules, our_imports


def test_every_module_has_its_layer() -> None:
    homeless = [
        f"{file.path}:1 {file.module} is in no layer. Name it in tests/architecture/layers.py."
        for file in files_under(PACKAGE)
        if layers.level_of(file.module) is None
    ]

    assert not homeless, "\n" + "\n".join(homeless)


def test_imports_point_downwards() -> None:
    problems = layers.upward_imports(our_imports(files_under(PACKAGE)))

    assert not problems, "\n" + "\n".join(problems)


def test_adapters_never_import_each_other() -> None:
    problems = layers.sideways_imports(our_imports(files_under(PACKAGE)))

    assert not problems, "\n" + "\n".join(problems)


def test_no_imports_go_round_in_a_ring() -> None:
    problems = layers.import_cycles(our_imports(files_under(PACKAGE)))

    assert not problems, "\n" + "\n".join(problems)


def test_no_import_is_relative() -> None:
    problems = [
        f"{file.at(node)} a relative import. Write the module's whole name."
        for file in files_under(PACKAGE)
        for _, node in imported_modules(file.tree)
        if getattr(node, "level", 0)
    ]

    assert not problems, "\n" + "\n".join(problems)
