"""Solar events: against an ephemeris and published times, and where the sun stays up or down."""

from __future__ import annotations

import random
import time
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import ephem
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from task_scheduler.errors import ScheduleError
from task_scheduler.schedules.instants import EARLIEST, LATEST, SECOND, datetime_at, instant_of
from task_scheduler.schedules.solar import (
    SolarEvent,
    SolarOccurrences,
    solar_instant,
    solar_occurrences,
)

MINUTE = 60 * SECOND
DAY_OF_2100 = 47_846
TOKYO, LONDON, SYDNEY = (35.658, 139.741), (51.5074, -0.1278), (-33.8688, 151.2093)
TROMSO = (69.6492, 18.9553)

HORIZONS = {
    SolarEvent.SUNRISE: "-0:34",
    SolarEvent.SUNSET: "-0:34",
    SolarEvent.DAWN: "-6",
    SolarEvent.DUSK: "-6",
    SolarEvent.NOON: "0",
}


def by_ephemeris(event: SolarEvent, place: tuple[float, float], noon: int) -> float | None:
    """Return the second of an event by libastro's VSOP87, within half a day of a noon."""
    observer = ephem.Observer()
    observer.lat, observer.lon = (str(degrees) for degrees in place)
    observer.pressure, observer.horizon = 0, HORIZONS[event]
    observer.date = ephem.Date(datetime_at(noon, UTC).replace(tzinfo=None))
    is_centre = event in (SolarEvent.DAWN, SolarEvent.DUSK)
    try:
        if event is SolarEvent.NOON:
            observer.date -= 0.5
            found = observer.next_transit(ephem.Sun())
        elif event in (SolarEvent.SUNRISE, SolarEvent.DAWN):
            found = observer.previous_rising(ephem.Sun(), use_center=is_centre)
        else:
            found = observer.next_setting(ephem.Sun(), use_center=is_centre)
    except (ephem.AlwaysUpError, ephem.NeverUpError):
        return None
    second = found.datetime().replace(tzinfo=UTC).timestamp()
    return second if abs(second - noon / SECOND) < 43_300 else None


@pytest.mark.parametrize("event", SolarEvent)
def test_events_of_1970_to_2100_are_those_of_an_ephemeris(event: SolarEvent) -> None:
    draw = random.Random(event)
    for _ in range(800):
        # Given a place up to 65 degrees from the equator, and a day
        place = (draw.uniform(-65, 65), draw.uniform(-180, 180))
        day = draw.randrange(DAY_OF_2100)
        noon = solar_instant(SolarEvent.NOON, *place, day)
        assert noon is not None

        # Then the event is there within 20 seconds, or there is none for both
        ours, theirs = solar_instant(event, *place, day), by_ephemeris(event, place, noon)
        assert (ours is None) == (theirs is None), (place, day)
        assert ours is None or theirs is None or abs(ours / SECOND - theirs) < 20, (place, day)


@pytest.mark.parametrize(
    ("event", "place", "zone", "date", "published"),
    [
        # National Astronomical Observatory of Japan, Tokyo.
        ("sunrise", TOKYO, "Asia/Tokyo", (2024, 1, 1), "06:51"),
        ("sunset", TOKYO, "Asia/Tokyo", (2024, 1, 1), "16:38"),
        # HM Nautical Almanac Office, London, at the solstices.
        ("sunrise", LONDON, "Europe/London", (2024, 6, 20), "04:43"),
        ("sunset", LONDON, "Europe/London", (2024, 6, 20), "21:21"),
        ("sunrise", LONDON, "Europe/London", (2024, 12, 21), "08:04"),
        ("sunset", LONDON, "Europe/London", (2024, 12, 21), "15:53"),
        # Geoscience Australia, Sydney.
        ("sunrise", SYDNEY, "Australia/Sydney", (2024, 12, 21), "05:41"),
        ("sunset", SYDNEY, "Australia/Sydney", (2024, 12, 21), "20:05"),
    ],
)
def test_published_times_are_met_within_a_minute(
    event: str, place: tuple[float, float], zone: str, date: tuple[int, int, int], published: str
) -> None:
    midnight = instant_of(datetime(*date), ZoneInfo(zone))
    hour, minute = (int(part) for part in published.split(":"))

    rule = solar_occurrences(event, latitude=place[0], longitude=place[1])
    found = rule.next_after(midnight, 0)

    assert found is not None
    assert abs(found - midnight - (hour * 60 + minute) * MINUTE) <= MINUTE


def test_an_offset_moves_every_event() -> None:
    place = {"latitude": TOKYO[0], "longitude": TOKYO[1]}
    sunset = solar_occurrences("sunset", **place)
    earlier = solar_occurrences("sunset", offset_seconds=-1800, **place)
    moment = instant_of(datetime(2030, 5, 1), UTC)

    found = sunset.next_after(moment, 0)
    assert found is not None
    assert earlier.next_after(moment, 0) == found - 30 * MINUTE
    assert earlier.last_until(found, 0, 0) == found - 30 * MINUTE
    assert earlier.first(found - 30 * MINUTE) == found - 30 * MINUTE


def test_the_sun_that_stays_up_does_not_rise_until_it_has_set() -> None:
    sunrise = SolarOccurrences(SolarEvent.SUNRISE, *TROMSO)
    sunset = SolarOccurrences(SolarEvent.SUNSET, *TROMSO)
    noon = SolarOccurrences(SolarEvent.NOON, *TROMSO)
    begin, end = (instant_of(datetime(2030, month, 10), UTC) for month in (6, 7))

    # Given the midnight sun of Tromsø, from about 18 May to 26 July
    assert sunrise.count_between(begin, end, 0) == 0
    assert noon.count_between(begin, end, 0) == 30

    # Then the next sunset and sunrise are those after it, with a night between
    set_at, rise_at = sunset.next_after(begin, 0), sunrise.next_after(begin, 0)
    assert set_at is not None
    assert rise_at is not None
    assert datetime_at(set_at, UTC).date().isoformat() in ("2030-07-25", "2030-07-26", "2030-07-27")
    assert set_at < rise_at < set_at + 3600 * SECOND
    last = sunrise.last_until(end, 0, 0)
    assert last is not None
    assert datetime_at(last, UTC).date().isoformat() in ("2030-05-17", "2030-05-18", "2030-05-19")


places = st.tuples(
    st.floats(-66, 66) | st.floats(-89, 89), st.floats(-180, 180) | st.sampled_from([-180.0, 180.0])
)


@settings(max_examples=150, deadline=None)
@given(
    event=st.sampled_from(SolarEvent),
    place=places,
    moment=st.integers(0, instant_of(datetime(2200, 12, 31), UTC)),
    offset=st.sampled_from([0, 90 * MINUTE, -86_400 * SECOND]),
    days=st.integers(0, 40),
)
def test_next_last_and_count_agree(
    event: SolarEvent, place: tuple[float, float], moment: int, offset: int, days: int
) -> None:
    sun = SolarOccurrences(event, *place, offset)

    following = sun.next_after(moment, 0)
    last = sun.last_until(moment, -1, 0)

    if following is not None:
        assert moment < following <= LATEST
        assert sun.last_until(following, moment, 0) == following
        assert sun.last_until(following - 1, moment, 0) is None
        assert sun.first(following) == following
    if last is not None:
        assert last <= moment
        assert sun.next_after(last, 0) == following
    until = moment + days * 86_400 * SECOND
    walked = 0
    while following is not None and following <= until:
        walked += 1
        following = sun.next_after(following, 0)
    assert sun.count_between(moment, until, 0) == walked


@pytest.mark.parametrize("moment", [-(10**40), -1, EARLIEST, LATEST, LATEST + 1, 10**40])
@pytest.mark.parametrize("latitude", [-89, -66.5, 0, 51.5, 89])
def test_no_moment_is_too_far_to_be_asked_about(moment: int, latitude: float) -> None:
    sun = SolarOccurrences(SolarEvent.DAWN, latitude, 180)

    following = sun.next_after(moment, 0)
    assert following is None or moment < following <= LATEST
    last = sun.last_until(moment, -(10**41), 0)
    assert last is None or EARLIEST <= last <= moment
    count = sun.count_between(-(10**41), moment, 0)
    assert (count == 0) == (last is None)


def test_all_sunrises_of_a_place_are_counted_without_looking_at_each() -> None:
    sunrise = SolarOccurrences(SolarEvent.SUNRISE, *TOKYO)
    began = time.process_time()
    count = sunrise.count_between(EARLIEST, LATEST, 0)

    assert count is not None
    assert abs(count - (LATEST - EARLIEST) / (86_400 * SECOND)) < 2
    assert time.process_time() - began < 0.05


@pytest.mark.parametrize("latitude", [-89, -75, 0, 65, 89])
def test_next_is_cheap_even_through_a_polar_night(latitude: float) -> None:
    sun = SolarOccurrences(SolarEvent.SUNSET, latitude, 25)
    moments = [instant_of(datetime(2031, month, 1), UTC) for month in range(1, 13)]
    began = time.process_time()
    for moment in moments:
        assert sun.next_after(moment, 0) is not None

    # A walk from day to day would take a hundred times as long.
    assert (time.process_time() - began) / len(moments) < 0.05


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        ({"event": "sunrice"}, "Did you mean 'sunrise'?"),
        ({"event": 7}, "Use one of: sunrise, sunset"),
        ({"latitude": 90}, "from -89 to 89"),
        ({"latitude": "35"}, "latitude='35' must be a number"),
        ({"latitude": float("nan")}, "latitude=nan"),
        ({"longitude": -181}, "from -180 to 180"),
        ({"offset_seconds": 90_000}, "from -86400 to 86400"),
        ({"offset_seconds": True}, "offset_seconds=True"),
    ],
)
def test_what_is_no_event_or_place_is_refused(values: dict[str, object], wanted: str) -> None:
    given_values = {"event": "sunrise", "latitude": 35, "longitude": 139} | values
    with pytest.raises(ScheduleError) as caught:
        solar_occurrences(given_values.pop("event"), **given_values)  # type: ignore[arg-type]

    assert wanted in str(caught.value)
