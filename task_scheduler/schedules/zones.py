"""Time zones: their names, their periods of one offset, and the zone of this machine.

Responsible for: finding a zone, and cutting its time into periods in which local time runs along
with UTC. Between two periods the clocks are changed: forward leaves a gap of local times that
never come, back a fold of local times that come twice. What a rule makes of those is not known
here.

The zone of this machine is the one thing outside the arguments that is read here: the ``TZ``
variable and ``/etc/localtime``. It is no setting of ours but where every program of the machine
finds its local time, so that `datetime.now()` in a user's code and our rules mean the same.
"""

from __future__ import annotations

import difflib
import functools
import os
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from task_scheduler.errors import ScheduleError
from task_scheduler.i18n import translate

__all__ = ["Period", "Zone", "local_zone", "zone_named"]

_BLOCK_BITS = 25
"""Periods are looked for in blocks of 2**25 seconds, about 388 days, at their first use."""
_STEP = 3 * 86_400
"""Offsets are compared every three days: in no zone since 1970 do two changes lie closer than a
week; a test reads all of them."""

_LOCAL_TIME = Path("/etc/localtime")
_SHORTEST_HINT = 4
"""For shorter names, as JST, the likeliest zone is another abbreviation: a wrong hint."""
_SHOWN_LENGTH = 80


class Period(NamedTuple):
    """A stretch of time with one offset from UTC, in seconds since the Unix epoch.

    Between two of them time is cut for our own sake too: the later one may then begin before the
    earlier ends, with the same offset.
    """

    start: int
    end: int
    """The first second that no longer belongs to it."""
    offset: int
    """Local time minus UTC, in seconds."""
    before: int
    """The offset of the period before; equal where only our own cut lies between the two."""


class Zone:
    """A time zone as a row of periods."""

    def __init__(self, tz: tzinfo) -> None:
        self.tz = tz
        self._blocks: dict[int, tuple[Period, ...]] = {}
        is_utc = tz is UTC or getattr(tz, "key", None) in ("UTC", "Etc/UTC")
        self._only = Period(-(1 << 62), 1 << 62, 0, 0) if is_utc else None

    def period_at(self, second: int) -> Period:
        """Return the period that a second since the Unix epoch lies in."""
        if self._only is not None:
            return self._only
        block = second >> _BLOCK_BITS
        periods = self._blocks.get(block)
        if periods is None:
            periods = self._blocks[block] = self._periods_of(block)
        for period in periods:
            if second < period.end:
                return period
        return periods[-1]

    def _periods_of(self, block: int) -> tuple[Period, ...]:
        # A change shortly before the block stays the start of its first period: a fold that was
        # cut in two would be forgotten in the second half.
        begin = (block << _BLOCK_BITS) - _STEP
        end = (block + 1) << _BLOCK_BITS
        before, offset = self._offset_at(begin - 1), self._offset_at(begin)
        periods = []
        known = begin
        while known < end - 1:
            sample = min(known + _STEP, end - 1)
            if self._offset_at(sample) == offset:
                known = sample
                continue
            change = self._change_between(known, sample, offset)
            if change > block << _BLOCK_BITS:
                periods.append(Period(begin, change, offset, before))
            before, offset = offset, self._offset_at(change)
            begin = known = change
        periods.append(Period(begin, end, offset, before))
        return tuple(periods)

    def _change_between(self, low: int, high: int, offset: int) -> int:
        """Return the first second after `low`, where `offset` holds, that has another one."""
        while high - low > 1:
            middle = (low + high) // 2
            if self._offset_at(middle) == offset:
                low = middle
            else:
                high = middle
        return high

    def _offset_at(self, second: int) -> int:
        offset = datetime.fromtimestamp(second, self.tz).utcoffset() or timedelta(0)
        return offset.days * 86_400 + offset.seconds


class _SystemTime(tzinfo):
    """Local time by the C library's rules, where they have no name that we know."""

    def utcoffset(self, moment: datetime | None) -> timedelta | None:
        return None if moment is None else self._fixed(moment).utcoffset()

    def dst(self, moment: datetime | None) -> timedelta | None:
        return None if moment is None else self._fixed(moment).dst()

    def tzname(self, moment: datetime | None) -> str | None:
        return None if moment is None else self._fixed(moment).tzname()

    def fromutc(self, moment: datetime) -> datetime:
        local = moment.replace(tzinfo=UTC).astimezone().replace(tzinfo=None)
        # The C library tells which of the two it is by the way back.
        twin = local.replace(fold=1 - local.fold)
        is_same = local.astimezone(UTC) == moment.replace(tzinfo=UTC)
        return (local if is_same else twin).replace(tzinfo=self)

    @staticmethod
    def _fixed(moment: datetime) -> datetime:
        return moment.replace(tzinfo=None).astimezone()


@functools.lru_cache(maxsize=256)
def zone_named(name: str) -> Zone:
    """Return the zone of a name such as ``Asia/Tokyo``; raises ScheduleError with the likeliest."""
    found = _zone_info(name)
    if found is None:
        shown = name[:_SHOWN_LENGTH]
        raise ScheduleError("schedules.unknown_zone", zone=shown, hint=_hint_for(shown))
    return Zone(found)


def local_zone() -> Zone:
    """Return the zone of this machine."""
    return _local_zone(os.environ.get("TZ"))


@functools.lru_cache(maxsize=16)
def _local_zone(variable: str | None) -> Zone:
    found = _zone_of_file(_LOCAL_TIME) if variable is None else _zone_of_variable(variable)
    return Zone(found or _SystemTime())


def _zone_of_variable(variable: str) -> tzinfo | None:
    """Return the zone that ``TZ`` names; None for rules written out, as ``EST5EDT,M3.2.0,...``."""
    name = variable.removeprefix(":")
    if not name:
        return UTC
    if name.startswith("/"):
        return _zone_of_file(Path(name))
    return _zone_info(name)


def _zone_of_file(path: Path) -> tzinfo | None:
    """Return the zone of a file of rules, by name where the place it links to tells it."""
    try:
        _, found, name = str(path.resolve(strict=True)).rpartition("/zoneinfo/")
        zone = _zone_info(name) if found else None
        if zone is not None:
            return zone
        with path.open("rb") as file:
            return ZoneInfo.from_file(file)
    except (OSError, ValueError):
        return None


def _zone_info(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        # A folder of zones, as "America", is an OSError; a path out of them a ValueError.
        return None


def _hint_for(name: str) -> str:
    """Return "did you mean ...", or nothing where no zone is near."""
    if len(name) < _SHORTEST_HINT:
        return ""
    zones = sorted(available_timezones())
    written = {zone.rpartition("/")[2].casefold(): zone for zone in zones}
    written |= {zone.casefold(): zone for zone in zones}
    wanted = name.strip().replace(" ", "_").casefold()
    near = difflib.get_close_matches(wanted, written, n=1, cutoff=0.7)
    return translate("schedules.did_you_mean", name=written[near[0]]) if near else ""
