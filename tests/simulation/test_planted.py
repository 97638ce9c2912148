"""The simulation is tested itself: each bug that is planted into the product is caught soon."""

from __future__ import annotations

import itertools

import pytest

from tests.simulation.campaign import live
from tests.simulation.planted import BUGS

_DAYS = 12.0
_SEEDS = 12
"""Years and random worlds, by turns, until one catches the bug."""


def hunt(bug: str, patch: pytest.MonkeyPatch) -> tuple[str, str] | None:
    """Return the seed that catches a bug, and what it says of it."""
    BUGS[bug](patch)
    for name in itertools.chain.from_iterable((f"w{n}", str(n)) for n in range(_SEEDS)):
        violation = live(name, days=_DAYS).violation
        if violation is not None:
            return name, violation
    return None


@pytest.mark.parametrize("bug", BUGS)
def test_a_planted_bug_is_caught(bug: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert hunt(bug, monkeypatch) is not None
