"""A rule in one text: cron, ``every 5m``, a calendar event, a recurrence or the sun.

Responsible for: telling which kind a text is, making the rule of it, and finding the place in it
that an error speaks of. How each kind is read stands in its own module.

=============================  ======================================
``*/5 9-17 * * 1-5``           cron, 5 to 7 fields
``@daily``, ``@every 5m``      cron's words
``every 5m``, ``1h30m``        an interval
``daily 08:00,20:30``          times of day; ``weekly`` and ``monthly`` with days before them
``Mon..Fri 08:00``, ``daily``  a calendar event of systemd
``FREQ=DAILY;COUNT=3``         a recurrence; without a DTSTART it begins now
``sunset-30m 35.68,139.69``    the sun at a place
``2030-01-31T09:00``           once
=============================  ======================================
"""

from __future__ import annotations

import difflib
import re
from datetime import datetime
from typing import Any

from task_scheduler.errors import ScheduleError
from task_scheduler.i18n import translate
from task_scheduler.schedules.durations import duration_of
from task_scheduler.schedules.instants import datetime_at
from task_scheduler.schedules.rule import ScheduleRule, ScheduleType
from task_scheduler.schedules.solar import SolarEvent
from task_scheduler.schedules.zones import local_zone, zone_named

__all__ = ["place_in", "rule_from_text"]

_LONGEST_TEXT = 65_536
_SHOWN_LENGTH = 80
_MINUTE = 60 * 10**6

_SUGAR = ("daily", "weekly", "monthly")
_SHORTHANDS = (
    "minutely", "hourly", "daily", "weekly", "monthly", "quarterly", "semiannually", "yearly",
    "annually",
)  # fmt: skip
_WEEKDAY = re.compile(r"(mon|tue|wed|thu|fri|sat|sun)[a-z]*([,.-]|$)", re.IGNORECASE)
_RECURRENCE = re.compile(r"(^|\s|:|;)(FREQ\s*=|DTSTART|RRULE|RDATE)", re.IGNORECASE)
_ISO = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}\S*")
_SOLAR = re.compile(
    r"(?P<event>[a-z]+)\s*(?P<offset>[+-]\s*[0-9][0-9a-z.]*)?"
    r"(?:\s+(?:at\s+)?(?P<latitude>[+-]?[0-9.]+)\s*,\s*(?P<longitude>[+-]?[0-9.]+))?",
    re.IGNORECASE,
)
_SPREAD = re.compile(r"[Hh]($|[^A-Za-z])")
_DATE = re.compile(r"(\d+|\*)-(\d+|\*)[-~]")
_ZONE = re.compile(r"UTC$|[A-Za-z]{2,}/[A-Za-z]")
_CRON_FIELDS = ("minute", "hour", "day_of_month", "month", "day_of_week")


def rule_from_text(text: str, *, now: int, timezone: str | None = None) -> ScheduleRule:
    """Return the rule of a text; `timezone` is for a text that names none.

    Raises ScheduleError with what is wrong, and for a text that is no rule with the likeliest.
    """
    written = text[: _LONGEST_TEXT + 1].replace("\\n", "\n").strip()
    words = written.split()
    options: dict[str, Any] = {} if timezone is None else {"timezone": timezone}
    if not words:
        raise ScheduleError("explain.empty")
    if _RECURRENCE.search(written):
        return _recurrence(written, now, options)
    first = words[0].lower()
    if first.startswith("@") and not first[1:].isdigit():
        return ScheduleRule(ScheduleType.CRON, cron=written, **options)
    if first == "every":
        return _interval(written[len("every") :].strip(), options)
    if duration_of(written) is not None:
        return _interval(written, options)
    if first in _SUGAR and len(words) > 1 and ":" in written:
        options[first] = written[len(first) :].strip()
        return ScheduleRule(first, **options)
    if _ISO.fullmatch(written):
        return ScheduleRule(ScheduleType.ONCE, run_at=_moment(written), **options)
    solar = _SOLAR.fullmatch(written)
    if solar is not None and solar["event"].lower() in list(SolarEvent):
        return _sun(solar, options)
    if _is_cron(words):
        return ScheduleRule(ScheduleType.CRON, cron=written, **options)
    if first[0].isalpha() and not _WEEKDAY.match(first) and first not in _SHORTHANDS:
        raise _unknown(words[0])
    return ScheduleRule(ScheduleType.ON_CALENDAR, on_calendar=written, **options)


def _is_cron(words: list[str]) -> bool:
    """Whether words are the fields of cron, right or not: an event has colons, dates or names."""
    if len(words) < 2 or any(":" in word or ".." in word for word in words):
        return False
    is_named = words[0][0].isalpha() and not _SPREAD.match(words[0])
    return not is_named and not _DATE.match(words[0]) and not _ZONE.match(words[-1])


def _recurrence(text: str, now: int, options: dict[str, Any]) -> ScheduleRule:
    if "DTSTART" not in text.upper():
        zone = options.get("timezone")
        tz = (local_zone() if zone is None else zone_named(zone)).tz
        options["start_at"] = datetime_at(now - now % _MINUTE, tz)
    return ScheduleRule(ScheduleType.RRULE, rrule=text, **options)


def _interval(text: str, options: dict[str, Any]) -> ScheduleRule:
    seconds = duration_of(float(text) if text.isascii() and text.isdigit() else text)
    if seconds is None:
        raise ScheduleError("schedules.bad_every", value=repr(text[:_SHOWN_LENGTH]))
    return ScheduleRule(ScheduleType.INTERVAL, seconds=seconds, **options)


def _moment(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        shown = repr(text[:_SHOWN_LENGTH])
        raise ScheduleError("schedules.not_iso", name="at", value=shown) from None


def _sun(found: re.Match[str], options: dict[str, Any]) -> ScheduleRule:
    if found["latitude"] is None:
        raise ScheduleError("explain.no_place", value=found["event"])
    offset = (found["offset"] or "").replace(" ", "")
    seconds = duration_of(offset[1:]) if offset else 0
    if seconds is None:
        raise ScheduleError("schedules.bad_every", value=repr(offset))
    try:
        latitude, longitude = float(found["latitude"]), float(found["longitude"])
    except ValueError:
        raise ScheduleError("explain.no_place", value=found["event"]) from None
    return ScheduleRule(
        ScheduleType.SOLAR,
        solar=found["event"].lower(),
        latitude=latitude,
        longitude=longitude,
        offset_seconds=-seconds if offset.startswith("-") else seconds or None,
        **options,
    )


def _unknown(word: str) -> ScheduleError:
    known = ("every", *_SHORTHANDS, *SolarEvent, "@daily", "@hourly", "@reboot")
    near = difflib.get_close_matches(word.lower()[:_SHOWN_LENGTH], known, n=1)
    hint = translate("schedules.did_you_mean", name=str(near[0])) if near else ""
    return ScheduleError("explain.unknown", value=word[:_SHOWN_LENGTH], hint=hint)


def place_in(text: str, error: ScheduleError) -> tuple[int, int] | None:
    """Return where in a text an error speaks of: the index and the length; None: nowhere."""
    value = str(error.values.get("zone") or error.values.get("value") or "")
    if len(value) > 1 and value[0] == value[-1] == "'":
        value = value[1:-1]
    begin, end = _field_in(text, str(error.values.get("field", "")))
    column = error.values.get("column")
    if isinstance(column, int) and "\n" not in text:
        begin, end = column - 1, len(text)
    if not value:
        return (begin, end - begin) if (begin, end) != (0, len(text)) else None
    index = text.casefold().find(value.removesuffix("...").casefold(), begin, end)
    return None if index < 0 else (index, len(value.removesuffix("...")))


def _field_in(text: str, name: str) -> tuple[int, int]:
    """Return where the field of a cron expression begins and ends, by its name; else the text."""
    words = list(re.finditer(r"\S+", text))
    names = [translate(f"schedules.field_{field}") for field in _CRON_FIELDS]
    if len(words) > 5 and not ("?" in (words[2][0], words[4][0]) and len(words) == 6):
        names.insert(0, translate("schedules.field_second"))
    names.append(translate("schedules.field_year"))
    if name in names and names.index(name) < len(words):
        return words[names.index(name)].span()
    return 0, len(text)
