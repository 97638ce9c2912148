"""iCalendar (RFC 5545): runs as the events of a calendar that any calendar program opens.

Responsible for: the text: escaping, folding, UTC times. What the events are decides the caller.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

__all__ = ["CalendarEvent", "calendar_bytes"]

_LINE_OCTETS = 75
_PRODUCER = "-//task-scheduler//tsk simulate//EN"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ESCAPES = str.maketrans({"\\": "\\\\", ";": "\\;", ",": "\\,", "\n": "\\n", "\r": None})


@dataclass(frozen=True, slots=True)
class CalendarEvent:
    """One event; moments in microseconds since the Unix epoch. `uid` tells it from all others."""

    uid: str
    starts_at: int
    ends_at: int
    summary: str
    description: str = ""


def calendar_bytes(events: Iterable[CalendarEvent], *, stamp: int) -> bytes:
    """Return a calendar file made at `stamp`; a valid one has at least one event."""
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", f"PRODID:{_PRODUCER}", "CALSCALE:GREGORIAN"]
    for event in events:
        lines += _event_lines(event, stamp)
    lines.append("END:VCALENDAR")
    return b"".join(part + b"\r\n" for line in lines for part in _folded(line))


def _event_lines(event: CalendarEvent, stamp: int) -> Iterator[str]:
    yield "BEGIN:VEVENT"
    yield f"UID:{_text(event.uid)}"
    yield f"DTSTAMP:{_time(stamp)}"
    yield f"DTSTART:{_time(event.starts_at)}"
    # DTEND has to be later than DTSTART; a run of less than a second is a moment, and has none.
    if _time(event.ends_at) > _time(event.starts_at):
        yield f"DTEND:{_time(event.ends_at)}"
    yield f"SUMMARY:{_text(event.summary)}"
    if event.description:
        yield f"DESCRIPTION:{_text(event.description)}"
    # A run keeps nobody from having an appointment.
    yield "TRANSP:TRANSPARENT"
    yield "END:VEVENT"


def _time(moment: int) -> str:
    return f"{_EPOCH + timedelta(microseconds=moment):%Y%m%dT%H%M%SZ}"


def _text(text: str) -> str:
    """Return a value of type TEXT: no control character but the tab may stand in it."""
    plain = "".join(c for c in text if c in "\n\t" or (c >= " " and c != "\x7f"))
    return plain.translate(_ESCAPES)


def _folded(line: str) -> Iterator[bytes]:
    """Yield the pieces of at most 75 octets; no character is cut in two."""
    piece = b""
    for character in line:
        octets = character.encode("utf-8", "replace")
        if len(piece) + len(octets) > _LINE_OCTETS:
            yield piece
            piece = b" "
        piece += octets
    yield piece
