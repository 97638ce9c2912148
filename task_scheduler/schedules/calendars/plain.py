"""Calendars as users write them in a configuration, or in a YAML or JSON file.

Responsible for: making a calendar of its plain form, and saying which part of it is wrong: errors
carry the way to it as `path` in their values. Reads no file. ::

    {"country": "JP", "weekends": true, "days": ["2026-12-29/2027-01-03", "08-13"],
     "workdays": ["2026-12-30"], "timezone": "Asia/Tokyo",
     "windows": [{"weekdays": "sun", "from": "22:00", "to": "06:00"},
                 {"from": "2026-10-01T18:00", "to": "2026-10-02T08:00"}]}
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from typing import Any, TypeVar

from task_scheduler.errors import ScheduleError
from task_scheduler.schedules.calendars.country import country_named
from task_scheduler.schedules.calendars.named_calendar import (
    DAY_SECONDS,
    WEEKEND,
    Calendar,
    WeeklyWindow,
)
from task_scheduler.schedules.wall_clock import ALL_WEEKDAYS, time_of, weekdays_of
from task_scheduler.schedules.zones import zone_named

__all__ = ["KEYS", "calendar_from_plain", "days_from"]

KEYS = ("country", "weekends", "days", "workdays", "windows", "timezone")
"""What the plain form of a calendar may hold."""
WINDOW_KEYS = ("weekdays", "from", "to")

_T = TypeVar("_T")
_Path = tuple[str | int, ...]

_EPOCH_DAY = date(1970, 1, 1).toordinal()
_EPOCH = datetime(1970, 1, 1)
_FIRST_YEAR, _LAST_YEAR = 1969, 2201
_LONGEST_RANGE = 3_660
_SHOWN_LENGTH = 80
_YEARLY = re.compile(r"[0-9]{2}-[0-9]{2}")


def calendar_from_plain(plain: Mapping[str, Any]) -> Calendar:
    """Return the calendar of its plain form; raises ScheduleError with the `path` of the fault."""
    _refuse_unknown(plain, KEYS, ())
    zone = plain.get("timezone")
    if zone is not None:
        _at(("timezone",), lambda: zone_named(_text(zone)))
    country = plain.get("country")
    weekly, dated = [], []
    for index, window in enumerate(_items(plain, "windows")):
        found = _window(window, ("windows", index))
        if isinstance(found, WeeklyWindow):
            weekly.append(found)
        else:
            dated.append(found)
    return Calendar(
        days=_days_of(plain, "days"),
        workdays=_days_of(plain, "workdays"),
        weekdays=_weekends(plain.get("weekends", False)),
        countries=()
        if country is None
        else (_at(("country",), lambda: country_named(_text(country))),),
        weekly=tuple(weekly),
        dated=tuple(sorted(dated)),
        timezone=zone,
    )


def days_from(text: str) -> frozenset[int]:
    """Return the days of ``2026-08-11``, ``2026-12-29/2027-01-03``, or of every year, ``12-31``.

    A range of every year may go over its end: ``12-29/01-03``.
    """
    first_text, slash, last_text = (part.strip() for part in text.partition("/"))
    if not slash:
        last_text = first_text
    try:
        if _YEARLY.fullmatch(first_text) and _YEARLY.fullmatch(last_text):
            return _every_year(first_text, last_text)
        first, last = date.fromisoformat(first_text), date.fromisoformat(last_text)
    except ValueError:
        raise ScheduleError("schedules.bad_day", value=text[:_SHOWN_LENGTH]) from None
    length = (last - first).days
    if not 0 <= length < _LONGEST_RANGE:
        raise ScheduleError(
            "schedules.bad_day_range", value=text[:_SHOWN_LENGTH], longest=_LONGEST_RANGE
        )
    return _days_between(first, last)


def _every_year(first: str, last: str) -> frozenset[int]:
    """Return the days from ``MM-DD`` to ``MM-DD`` in every year that is planned."""
    # In a leap year, which has them all, first: 29 February is a day, the 30th is none.
    is_over_new_year = date.fromisoformat(f"2000-{first}") > date.fromisoformat(f"2000-{last}")
    days: set[int] = set()
    for year in range(_FIRST_YEAR, _LAST_YEAR + 1):
        begin, end = _in_year(year, first), _in_year(year + is_over_new_year, last)
        if begin is None and first == last:
            continue
        # In other years the range begins the day after, or ends the day before.
        days |= _days_between(
            begin or date(year, 3, 1), end or date(year + is_over_new_year, 2, 28)
        )
    return frozenset(days)


def _in_year(year: int, text: str) -> date | None:
    """Return ``MM-DD`` in a year; None for 29 February where it has none."""
    try:
        return date.fromisoformat(f"{year}-{text}")
    except ValueError:
        return None


def _days_between(first: date, last: date) -> frozenset[int]:
    begin = first.toordinal() - _EPOCH_DAY
    return frozenset(range(begin, last.toordinal() - _EPOCH_DAY + 1))


def _days_of(plain: Mapping[str, Any], key: str) -> frozenset[int]:
    days: set[int] = set()
    for index, item in enumerate(_items(plain, key)):
        days |= _at((key, index), lambda item=item: days_from(_text(item)))  # type: ignore[misc]
    return frozenset(days)


def _weekends(given: object) -> int:
    if isinstance(given, bool):
        return WEEKEND if given else 0
    return _at(("weekends",), lambda: weekdays_of(_text(given)))


def _window(window: object, path: _Path) -> WeeklyWindow | tuple[int, int]:
    if not isinstance(window, Mapping):
        raise ScheduleError("schedules.bad_window", value=_shown(window), path=path)
    _refuse_unknown(window, WINDOW_KEYS, path)
    for key in ("from", "to"):
        if key not in window:
            raise ScheduleError("schedules.window_without", missing=key, path=path)
    begin, end = (_text(window[key], (*path, key)) for key in ("from", "to"))
    if "T" in begin or "-" in begin:
        if "weekdays" in window:
            raise ScheduleError("schedules.dated_window_weekdays", path=(*path, "weekdays"))
        low, high = (
            _at((*path, key), lambda text=text: _local_time(text))  # type: ignore[misc]
            for key, text in (("from", begin), ("to", end))
        )
        if high <= low:
            raise ScheduleError("schedules.window_backwards", begin=begin, end=end, path=path)
        return low, high
    start = _at((*path, "from"), lambda: time_of(begin))
    stop = _at((*path, "to"), lambda: time_of(end, may_be_midnight_after=True))
    weekdays = ALL_WEEKDAYS
    if "weekdays" in window:
        weekdays = _at((*path, "weekdays"), lambda: weekdays_of(_text(window["weekdays"])))
    # One that ends before it begins goes on into the next day.
    return WeeklyWindow(weekdays, start, stop if stop > start else stop + DAY_SECONDS)


def _local_time(text: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ScheduleError("schedules.bad_local_time", value=text[:_SHOWN_LENGTH]) from None
    if moment.tzinfo is not None:
        raise ScheduleError("schedules.local_time_with_zone", value=text[:_SHOWN_LENGTH])
    since = moment - _EPOCH
    return since.days * DAY_SECONDS + since.seconds


def _items(plain: Mapping[str, Any], key: str) -> Sequence[Any]:
    given = plain.get(key, ())
    if isinstance(given, list | tuple):
        return given
    raise ScheduleError("schedules.calendar_list", name=key, value=_shown(given), path=(key,))


def _text(value: object, path: _Path = ()) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, datetime | date):
        return value.isoformat()
    raise ScheduleError("schedules.calendar_text", value=_shown(value), path=path)


def _refuse_unknown(plain: Mapping[str, Any], known: Sequence[str], path: _Path) -> None:
    for key in plain:
        if key not in known:
            raise ScheduleError(
                "schedules.calendar_key",
                value=str(key)[:_SHOWN_LENGTH],
                known=", ".join(known),
                path=(*path, key),
            )


def _at(path: _Path, make: Callable[[], _T]) -> _T:
    """Return what is made; an error of it gets the way to where it stands."""
    try:
        return make()
    except ScheduleError as error:
        raise ScheduleError(error.key, **{**error.values, "path": path}) from None


def _shown(value: object) -> str:
    return repr(value)[:_SHOWN_LENGTH]
