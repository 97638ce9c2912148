"""When something is due, by brute force.

Responsible for: every instant of a rule between two moments. Intervals by adding up; cron by asking
each minute (or second) of the stretch what the wall clock of the zone shows, through `zoneinfo`.
Reads cron's five or six fields itself: a parser in common with the scheduler would make the same
mistake on both sides.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from tests.checker.history import SECOND, Cron, Every, Once, Rule

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_RANGES = ((0, 59), (0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
"""Second, minute, hour, day of month, month, day of week."""


def instants(rules: Iterable[Rule], after: int, until: int) -> set[int]:
    """Return the instants of the union of rules that lie in ``(after, until]``."""
    return {at for rule in rules for at in _instants(rule, after, until)}


def _instants(rule: Rule, after: int, until: int) -> Iterator[int]:
    if isinstance(rule, Once):
        if after < rule.at <= until:
            yield rule.at
    elif isinstance(rule, Every):
        last = until if rule.until is None else min(until, rule.until)
        # The first one by division: an anchor of long ago costs nothing. The rest by adding.
        at = rule.anchor + max(0, (after - rule.anchor) // rule.period + 1) * rule.period
        while at <= last:
            yield at
            at += rule.period
    else:
        yield from _scan(rule, after, until)


class _Fields:
    """What a cron text asks for, field by field."""

    def __init__(self, text: str) -> None:
        words = text.lower().split()
        if len(words) not in (5, 6):
            raise ValueError(f"the oracle reads 5 or 6 fields, not {text!r}")
        self.has_seconds = len(words) == 6
        if not self.has_seconds:
            words.insert(0, "0")
        self.second, self.minute, self.hour, self.day, self.month, weekday = (
            _values(word, low, high) for word, (low, high) in zip(words, _RANGES, strict=True)
        )
        self.weekday = frozenset(value % 7 for value in weekday)
        # Debian: two restricted fields of days widen each other; a star restricts nothing.
        self.is_any_day = not words[3].startswith("*") and not words[5].startswith("*")
        self.is_fixed = not words[1].startswith("*") and not words[2].startswith("*")
        """It names times of the day: they come once, whatever is done to the clocks."""

    def match(self, local: datetime) -> bool:
        """Whether this is asked for when the wall clock shows `local`."""
        if (
            local.second not in self.second
            or local.minute not in self.minute
            or local.hour not in self.hour
            or local.month not in self.month
        ):
            return False
        is_day, is_weekday = local.day in self.day, local.isoweekday() % 7 in self.weekday
        return is_day or is_weekday if self.is_any_day else is_day and is_weekday


def _values(word: str, low: int, high: int) -> frozenset[int]:
    found: set[int] = set()
    for part in word.split(","):
        span, _, step = part.partition("/")
        if span == "*":
            first, last = low, high
        else:
            begin, _, end = span.partition("-")
            first = _number(begin)
            last = _number(end) if end else (high if step else first)
        found.update(range(first, last + 1, int(step or 1)))
    if not found or min(found) < low or max(found) > high:
        raise ValueError(f"the oracle cannot read {word!r}")
    return frozenset(found)


def _number(word: str) -> int:
    if word in _MONTHS:
        return _MONTHS.index(word) + 1
    if word in _WEEKDAYS:
        return _WEEKDAYS.index(word)
    return int(word) if word.isdecimal() else -1


@lru_cache(maxsize=256)
def _read(text: str) -> _Fields:
    return _Fields(text)


def _scan(rule: Cron, after: int, until: int) -> Iterator[int]:
    """Look at every minute, or second; at a gap, at what the clocks left out too."""
    fields, zone = _read(rule.text), ZoneInfo(rule.zone)
    step = 1 if fields.has_seconds else 60
    second = after // SECOND // step * step
    before = _wall(second, zone)
    while (second := second + step) * SECOND <= until:
        wall = _wall(second, zone)
        shown = wall.replace(tzinfo=None) - before.replace(tzinfo=None)
        left_out = shown > timedelta(seconds=step)
        is_repeated = bool(wall.fold)
        if fields.is_fixed:
            is_due = (not is_repeated and fields.match(wall)) or (
                left_out and _any_between(fields, before, wall, step)
            )
        else:
            is_due = fields.match(wall)
        if is_due:
            yield second * SECOND
        before = wall


def _any_between(fields: _Fields, before: datetime, wall: datetime, step: int) -> bool:
    """Whether the clocks jumped over a time that is asked for."""
    shown, end = before.replace(tzinfo=None), wall.replace(tzinfo=None)
    while (shown := shown + timedelta(seconds=step)) < end:
        if fields.match(shown):
            return True
    return False


def _wall(second: int, zone: ZoneInfo) -> datetime:
    return datetime.fromtimestamp(second, UTC).astimezone(zone)
