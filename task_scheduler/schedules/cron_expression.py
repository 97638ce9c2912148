"""Cron expressions: their text, read into calendar times.

Responsible for: which fields there are, what the two fields of days mean together, the ``@``
aliases, and refusing what would never run. One field is the business of `cron_fields`. Knows
nothing of time zones.

Fields: 5 (minute, hour, day of month, month, day of week), 6 (seconds first) or 7 (seconds first,
year last). 6 fields with a ``?`` where only 5 and a year can have it are 5 and a year, as in
``0 0 31 12 ? 2199``.

The rules are those of Vixie cron as Debian ships it: 0 and 7 are Sunday; where both the day of
month and the day of week are restricted, either may match; a field that begins with ``*`` is not
restricted, steps or not. docs/cron.md tells what is understood beyond it.
"""

from __future__ import annotations

import difflib
import functools
import re
from dataclasses import dataclass

from task_scheduler.errors import ScheduleError
from task_scheduler.i18n import translate
from task_scheduler.schedules.cron_days import both, day_table, either
from task_scheduler.schedules.cron_fields import (
    HOUR,
    MINUTE,
    MONTH,
    SECOND,
    YEAR,
    FieldReader,
    is_unrestricted,
    shown,
)
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
_REBOOT = "@reboot"
_EVERY = "@every"
_KNOWN_ALIASES = (*_ALIASES, _REBOOT, f"{_EVERY} 5m")

_LONGEST_TEXT = 2_000
"""Every minute, second, hour and day written out in one list each has 800 characters."""
_LONGEST_MONTHS = (0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)

_PART_OF_INTERVAL = re.compile(r"([0-9]{1,12})(ms|[dhms])")
_UNITS = {"ms": 1_000, "s": 10**6, "m": 60 * 10**6, "h": 3_600 * 10**6, "d": 86_400 * 10**6}
_LONGEST_INTERVAL = 36_500 * _UNITS["d"]


@dataclass(frozen=True, slots=True)
class CronExpression:
    """A cron expression that was understood: times of the calendar, an interval, or a start."""

    text: str
    is_fixed: bool = True
    """Whether neither its minute nor its hour is a wildcard: it names times of the day."""
    is_reboot: bool = False
    """``@reboot``: due once after each boot of the machine, which no calendar tells."""
    every: int | None = None
    """The interval of ``@every 5m`` in microseconds."""
    needs_seed: bool = False
    """Whether the times follow from the seed too: the expression has an ``H`` or a ``~``."""
    calendar: CronTimes | None = None
    fields: tuple[str, ...] = ()
    """The seven fields of `calendar`, from the second to the year, in capitals."""

    @property
    def times(self) -> CronTimes:
        """The times of the calendar; raises ScheduleError for ``@every`` and ``@reboot``."""
        if self.calendar is None:
            raise ScheduleError("schedules.cron_without_times", cron=shown(self.text))
        return self.calendar


def parse_cron(text: str, seed: str | None = None, *, day_and: bool = False) -> CronExpression:
    """Read a cron expression; raises ScheduleError naming the field, the value and its range.

    `seed`, the task's id, decides what ``H`` and ``~`` stand for: the same for ever. `day_and`
    asks for days that match both the day of month and the day of week, where Debian's cron takes
    either.
    """
    if len(text) > _LONGEST_TEXT:
        raise ScheduleError(
            "schedules.cron_too_long", cron=shown(text), length=len(text), longest=_LONGEST_TEXT
        )
    # Beyond ASCII upper() would make letters of what is none, as of a long s.
    written = (text.upper() if text.isascii() else text).strip()
    may_spread = "H" in written or "~" in written
    return _parse(text, written, seed if may_spread else None, day_and)


@functools.lru_cache(maxsize=1024)
def _parse(text: str, written: str, seed: str | None, day_and: bool) -> CronExpression:
    if written.startswith("@"):
        alias = written.lower()
        if alias == _REBOOT:
            return CronExpression(text, is_reboot=True)
        if alias.split()[0] == _EVERY:
            return CronExpression(text, every=_interval_of(alias.removeprefix(_EVERY), text))
        written = _meaning_of(alias, text)
    parts = _fields_of(written, text)
    reader = FieldReader(text, seed)
    seconds, minutes, hours, months, years = (
        reader.mask(field, parts[index])
        for field, index in ((SECOND, 0), (MINUTE, 1), (HOUR, 2), (MONTH, 4), (YEAR, 6))
    )
    days, weekdays = reader.days(parts[3]), reader.weekdays(parts[5])
    is_either = not (day_and or is_unrestricted(parts[3]) or is_unrestricted(parts[5]))
    if not is_either:
        _refuse_impossible_dates(parts, day_table(days), months, text)
    calendar = CronTimes(
        seconds=seconds,
        minutes=minutes,
        hours=hours,
        days=day_table(either([days, weekdays]) if is_either else both(days, weekdays)),
        months=months,
        # Local times of the first and last planned hours may lie in the years beside them.
        years=-1 if parts[6].startswith("*") and parts[6][1:] in ("", "/1") else years,
    )
    if calendar.is_empty:
        raise ScheduleError(
            "schedules.cron_impossible",
            cron=shown(text),
            day=parts[3],
            month=parts[4],
            weekday=parts[5],
            year=parts[6],
        )
    is_fixed = not is_unrestricted(parts[1]) and not is_unrestricted(parts[2])
    return CronExpression(
        text, is_fixed, needs_seed=reader.has_spread, calendar=calendar, fields=tuple(parts)
    )


def _fields_of(written: str, text: str) -> list[str]:
    """Return the seven fields, from the second to the year."""
    parts = written.split()
    if len(parts) == 5 or (len(parts) == 6 and "?" in (parts[2], parts[4])):
        parts.insert(0, "0")
    if len(parts) == 6:
        parts.append("*")
    if len(parts) != 7:
        raise ScheduleError("schedules.cron_field_count", cron=shown(text), count=len(parts))
    return parts


def _meaning_of(alias: str, text: str) -> str:
    """Return the expression that an alias stands for."""
    if alias in _ALIASES:
        return _ALIASES[alias]
    near = difflib.get_close_matches(alias[:80], (*_ALIASES, _REBOOT, _EVERY), n=1)
    hint = translate("schedules.did_you_mean", name=near[0]) if near else ""
    known = ", ".join(_KNOWN_ALIASES)
    raise ScheduleError("schedules.cron_unknown_alias", cron=shown(text), known=known, hint=hint)


def _interval_of(written: str, text: str) -> int:
    """Return the microseconds of a length such as ``1h30m``."""
    length = "".join(written.split())
    parts = _PART_OF_INTERVAL.findall(length)
    is_understood = bool(parts) and "".join(map("".join, parts)) == length
    interval = sum(int(count) * _UNITS[unit] for count, unit in parts)
    if not is_understood or not 1 <= interval <= _LONGEST_INTERVAL:
        raise ScheduleError("schedules.cron_every", cron=shown(text), value=shown(length))
    return interval


def _refuse_impossible_dates(
    parts: list[str], days: tuple[int, ...], months: int, text: str
) -> None:
    """Refuse days that none of the months has: such a rule would never run, and nobody notice."""
    longest = max(_LONGEST_MONTHS[month] for month in range(1, 13) if months >> month & 1)
    if not any(days[: (longest - 27) * 7]):
        raise ScheduleError(
            "schedules.cron_impossible_date",
            cron=shown(text),
            day=parts[3],
            month=parts[4],
            longest=longest,
        )
