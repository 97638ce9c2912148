"""The table of corruptions, and how one is entered into it."""

from __future__ import annotations

from collections.abc import Callable

from tests.checker.spoiling import Spoiler

Corruption = Callable[[Spoiler], None]
CORRUPTIONS: dict[str, tuple[str, Corruption]] = {}
"""By name: the invariant that must be named, and what is done."""


def breaks(invariant: str, name: str) -> Callable[[Corruption], Corruption]:
    """Enter a corruption into the table."""

    def enter(corruption: Corruption) -> Corruption:
        assert name not in CORRUPTIONS, name
        CORRUPTIONS[name] = (invariant, corruption)
        return corruption

    return enter
