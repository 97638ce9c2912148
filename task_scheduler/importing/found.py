"""What an import finds: entries as a configuration declares them, and what could not be had.

Responsible for: the values that every source answers, and ids that are valid, unique and readable.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from task_scheduler.i18n import translate

__all__ = ["Found", "FoundTask", "Ids", "Refused", "Remark", "as_strict_as_cron"]

_ID_LENGTH = 60


@dataclass(frozen=True, slots=True)
class Remark:
    """A sentence of the catalogue ``imports`` and what it speaks of."""

    key: str
    values: Mapping[str, Any] = field(default_factory=dict)

    def text(self) -> str:
        """Return it in the user's language."""
        return translate(f"imports.{self.key}", **self.values)


@dataclass(frozen=True, slots=True)
class FoundTask:
    """One task, as an entry of the section `entries`, and what is not as it was."""

    task_id: str
    entry: Mapping[str, Any]
    where: str
    """Its place in the source: ``crontab:12``, a unit, a job's id."""
    origin: str
    """How it reads there."""
    remarks: tuple[Remark, ...] = ()
    line: int | None = None
    """Its line, where the source is a file that can be taken over."""
    is_enabled: bool = True
    """Whether it fires where it comes from."""


@dataclass(frozen=True, slots=True)
class Refused:
    """What has no counterpart here, and why."""

    where: str
    origin: str
    remark: Remark


@dataclass(slots=True)
class Found:
    """All that a source has."""

    tasks: list[FoundTask] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    files: dict[str, str] = field(default_factory=dict)
    """Scripts that lay in the source itself, by the name under which an entry looks for them."""


class Ids:
    """Gives each task an id of its own, the same for the same source."""

    def __init__(self, taken: frozenset[str] = frozenset()) -> None:
        self._taken = set(taken)

    def of(self, text: str) -> str:
        """Return a free id made of a text."""
        plain = unicodedata.normalize("NFC", text)
        wanted = re.sub(r"[^\w.-]+", "-", plain).strip("-._")[:_ID_LENGTH] or "task"
        task_id, number = wanted, 1
        while task_id in self._taken:
            number += 1
            task_id = f"{wanted}-{number}"
        self._taken.add(task_id)
        return task_id


def as_strict_as_cron() -> dict[str, Any]:
    """Return the policies under which a task does what cron and its kin do.

    They start it beside one that still runs, never catch up or try again, and set no time limit.
    """
    return {"overlap": "allow", "misfire": "skip", "max_retries": 0, "timeout": 0}
