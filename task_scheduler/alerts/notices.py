"""Notices: what is to be told of an alert, decided and not yet put into words.

Responsible for: the shape. The composer writes them, the courier delivers what it wrote.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from task_scheduler.alerts.memory import Sample
from task_scheduler.alerts.rules import AlertKind
from task_scheduler.core.model import Microseconds

__all__ = ["Notice", "NoticeKind", "Other"]


class NoticeKind(StrEnum):
    """Which message of an alert it is."""

    OPENED = "opened"
    DIGEST = "digest"
    """It became more."""
    REMINDER = "reminder"
    """It lasts."""
    RECOVERED = "recovered"
    SUMMARY = "summary"
    """Many alerts at once, in one message."""
    TEST = "test"


@dataclass(frozen=True, slots=True)
class Other:
    """One of many alerts in a summary."""

    kind: AlertKind
    cause: str
    count: int
    task_id: str
    is_over: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One message to be."""

    kind: NoticeKind
    alert_id: int
    about: AlertKind
    rule: str
    cause: str
    channels: tuple[str, ...]
    opened_at: Microseconds
    at: Microseconds
    is_urgent: bool = False
    closed_at: Microseconds | None = None
    count: int = 1
    news: int = 0
    """How many of them nobody was told of before."""
    task_ids: tuple[str, ...] = ()
    """The first of the tasks that are in it, or were."""
    task_count: int = 0
    held_back: int = 0
    """Tasks in it that are silenced, by somebody, a maintenance or a task that they follow."""
    sample: Sample | None = None
    others: tuple[Other, ...] = ()
