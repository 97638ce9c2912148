"""iCalendar text (RFC 5545): the events of a file as a calendar.

Responsible for: VEVENTs that last whole days or have times, their RRULE, RDATE, EXDATE and changed
single occurrences, and errors with the line. Everything else of the format (alarms, to-dos, zones
written out) is passed over. Reads no file.

A time with a ``TZID`` is one of the zone of that name; without one, and for whole days, it is local
time of the rule that asks. Cancelled events cover nothing; ``TRANSP`` does not matter, since files
of holidays say so of all their events.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

from task_scheduler.errors import ScheduleError
from task_scheduler.schedules.calendars.named_calendar import (
    DAY_SECONDS,
    Calendar,
    Interval,
    Repeat,
)
from task_scheduler.schedules.instants import SECOND, instant_of
from task_scheduler.schedules.recurrence import recurrence_occurrences
from task_scheduler.schedules.zones import Zone, zone_named

__all__ = ["calendar_from_ics"]

_MOST_EVENTS = 20_000
_LONGEST_EVENT = 366 * DAY_SECONDS
_SHOWN_LENGTH = 80
_EPOCH = datetime(1970, 1, 1)
_LINE = re.compile(r"(?P<name>[A-Za-z0-9-]+)(?P<parameters>(?:;[^=;:]+=(?:\"[^\"]*\"|[^\";:]*))*):")
_PARAMETER = re.compile(r";([^=]+)=(?:\"([^\"]*)\"|([^\";:]*))")
_DATE = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})(?:T([0-9]{2})([0-9]{2})([0-9]{2})(Z?))?")
_DURATION = re.compile(
    r"\+?P(?:([0-9]{1,4})W|(?:([0-9]{1,5})D)?(?:T(?:([0-9]{1,6})H)?(?:([0-9]{1,6})M)?(?:([0-9]{1,9})S)?)?)"
)
_RECURRING = ("RRULE", "RDATE", "EXDATE")


class _Line(NamedTuple):
    number: int
    name: str
    parameters: dict[str, str]
    value: str
    text: str


class _Moment(NamedTuple):
    """A date or a time as it is written; the zone is None where it is local to whoever asks."""

    local: datetime
    zone: Zone | None
    is_date: bool


@dataclass(slots=True)
class _Event:
    """One VEVENT as its lines; the first of each name, but for those that may come often."""

    number: int
    lines: dict[str, _Line] = field(default_factory=dict)
    recurring: list[_Line] = field(default_factory=list)

    def value(self, name: str) -> str:
        """Return the value of a line, empty where there is none."""
        return self.lines[name].value if name in self.lines else ""


def calendar_from_ics(text: str) -> Calendar:
    """Return the calendar of an iCalendar text; raises ScheduleError with the `line`."""
    events = _events_of(text)
    changed: dict[str, list[_Line]] = {}
    for event in events:
        if "RECURRENCE-ID" in event.lines:
            changed.setdefault(event.value("UID"), []).append(event.lines["RECURRENCE-ID"])
    dated: list[Interval] = []
    spans: list[Interval] = []
    repeats: list[Repeat] = []
    for event in events:
        if event.value("STATUS").upper() == "CANCELLED":
            continue
        if "DTSTART" not in event.lines:
            raise ScheduleError("schedules.ics_no_start", line=event.number)
        start = _moment_of(event.lines["DTSTART"])
        length = _length_of(event, start)
        is_changed = "RECURRENCE-ID" in event.lines
        if event.recurring and not is_changed:
            repeats.append(_repeat(event, start, length, changed.get(event.value("UID"), [])))
        elif start.zone is None:
            begin = _seconds(start.local)
            dated.append((begin, begin + length))
        else:
            begin = instant_of(start.local, start.zone.tz) // SECOND
            spans.append((begin, begin + length))
    return Calendar(dated=tuple(sorted(dated)), spans=tuple(sorted(spans)), repeats=tuple(repeats))


def _repeat(event: _Event, start: _Moment, length: int, changed: list[_Line]) -> Repeat:
    """Return a recurring event, without those of its occurrences that were changed."""
    lines = [event.lines["DTSTART"].text, *(line.text for line in event.recurring)]
    lines += [f"EXDATE{line.text[len(line.name) :]}" for line in changed]
    try:
        occurrences = recurrence_occurrences("\n".join(lines), start.zone or zone_named("UTC"))
    except ScheduleError as error:
        raise ScheduleError(
            "schedules.ics_recurrence", line=event.number, reason=str(error)
        ) from error
    return Repeat(occurrences, length, is_local=start.zone is None)


def _length_of(event: _Event, start: _Moment) -> int:
    """Return the seconds of an event; without an end a date is a day, and a time covers nothing."""
    line = event.lines.get("DTEND") or event.lines.get("DURATION")
    if line is None:
        return DAY_SECONDS if start.is_date else 0
    if line.name == "DURATION":
        length = _duration_of(line)
    else:
        end = _moment_of(line)
        if (start.zone is None) != (end.zone is None):
            raise ScheduleError("schedules.ics_end_form", line=line.number)
        length = _end_of(end) - _end_of(start)
    if not 0 <= length <= _LONGEST_EVENT:
        raise ScheduleError(
            "schedules.ics_length", line=line.number, value=line.value[:_SHOWN_LENGTH]
        )
    return length


def _end_of(moment: _Moment) -> int:
    if moment.zone is None:
        return _seconds(moment.local)
    return instant_of(moment.local, moment.zone.tz) // SECOND


def _duration_of(line: _Line) -> int:
    match = _DURATION.fullmatch(line.value.strip().upper())
    if match is None or not any(match.groups()):
        raise ScheduleError(
            "schedules.ics_length", line=line.number, value=line.value[:_SHOWN_LENGTH]
        )
    weeks, days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return (weeks * 7 + days) * DAY_SECONDS + hours * 3600 + minutes * 60 + seconds


def _moment_of(line: _Line) -> _Moment:
    match = _DATE.fullmatch(line.value.strip())
    try:
        if match is None:
            raise ValueError
        is_date = match[4] is None
        parts = match.groups()[: 3 if is_date else 6]
        year, month, day, *time = (int(part) for part in parts)
        # A second 60 is a leap second, which no clock of ours shows.
        hour, minute, second = time or (0, 0, 0)
        local = datetime(year, month, day, hour, minute, min(second, 59))
    except ValueError:
        raise ScheduleError(
            "schedules.ics_moment", line=line.number, value=line.value[:_SHOWN_LENGTH]
        ) from None
    if match[7]:
        return _Moment(local, zone_named("UTC"), is_date)
    name = line.parameters.get("TZID")
    if name is None or is_date:
        return _Moment(local, None, is_date)
    try:
        # Some programs write the zone with a path of their own: /example.org/Asia/Tokyo.
        return _Moment(local, zone_named(name.removeprefix("/")), is_date)
    except ScheduleError as error:
        raise ScheduleError("schedules.ics_zone", line=line.number, reason=str(error)) from error


def _events_of(text: str) -> list[_Event]:
    """Return the events of a text, in order."""
    if not text.lstrip("\ufeff").lstrip().upper().startswith("BEGIN:VCALENDAR"):
        raise ScheduleError("schedules.ics_not_whole")
    events: list[_Event] = []
    open_parts: list[str] = []
    for line in _lines_of(text):
        value = line.value.strip().upper()
        if line.name == "BEGIN":
            if value == "VEVENT":
                if len(events) >= _MOST_EVENTS:
                    raise ScheduleError("schedules.ics_many", line=line.number, most=_MOST_EVENTS)
                events.append(_Event(line.number))
            open_parts.append(value)
        elif not open_parts:
            break
        elif line.name == "END":
            if open_parts.pop() != value:
                raise ScheduleError(
                    "schedules.ics_end", line=line.number, value=value[:_SHOWN_LENGTH]
                )
        elif open_parts[-1] == "VEVENT":
            if line.name in _RECURRING:
                events[-1].recurring.append(line)
            else:
                events[-1].lines.setdefault(line.name, line)
    if open_parts:
        raise ScheduleError("schedules.ics_not_whole")
    return events


def _lines_of(text: str) -> Iterator[_Line]:
    """Yield the content lines, folded ones put together; raises ScheduleError for others."""
    whole: list[str] = []
    number = 0
    for index, written in enumerate([*text.lstrip("\ufeff").splitlines(), ""], 1):
        if written[:1] in (" ", "\t") and whole:
            whole.append(written[1:])
            continue
        if whole:
            yield _line_of(number, "".join(whole))
        whole, number = ([written] if written.strip() else []), index


def _line_of(number: int, text: str) -> _Line:
    match = _LINE.match(text)
    if match is None:
        raise ScheduleError("schedules.ics_line", line=number, value=text[:_SHOWN_LENGTH])
    parameters = {
        name.upper(): quoted or plain
        for name, quoted, plain in _PARAMETER.findall(match["parameters"])
    }
    return _Line(number, match["name"].upper(), parameters, text[match.end() :], text)


def _seconds(local: datetime) -> int:
    since: timedelta = local - _EPOCH
    return since.days * DAY_SECONDS + since.seconds
