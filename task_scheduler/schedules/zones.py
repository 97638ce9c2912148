"""Time zones: their names, their periods of one offset, and the zone of this machine.

Responsible for: finding a zone, and cutting its time into periods in which local time runs along
with UTC. Between two periods the clocks are changed: forward leaves a gap of local times that
never come, back a fold of local times that come twice. What a rule makes of those is not known
here.

The zone of this machine is the one thing outside the arguments that is read here: the ``TZ``
variable and ``/etc/localtime``. It is no setting of ours but where every program of the machine
finds its local time, so that `datetime.now()` in a user's code and our rules mean the same.

The rules of a zone change while programs run: an update of tzdata replaces its files. `refresh`
looks at the files of the zones in use, and a zone whose file was replaced is read anew; whoever
remembers anything about a zone remembers its `edition` with it.
"""

from __future__ import annotations

import difflib
import os
import struct
import zoneinfo
from datetime import UTC, datetime, timedelta, tzinfo
from importlib import resources
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo, available_timezones

from task_scheduler.errors import ScheduleError
from task_scheduler.i18n import translate

__all__ = ["Period", "Zone", "local_zone", "refresh", "zone_named"]

_BLOCK_BITS = 25
"""Periods are looked for in blocks of 2**25 seconds, about 388 days, at their first use."""
_STEP = 3 * 86_400
"""Offsets are compared every three days: in no zone since 1970 do two changes lie closer than a
week; a test reads all of them."""

_REFRESH_PERIOD = 60 * 1_000_000
"""Microseconds: the files are looked at at most once a minute."""

_UNREADABLE = (OSError, ValueError, LookupError, struct.error)
"""What `zoneinfo` raises for no zone (a KeyError), a folder of zones as "America" (an OSError), a
path out of them (a ValueError) and a file that is cut short."""

_MOST_FOLDERS = 9
"""No zone lies so deep. `zoneinfo` imports a package for each folder of a name, each within the
other, and a long one is more than the interpreter's stack can hold."""
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
        self.edition = 0
        """Goes up whenever the zone's rules were read anew."""
        self.follow(tz)

    def follow(self, tz: tzinfo) -> None:
        """Take over the rules of `tz`, and forget all that was found by others."""
        self.tz = tz
        is_utc = tz is UTC or getattr(tz, "key", None) in ("UTC", "Etc/UTC")
        self._only = Period(-(1 << 62), 1 << 62, 0, 0) if is_utc else None
        # A new table and no cleared one: a search in another thread may still fill the old.
        self._blocks: dict[int, tuple[Period, ...]] = {}
        self.edition += 1

    def period_at(self, second: int) -> Period:
        """Return the period that a second since the Unix epoch lies in."""
        if self._only is not None:
            return self._only
        block = second >> _BLOCK_BITS
        blocks = self._blocks
        periods = blocks.get(block)
        if periods is None:
            periods = blocks[block] = self._periods_of(block)
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


_zones: dict[str, Zone] = {}
"""The zones in use by name; there are no more than names of zones."""
_local_zones: dict[str | None, Zone] = {}
"""The zones of this machine in use, by the TZ variable that they were found with."""
_stamps: dict[tuple[str, str | None], object] = {}
"""What the file of each zone in use looked like when it was read."""
_looked_at: int | None = None


def zone_named(name: str) -> Zone:
    """Return the zone of a name such as ``Asia/Tokyo``; raises ScheduleError with the likeliest."""
    known = _zones.get(name)
    if known is not None:
        return known
    stamp = _stamp_of_name(name)
    found = _zone_info(name)
    if found is None:
        shown = name[:_SHOWN_LENGTH]
        raise ScheduleError("schedules.unknown_zone", zone=shown, hint=_hint_for(shown))
    _stamps.setdefault(("name", name), stamp)
    return _zones.setdefault(name, Zone(found))


def local_zone() -> Zone:
    """Return the zone of this machine."""
    variable = os.environ.get("TZ")
    known = _local_zones.get(variable)
    if known is not None:
        return known
    _stamps.setdefault(("local", variable), _stamp_of_local(variable))
    return _local_zones.setdefault(variable, Zone(_local_rules(variable) or _SystemTime()))


def refresh(now: int) -> tuple[str, ...]:
    """Read the zones anew whose files were replaced; return their names, "" for the machine's own.

    `now` is the moment in microseconds since the Unix epoch. To be called as often as one likes:
    it looks at the files at most once a minute, and after a step of the clock. A file that is gone
    or damaged changes nothing: the last good rules stay.
    """
    global _looked_at
    if _looked_at is not None and 0 <= now - _looked_at < _REFRESH_PERIOD:
        return ()
    _looked_at = now
    renewed = []
    for name, zone in list(_zones.items()):
        if _has_changed(("name", name), _stamp_of_name(name)):
            found = _zone_info(name, is_anew=True)
            if found is not None:
                zone.follow(found)
                renewed.append(name)
    for variable, zone in list(_local_zones.items()):
        if _has_changed(("local", variable), _stamp_of_local(variable)):
            rules = _local_rules(variable, is_anew=True)
            if rules is not None:
                zone.follow(rules)
                renewed.append("")
    return tuple(dict.fromkeys(renewed))


def _has_changed(key: tuple[str, str | None], stamp: object) -> bool:
    """Whether a file is there and is another than the one that was read; remembers it then."""
    if stamp is None or stamp == _stamps.get(key):
        return False
    _stamps[key] = stamp
    return True


def _stamp_of_name(name: str) -> object:
    """Return what the file of a zone looks like, where `zoneinfo` would read it; None without."""
    for folder in zoneinfo.TZPATH:
        stamp = _stamp_of_file(Path(folder, name))
        if stamp is not None:
            return stamp
    try:
        file = resources.files("tzdata.zoneinfo").joinpath(*name.split("/"))
    except (ModuleNotFoundError, ValueError):
        return None
    return _stamp_of_file(file) if isinstance(file, Path) else None


def _stamp_of_local(variable: str | None) -> object:
    if variable is None:
        return _stamp_of_file(_LOCAL_TIME)
    name = variable.removeprefix(":")
    return _stamp_of_file(Path(name)) if name.startswith("/") else _stamp_of_name(name)


def _stamp_of_file(path: Path) -> object:
    try:
        # The place that a link leads to counts too: that is how a machine's zone is changed.
        found = path.resolve(strict=True)
        status = found.stat()
    except (OSError, ValueError, RuntimeError):
        return None
    return str(found), status.st_mtime_ns, status.st_size, status.st_ino


def _local_rules(variable: str | None, *, is_anew: bool = False) -> tzinfo | None:
    if variable is None:
        return _zone_of_file(_LOCAL_TIME, is_anew=is_anew)
    return _zone_of_variable(variable, is_anew=is_anew)


def _zone_of_variable(variable: str, *, is_anew: bool) -> tzinfo | None:
    """Return the zone that ``TZ`` names; None for rules written out, as ``EST5EDT,M3.2.0,...``."""
    name = variable.removeprefix(":")
    if not name:
        return UTC
    if name.startswith("/"):
        return _zone_of_file(Path(name), is_anew=is_anew)
    return _zone_info(name, is_anew=is_anew)


def _zone_of_file(path: Path, *, is_anew: bool) -> tzinfo | None:
    """Return the zone of a file of rules, by name where the place it links to tells it."""
    try:
        _, found, name = str(path.resolve(strict=True)).rpartition("/zoneinfo/")
        zone = _zone_info(name, is_anew=is_anew) if found else None
        if zone is not None:
            return zone
        with path.open("rb") as file:
            return ZoneInfo.from_file(file)
    except _UNREADABLE:
        return None


def _zone_info(name: str, *, is_anew: bool = False) -> ZoneInfo | None:
    if name.count("/") > _MOST_FOLDERS:
        return None
    try:
        if is_anew:
            # Where the file is sound, a user's own ZoneInfo(name) follows it from now on too.
            ZoneInfo.no_cache(name)
            ZoneInfo.clear_cache(only_keys=[name])
        return ZoneInfo(name)
    except _UNREADABLE:
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
