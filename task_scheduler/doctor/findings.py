"""A finding: what one check found, how bad that is, and what to do about it.

Responsible for: its shape, and its sentences in the language of whoever reads it. They stand in
the message catalogue ``doctor``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from task_scheduler.i18n import translate

__all__ = ["CHECKS", "Finding", "Level", "bottleneck", "worst"]

CHECKS = (
    "scheduler",
    "faults",
    "lateness",
    "seats",
    "interpreter",
    "commits",
    "slow_task",
    "overlaps",
    "unresolved",
    "service",
    "channels",
    "memory",
    "confinement",
    "clock",
    "zones",
    "space",
    "database",
    "log",
    "rights",
)
"""Every check, in the order in which they are told."""

_BOTTLENECKS = ("space", "interpreter", "commits", "slow_task", "seats")
"""What can slow everything down; the first of them that is not fine is the cause of the others."""


class Level(StrEnum):
    """How bad it is."""

    FINE = "fine"
    UNKNOWN = "unknown"
    """It cannot be told here, or not now."""
    WARNING = "warning"
    PROBLEM = "problem"


_ORDER = tuple(Level)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a check found; `sentence` and `remedy` are keys of the catalogue ``doctor``."""

    check: str
    level: Level
    sentence: str
    remedy: str = ""
    command: str = ""
    """What to type, or the setting to change, as ``scheduler.max_workers: 20``."""
    figures: Mapping[str, Any] = field(default_factory=dict)
    """Plain values, for machines; they fill in the sentences too."""
    texts: Mapping[str, str] = field(default_factory=dict)
    """Values of the sentences that are no figures, or as people write them."""

    def told(self) -> str:
        """Return what was found."""
        return translate(f"doctor.{self.sentence}", **{**self.figures, **self.texts})

    def advice(self) -> str:
        """Return what to do about it; empty where there is nothing to do."""
        if not self.remedy:
            return ""
        values = {**self.figures, **self.texts, "command": self.command}
        return translate(f"doctor.{self.remedy}", **values)

    def plain(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            "check": self.check,
            "level": self.level.value,
            "sentence": self.told(),
            "figures": dict(self.figures),
            "remedy": self.advice() or None,
            "command": self.command or None,
        }


def worst(findings: Iterable[Finding]) -> Level:
    """Return the worst level there is."""
    return max((finding.level for finding in findings), key=_ORDER.index, default=Level.FINE)


def bottleneck(findings: Iterable[Finding]) -> Finding | None:
    """Return what slows everything down; None where nothing does."""
    bad = {f.check: f for f in findings if f.level in (Level.WARNING, Level.PROBLEM)}
    return next((bad[check] for check in _BOTTLENECKS if check in bad), None)
