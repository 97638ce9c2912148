"""Named calendars: holidays of countries, plain forms, iCalendar, and finding them by name."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from task_scheduler.errors import ScheduleError
from task_scheduler.i18n import LANGUAGES, set_language
from task_scheduler.schedules.calendars.country import country_named
from task_scheduler.schedules.calendars.ics import calendar_from_ics
from task_scheduler.schedules.calendars.named_calendar import Calendar
from task_scheduler.schedules.calendars.plain import calendar_from_plain, days_from
from task_scheduler.schedules.calendars.registry import BUILT_IN, Calendars
from task_scheduler.schedules.exclusion import Exclusion
from task_scheduler.schedules.zones import zone_named

EPOCH = date(1970, 1, 1)
JAPAN_2026 = [
    "2026-01-01", "2026-01-12", "2026-02-11", "2026-02-23", "2026-03-20", "2026-04-29",
    "2026-05-03", "2026-05-04", "2026-05-05", "2026-05-06", "2026-07-20", "2026-08-11",
    "2026-09-21", "2026-09-22", "2026-09-23", "2026-10-12", "2026-11-03", "2026-11-23",
]  # fmt: skip
CHINA_MAKE_UP_2026 = [
    "2026-01-04", "2026-02-14", "2026-02-28", "2026-05-09", "2026-09-20", "2026-10-10",
]  # fmt: skip


@pytest.fixture(autouse=True)
def in_english() -> None:
    set_language("en")


def days_off(*names: str, year: int = 2026, calendars: Calendars = BUILT_IN) -> list[str]:
    """Return the days of a year that calendars cover from beginning to end."""
    together = tuple(calendars.named(name) for name in names)
    begin = (date(year, 1, 1) - EPOCH).days
    days = range(begin, begin + 365)
    covered = [day for day in days if any(one.covers_day(day, together) for one in together)]
    return [str(EPOCH + timedelta(day)) for day in covered]


def covered_seconds(calendar: Calendar, begin: datetime, end: datetime) -> list[tuple[str, str]]:
    """Return what a calendar covers between two times in Tokyo."""
    zone = zone_named("Asia/Tokyo")
    low, high = (int(moment.replace(tzinfo=zone.tz).timestamp()) for moment in (begin, end))
    blocked = Exclusion(zone, (calendar,)).blocked_between(low, high) or []
    return [
        tuple(datetime.fromtimestamp(second, zone.tz).strftime("%m-%d %H:%M") for second in pair)
        for pair in blocked
    ]


def test_japan_s_holidays_of_2026_are_those_of_the_cabinet_office() -> None:
    assert days_off("japan") == JAPAN_2026
    assert days_off("holidays:JP") == JAPAN_2026


def test_china_s_make_up_workdays_are_no_weekend() -> None:
    off = days_off("china", "weekends")
    only_weekends = days_off("weekends")

    assert [day for day in only_weekends if day not in off] == CHINA_MAKE_UP_2026
    # The Spring Festival as the State Council gave it: 15 to 23 February.
    spring = [day for day in off if "2026-02-14" <= day <= "2026-02-24"]
    assert spring == [f"2026-02-{day}" for day in range(15, 24)]


def test_a_make_up_workday_does_not_undo_another_country_s_holiday() -> None:
    calendars = Calendars({"mine": calendar_from_plain({"days": ["2026-02-14"]})})

    assert "2026-02-14" in days_off("china", "weekends", "mine", calendars=calendars)
    assert set(JAPAN_2026) <= set(days_off("japan", "china"))


def test_own_workdays_undo_holidays_and_weekends_but_not_own_days() -> None:
    plain = {
        "country": "JP",
        "weekends": True,
        "workdays": ["2026-08-11", "2026-08-15"],
        "days": ["2026-08-15"],
    }
    calendars = Calendars({"mine": calendar_from_plain(plain)})

    august = [day for day in days_off("mine", calendars=calendars) if day[:7] == "2026-08"]

    assert "2026-08-11" not in august
    assert "2026-08-15" in august


def test_other_countries_and_their_parts_are_found() -> None:
    bavaria, berlin = days_off("holidays:DE-BY"), days_off("holidays:de-be")

    assert "2026-01-06" in bavaria, "Epiphany"
    assert "2026-01-06" not in berlin
    assert "2026-10-03" in berlin
    assert country_named("us").code == "US"


def test_years_without_data_have_no_holidays() -> None:
    assert days_off("japan", year=2150) == []
    assert len(days_off("weekends", year=2150)) == 104


def test_days_are_read_in_every_form() -> None:
    def written(text: str) -> list[str]:
        return [str(EPOCH + timedelta(day)) for day in sorted(days_from(text))]

    assert written("2026-08-13") == ["2026-08-13"]
    assert written("2026-12-30/2027-01-02") == [
        "2026-12-30", "2026-12-31", "2027-01-01", "2027-01-02",
    ]  # fmt: skip
    assert "2031-12-31" in written("12-31")
    turn = [day for day in written("12-30/01-01") if "2026-12-01" < day < "2027-02-01"]
    assert turn == ["2026-12-30", "2026-12-31", "2027-01-01"]
    assert [day for day in written("02-28/02-29") if day[:4] in ("2027", "2028")] == [
        "2027-02-28",
        "2028-02-28",
        "2028-02-29",
    ]
    assert [day for day in written("02-29") if day.startswith("20")][:2] == [
        "2000-02-29",
        "2004-02-29",
    ]


BAD_PLAIN: list[tuple[dict[str, Any], tuple[str | int, ...], str]] = [
    ({"country": "XX"}, ("country",), "ISO 3166"),
    ({"country": "DE-XX"}, ("country",), "BY"),
    ({"country": 5}, ("country",), "text"),
    ({"weekends": "mun"}, ("weekends",), "mon"),
    ({"days": ["2026-02-30"]}, ("days", 0), "2026-02-30"),
    ({"days": ["2026-02-20", "02-30"]}, ("days", 1), "02-30"),
    ({"days": ["2026-02-20/2026-02-19"]}, ("days", 0), "earlier"),
    ({"days": ["2000-01-01/2200-01-01"]}, ("days", 0), "3660"),
    ({"days": "2026-02-20"}, ("days",), "list"),
    ({"windows": [5]}, ("windows", 0), "window"),
    ({"windows": [{"from": "22:00"}]}, ("windows", 0), "'to'"),
    ({"windows": [{"from": "22:00", "to": "26:00"}]}, ("windows", 0, "to"), "26:00"),
    ({"windows": [{"from": "24:00", "to": "06:00"}]}, ("windows", 0, "from"), "24:00"),
    ({"windows": [{"from": "1", "to": "2", "on": "x"}]}, ("windows", 0, "on"), "weekdays"),
    (
        {"windows": [{"from": "22:00", "to": "23:00", "weekdays": "xyz"}]},
        ("windows", 0, "weekdays"),
        "xyz",
    ),
    (
        {"windows": [{"from": "2026-01-02T00:00", "to": "2026-01-01T00:00"}]},
        ("windows", 0),
        "before it begins",
    ),
    (
        {"windows": [{"from": "2026-01-01T00:00Z", "to": "2026-01-02T00:00Z"}]},
        ("windows", 0, "from"),
        "timezone",
    ),
    ({"timezone": "Asia/Tokio"}, ("timezone",), "Asia/Tokyo"),
    ({"holidays": "JP"}, ("holidays",), "country"),
]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("case", BAD_PLAIN, ids=lambda case: str(case[0]))
def test_what_is_wrong_in_a_plain_calendar_is_told_with_the_way_to_it(
    case: tuple[dict[str, Any], tuple[str | int, ...], str], language: str
) -> None:
    plain, path, shown = case
    set_language(language)

    with pytest.raises(ScheduleError) as caught:
        calendar_from_plain(plain)

    assert tuple(caught.value.values["path"]) == path
    assert "schedules." not in str(caught.value)
    if language == "en":
        assert shown in str(caught.value)


def test_an_unknown_calendar_is_named_with_the_likeliest() -> None:
    with pytest.raises(ScheduleError, match="'japan'"):
        BUILT_IN.named("jappan")
    with pytest.raises(ScheduleError, match="'maintenance'"):
        Calendars({"maintenance": Calendar()}).named("maintainance")
    with pytest.raises(ScheduleError, match="ISO 3166"):
        BUILT_IN.named("holidays:Q")


ICS = """BEGIN:VCALENDAR\r
VERSION:2.0\r
BEGIN:VTIMEZONE\r
TZID:Asia/Tokyo\r
END:VTIMEZONE\r
{events}END:VCALENDAR\r
"""


def ics(*lines: str) -> Calendar:
    """Return the calendar of one event with these lines, or of several between ``--``."""
    events = "\r\n".join(lines).split("--\r\n")
    return calendar_from_ics(
        ICS.format(events="".join(f"BEGIN:VEVENT\r\n{e.strip()}\r\nEND:VEVENT\r\n" for e in events))
    )


MONTH = datetime(2026, 8, 1), datetime(2026, 9, 1)


@pytest.mark.parametrize(
    ("lines", "covered"),
    [
        (["DTSTART;VALUE=DATE:20260813"], [("08-13 00:00", "08-14 00:00")]),
        (
            ["DTSTART;VALUE=DATE:20260813", "DTEND;VALUE=DATE:20260816"],
            [("08-13 00:00", "08-16 00:00")],
        ),
        (["DTSTART;VALUE=DATE:20260813", "DURATION:P1W"], [("08-13 00:00", "08-20 00:00")]),
        (
            ["DTSTART;TZID=Asia/Tokyo:20260813T220000", "DURATION:PT8H30M"],
            [("08-13 22:00", "08-14 06:30")],
        ),
        (["DTSTART:20260813T130000Z", "DTEND:20260813T150000Z"], [("08-13 22:00", "08-14 00:00")]),
        (["DTSTART:20260813T130000", "DTEND:20260813T150000"], [("08-13 13:00", "08-13 15:00")]),
        (
            ['DTSTART;TZID="America/New_York":20260813T090000', "DURATION:PT1H"],
            [("08-13 22:00", "08-13 23:00")],
        ),
        (["DTSTART;TZID=Asia/Tokyo:20260813T220000"], []),
        (["DTSTART;VALUE=DATE:20260813", "STATUS:CANCELLED"], []),
        (
            ["SUMMARY:a long", "  text\\, folded", "DTSTART;VALUE=DATE:20260", " 813"],
            [("08-13 00:00", "08-14 00:00")],
        ),
        (
            ["DTSTART;VALUE=DATE:20200813", "RRULE:FREQ=YEARLY"],
            [("08-13 00:00", "08-14 00:00")],
        ),
        (
            ["DTSTART;TZID=Asia/Tokyo:20260801T080000", "DURATION:PT2H",
             "RRULE:FREQ=WEEKLY;COUNT=3", "EXDATE;TZID=Asia/Tokyo:20260808T080000"],
            [("08-01 08:00", "08-01 10:00"), ("08-15 08:00", "08-15 10:00")],
        ),
        (
            ["UID:1", "DTSTART:20260801T080000", "DURATION:PT2H", "RRULE:FREQ=WEEKLY;COUNT=3", "--",
             "UID:1", "RECURRENCE-ID:20260808T080000", "DTSTART:20260809T090000", "DURATION:PT1H"],
            [("08-01 08:00", "08-01 10:00"), ("08-09 09:00", "08-09 10:00"),
             ("08-15 08:00", "08-15 10:00")],
        ),
        (
            ["BEGIN:VALARM", "DTSTART:20260101T000000", "END:VALARM", "DTSTART:20260802"],
            [("08-02 00:00", "08-03 00:00")],
        ),
    ],
)  # fmt: skip
def test_events_of_icalendar_are_covered(lines: list[str], covered: list[tuple[str, str]]) -> None:
    assert covered_seconds(ics(*lines), *MONTH) == covered


@pytest.mark.parametrize(
    ("lines", "named", "line"),
    [
        (["SUMMARY:x"], "DTSTART", 6),
        (["DTSTART:2026-08-13"], "2026-08-13", 7),
        (["DTSTART:20260230"], "20260230", 7),
        (["DTSTART;TZID=Tokyo Standard Time:20260813T000000"], "Tokyo Standard Time", 7),
        (["DTSTART:20260813T000000Z", "DTEND:20260814T000000"], "DTEND", 8),
        (["DTSTART:20260813", "DTEND:20260812"], "20260812", 8),
        (["DTSTART:20260813", "DURATION:P"], "P", 8),
        (["DTSTART:20260813", "DURATION:P9999D"], "366", 8),
        (["DTSTART:20260813", "RRULE:FREQ=HOURLYY"], "HOURLY", 6),
        (["DTSTART:20260813", "no line"], "no line", 8),
        (["BEGIN:VALARM", "END:VTODO"], "VTODO", 8),
    ],
)
def test_what_is_wrong_in_icalendar_is_told_with_its_line(
    lines: list[str], named: str, line: int
) -> None:
    with pytest.raises(ScheduleError) as caught:
        ics(*lines)

    assert named in str(caught.value)
    assert caught.value.values["line"] == line


@pytest.mark.parametrize("text", ["", "BEGIN:VCALENDAR\nBEGIN:VEVENT\n", "<html>"])
def test_what_is_no_icalendar_is_refused(text: str) -> None:
    with pytest.raises(ScheduleError):
        calendar_from_ics(text)


def test_a_zone_of_its_own_holds_for_floating_times() -> None:
    calendar = Calendar(dated=ics("DTSTART:20260813").dated, timezone="UTC")

    assert covered_seconds(calendar, *MONTH) == [("08-13 09:00", "08-14 09:00")]
    assert datetime(2026, 8, 13, tzinfo=UTC)
