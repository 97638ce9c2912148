"""Public holidays of countries, and the weekend days that are worked to make up for them.

Responsible for: what the `holidays` library knows, as days counted from 1970-01-01. The library is
loaded at the first question: it costs a tenth of a second. Where it has no data for a year (Japan
after 2099; make-up workdays that a government has not announced yet) that year has none.
"""

from __future__ import annotations

import difflib
import functools
from dataclasses import dataclass
from datetime import date
from typing import Any, NamedTuple

from task_scheduler.errors import ScheduleError
from task_scheduler.i18n import translate

__all__ = ["Country", "country_named"]

_EPOCH_DAY = date(1970, 1, 1).toordinal()
_SHOWN_LENGTH = 80


class _Year(NamedTuple):
    holidays: frozenset[int]
    workdays: frozenset[int]


@dataclass(frozen=True, slots=True)
class Country:
    """A country of ISO 3166, as ``JP``; with a part of it named, with the holidays of that."""

    code: str
    subdivision: str | None = None

    def is_holiday(self, day: int) -> bool:
        """Whether a day, counted from 1970-01-01, is a public holiday or stands in for one."""
        return day in self._year_of(day).holidays

    def is_workday(self, day: int) -> bool:
        """Whether a day is worked although it lies on a weekend."""
        return day in self._year_of(day).workdays

    def _year_of(self, day: int) -> _Year:
        return _year(self.code, self.subdivision, date.fromordinal(day + _EPOCH_DAY).year)


def country_named(text: str) -> Country:
    """Return the country of ``JP`` or, with a part of it, ``DE-BY``; raises ScheduleError."""
    import holidays

    known = holidays.list_supported_countries()
    code, _, part = text.strip().upper().partition("-")
    if code not in known:
        near = difflib.get_close_matches(code[:_SHOWN_LENGTH], known, n=1, cutoff=0.5)
        hint = translate("schedules.did_you_mean", name=near[0]) if near else ""
        raise ScheduleError("schedules.unknown_country", value=text[:_SHOWN_LENGTH], hint=hint)
    # Parts are written as the library does: most in capitals, some as names.
    parts = {name.upper(): name for name in known[code]}
    if part and part not in parts:
        raise ScheduleError(
            "schedules.unknown_subdivision",
            value=text[:_SHOWN_LENGTH],
            country=code,
            known=", ".join(known[code]) or "-",
        )
    return Country(code, parts[part] if part else None)


@functools.lru_cache(maxsize=4096)
def _year(code: str, subdivision: str | None, year: int) -> _Year:
    import holidays

    found: Any = holidays.country_holidays(code, subdiv=subdivision, years=year)
    return _Year(_days(found), _days(getattr(found, "weekend_workdays", ())))


def _days(dates: Any) -> frozenset[int]:
    return frozenset(found.toordinal() - _EPOCH_DAY for found in dates)
