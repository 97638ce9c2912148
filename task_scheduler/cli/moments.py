"""Moments and durations as people read them: the time of day and how far away it is.

Responsible for: the zone that is shown, and short forms in the current language.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

from task_scheduler.i18n import translate

__all__ = ["NOTHING", "Moments", "duration_text", "elapsed_text"]

NOTHING = "–"
_UNITS = (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1))


@dataclass(frozen=True, slots=True)
class Moments:
    """Show moments in a zone, seen from `now` (microseconds since the Unix epoch)."""

    zone: tzinfo
    now: int

    def short(self, moment: str | None) -> str:
        """Return the time of day, with the day where it is another one, and the distance."""
        if moment is None:
            return NOTHING
        there = self._local(moment)
        here = self._here()
        if there.date() == here.date():
            text = f"{there:%H:%M}"
        else:
            text = f"{there:%m-%d %H:%M}" if there.year == here.year else f"{there:%Y-%m-%d}"
        return f"{text} {self._rough_distance(moment)}"

    def coming(self, moment: str | None) -> str:
        """Return what is to come as `short` does; what should have come is named overdue."""
        if moment is None or self._local(moment) >= self._here():
            return self.short(moment)
        seconds = (self._here() - self._local(moment)) / timedelta(seconds=1)
        return translate("cli.overdue", duration=duration_text(round(seconds), units=1))

    def ahead(self, moment: str) -> str:
        """Return how far ahead a moment is at which something is due, or since when it is."""
        seconds = (datetime.fromisoformat(moment) - self._here()).total_seconds()
        if seconds >= 0:
            return self.distance(moment)
        return translate("cli.overdue", duration=duration_text(round(-seconds)))

    def due(self, moment: str | None) -> str:
        """Return a moment at which something is due with its date and its distance."""
        if moment is None:
            return NOTHING
        return f"{self.precise(moment)} ({self.ahead(moment)})"

    def rough(self, moment: str | None) -> str:
        """Return the distance alone, of what is past in one unit: for a narrow column."""
        return NOTHING if moment is None else self._rough_distance(moment)

    def full(self, moment: str | None) -> str:
        """Return date, time and distance."""
        if moment is None:
            return NOTHING
        return f"{self.precise(moment)} ({self.distance(moment)})"

    def precise(self, moment: str | None) -> str:
        """Return date and time to the second."""
        return NOTHING if moment is None else f"{self._local(moment):%Y-%m-%d %H:%M:%S}"

    def distance(self, moment: str) -> str:
        """Return how far away a moment is, such as "in 4m 48s" or "55m 12s ago"."""
        return self._distance(moment, past_units=2)

    def _rough_distance(self, moment: str) -> str:
        """Return the distance for a narrow column: of what is past, one unit is enough."""
        return self._distance(moment, past_units=1)

    def _distance(self, moment: str, *, past_units: int) -> str:
        seconds = (self._local(moment) - self._here()) / timedelta(seconds=1)
        if abs(seconds) < 0.5:
            return translate("cli.just_now")
        if seconds < 0:
            text = duration_text(round(-seconds), units=past_units)
            return translate("cli.time_ago", duration=text)
        return translate("cli.time_ahead", duration=duration_text(round(seconds)))

    def zone_name(self) -> str:
        """Return the name of the zone that is shown."""
        here = self._here()
        key = getattr(self.zone, "key", None)
        return f"{key} (UTC{here:%z})" if key and key != "UTC" else f"UTC{here:%z}"

    def _here(self) -> datetime:
        return _moment_at(self.now, self.zone)

    def _local(self, moment: str) -> datetime:
        return datetime.fromisoformat(moment).astimezone(self.zone)


@functools.lru_cache(maxsize=8)
def _moment_at(now: int, zone: tzinfo) -> datetime:
    seconds, rest = divmod(now, 1_000_000)
    return datetime.fromtimestamp(seconds, UTC).astimezone(zone) + timedelta(microseconds=rest)


def elapsed_text(seconds: float) -> str:
    """Return how long something goes on by now, as a clock shows it: ``00:12``, ``1:02:03``."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes:02}:{rest:02}"


def duration_text(seconds: float | None, *, units: int = 2) -> str:
    """Return a duration in its greatest units; below ten seconds with decimals."""
    if seconds is None:
        return NOTHING
    seconds = 0 if seconds < 0.001 else seconds
    if seconds < 10 and seconds != int(seconds):
        return translate("cli.unit_s", n=f"{seconds:.3f}" if seconds < 0.1 else f"{seconds:.1f}")
    rest = round(seconds)
    parts = []
    for unit, length in _UNITS:
        count, rest = divmod(rest, length)
        if count:
            parts.append((unit, count))
        elif parts:
            break
        if len(parts) == units:
            break
    texts = [translate(f"cli.unit_{unit}", n=count) for unit, count in parts or [("s", 0)]]
    if len(texts) == 1:
        return texts[0]
    return translate("cli.two_units", great=texts[0], small=texts[1])
