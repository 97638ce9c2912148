"""A case of the conformance suite: a script that is run cold and warm, and must be the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One script with its surroundings."""

    name: str
    source: str
    args: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    """What lies beside the script."""
    is_latin: bool = False
    """Whether the source is written as Latin-1."""
    stays_cold: str = ""
    """Why no template may start it; empty: it has to be started warm."""
    confinement: Mapping[str, object] = field(default_factory=dict)
