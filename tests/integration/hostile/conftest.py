"""Arenas, ended with all that they started, and what comes of the witnesses without an attack."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.hostile.arena import Account, Arena


@pytest.fixture
def arena() -> Iterator[Arena]:
    made = Arena()
    yield made
    made.close()


@pytest.fixture(scope="session")
def alone() -> dict[str, Account]:
    """What comes of the witnesses without a hostile task."""
    made = Arena()
    try:
        made.begin(None)
        made.await_witnesses()
        made.end()
        return made.accounts()
    finally:
        made.close()
