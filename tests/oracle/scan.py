"""Brute force: what an expression does around a change of clocks, instant by instant.

Responsible for: finding every change of a zone's clocks, the rows of instants around one with what
the clock on the wall shows, and which of them an expression runs at by the two policies. Reads
`zoneinfo` and nothing of the project.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

from tests.oracle.expressions import Expression

DAY = 86_400
BEGIN = 0
END = int(datetime(2101, 1, 1, tzinfo=UTC).timestamp())

_EPOCH_DAY = date(1970, 1, 1).toordinal()

Row = tuple[int, int, int, int, int]
"""An instant, and on the wall: the day, the minute of the day, the second, and PEP 495's fold."""


@dataclass(frozen=True)
class Change:
    """A moment at which the clocks of a zone are changed."""

    zone: str
    at: int
    before: int
    """The offset from UTC before it, in seconds."""
    after: int


def offset_at(tz: ZoneInfo, second: int) -> int:
    """Return local time minus UTC in seconds."""
    offset = datetime.fromtimestamp(second, tz).utcoffset()
    assert offset is not None
    return offset.days * DAY + offset.seconds


def changes_of(zone: str) -> list[Change]:
    """Return every change of offset of a zone from 1970 to 2100, in order."""
    tz = ZoneInfo(zone)
    found = []
    known, offset = BEGIN, offset_at(tz, BEGIN)
    while known < END:
        day = known + DAY
        if offset_at(tz, day) != offset:
            low, high = known, day
            while high - low > 1:
                middle = (low + high) // 2
                if offset_at(tz, middle) == offset:
                    low = middle
                else:
                    high = middle
            found.append(Change(zone, high, offset, offset_at(tz, high)))
            offset = found[-1].after
            assert offset_at(tz, day) == offset, f"{zone} changes twice around {high}"
        known = day
    return found


def rows_around(change: Change, reach: int, step: int) -> list[Row]:
    """Return the instants within `reach` seconds of a change, every `step` seconds on the wall."""
    tz = ZoneInfo(change.zone)
    begin, end = max(change.at - reach, BEGIN + 1), change.at + reach
    rows = []
    for instant in (
        *_aligned(begin, change.at, change.before, step),
        *_aligned(change.at, end + 1, change.after, step),
    ):
        wall = datetime.fromtimestamp(instant, tz)
        rows.append(
            (instant, wall.toordinal(), wall.hour * 60 + wall.minute, wall.second, wall.fold)
        )
    return rows


def _aligned(begin: int, end: int, offset: int, step: int) -> range:
    """Return the instants whose local time is a multiple of `step`."""
    return range(begin + (-begin - offset) % step, end, step)


def runs_by_scan(expression: Expression, change: Change, rows: list[Row], step: int) -> list[int]:
    """Return the instants among the rows at which the expression runs."""
    seconds, minutes = expression.seconds, expression.minutes_of_day
    days = {day: expression.is_day(date.fromordinal(day)) for day in {row[1] for row in rows}}
    is_once = not expression.runs_twice
    found = [
        instant
        for instant, day, minute, second, fold in rows
        if minute in minutes and second in seconds and days[day] and not (fold and is_once)
    ]
    if expression.runs_after_gap and any(
        second % 60 in seconds
        and second % DAY // 60 in minutes
        and expression.is_day(date.fromordinal(second // DAY + _EPOCH_DAY))
        for second in _skipped(change, step)
    ):
        found = sorted({*found, change.at})
    return found


def _skipped(change: Change, step: int) -> Iterator[int]:
    """Yield the local times that a change leaves out, in seconds since 1970 on the wall."""
    first = change.at + change.before
    yield from range(first + -first % step, change.at + change.after, step)
