"""The layers of the arsenal that are asked about a planted bug, the quickest first.

Responsible for: which tests each of them is.
"""

from __future__ import annotations

from dataclasses import dataclass

from tests.replant.bugs import Bug

__all__ = ["LAYERS", "Layer", "tests_of"]


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer, and where its tests lie; none: those that are named after the bug's row."""

    name: str
    folders: tuple[str, ...]


LAYERS = (
    Layer("row", ()),
    Layer("regressions", ("tests/regressions",)),
    Layer(
        "unit",
        (
            "tests/unit/core",
            "tests/unit/schedules",
            "tests/unit/testing",
            "tests/unit/executors",
            "tests/unit/supervision",
            "tests/unit/tasks",
            "tests/unit/test_dispatcher.py",
        ),
    ),
    Layer("contract", ("tests/contract",)),
    Layer("simulation", ("tests/simulation",)),
    Layer("supervision", ("tests/integration/supervision",)),
)


def tests_of(layer: Layer, bug: Bug) -> tuple[str, ...]:
    """Return the tests that a layer has for a bug."""
    return layer.folders or bug.tests
