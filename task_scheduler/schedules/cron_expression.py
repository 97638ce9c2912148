"""Cron expressions: their text, read into masks.

Responsible for: 5 fields (minute, hour, day of month, month, day of week) or 6 (seconds first),
names, ranges, steps, lists, ``?``, the ``@`` aliases, and clear errors. Knows nothing of time
zones.

The rules are those of Vixie cron as Debian ships it: 0 and 7 are Sunday; where both the day of
month and the day of week are restricted, either may match; a field that begins with ``*`` is not
restricted, steps or not. Beyond it: seconds, ``5/15`` for "from 5 on every 15", and ranges that
end with Sunday (``FRI-SUN``).
"""

from __future__ import annotations

import difflib
import functools
from typing import NamedTuple

from task_scheduler.errors import ScheduleError
from task_scheduler.i18n import translate
from task_scheduler.schedules.cron_times import CronTimes

__all__ = ["CronExpression", "parse_cron"]

_ALIASES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}

_SHOWN_LENGTH = 80
"""A longer text is cut in error messages."""


class CronExpression(NamedTuple):
    """A cron expression that was understood."""

    times: CronTimes
    is_fixed: bool
    """Whether neither its minute nor its hour is a wildcard: it names times of the day."""


class _Field(NamedTuple):
    name: str
    low: int
    high: int
    names: tuple[str, ...] = ()
    """What may be written for the values from `low` on."""


_SECOND = _Field("second", 0, 59)
_MINUTE = _Field("minute", 0, 59)
_HOUR = _Field("hour", 0, 23)
_DAY = _Field("day_of_month", 1, 31)
_MONTH = _Field(
    "month",
    1,
    12,
    ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"),
)
_WEEKDAY = _Field("day_of_week", 0, 7, ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"))

_FIELDS = (_SECOND, _MINUTE, _HOUR, _DAY, _MONTH, _WEEKDAY)
_LONGEST_MONTHS = (0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


@functools.lru_cache(maxsize=1024)
def parse_cron(text: str) -> CronExpression:
    """Read a cron expression; raises ScheduleError naming the field, the value and its range."""
    parts = _expanded(text).upper().split()
    if len(parts) not in (5, 6):
        raise ScheduleError("schedules.cron_field_count", cron=_shown(text), count=len(parts))
    if len(parts) == 5:
        parts.insert(0, "0")
    masks = [_mask_of(field, part, text) for field, part in zip(_FIELDS, parts, strict=True)]
    seconds, minutes, hours, days, months, weekdays = masks
    is_either_day = not parts[3].startswith(("*", "?")) and not parts[5].startswith(("*", "?"))
    if not is_either_day:
        _refuse_impossible_dates(parts, days, months, text)
    times = CronTimes(
        seconds=seconds,
        minutes=minutes,
        hours=hours,
        days=days,
        months=months,
        weekdays=(weekdays | weekdays >> 7) & 0x7F,
        is_either_day=is_either_day,
    )
    is_fixed = not parts[1].startswith("*") and not parts[2].startswith("*")
    return CronExpression(times, is_fixed)


def _expanded(text: str) -> str:
    """Return what an alias stands for; anything else as it is."""
    alias = text.strip().lower()
    if not alias.startswith("@"):
        return text
    if alias in _ALIASES:
        return _ALIASES[alias]
    near = difflib.get_close_matches(alias[:_SHOWN_LENGTH], _ALIASES, n=1)
    hint = translate("schedules.did_you_mean", name=near[0]) if near else ""
    raise ScheduleError(
        "schedules.cron_unknown_alias", cron=_shown(text), known=", ".join(_ALIASES), hint=hint
    )


def _refuse_impossible_dates(parts: list[str], days: int, months: int, text: str) -> None:
    """Refuse days that none of the months has: such a rule would never run, and nobody notice."""
    longest = max(_LONGEST_MONTHS[month] for month in range(1, 13) if months >> month & 1)
    if not days & ((2 << longest) - 1):
        raise ScheduleError(
            "schedules.cron_impossible_date",
            cron=_shown(text),
            day=parts[3],
            month=parts[4],
            longest=longest,
        )


def _mask_of(field: _Field, part: str, text: str) -> int:
    """Return the mask of one field: a list of items."""
    if "?" in part and (part != "?" or field not in (_DAY, _WEEKDAY)):
        raise _error("schedules.cron_question_mark", field, part, text)
    mask = 0
    for item in part.split(","):
        mask |= _mask_of_item(field, item, text)
    return mask


def _mask_of_item(field: _Field, item: str, text: str) -> int:
    """Return the mask of ``*``, a value or a range, with or without a step."""
    term, slash, step_text = item.partition("/")
    step = 1
    if slash:
        step = _number(step_text)
        if not 1 <= step <= field.high - field.low + 1:
            raise _error(
                "schedules.cron_step", field, item, text, largest=field.high - field.low + 1
            )
    start_text, dash, end_text = term.partition("-")
    if term in ("*", "?"):
        start, end = field.low, field.high
    elif dash:
        start, end = _value(field, start_text, text), _value(field, end_text, text)
        if field is _WEEKDAY and end == 0 < start:
            end = 7
        if end < start:
            raise _error("schedules.cron_range", field, item, text)
    else:
        start = _value(field, term, text)
        end = field.high if slash else start
    return sum(1 << value for value in range(start, end + 1, step))


def _value(field: _Field, text: str, cron: str) -> int:
    if text in field.names:
        return field.low + field.names.index(text)
    number = _number(text)
    if not field.low <= number <= field.high:
        raise _error("schedules.cron_value", field, text, cron)
    return number


def _number(text: str) -> int:
    """Return a number of a few ASCII digits; -1, which no field allows, for anything else."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 9 else -1


def _error(key: str, field: _Field, value: str, cron: str, **values: int) -> ScheduleError:
    names = f" ({field.names[0]}-{field.names[-1]})" if field.names else ""
    return ScheduleError(
        key,
        cron=_shown(cron),
        field=translate(f"schedules.field_{field.name}"),
        value=_shown(value),
        allowed=f"{field.low}-{field.high}{names}",
        **values,
    )


def _shown(text: str) -> str:
    return text if len(text) <= _SHOWN_LENGTH else f"{text[:_SHOWN_LENGTH]}..."
