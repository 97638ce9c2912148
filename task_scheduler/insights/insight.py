"""An insight: something that would go better otherwise, with its figure and what mends it.

Responsible for: its shape, and its sentences in the language of whoever reads it. They stand in
the message catalogue ``insights``: ``KIND`` and ``KIND_remedy``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from task_scheduler.i18n import translate

__all__ = ["Insight", "InsightKind"]


class InsightKind(StrEnum):
    """What it is about, in the order in which insights are told."""

    SATURATED = "saturated"
    """Every seat, or every place of a pool, is taken for much of the time."""
    COLLISION = "collision"
    """More tasks are due at one moment than can run at once."""
    LATE = "late"
    """A task begins late again and again."""
    SLOWER = "slower"
    """A task takes far longer than it used to."""
    FAILS_AT = "fails_at"
    """A task fails at one hour of the day alone."""
    NEVER_RAN = "never_ran"
    """A task has a schedule and never ran."""
    NEAR_LIMIT = "near_limit"
    """A task comes near to its timeout, or to what it may have of memory."""
    LATE_SUCCESS = "late_success"
    """A task often succeeds only when it is tried again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Insight:
    """What was found; `variant` tells sentences of one kind apart."""

    kind: InsightKind
    subject: str = ""
    """The task or the pool; empty: the scheduler as a whole."""
    variant: str = ""
    command: str = ""
    """What to type, or the setting to change, as ``scheduler.max_workers: 14``."""
    figures: Mapping[str, Any] = field(default_factory=dict)
    """Plain values, for machines; they fill in the sentences too."""
    texts: Mapping[str, str] = field(default_factory=dict)
    """Values of the sentences as people write them."""

    def told(self) -> str:
        """Return what was found."""
        return self._sentence("")

    def advice(self) -> str:
        """Return what to do about it."""
        return self._sentence("_remedy")

    def plain(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            "kind": self.kind.value,
            "subject": self.subject or None,
            "sentence": self.told(),
            "figures": dict(self.figures),
            "remedy": self.advice(),
            "command": self.command or None,
        }

    def _sentence(self, end: str) -> str:
        name = f"{self.kind}_{self.variant}" if self.variant else str(self.kind)
        values = {**self.figures, **self.texts, "subject": self.subject, "command": self.command}
        return translate(f"insights.{name}{end}", **values)
