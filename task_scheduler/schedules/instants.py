"""Instants: microseconds since the Unix epoch, and the datetimes that users know them by.

Responsible for: the range of years that the scheduler plans in, and exact conversions both ways.
Knows no rule. Local times are never subtracted from each other: two aware datetimes that differ
only in ``fold`` compare equal.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo

__all__ = [
    "DAY",
    "EARLIEST",
    "LATEST",
    "SECOND",
    "datetime_at",
    "instant_of",
    "instant_within_range",
    "is_within_range",
]

SECOND = 1_000_000
DAY = 86_400 * SECOND

EARLIEST = 0
"""The first instant that is planned: the beginning of 1970, UTC."""
LATEST = 7_289_654_400 * SECOND - 1
"""The last instant that is planned: the end of 2200, UTC."""

_EPOCH = datetime(1970, 1, 1)
_EPOCH_UTC = datetime(1970, 1, 1, tzinfo=UTC)


def is_within_range(instant: int) -> bool:
    """Whether an instant lies in the years 1970 to 2200."""
    return EARLIEST <= instant <= LATEST


def instant_within_range(instant: int) -> int | None:
    """Return the instant where it lies in the years 1970 to 2200, else None."""
    return instant if EARLIEST <= instant <= LATEST else None


def instant_of(moment: datetime, zone: tzinfo) -> int:
    """Return the instant of a datetime; a naive one is read in `zone`.

    A naive time that the clocks skip is read as PEP 495 says: as if they had not been changed yet,
    so that "five minutes from now" stays five minutes. One that comes twice goes by its ``fold``.
    """
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=zone)
    offset = aware.utcoffset() or timedelta(0)
    # Not by astimezone(UTC): that overflows near the first and the last year of datetime.
    return (moment.replace(tzinfo=None) - _EPOCH - offset) // timedelta(microseconds=1)


def datetime_at(instant: int, zone: tzinfo) -> datetime:
    """Return an instant as an aware datetime in `zone`."""
    return (_EPOCH_UTC + timedelta(microseconds=instant)).astimezone(zone)
