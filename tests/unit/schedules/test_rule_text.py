"""One text, any kind of rule; and the place in it that is wrong."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from task_scheduler.errors import ScheduleError
from task_scheduler.schedules.rule import occurrences_of, to_plain
from task_scheduler.schedules.rule_text import place_in, rule_from_text

NOW = int(datetime(2026, 11, 23, 21, 0, 12, tzinfo=UTC).timestamp() * 1_000_000)


@pytest.fixture(autouse=True)
def _in_tokyo(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("*/5 * * * *", "cron"),
        ("  0 9 * * mon-fri ", "cron"),
        ("0 0 9 1 1 ? 2030", "cron"),
        ("@daily", "cron"),
        ("@every 5m", "cron"),
        ("H H * * *", "cron"),
        ("every 5m", "interval"),
        ("every 300", "interval"),
        ("1h30m", "interval"),
        ("daily 08:00,20:30", "daily"),
        ("weekly mon,fri 08:00", "weekly"),
        ("monthly 1,last 08:00", "monthly"),
        ("daily", "on_calendar"),
        ("hourly Asia/Tokyo", "on_calendar"),
        ("Mon..Fri 08:00", "on_calendar"),
        ("*-*-01 08:00:00", "on_calendar"),
        ("2030-01-31 Asia/Tokyo", "on_calendar"),
        ("*:0/15", "on_calendar"),
        ("@1893456000", "on_calendar"),
        ("Sat", "on_calendar"),
        ("FREQ=WEEKLY;BYDAY=MO", "rrule"),
        ("RRULE:FREQ=DAILY", "rrule"),
        ("DTSTART:20300101T080000\\nRRULE:FREQ=DAILY", "rrule"),
        ("sunrise 35.68,139.69", "solar"),
        ("sunset-30m at -35.68, +139.69", "solar"),
        ("2030-01-31T09:00", "once"),
        ("2030-01-31T09:00:00+09:00", "once"),
    ],
)
def test_a_text_becomes_the_rule_it_looks_like(text: str, kind: str) -> None:
    rule = rule_from_text(text, now=NOW)

    assert str(rule.schedule_type) == kind
    assert occurrences_of(rule, task_id="pump").next_after(NOW, NOW) is not None


def test_the_sun_is_moved_to_either_side() -> None:
    plain = to_plain(rule_from_text("sunset - 1h30m 35.68,139.69", now=NOW))

    assert plain is not None
    assert plain["offset_seconds"] == -5_400


def test_a_recurrence_without_a_start_begins_this_minute() -> None:
    plain = to_plain(rule_from_text("FREQ=DAILY", now=NOW, timezone="Asia/Tokyo"))

    assert plain is not None
    assert plain["start_at"] == "2026-11-24T06:00:00+09:00"


@pytest.mark.parametrize(
    ("text", "marked"),
    [
        ("0 25 * * *", "25"),
        ("25 25 * * *", "25 "),
        ("0 9 * * MOM", "MOM"),
        ("0 9 * * 1-9", "9"),
        ("0 0 9 32 * *", "32"),
        ("*/0 * * * *", "*/0"),
        ("evry 5m", "evry"),
        ("every 5x", "5x"),
        ("Mon..Fry 08:00", "Fry"),
        ("08:00 Asia/Tokio", "Asia/Tokio"),
        ("FREQ=DALY", "DALY"),
        ("FREQ=DAILY;BYHOUR=24", "24"),
        ("sunset", "sunset"),
        ("@dayly", None),
        ("*/5 * * *", None),
        ("", None),
    ],
)
def test_the_place_that_is_wrong_is_found(text: str, marked: str | None) -> None:
    with pytest.raises(ScheduleError) as caught:
        rule_from_text(text, now=NOW)

    place = place_in(text, caught.value)
    assert (None if place is None else text[place[0] : sum(place)]) == (marked and marked.strip())


def test_a_value_is_looked_for_in_its_own_field() -> None:
    with pytest.raises(ScheduleError) as caught:
        rule_from_text("24 24 * * *", now=NOW)

    assert place_in("24 24 * * *", caught.value) == (3, 2)


def test_what_was_probably_meant_is_told() -> None:
    with pytest.raises(ScheduleError, match="Did you mean 'every'"):
        rule_from_text("evry 5m", now=NOW)


def test_an_endless_text_is_refused_at_once() -> None:
    for text in (
        "* " * 100_000,
        "x" * 1_000_000,
        "every " + "9" * 1_000_000,
        "FREQ=" + "A" * 10**6,
    ):
        with pytest.raises(ScheduleError):
            rule_from_text(text, now=NOW)
