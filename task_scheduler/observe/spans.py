"""Durations and moments as people read them, formed only when somebody does.

Responsible for: the text of microseconds in the current language. Knows no clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from task_scheduler.core.model import SECOND, Microseconds
from task_scheduler.i18n import translate

__all__ = ["Moment", "Span"]


@dataclass(frozen=True, slots=True)
class Span:
    """A duration: ``0.2 s``, ``1 min 5 s``, ``3 h 0 min``, ``2 d 4 h``."""

    length: Microseconds

    def __str__(self) -> str:
        seconds = self.length / SECOND
        if seconds < 59.95:
            digits = 3 if seconds < 1 else 1
            return translate("logs.seconds", seconds=f"{round(seconds, digits):g}")
        minutes, rest = divmod(round(seconds), 60)
        if minutes < 60:
            return translate("logs.minutes", minutes=minutes, seconds=rest)
        hours, minutes = divmod(minutes, 60)
        if hours < 24:
            return translate("logs.hours", hours=hours, minutes=minutes)
        days, hours = divmod(hours, 24)
        return translate("logs.days", days=days, hours=hours)


@dataclass(frozen=True, slots=True)
class Moment:
    """An instant in local time, as at the beginning of a log line."""

    at: Microseconds

    def __str__(self) -> str:
        try:
            moment = datetime.fromtimestamp(self.at // SECOND, UTC).astimezone()
        except (OverflowError, OSError, ValueError):
            return str(self.at)  # beyond the calendar: the number is still true
        return f"{moment:%Y-%m-%d %H:%M:%S}"
