"""Cron fields: the text of one field of a cron expression, read into a mask or a rule of days.

Responsible for: values, names, ranges, steps and lists; ``L``, ``W`` and ``#`` for days; ``H`` and
``~`` for values spread by a stable hash; and the errors that name field, value and remedy. Knows
nothing of the other fields: what two of them mean together is said in `cron_expression`.
"""

from __future__ import annotations

import functools
import hashlib
import re
from typing import NamedTuple

from task_scheduler.errors import ScheduleError
from task_scheduler.i18n import translate
from task_scheduler.schedules.cron_days import (
    DayRule,
    days_from_last,
    either,
    last_of_weekday,
    last_working_day,
    nearest_working_day,
    nth_of_weekday,
    numbered_days,
    on_weekdays,
)

__all__ = [
    "DAY",
    "HOUR",
    "MINUTE",
    "MONTH",
    "SECOND",
    "WEEKDAY",
    "YEAR",
    "Field",
    "FieldReader",
    "is_unrestricted",
    "shown",
]

_SHOWN_LENGTH = 80
"""A longer text is cut in error messages."""


class Field(NamedTuple):
    """A field of a cron expression."""

    name: str
    low: int
    high: int
    highest_spread: int
    """The highest value that a bare ``H`` becomes: every month has it, and Sunday comes once."""
    names: tuple[str, ...] = ()
    """What may be written for the values from `low` on."""


SECOND = Field("second", 0, 59, 59)
MINUTE = Field("minute", 0, 59, 59)
HOUR = Field("hour", 0, 23, 23)
DAY = Field("day_of_month", 1, 31, 28)
MONTH = Field(
    "month",
    1,
    12,
    12,
    ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"),
)
WEEKDAY = Field("day_of_week", 0, 7, 6, ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"))
YEAR = Field("year", 1970, 2200, 2200)

# Each part can match a text in one way only: no text makes them go back and forth.
_HASHED = re.compile(r"H(?:\(([^()]*)\))?(?:/(.*))?")
_RANDOM = re.compile(r"([^~/]*)~([^~/]*)(?:/(.*))?")
_FROM_LAST = re.compile(r"L(?:-([0-9]{1,2}))?")
_NEAREST = re.compile(r"([0-9]{1,2})W")
_LAST_WEEKDAY = re.compile(r"([0-7]|[A-Z]{3})L")
_NTH_WEEKDAY = re.compile(r"([^#]*)#([^#]*)")


def is_unrestricted(part: str) -> bool:
    """Whether a field counts as a wildcard: it begins with ``*``, ``?``, ``H/`` or ``~/``."""
    return part.startswith(("*", "?", "H/", "~/"))


class FieldReader:
    """Reads the fields of one expression."""

    def __init__(self, cron: str, seed: str | None) -> None:
        self._cron = cron
        self._seed = seed
        self._spread = 0
        self.has_spread = False
        """Whether any field so far had an ``H`` or ``~``: the times then depend on the seed."""

    def mask(self, field: Field, part: str) -> int:
        """Return the mask of a field: a list of values, ranges and steps."""
        self._check_question_mark(field, part)
        self._spread = 0
        mask = 0
        for item in part.split(","):
            mask |= self._mask_of_item(field, item)
        return mask

    def days(self, part: str) -> DayRule:
        """Return the rule of the field for the day of month."""
        self._check_question_mark(DAY, part)
        self._spread = 0
        mask, rules = 0, []
        for item in part.split(","):
            if found := _FROM_LAST.fullmatch(item):
                before = int(found[1] or 0)
                if before > 30:
                    raise self._error("schedules.cron_from_last", DAY, item)
                rules.append(days_from_last([before]))
            elif item == "LW":
                rules.append(last_working_day)
            elif found := _NEAREST.fullmatch(item):
                rules.append(nearest_working_day(self._value(DAY, found[1])))
            else:
                mask |= self._mask_of_item(DAY, item)
        return either([numbered_days(mask), *rules])

    def weekdays(self, part: str) -> DayRule:
        """Return the rule of the field for the day of week."""
        self._check_question_mark(WEEKDAY, part)
        self._spread = 0
        mask, rules = 0, []
        for item in part.split(","):
            if item == "L":
                raise self._error("schedules.cron_last_weekday", WEEKDAY, item)
            if found := _LAST_WEEKDAY.fullmatch(item):
                rules.append(last_of_weekday(self._value(WEEKDAY, found[1]) % 7))
            elif found := _NTH_WEEKDAY.fullmatch(item):
                number = _number(found[2])
                if not 1 <= number <= 5:
                    raise self._error("schedules.cron_nth", WEEKDAY, item)
                rules.append(nth_of_weekday(self._value(WEEKDAY, found[1]) % 7, number))
            else:
                mask |= self._mask_of_item(WEEKDAY, item)
        return either([on_weekdays(mask), *rules])

    def _mask_of_item(self, field: Field, item: str) -> int:
        """Return the mask of ``*``, a value or a range, with or without a step; or of a spread."""
        if field is not YEAR:
            if found := _HASHED.fullmatch(item):
                start, end = field.low, field.highest_spread
                if found[1] is not None:
                    start, end = self._range(field, found[1], item)
                return self._mask_of_spread(field, item, (start, end), found[2])
            if found := _RANDOM.fullmatch(item):
                start = self._value(field, found[1]) if found[1] else field.low
                # Sunday would come twice as often as the other weekdays.
                highest = 6 if field is WEEKDAY else field.high
                end = self._value(field, found[2]) if found[2] else highest
                if end < start:
                    raise self._error("schedules.cron_range", field, item)
                return self._mask_of_spread(field, item, (start, end), found[3])
        term, slash, step_text = item.partition("/")
        step = self._step(field, step_text, item) if slash else 1
        if term in ("*", "?"):
            start, end = field.low, field.high
        elif "-" in term:
            start, end = self._range(field, term, item)
        else:
            start = self._value(field, term)
            end = field.high if slash else start
        return _mask(start, end, step)

    def _mask_of_spread(
        self, field: Field, item: str, bounds: tuple[int, int], step_text: str | None
    ) -> int:
        """Return one value of a range, or with a step a row of them from a hashed start on."""
        start, end = bounds
        step = None if step_text is None else self._step(field, step_text, item)
        if self._seed is None:
            raise self._error("schedules.cron_needs_seed", field, item)
        self.has_spread = True
        self._spread += 1
        # Which spread it is in its field counts too: the two of "H(0-29),H(30-59)" are no pair.
        key = f"{self._seed}\0{field.name}\0{self._spread}".encode("utf-8", "surrogatepass")
        drawn = int.from_bytes(hashlib.blake2b(key, digest_size=8).digest(), "big")
        if step is None:
            return 1 << (start + drawn % (end - start + 1))
        return _mask(start + drawn % min(step, end - start + 1), end, step)

    def _range(self, field: Field, text: str, item: str) -> tuple[int, int]:
        start_text, _, end_text = text.partition("-")
        start, end = self._value(field, start_text), self._value(field, end_text)
        if field is WEEKDAY and end == 0 < start:
            end = 7
        if end < start:
            raise self._error("schedules.cron_range", field, item)
        return start, end

    def _step(self, field: Field, text: str, item: str) -> int:
        step = _number(text)
        largest = field.high - field.low + 1
        if not 1 <= step <= largest:
            raise self._error("schedules.cron_step", field, item, largest=largest)
        return step

    def _value(self, field: Field, text: str) -> int:
        if text in field.names:
            return field.low + field.names.index(text)
        number = _number(text)
        if not field.low <= number <= field.high:
            raise self._error("schedules.cron_value", field, text)
        return number

    def _check_question_mark(self, field: Field, part: str) -> None:
        if "?" in part and (part != "?" or field not in (DAY, WEEKDAY)):
            raise self._error("schedules.cron_question_mark", field, part)

    def _error(self, key: str, field: Field, value: str, **values: int) -> ScheduleError:
        names = f" ({field.names[0]}-{field.names[-1]})" if field.names else ""
        return ScheduleError(
            key,
            cron=shown(self._cron),
            field=translate(f"schedules.field_{field.name}"),
            value=shown(value),
            allowed=f"{field.low}-{field.high}{names}",
            **values,
        )


def shown(text: str) -> str:
    """Return a text as error messages show it: not longer than a line."""
    return text if len(text) <= _SHOWN_LENGTH else f"{text[:_SHOWN_LENGTH]}..."


@functools.lru_cache(maxsize=1_024)
def _mask(start: int, end: int, step: int) -> int:
    return sum(1 << value for value in range(start, end + 1, step))


def _number(text: str) -> int:
    """Return a number of a few ASCII digits; -1, which no field allows, for anything else."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 9 else -1
