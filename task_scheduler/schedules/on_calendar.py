"""Calendar events as systemd writes them in ``OnCalendar=``: their text, read into calendar times.

Responsible for: the grammar of systemd.time(7), its shorthands, the normalized form that
``systemd-analyze calendar`` prints, and errors that name the part and the remedy. What becomes of
the times where clocks are changed is the business of `cron_occurrences`, as for cron.

Three things are otherwise than there. A date that never comes, as 30 February, is refused and not
accepted in silence; spaces around the event do not matter; and seconds are whole, fractions are
refused.
"""

from __future__ import annotations

import difflib
import functools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from task_scheduler.errors import ScheduleError
from task_scheduler.i18n import translate
from task_scheduler.schedules.cron_days import DayRule, both, day_table, numbered_days, on_weekdays
from task_scheduler.schedules.cron_fields import shown
from task_scheduler.schedules.cron_times import ALL_MONTHS, ALL_YEARS, CronTimes
from task_scheduler.schedules.zones import zone_named

__all__ = ["CalendarExpression", "parse_on_calendar"]

_SHORTHANDS = {
    "minutely": "*-*-* *:*:00",
    "hourly": "*-*-* *:00:00",
    "daily": "*-*-* 00:00:00",
    "weekly": "Mon *-*-* 00:00:00",
    "monthly": "*-*-01 00:00:00",
    "quarterly": "*-01,04,07,10-01 00:00:00",
    "semiannually": "*-01,07-01 00:00:00",
    "semi-annually": "*-01,07-01 00:00:00",
    "biannually": "*-01,07-01 00:00:00",
    "bi-annually": "*-01,07-01 00:00:00",
    "yearly": "*-01-01 00:00:00",
    "annually": "*-01-01 00:00:00",
}
_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_EVERY_WEEKDAY = 0x7F

_LONGEST_TEXT = 2_000

_DATE = re.compile(r"(?:([^-~]*)-)?([^-~]*)([-~])([^-~]*)")
_COMPONENT = re.compile(r"([0-9]{1,9})(?:\.\.([0-9]{1,9}))?(?:/([0-9]{1,9}))?")


@dataclass(frozen=True, slots=True)
class CalendarExpression:
    """A calendar event that was understood."""

    text: str
    normalized: str
    """As ``systemd-analyze calendar`` prints it."""
    times: CronTimes
    is_fixed: bool
    """Whether neither its minute nor its hour is ``*`` or a repetition without end, as ``0/2``: it
    names times of the day."""
    zone: str | None
    """The time zone at its end."""


class _Field(NamedTuple):
    name: str
    low: int
    high: int
    width: int = 2


_YEAR = _Field("year", 1970, 2199, 4)
_MONTH = _Field("month", 1, 12)
_DAY = _Field("day_of_month", 1, 31)
_DAY_FROM_LAST = _Field("day_of_month", 1, 28)
"""After ``~``: every month has so many days."""
_HOUR = _Field("hour", 0, 23)
_MINUTE = _Field("minute", 0, 59)
_SECOND = _Field("second", 0, 59)


class _Component(NamedTuple):
    """A value, with ``..`` a range up to `stop`, with ``/`` a repetition every `step`."""

    start: int
    stop: int = -1
    """-1: no end was written."""
    step: int = 0
    """0: no repetition was written."""

    def values(self, high: int) -> range:
        if self.stop < 0 and not self.step:
            return range(self.start, self.start + 1)
        return range(self.start, (self.stop if self.stop >= 0 else high) + 1, self.step or 1)


_Chain = tuple[_Component, ...] | None
"""The components of a field in the order of their starts; None for ``*``."""


class _Event(NamedTuple):
    """The parts of an event."""

    weekdays: int
    """Bit 0 is Monday; none or all of them: no weekday is named."""
    year: _Chain
    month: _Chain
    day: _Chain
    is_from_last: bool
    """Whether the days are counted from the last of the month, after ``~``."""
    hour: _Chain
    minute: _Chain
    second: _Chain
    zone: str | None


@functools.lru_cache(maxsize=1024)
def _parsed(text: str) -> CalendarExpression:
    event = _Reader(text).event()
    times = _times_of(event)
    normalized = _written(event)
    if times.is_empty:
        raise ScheduleError(
            "schedules.on_calendar_impossible", event=shown(text), meaning=normalized
        )
    is_fixed = not _is_endless(event.hour) and not _is_endless(event.minute)
    return CalendarExpression(text, normalized, times, is_fixed, event.zone)


def parse_on_calendar(text: str) -> CalendarExpression:
    """Read a calendar event; raises ScheduleError naming the part, the value and what may stand."""
    if len(text) > _LONGEST_TEXT:
        raise ScheduleError(
            "schedules.on_calendar_too_long",
            event=shown(text),
            length=len(text),
            longest=_LONGEST_TEXT,
        )
    return _parsed(text)


class _Reader:
    """Reads the text of one event."""

    def __init__(self, text: str) -> None:
        self._text = text

    def event(self) -> _Event:
        """Return the parts of the event: weekdays, date, time and zone, each may be left out."""
        words = self._text.split()
        zone = None
        if len(words) > 1 and words[-1][0].isalpha() and not _starts_with_weekday(words[-1]):
            zone = words.pop()
            # Asked for the error that names the likeliest; whoever makes the rule asks again.
            zone_named(zone)
        if len(words) == 1:
            words = _SHORTHANDS.get(words[0].lower(), words[0]).split()
        rest = list(words)
        weekdays = self._weekdays(rest.pop(0)) if rest and rest[0][0].isalpha() else 0
        if rest and rest[0].startswith("@"):
            return self._instant(rest)
        date = rest.pop(0) if rest and ":" not in rest[0] else None
        time = rest.pop(0) if rest else "00:00:00"
        if rest or not words:
            raise self._error("schedules.on_calendar_order", rest[0] if rest else "")
        year, month, day, is_from_last = self._date(date) if date else (None, None, None, False)
        hour, minute, second = self._time(time)
        return _Event(weekdays, year, month, day, is_from_last, hour, minute, second, zone)

    def _weekdays(self, word: str) -> int:
        mask = 0
        # A comma may end the list.
        for item in word.removesuffix(",").split(","):
            first, dots, last = item.partition(".." if ".." in item else "-")
            start = self._weekday(first)
            end = self._weekday(last) if dots else start
            if end < start:
                raise self._error("schedules.on_calendar_weekday_range", item)
            mask |= (2 << end) - (1 << start)
        return mask

    def _weekday(self, name: str) -> int:
        wanted = name.casefold()
        for number, weekday in enumerate(_WEEKDAYS):
            if wanted in (weekday.casefold(), weekday[:3].casefold()):
                return number
        known = {known.casefold(): known for known in (*_SHORTHANDS, *_WEEKDAYS)}
        near = difflib.get_close_matches(wanted[:80], known, n=1, cutoff=0.7)
        hint = translate("schedules.did_you_mean", name=known[near[0]]) if near else ""
        raise self._error("schedules.on_calendar_word", name, hint=hint)

    def _instant(self, words: Sequence[str]) -> _Event:
        """Return the event of ``@SECONDS``, an instant since 1970."""
        digits = words[0].removeprefix("@")
        is_number = digits.isascii() and digits.isdigit() and len(digits) <= 10
        if len(words) > 1 or not is_number:
            raise self._error("schedules.on_calendar_timestamp", words[0])
        moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=int(digits))
        if moment.year > _YEAR.high:
            raise self._error("schedules.on_calendar_timestamp", words[0])
        year, month, day, hour, minute, second = (
            (_Component(number),) for number in moment.timetuple()[:6]
        )
        return _Event(0, year, month, day, False, hour, minute, second, "UTC")

    def _date(self, word: str) -> tuple[_Chain, _Chain, _Chain, bool]:
        found = _DATE.fullmatch(word)
        if found is None:
            raise self._error("schedules.on_calendar_date", word)
        year = None if found[1] is None else self._chain(_YEAR, found[1])
        is_from_last = found[3] == "~"
        day = _DAY_FROM_LAST if is_from_last else _DAY
        return year, self._chain(_MONTH, found[2]), self._chain(day, found[4]), is_from_last

    def _time(self, word: str) -> tuple[_Chain, _Chain, _Chain]:
        parts = word.split(":")
        if len(parts) not in (2, 3):
            raise self._error("schedules.on_calendar_time", word)
        hour, minute = self._chain(_HOUR, parts[0]), self._chain(_MINUTE, parts[1])
        second = parts[2] if len(parts) == 3 else "00"
        if "." in second.replace("..", ""):
            raise self._error("schedules.on_calendar_fraction", second)
        return hour, minute, self._chain(_SECOND, second)

    def _chain(self, field: _Field, text: str) -> _Chain:
        if text == "*":
            return None
        return tuple(sorted({self._component(field, item) for item in text.split(",")}))

    def _component(self, field: _Field, item: str) -> _Component:
        found = _COMPONENT.fullmatch(item)
        if found is None:
            raise self._field_error("schedules.on_calendar_value", field, item)
        start = _whole_year(field, int(found[1]))
        stop = -1 if found[2] is None else _whole_year(field, int(found[2]))
        if start < field.low or max(start, stop) > field.high:
            raise self._field_error("schedules.on_calendar_value", field, item)
        if found[2] is not None and stop < start:
            raise self._field_error("schedules.on_calendar_range", field, item)
        step = 0 if found[3] is None else int(found[3])
        # A repetition without end goes up, to the last day too; it must come to a second value.
        room = start - field.low if field is _DAY_FROM_LAST else field.high - start
        if found[3] is not None and (step < 1 or (stop < 0 and step > room)):
            raise self._field_error("schedules.on_calendar_repeat", field, item)
        if stop < 0:
            return _Component(start, step=step)
        # The end is the last value that is met, and one value is no range.
        stop -= (stop - start) % max(step, 1)
        if stop == start:
            return _Component(start)
        return _Component(start, stop, 0 if step == 1 else step)

    def _field_error(self, key: str, field: _Field, value: str) -> ScheduleError:
        name = translate(f"schedules.field_{field.name}")
        return self._error(key, value, field=name, allowed=f"{field.low}-{field.high}")

    def _error(self, key: str, value: str, **values: object) -> ScheduleError:
        return ScheduleError(key, event=shown(self._text), value=shown(value), **values)


def _starts_with_weekday(word: str) -> bool:
    first = re.split(r"[,.-]", word, maxsplit=1)[0].casefold()
    return any(first in (day.casefold(), day[:3].casefold()) for day in _WEEKDAYS)


def _whole_year(field: _Field, number: int) -> int:
    """Return a year of two digits as one of 1970 to 2069; any other number as it is."""
    if field is not _YEAR or number > 99:
        return number
    return number + (2000 if number < 70 else 1900)


def _is_endless(chain: _Chain) -> bool:
    return chain is None or any(part.step and part.stop < 0 for part in chain)


def _times_of(event: _Event) -> CronTimes:
    days: DayRule = numbered_days(-1)
    if event.day is not None and event.is_from_last:
        days = _days_from_last(event.day)
    elif event.day is not None:
        days = numbered_days(_mask(event.day, _DAY))
    if event.weekdays not in (0, _EVERY_WEEKDAY):
        # Monday is 0 there and 1 in a table of days, whose Sunday is 0 or 7.
        days = both(days, on_weekdays(event.weekdays << 1))
    return CronTimes(
        seconds=_mask(event.second, _SECOND),
        minutes=_mask(event.minute, _MINUTE),
        hours=_mask(event.hour, _HOUR),
        days=day_table(days),
        months=ALL_MONTHS if event.month is None else _mask(event.month, _MONTH),
        years=ALL_YEARS if event.year is None else _mask(event.year, _YEAR),
    )


def _mask(chain: _Chain, field: _Field) -> int:
    mask = 0
    for part in chain if chain is not None else [_Component(field.low, step=1)]:
        for value in part.values(field.high):
            mask |= 1 << value
    return mask


def _days_from_last(chain: Sequence[_Component]) -> DayRule:
    """Return the rule of days counted from the last, which is 1; a repetition goes forward."""

    def days(length: int) -> Iterator[int]:
        for start, stop, step in chain:
            first, last = length - start + 1, length - stop + 1
            if stop < 0:
                last = length if step else first
            yield from range(min(first, last), max(first, last) + 1, step or 1)

    return lambda first, length: sum(1 << day for day in set(days(length)))  # noqa: ARG005


def _written(event: _Event) -> str:
    """Return the normalized form."""
    parts = []
    if event.weekdays not in (0, _EVERY_WEEKDAY):
        parts.append(_weekdays_written(event.weekdays))
    # Every day is the same from either end.
    dash = "~" if event.is_from_last and event.day is not None else "-"
    date = f"{_chain_written(event.year, _YEAR)}-{_chain_written(event.month, _MONTH)}"
    parts.append(f"{date}{dash}{_chain_written(event.day, _DAY)}")
    second = None if event.second == (_Component(0, step=1),) else event.second
    time = (event.hour, _HOUR), (event.minute, _MINUTE), (second, _SECOND)
    parts.append(":".join(_chain_written(chain, field) for chain, field in time))
    if event.zone is not None:
        parts.append(event.zone)
    return " ".join(parts)


def _weekdays_written(weekdays: int) -> str:
    """Return weekdays as a list in which three or more that follow each other are a range."""
    items: list[str] = []
    day = 0
    while day < 7:
        start = day
        while weekdays >> day & 1:
            day += 1
        names = [weekday[:3] for weekday in _WEEKDAYS[start:day]]
        items += [f"{names[0]}..{names[-1]}"] if len(names) > 2 else names
        day += 1
    return ",".join(items)


def _chain_written(chain: _Chain, field: _Field) -> str:
    if chain is None:
        return "*"
    items = []
    for start, stop, step in chain:
        end = f"..{stop:0{field.width}}" if stop >= 0 else ""
        items.append(f"{start:0{field.width}}{end}{f'/{step}' if step else ''}")
    return ",".join(items)
