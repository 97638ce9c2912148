"""Solar events: when the sun rises, stands highest and sets at a place.

Responsible for: the position of the sun, its events day by day, and their instants. Knows no time
zone: days are those of the place's mean solar time, from midnight to midnight by its longitude.

The formulas are those of NOAA's solar calculator, after J. Meeus, *Astronomical Algorithms*,
chapters 25 and 28. An event is found for where the sun is then, not at noon: from 1970 to 2100 it
is within 20 seconds of an ephemeris up to 65 degrees (a test compares them), later and farther
north within minutes. Weather, height and mountains, which are not known here, move what is seen
by minutes anyway.

=======  =========================================================================================
sunrise  the upper edge of the sun appears: its centre 0.833 degrees below the horizon
sunset   it disappears
dawn     civil dawn: the centre 6 degrees below the horizon; enough light to see by from then on
dusk     civil dusk
noon     the sun stands highest
=======  =========================================================================================

On polar days and nights an event that does not happen is no instant; the search goes on to the day
it happens again, at most 400 days.
"""

from __future__ import annotations

import difflib
import math
from dataclasses import dataclass
from enum import StrEnum

from task_scheduler.errors import ScheduleError
from task_scheduler.i18n import translate
from task_scheduler.schedules.instants import EARLIEST, LATEST, SECOND, instant_within_range

__all__ = ["SolarEvent", "SolarOccurrences", "solar_instant", "solar_occurrences"]

_DAY_SECONDS = 86_400
_J2000 = 946_728_000
"""2000-01-01 12:00, from which the formulas count."""
_CENTURY = 36_525 * _DAY_SECONDS

LARGEST_LATITUDE = 89
"""Nearer to the poles the sun rises once a year, on a day that no formula of days tells."""
_LONGEST_OFFSET = _DAY_SECONDS
_SEARCHED_DAYS = 400
_COUNTED_DAYS = 4_000
"""How many days are looked at one by one, where the sun does not rise on every day."""
_STEEPEST = 23.5
"""More than the sun is ever away from the equator, in degrees, from 1970 to 2200."""
_SHOWN_LENGTH = 80


class SolarEvent(StrEnum):
    """What the sun does."""

    SUNRISE = "sunrise"
    SUNSET = "sunset"
    DAWN = "dawn"
    DUSK = "dusk"
    NOON = "noon"


_ALTITUDES = {
    SolarEvent.SUNRISE: -0.833,
    SolarEvent.SUNSET: -0.833,
    SolarEvent.DAWN: -6.0,
    SolarEvent.DUSK: -6.0,
}
_IS_MORNING = {SolarEvent.SUNRISE, SolarEvent.DAWN}


def solar_occurrences(
    event: str, *, latitude: float, longitude: float, offset_seconds: float = 0
) -> SolarOccurrences:
    """Return the instants of an event at a place, each moved by `offset_seconds` (either sign).

    Degrees are positive to the north and to the east. Raises ScheduleError for an unknown event
    or a place that is none.
    """
    try:
        kind = SolarEvent(event)
    except ValueError:
        near = difflib.get_close_matches(str(event)[:_SHOWN_LENGTH], list(SolarEvent), n=1)
        raise ScheduleError(
            "schedules.solar_event",
            value=_shown(event),
            known=", ".join(SolarEvent),
            hint=translate("schedules.did_you_mean", name=str(near[0])) if near else "",
        ) from None
    return SolarOccurrences(
        kind,
        _number("latitude", latitude, LARGEST_LATITUDE),
        _number("longitude", longitude, 180),
        round(_number("offset_seconds", offset_seconds, _LONGEST_OFFSET) * SECOND),
    )


@dataclass(frozen=True, slots=True)
class SolarOccurrences:
    """The instants of a solar event at a place, moved by `offset` microseconds."""

    event: SolarEvent
    latitude: float
    longitude: float
    offset: int = 0

    def first(self, added_at: int) -> int | None:
        """Return the first instant at or after `added_at`."""
        return self.next_after(added_at - 1, added_at)

    def next_after(self, moment: int, anchor: int) -> int | None:  # noqa: ARG002  the port's
        """Return the smallest instant after `moment`."""
        moment = max(moment, EARLIEST - 1)
        if moment >= LATEST:
            return None
        day = self._day_at(moment) - 1
        for following in range(day, day + _SEARCHED_DAYS):
            found = self._on(following)
            if found is not None and found > moment:
                return instant_within_range(found)
        return None

    def last_until(self, moment: int, after: int, anchor: int) -> int | None:  # noqa: ARG002
        """Return the greatest instant in ``(after, moment]``."""
        moment, after = min(moment, LATEST), max(after, EARLIEST - 1)
        if moment <= after:
            return None
        day = self._day_at(moment) + 1
        for previous in range(day, day - _SEARCHED_DAYS, -1):
            found = self._on(previous)
            if found is not None and found <= moment:
                return found if found > after else None
        return None

    def count_between(self, after: int, until: int, anchor: int) -> int | None:  # noqa: ARG002
        """Return how many instants lie in ``(after, until]``.

        None where the event does not come on every day and there are more than 4,000 of them.
        """
        until, after = min(until, LATEST), max(after, EARLIEST - 1)
        if until <= after:
            return 0
        first, last = self._day_at(after) - 1, self._day_at(until) + 1
        if self._is_daily():
            # All but the outermost days are inside; whether those are is asked.
            edges = {*range(first, first + 4), *range(last - 3, last + 1)}
            inside = max(0, last - 3 - (first + 4))
            return inside + self._count_on(edges, after, until)
        if last - first > _COUNTED_DAYS:
            return None
        return self._count_on(set(range(first, last + 1)), after, until)

    def _count_on(self, days: set[int], after: int, until: int) -> int:
        found = (self._on(day) for day in days)
        return sum(1 for instant in found if instant is not None and after < instant <= until)

    def _on(self, day: int) -> int | None:
        found = solar_instant(self.event, self.latitude, self.longitude, day)
        return None if found is None else found + self.offset

    def _day_at(self, moment: int) -> int:
        """Return the day of the sun that a moment lies in, but for minutes around midnight."""
        return (moment - self.offset + round(self.longitude * 240) * SECOND) // (
            _DAY_SECONDS * SECOND
        )

    def _is_daily(self) -> bool:
        """Whether there is no polar day or night for the event at the place."""
        if self.event is SolarEvent.NOON:
            return True
        altitude = _ALTITUDES[self.event]
        return all(
            abs(_cosine(self.latitude, math.radians(declination), altitude)) < 1
            for declination in (-_STEEPEST, _STEEPEST)
        )


def solar_instant(event: SolarEvent, latitude: float, longitude: float, day: int) -> int | None:
    """Return the instant of an event on a day of the sun, counted from 1970-01-01.

    Microseconds since the Unix epoch, of whole seconds; None on a day without the event.
    """
    mean_noon = day * _DAY_SECONDS + _DAY_SECONDS / 2 - longitude * 240
    second = mean_noon
    for _ in range(2):
        second = mean_noon - _sun_at(second)[1]
    if event is SolarEvent.NOON:
        return round(second) * SECOND
    altitude = _ALTITUDES[event]
    direction = -1 if event in _IS_MORNING else 1
    cosine = 0.0
    for turn in range(5):
        declination, equation = _sun_at(second)
        cosine = _cosine(latitude, declination, altitude)
        if turn == 0 and abs(cosine) > _hopeless(latitude):
            return None
        angle = math.degrees(math.acos(min(1.0, max(-1.0, cosine))))
        second = mean_noon - equation + direction * angle * 240
    return round(second) * SECOND if abs(cosine) <= 1 else None


def _hopeless(latitude: float) -> float:
    """Return a cosine that half a day, in which the sun moves 0.2 degrees, does not bring to 1."""
    return 1 + math.radians(0.3) / math.cos(math.radians(latitude)) * 2


def _cosine(latitude: float, declination: float, altitude: float) -> float:
    """Return the cosine of the hour angle at which the sun stands at an altitude, in degrees.

    Less than -1: it stays above the altitude all day; more than 1: it stays below.
    """
    place = math.radians(latitude)
    height = math.sin(math.radians(altitude)) - math.sin(place) * math.sin(declination)
    return height / (math.cos(place) * math.cos(declination))


def _sun_at(second: float) -> tuple[float, float]:
    """Return the declination of the sun, in radians, and the equation of time, in seconds."""
    t = (second - _J2000) / _CENTURY
    longitude = math.radians(280.46646 + t * (36000.76983 + t * 0.0003032))
    anomaly = math.radians(357.52911 + t * (35999.05029 - t * 0.0001537))
    eccentricity = 0.016708634 - t * (0.000042037 + t * 0.0000001267)
    centre = (
        math.sin(anomaly) * (1.914602 - t * (0.004817 + t * 0.000014))
        + math.sin(2 * anomaly) * (0.019993 - t * 0.000101)
        + math.sin(3 * anomaly) * 0.000289
    )
    node = math.radians(125.04 - 1934.136 * t)
    apparent = longitude + math.radians(centre - 0.00569 - 0.00478 * math.sin(node))
    obliquity = math.radians(
        23
        + (26 + (21.448 - t * (46.815 + t * (0.00059 - t * 0.001813))) / 60) / 60
        + 0.00256 * math.cos(node)
    )
    declination = math.asin(math.sin(obliquity) * math.sin(apparent))
    y = math.tan(obliquity / 2) ** 2
    equation = (
        y * math.sin(2 * longitude)
        - 2 * eccentricity * math.sin(anomaly)
        + 4 * eccentricity * y * math.sin(anomaly) * math.cos(2 * longitude)
        - y * y / 2 * math.sin(4 * longitude)
        - 5 / 4 * eccentricity**2 * math.sin(2 * anomaly)
    )
    return declination, math.degrees(equation) * 240


def _number(name: str, value: object, largest: float) -> float:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if is_number and -largest <= value <= largest:  # type: ignore[operator]
        return float(value)  # type: ignore[arg-type]
    raise ScheduleError("schedules.solar_number", name=name, value=_shown(value), largest=largest)


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN_LENGTH else f"{text[:_SHOWN_LENGTH]}..."
