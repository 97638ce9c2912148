"""What is odd about a rule is told, and what is usual is not."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from task_scheduler.i18n import LANGUAGES
from task_scheduler.schedules.lint import Finding, Level, lint
from task_scheduler.schedules.rule import from_plain

NOW = int(datetime(2026, 11, 23, 21, 0, 12, tzinfo=UTC).timestamp() * 1_000_000)
HOUR = 3_600 * 1_000_000
NIGHT = {"type": "cron", "cron": "30 2 * * *", "timezone": "Europe/Berlin"}


@pytest.fixture(autouse=True)
def _in_tokyo(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")


def findings(plain: dict[str, object], **options: object) -> list[Finding]:
    return lint(from_plain(plain), now=NOW, language="en", **options)


def keys(plain: dict[str, object], **options: object) -> list[str]:
    return [found.key for found in findings(plain, **options)]


def cron(expression: str) -> dict[str, object]:
    return {"type": "cron", "cron": expression}


@pytest.mark.parametrize(
    "plain",
    [
        *map(
            cron,
            [
                "* * * * *", "*/5 * * * *", "5,35 * * * *", "0 3 * * *", "0 9 * * MON-FRI",
                "* 9-17 * * *", "*/10 9-17 * * 1-5", "0 9-17/3 * * *", "0-10 * * * *",
                "0 0 1,15 * *", "0 0 L * *", "0 0 31 12 *", "0 0 1 */3 *", "0 0 5-20/5 * *",
                "*/10 * * * * *", "0 0 28-31 * *", "@reboot", "@daily", "@every 7m", "H H * * *",
            ],
        ),
        {"type": "interval", "minutes": 7},
        {"type": "interval", "days": 1},
        {"type": "interval", "minutes": 5, "kind": "fixed_delay"},
        {"type": "daily", "daily": "02:30"},
        {"type": "daily", "daily": "12:00", "timezone": "Europe/Berlin"},
        {"type": "cron", "cron": "*/15 * * * *", "timezone": "Europe/Berlin"},
        {"type": "cron", "cron": "0 * * * *", "timezone": "Europe/Berlin"},
        {"type": "on_calendar", "on_calendar": "Mon..Fri 08:00"},
        {"type": "solar", "solar": "sunset", "latitude": 52.5, "longitude": 13.4},
    ],
)  # fmt: skip
def test_about_a_usual_rule_nothing_is_said(plain: dict[str, object]) -> None:
    assert findings(plain, task_id="pump") == []


@pytest.mark.parametrize(
    ("plain", "key", "place"),
    [
        (cron("0 9 1 * 1"), "day_or", "day_of_week"),
        (cron("* 9 * * *"), "every_minute", "minute"),
        (cron("0 * 9 * * *"), "every_minute", "minute"),
        (cron("* 9,14 * * MON"), "every_minute", "minute"),
        (cron("* 0 9 * * *"), "every_second", "second"),
        (cron("*/7 * * * *"), "uneven_minute", "minute"),
        (cron("0,7,14,21,28,35,42,49,56 * * * *"), "uneven_minute", "minute"),
        (cron("*/40 * * * *"), "uneven_minute", "minute"),
        (cron("0 */5 * * *"), "uneven_hour", "hour"),
        (cron("*/7 * * * * *"), "uneven_second", "second"),
        (cron("0 9 */2 * *"), "uneven_day", "day_of_month"),
        (cron("0 9 1 */5 *"), "uneven_month", "month"),
        (cron("0 0 29 2 *"), "leap_day", "day_of_month"),
        (cron("0 0 31 * *"), "short_months", "day_of_month"),
        ({"type": "monthly", "monthly": "30 08:00"}, "short_months", "day_of_month"),
        ({"type": "on_calendar", "on_calendar": "*:0/7"}, "uneven_minute", "minute"),
        (cron("0 0 9 1 1 ? 2020"), "never_fires", "cron"),
        ({"type": "once", "run_at": "2020-01-01T00:00:00+00:00"}, "never_fires", "once"),
    ],
)
def test_what_is_odd_is_told_with_its_place(plain: dict[str, object], key: str, place: str) -> None:
    assert [(found.key, found.place) for found in findings(plain)] == [(key, place)]


def test_both_days_asked_for_at_once_are_not_odd() -> None:
    assert keys({**cron("0 9 1-7 * 1"), "day_and": True}) == []


def test_the_parts_of_a_combination_are_looked_at_where_each_of_them_runs() -> None:
    parts = [cron("*/7 * * * *"), cron("0 9 1 * 1")]

    assert keys({"type": "any_of", "rules": parts}) == ["uneven_minute", "day_or"]
    assert keys({"type": "all_of", "rules": [cron("*/7 * * * *"), cron("* 9 * * *")]}) == []


def test_every_minute_of_an_hour_comes_with_what_was_meant() -> None:
    assert "write 0 9 * * *" in findings(cron("* 9 * * *"))[0].sentence
    assert "write 0 0 9 * * *" in findings(cron("0 * 9 * * *"))[0].sentence


def test_what_ends_a_rule_is_named() -> None:
    plain = {"type": "daily", "daily": "08:00", "end_at": "2025-01-01T00:00:00+00:00"}

    assert "end_at" in findings(plain)[0].sentence


def test_a_rule_whose_days_are_all_left_out_never_fires() -> None:
    plain = {"type": "weekly", "weekly": "sun 08:00", "exclude": ["weekends"]}

    assert [(f.key, f.place) for f in findings(plain)] == [("never_fires_by", "exclude")]


# -- clocks that are changed ----------------------------------------------------------------------


def test_a_nightly_rule_is_told_what_becomes_of_it() -> None:
    moved, once = findings(NIGHT)

    assert (moved.key, moved.level) == ("clocks_moved", Level.NOTE)
    assert moved.sentence == (
        "the clocks of Europe/Berlin skip 02:30 on 28 March 2027 and 26 March 2028:"
        " it runs at 03:00 then"
    )
    assert (once.key, once.level) == ("clocks_once", Level.NOTE)
    assert "31 October 2027 and 29 October 2028" in once.sentence


def test_skipped_and_doubled_runs_are_warned_of() -> None:
    found = findings({**NIGHT, "gap": "skip", "fold": "twice"})

    assert [(one.key, one.level) for one in found] == [
        ("clocks_skipped", Level.WARNING),
        ("clocks_doubled", Level.WARNING),
    ]


@pytest.mark.parametrize(
    "plain",
    [
        {"type": "daily", "daily": "02:30", "timezone": "Europe/Berlin"},
        {"type": "weekly", "weekly": "sun 02:30", "timezone": "Europe/Berlin"},
        {"type": "on_calendar", "on_calendar": "02:30 Europe/Berlin"},
        {
            "type": "rrule",
            "rrule": "DTSTART;TZID=Europe/Berlin:20260101T023000\nRRULE:FREQ=DAILY",
        },
        {"type": "interval", "hours": 6, "anchor": "02:30", "timezone": "Europe/Berlin"},
    ],
)
def test_every_kind_that_names_a_time_of_day_is_looked_at(plain: dict[str, object]) -> None:
    assert keys(plain) == ["clocks_moved", "clocks_once"]


def test_a_night_that_a_calendar_leaves_out_is_not_told() -> None:
    weekly = {"type": "daily", "daily": "02:30", "timezone": "Europe/Berlin"}

    assert keys({**weekly, "exclude": ["weekends"]}) == []


def test_an_interval_of_days_is_told_that_it_drifts() -> None:
    plain = {"type": "interval", "days": 1, "timezone": "Europe/Berlin"}

    assert keys(plain) == ["interval_drifts"]


# -- beside others --------------------------------------------------------------------------------


def test_a_run_longer_than_its_interval_is_told() -> None:
    assert keys(cron("*/5 * * * *"), usual_seconds=370) == ["longer_than_interval"]
    assert keys(cron("*/5 * * * *"), usual_seconds=40) == []


def test_a_crowd_is_told_with_the_next_free_minute() -> None:
    full = NOW - NOW % HOUR
    busy = [full + HOUR * hour for hour in range(1, 25) for _ in range(6)]
    busy += [instant + 60_000_000 for instant in busy]

    (found,) = findings(cron("0 * * * *"), busy=busy)

    assert found.key == "crowded_with_slot"
    assert found.sentence == (
        "6 other tasks are due at the same second, 07:00; at 07:02 there is none"
    )


def test_a_few_others_are_no_crowd() -> None:
    full = NOW - NOW % HOUR

    assert keys(cron("0 * * * *"), busy=[full + HOUR] * 3) == []


def test_warnings_come_first() -> None:
    levels = [found.level for found in findings({**NIGHT, "cron": "*/40 2 1 * 1"})]

    assert levels == sorted(levels, key=lambda level: level is Level.NOTE)
    assert len(set(levels)) == 1 or levels[0] is Level.WARNING


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_finding_has_its_sentence(language: str) -> None:
    for plain in (cron("0 9 1 * 1"), cron("*/7 * * * *"), NIGHT):
        for found in lint(from_plain(plain), now=NOW, language=language):
            assert "lint_" not in found.sentence
            assert "{" not in found.sentence
