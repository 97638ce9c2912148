"""Benches: an executor in a folder of its own, ended with all that it started."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.integration.supervision.bench import Bench


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.close()


@pytest.fixture
def new_bench() -> Iterator[Callable[..., Bench]]:
    """Make benches that the test may close itself."""
    made: list[Bench] = []

    def make(folder: Path, **options: int) -> Bench:
        made.append(Bench(folder, **options))
        return made[-1]

    yield make
    for item in made:
        item.close()
