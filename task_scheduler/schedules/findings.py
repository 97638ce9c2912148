"""Findings: what lint says about a rule.

Responsible for: their shape. The sentences are ``lint_<key>`` of the catalogue ``sentences``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from task_scheduler.schedules.phrases import Phrases

__all__ = ["Finding", "Level", "finding"]


class Level(StrEnum):
    """How much a finding matters."""

    WARNING = "warning"
    """Probably not what was meant."""
    NOTE = "note"
    """Right, and worth knowing."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing about a rule."""

    key: str
    place: str
    """The parameter or the field of the rule that it is about; empty: the whole rule."""
    sentence: str
    level: Level = Level.WARNING
    values: dict[str, Any] = field(default_factory=dict, compare=False)


def finding(
    phrases: Phrases, key: str, *, place: str = "", level: Level = Level.WARNING, **values: Any
) -> Finding:
    """Return a finding with its sentence in the language of the phrases."""
    return Finding(key, place, phrases.say(f"lint_{key}", **values), level, values)
