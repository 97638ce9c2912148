"""Recurrence text: the lines of RFC 5545, read into values, or refused with their place.

Responsible for: ``DTSTART``, ``RRULE``, ``RDATE`` and ``EXDATE`` with their parameters, and every
check that needs no calendar. Knows nothing of what instants follow from a rule.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import IntEnum
from typing import Any

from task_scheduler.errors import ScheduleError
from task_scheduler.i18n import translate
from task_scheduler.schedules.instants import SECOND, instant_of
from task_scheduler.schedules.zones import Zone, zone_named

__all__ = ["Frequency", "Moment", "RecurrenceRule", "RecurrenceText", "read_recurrence"]

LONGEST_TEXT = 65_536
MOST_DATES = 1_000
"""Of RDATE and of EXDATE: each of those in a row costs `next` one step."""
_MOST_RULES = 20
_LARGEST_NUMBER = 1_000_000_000
_SHOWN_LENGTH = 80

WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")


class Frequency(IntEnum):
    """What a rule repeats by, from the longest on."""

    YEARLY = 0
    MONTHLY = 1
    WEEKLY = 2
    DAILY = 3
    HOURLY = 4
    MINUTELY = 5
    SECONDLY = 6


@dataclass(frozen=True, slots=True)
class Moment:
    """A date, or a date and time, as it is written."""

    local: datetime
    """Naive, as on the wall clock of `zone`."""
    zone: Zone
    is_floating: bool
    """Whether it was written without a zone, and `zone` is that of the rule."""
    is_date: bool

    @property
    def instant(self) -> int:
        """Microseconds since the Unix epoch."""
        return instant_of(self.local, self.zone.tz)


@dataclass(frozen=True, slots=True)
class RecurrenceRule:
    """One RRULE; an empty tuple stands for a part that is not there."""

    frequency: Frequency
    interval: int = 1
    count: int | None = None
    until: Moment | None = None
    week_start: int = 0
    """Monday 0."""
    months: tuple[int, ...] = ()
    week_numbers: tuple[int, ...] = ()
    year_days: tuple[int, ...] = ()
    month_days: tuple[int, ...] = ()
    weekdays: tuple[tuple[int, int], ...] = ()
    """Pairs of an ordinal, 0 for every one, and a weekday, Monday 0."""
    hours: tuple[int, ...] = ()
    minutes: tuple[int, ...] = ()
    seconds: tuple[int, ...] = ()
    set_positions: tuple[int, ...] = ()
    text: str = ""


@dataclass(frozen=True, slots=True)
class RecurrenceText:
    """The lines of a recurrence."""

    start: Moment
    rules: tuple[RecurrenceRule, ...]
    dates: tuple[Moment, ...]
    excluded: tuple[Moment, ...]


@dataclass(frozen=True, slots=True)
class _Line:
    """A content line, folded lines put together."""

    number: int
    name: str
    parameters: dict[str, str]
    value: str
    column: int
    """Where the value begins, from 1 on."""

    def error(self, key: str, value: str, index: int = 0, **values: Any) -> ScheduleError:
        """Return an error about a piece of the value that begins at `index`."""
        return ScheduleError(
            key,
            property=self.name,
            line=self.number,
            column=self.column + index,
            value=_shown(value),
            **values,
        )


@dataclass(frozen=True, slots=True)
class _Part:
    """One ``NAME=VALUE`` of an RRULE."""

    line: _Line
    name: str
    value: str
    index: int

    def error(self, key: str, value: str | None = None, **values: Any) -> ScheduleError:
        """Return an error about this part."""
        shown = self.value if value is None else value
        return self.line.error(key, shown, self.index, part=self.name, **values)


def read_recurrence(text: object, zone: Zone, start_at: datetime | None = None) -> RecurrenceText:
    """Read the lines; `zone` is that of times without one, `start_at` stands in for DTSTART.

    A line without a name is an RRULE, so that ``FREQ=DAILY`` is enough beside `start_at`.
    Raises ScheduleError naming the part, its line and column, and what to write instead.
    """
    if not isinstance(text, str):
        raise ScheduleError("schedules.rrule_not_text", value=_shown(repr(text)))
    if len(text) > LONGEST_TEXT:
        raise ScheduleError("schedules.rrule_long", length=len(text), longest=LONGEST_TEXT)
    lines = _lines_of(text)
    start = _start_of([line for line in lines if line.name == "DTSTART"], zone, start_at)
    written = [line for line in lines if line.name == "RRULE"]
    if len(written) > _MOST_RULES:
        raise written[_MOST_RULES].error("schedules.rrule_many", "RRULE", most=_MOST_RULES)
    rules = tuple(_rule_of(line, start) for line in written)
    dates = _dates_of([line for line in lines if line.name == "RDATE"], zone, start)
    excluded = _dates_of([line for line in lines if line.name == "EXDATE"], zone, start)
    if not rules and not dates:
        raise ScheduleError("schedules.rrule_missing")
    return RecurrenceText(start, rules, dates, excluded)


def _lines_of(text: str) -> list[_Line]:
    lines: list[tuple[int, str]] = []
    for number, line in enumerate(text.splitlines(), start=1):
        if line[:1] in (" ", "\t") and lines and line.strip():
            lines[-1] = (lines[-1][0], lines[-1][1] + line[1:].rstrip())
        elif line.strip():
            lines.append((number, line.rstrip()))
    return [_line_of(number, line) for number, line in lines]


def _line_of(number: int, text: str) -> _Line:
    if re.match(r"\s*[A-Za-z]+\s*=", text):
        return _Line(number, "RRULE", {}, text, 1)
    head, colon, value = text.partition(":")
    name, *parameters = head.strip().split(";")
    written = dict(_parameter(one) for one in parameters)
    line = _Line(number, name.strip().upper(), written, value, len(head) + 2)
    known = ("DTSTART", "RRULE", "RDATE", "EXDATE")
    if not colon or line.name not in known:
        raise ScheduleError(
            "schedules.rrule_property",
            line=number,
            value=_shown(text),
            hint=_hint_for(line.name, known),
            known=", ".join(known),
        )
    allowed = () if line.name == "RRULE" else ("TZID", "VALUE")
    for parameter in written:
        if parameter not in allowed:
            raise line.error("schedules.rrule_parameter", parameter)
    return line


def _parameter(text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    return name.strip().upper(), value.strip().strip('"')


def _start_of(lines: list[_Line], zone: Zone, start_at: datetime | None) -> Moment:
    """Return DTSTART, or what was given in its place."""
    if len(lines) + (start_at is not None) > 1:
        raise ScheduleError("schedules.rrule_two_starts")
    if lines:
        return _moment_of(lines[0], lines[0].value, 0, zone)
    if start_at is None:
        raise ScheduleError("schedules.rrule_no_start")
    if start_at.tzinfo is None:
        return Moment(start_at.replace(microsecond=0), zone, is_floating=True, is_date=False)
    # An instant, told on the wall clock of the rule's zone.
    local = start_at.astimezone(zone.tz).replace(tzinfo=None, microsecond=0)
    return Moment(local, zone, is_floating=False, is_date=False)


def _dates_of(lines: list[_Line], zone: Zone, start: Moment) -> tuple[Moment, ...]:
    found: list[Moment] = []
    for line in lines:
        index = 0
        for value in line.value.split(","):
            moment = _moment_of(line, value, index, zone)
            if moment.is_date != start.is_date:
                key = "schedules.rrule_date" if moment.is_date else "schedules.rrule_time"
                raise line.error(key, value, index)
            found.append(moment)
            index += len(value) + 1
            if len(found) > MOST_DATES:
                raise line.error("schedules.rrule_many_dates", value, index, most=MOST_DATES)
    return tuple(dict.fromkeys(found))


def _moment_of(line: _Line, text: str, index: int, zone: Zone) -> Moment:
    kind = line.parameters.get("VALUE", "").upper()
    if kind not in ("", "DATE", "DATE-TIME"):
        raise line.error("schedules.rrule_value_type", kind, known="DATE, DATE-TIME")
    name = line.parameters.get("TZID")
    is_utc = text.strip().upper().endswith("Z")
    if is_utc and name is not None and name != "UTC":
        raise line.error("schedules.rrule_utc_in_zone", text, index, zone=_shown(name))
    local, is_date = _read_moment(line, text, index)
    if (kind == "DATE" and not is_date) or (kind == "DATE-TIME" and is_date):
        raise line.error("schedules.rrule_moment", text, index)
    own = zone_named("UTC") if is_utc else zone if name is None else zone_named(name)
    return Moment(local, own, is_floating=name is None and not is_utc, is_date=is_date)


def _read_moment(line: _Line, text: str, index: int) -> tuple[datetime, bool]:
    """Return a naive datetime and whether it is a date; a leap second is the one before it."""
    match = re.fullmatch(r"(\d{8})(?:T(\d{6})Z?)?", text.strip().upper(), re.ASCII)
    if match is not None:
        date, time = match.groups()
        written = date + (time or "000000")
        if written.endswith("60"):
            written = written[:-2] + "59"
        try:
            return datetime.strptime(written, "%Y%m%d%H%M%S"), time is None
        except ValueError:
            pass
    raise line.error("schedules.rrule_moment", text, index)


def _rule_of(line: _Line, start: Moment) -> RecurrenceRule:
    parts = _parts_of(line)
    freq = parts.get("FREQ")
    if freq is None:
        raise line.error("schedules.rrule_no_freq", line.value, known=", ".join(_names()))
    frequency = Frequency[_choice(freq, tuple(_names()))]
    values: dict[str, Any] = {
        field: read(parts[name]) for name, (field, read) in _READERS.items() if name in parts
    }
    if "UNTIL" in parts:
        values["until"] = _until_of(parts["UNTIL"], start)
    if "WKST" in parts:
        values["week_start"] = WEEKDAYS.index(_choice(parts["WKST"], WEEKDAYS))
    rule = RecurrenceRule(frequency, text=_shown(line.value.strip()), **values)
    _refuse_foreign_parts(rule, parts)
    return rule


def _parts_of(line: _Line) -> dict[str, _Part]:
    known = ("FREQ", "UNTIL", "WKST", *_READERS)
    parts: dict[str, _Part] = {}
    index = 0
    for text in line.value.split(";"):
        name, equals, value = text.partition("=")
        part = _Part(line, name.strip().upper(), value.strip().upper(), index)
        if text.strip():
            if not equals or not part.value:
                raise part.error("schedules.rrule_part_form", text)
            if part.name not in known:
                hint = _hint_for(part.name, known)
                raise part.error("schedules.rrule_part", hint=hint, known=", ".join(known))
            if part.name in parts:
                raise part.error("schedules.rrule_part_twice")
            parts[part.name] = part
        index += len(text) + 1
    return parts


def _choice(part: _Part, known: tuple[str, ...]) -> str:
    if part.value in known:
        return part.value
    hint = _hint_for(part.value, known)
    raise part.error("schedules.rrule_choice", hint=hint, known=", ".join(known))


def _names() -> list[str]:
    return [frequency.name for frequency in Frequency]


def _one(part: _Part) -> int:
    """Return a number from 1 on."""
    return _number(part, part.value, 1, _LARGEST_NUMBER, is_negative_allowed=False)


def _numbers(low: int, high: int, *, is_signed: bool = False) -> Callable[[_Part], tuple[int, ...]]:
    """Return the reader of a list of numbers; signed ones also count from the end."""

    def read(part: _Part) -> tuple[int, ...]:
        found = {
            _number(part, item, low, high, is_negative_allowed=is_signed)
            for item in part.value.split(",")
        }
        return tuple(sorted(found))

    return read


def _number(part: _Part, text: str, low: int, high: int, *, is_negative_allowed: bool) -> int:
    match = re.fullmatch(r"([+-]?)(\d{1,10})", text.strip(), re.ASCII)
    if match is not None:
        number = int(match[2])
        if low <= number <= high and (is_negative_allowed or match[1] == ""):
            return -number if match[1] == "-" else number
    allowed = f"{low}..{high}" + (f", -{high}..-{low}" if is_negative_allowed else "")
    raise part.error("schedules.rrule_number", text, allowed=allowed)


def _weekdays(part: _Part) -> tuple[tuple[int, int], ...]:
    found = set()
    for item in part.value.split(","):
        match = re.fullmatch(r"([+-]?)(\d{0,2})([A-Z]{2})", item.strip(), re.ASCII)
        ordinal = 0 if match is None else int(match[2] or 0)
        if match is None or match[3] not in WEEKDAYS:
            raise part.error("schedules.rrule_weekday", item)
        if (match[1] or match[2]) and not 1 <= ordinal <= 53:
            raise part.error("schedules.rrule_weekday", item)
        sign = -1 if match[1] == "-" else 1
        found.add((sign * ordinal, WEEKDAYS.index(match[3])))
    return tuple(sorted(found))


_READERS: dict[str, tuple[str, Callable[[_Part], Any]]] = {
    "INTERVAL": ("interval", _one),
    "COUNT": ("count", _one),
    "BYMONTH": ("months", _numbers(1, 12)),
    "BYWEEKNO": ("week_numbers", _numbers(1, 53, is_signed=True)),
    "BYYEARDAY": ("year_days", _numbers(1, 366, is_signed=True)),
    "BYMONTHDAY": ("month_days", _numbers(1, 31, is_signed=True)),
    "BYDAY": ("weekdays", _weekdays),
    "BYHOUR": ("hours", _numbers(0, 23)),
    "BYMINUTE": ("minutes", _numbers(0, 59)),
    "BYSECOND": ("seconds", _numbers(0, 59)),
    "BYSETPOS": ("set_positions", _numbers(1, 366, is_signed=True)),
}


def _until_of(part: _Part, start: Moment) -> Moment:
    """Return UNTIL: in UTC where DTSTART has a zone, of DTSTART's own kind otherwise."""
    local, is_date = _read_moment(part.line, part.value, part.index)
    is_utc = part.value.endswith("Z")
    if is_date and not start.is_date:
        raise part.error("schedules.rrule_until_date", remedy=f"{local:%Y%m%d}T235959Z")
    if start.is_date and not is_date:
        raise part.error("schedules.rrule_until_time", remedy=f"{local:%Y%m%d}")
    if not is_utc and not start.is_floating:
        instant = instant_of(local, start.zone.tz)
        utc = datetime.fromtimestamp(max(instant // SECOND, 0), UTC)
        raise part.error("schedules.rrule_until_zone", remedy=f"{utc:%Y%m%dT%H%M%SZ}")
    zone = zone_named("UTC") if is_utc else start.zone
    return Moment(local, zone, is_floating=not is_utc, is_date=is_date)


def _refuse_foreign_parts(rule: RecurrenceRule, parts: dict[str, _Part]) -> None:
    """Refuse the combinations that RFC 5545 forbids: what they mean, every program guesses."""
    frequency = rule.frequency
    if rule.count is not None and rule.until is not None:
        raise parts["COUNT"].error("schedules.rrule_count_and_until")
    limits = {
        "BYWEEKNO": frequency is not Frequency.YEARLY,
        "BYYEARDAY": frequency in (Frequency.MONTHLY, Frequency.WEEKLY, Frequency.DAILY),
        "BYMONTHDAY": frequency is Frequency.WEEKLY,
    }
    for name, is_forbidden in limits.items():
        if is_forbidden and name in parts:
            raise parts[name].error("schedules.rrule_foreign_part", freq=frequency.name)
    if any(ordinal for ordinal, _ in rule.weekdays) and (
        frequency > Frequency.MONTHLY or rule.week_numbers
    ):
        raise parts["BYDAY"].error("schedules.rrule_ordinal", freq=frequency.name)
    if rule.set_positions and not any(
        name.startswith("BY") for name in parts.keys() - {"BYSETPOS"}
    ):
        raise parts["BYSETPOS"].error("schedules.rrule_lone_position")


def _hint_for(name: str, known: tuple[str, ...]) -> str:
    near = difflib.get_close_matches(name[:_SHOWN_LENGTH], known, n=1)
    return translate("schedules.did_you_mean", name=near[0]) if near else ""


def _shown(text: str) -> str:
    return text if len(text) <= _SHOWN_LENGTH else f"{text[:_SHOWN_LENGTH]}..."
