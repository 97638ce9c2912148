"""The kinds of rules beyond intervals, one-off moments and cron: what each takes and gives."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from task_scheduler.errors import ScheduleError
from task_scheduler.i18n import LANGUAGES, set_language
from task_scheduler.schedules.calendars.named_calendar import Calendar
from task_scheduler.schedules.calendars.registry import Calendars
from task_scheduler.schedules.instants import datetime_at, instant_of
from task_scheduler.schedules.rule import ScheduleRule, from_plain, occurrences_of, to_plain

NEW_YORK = ZoneInfo("America/New_York")
TOKYO = ZoneInfo("Asia/Tokyo")


@pytest.fixture(autouse=True)
def in_english() -> Iterator[None]:
    set_language("en")
    yield
    set_language("en")


def locals_of(rule: ScheduleRule, after: datetime, count: int, **how: Any) -> list[str]:
    """Return the next local times of a rule after a time, in the zone of that."""
    occurrences, moment, found = occurrences_of(rule, **how), instant_of(after, UTC), []
    anchor = moment
    for _ in range(count):
        moment = occurrences.next_after(moment, anchor)
        if moment is None:
            break
        found.append(datetime_at(moment, after.tzinfo).strftime("%m-%d %H:%M"))
    return found


def test_an_interval_from_a_time_of_day_keeps_to_the_wall_clock() -> None:
    rule = ScheduleRule("interval", hours=6, anchor="01:30", timezone="America/New_York")
    every_other_day = ScheduleRule(
        "interval",
        days=2,
        anchor="06:00",
        start_at=datetime(2026, 3, 7),
        timezone="America/New_York",
    )
    # On 8 March 2026 clocks go forward at 02:00, on 1 November back.
    evening = datetime(2026, 3, 7, 20, tzinfo=NEW_YORK)

    assert locals_of(rule, evening, 3) == ["03-08 01:30", "03-08 07:30", "03-08 13:30"]
    assert locals_of(every_other_day, evening - timedelta(1), 3) == [
        "03-07 06:00",
        "03-09 06:00",
        "03-11 06:00",
    ]
    november = datetime(2026, 11, 1, 0, tzinfo=NEW_YORK)
    assert locals_of(rule, november, 2) == ["11-01 01:30", "11-01 07:30"]


def test_an_interval_of_up_to_an_hour_from_a_time_of_day_goes_on_with_time() -> None:
    rule = ScheduleRule("interval", minutes=30, anchor="00:15", timezone="America/New_York")
    spring = datetime(2026, 3, 8, 1, tzinfo=NEW_YORK)

    assert locals_of(rule, spring, 3) == ["03-08 01:15", "03-08 01:45", "03-08 03:15"]


def test_an_interval_from_the_epoch_does_not_depend_on_when_it_was_added() -> None:
    rule = ScheduleRule("interval", hours=7, anchor="epoch")
    now = instant_of(datetime(2026, 3, 8, 1, 23, 45), UTC)

    first = occurrences_of(rule).first(now)

    assert first is not None
    assert first % (7 * 3600 * 10**6) == 0
    assert now <= first < now + 7 * 3600 * 10**6


def test_a_fixed_delay_counts_from_the_end_that_the_engine_names() -> None:
    rule = ScheduleRule("interval", minutes=10, kind="fixed_delay")
    end = instant_of(datetime(2026, 3, 8, 1, 23, 45), UTC)

    assert rule.is_fixed_delay
    assert not ScheduleRule("interval", minutes=10).is_fixed_delay
    assert occurrences_of(rule).next_after(end, end) == end + 600 * 10**6
    assert from_plain(to_plain(rule) or {}).is_fixed_delay


def test_one_rule_may_name_several_moments() -> None:
    moments = [datetime(2030, 1, day, 9) for day in (3, 1, 2, 1)]
    rule = ScheduleRule("once", run_at=moments, timezone="Asia/Tokyo")

    assert locals_of(rule, datetime(2029, 12, 31, tzinfo=TOKYO), 9) == [
        "01-01 09:00",
        "01-02 09:00",
        "01-03 09:00",
    ]
    assert rule.get_next_run_time() == datetime(2030, 1, 1, 9, tzinfo=TOKYO)


def test_sugar_names_days_and_times() -> None:
    after = datetime(2026, 2, 26, tzinfo=TOKYO)

    def next_of(kind: str, text: str, count: int) -> list[str]:
        return locals_of(ScheduleRule(kind, **{kind: text}, timezone="Asia/Tokyo"), after, count)

    assert next_of("daily", "20:30, 8:00", 3) == ["02-26 08:00", "02-26 20:30", "02-27 08:00"]
    assert next_of("weekly", "Mon-Wed, sat 8:00", 3) == [
        "02-28 08:00",
        "03-02 08:00",
        "03-03 08:00",
    ]
    assert next_of("weekly", "sunday 08:00:30,09:00", 2) == ["03-01 08:00", "03-01 09:00"]
    assert next_of("monthly", "1, last 00:00", 3) == ["02-28 00:00", "03-01 00:00", "03-31 00:00"]
    assert next_of("monthly", "31 08:00", 2) == ["03-31 08:00", "05-31 08:00"]
    assert next_of("monthly", "first mon,last fri 08:00", 3) == [
        "02-27 08:00",
        "03-02 08:00",
        "03-27 08:00",
    ]


def test_rules_can_be_combined_and_each_keeps_its_modifiers() -> None:
    weekdays = ScheduleRule("daily", daily="08:00", exclude="weekends", timezone="Asia/Tokyo")
    sundays = ScheduleRule("weekly", weekly="sun 10:00", timezone="Asia/Tokyo")
    either = ScheduleRule(
        "any_of", rules=[weekdays, sundays], exclude="closed", timezone="Asia/Tokyo"
    )
    calendars = Calendars({"closed": Calendar(days=frozenset({20_518}))})  # Friday 6 March 2026

    found = locals_of(either, datetime(2026, 3, 5, tzinfo=TOKYO), 3, calendars=calendars)

    assert found == ["03-05 08:00", "03-08 10:00", "03-09 08:00"]
    plain = to_plain(either)
    assert to_plain(from_plain(json.loads(json.dumps(plain)))) == plain


def test_all_of_keeps_what_every_rule_has() -> None:
    friday = ScheduleRule("weekly", weekly="fri 08:00", timezone="UTC")
    thirteenth = ScheduleRule("monthly", monthly="13 08:00", timezone="UTC")
    both = ScheduleRule("all_of", rules=[friday, thirteenth])

    assert locals_of(both, datetime(2026, 1, 1, tzinfo=UTC), 3) == [
        "02-13 08:00",
        "03-13 08:00",
        "11-13 08:00",
    ]


def test_cron_takes_h_from_the_task_and_reboot_from_the_machine() -> None:
    spread = ScheduleRule("cron", cron="H H * * *", timezone="UTC")
    day = datetime(2026, 1, 1, tzinfo=UTC)

    found = {name: locals_of(spread, day, 1, task_id=name)[0] for name in ("a", "b", "c", "d")}

    assert len(set(found.values())) > 1
    assert locals_of(spread, day, 1, task_id="a") == [found["a"]]
    with pytest.raises(ScheduleError, match="id"):
        occurrences_of(spread)
    reboot = ScheduleRule("cron", cron="@reboot")
    assert reboot.is_reboot
    assert not spread.is_reboot
    assert occurrences_of(reboot).first(0) is None
    assert locals_of(ScheduleRule("cron", cron="@every 1h30m"), day, 2) == [
        "01-01 01:30",
        "01-01 03:00",
    ]


def test_a_user_s_rule_takes_what_it_likes() -> None:
    class Mine(ScheduleRule):
        def __init__(self) -> None:
            super().__init__("interval", cron="x", exclude="nothing", kind="fixed_delay")

        def get_next_run_time(self, last_run: datetime | None = None) -> datetime | None:
            return None

    assert occurrences_of(Mine()).first(0) is None
    assert not Mine().is_fixed_delay
    assert to_plain(Mine()) is None


def test_a_rule_can_be_asked_without_a_registry_where_its_calendars_always_are_there() -> None:
    rule = ScheduleRule(
        "daily", daily="08:00", exclude=["japan", "weekends"], timezone="Asia/Tokyo"
    )
    unknown = ScheduleRule("daily", daily="08:00", exclude=["maintenance"])

    found = rule.get_next_run_time(datetime(2026, 5, 1, 12))

    assert found == datetime(2026, 5, 7, 8, tzinfo=TOKYO)
    with pytest.raises(ScheduleError, match="maintenance"):
        unknown.get_next_run_time(datetime(2026, 5, 1))


HOURLY = {"type": "cron", "cron": "@hourly"}
BAD: dict[str, tuple[dict[str, Any], str]] = {
    "kind": ({"type": "dayly"}, "'daily'"),
    "daily empty": ({"type": "daily", "daily": ""}, "''"),
    "daily missing": ({"type": "daily"}, "daily='08:00'"),
    "daily number": ({"type": "daily", "daily": 8}, "8"),
    "daily late": ({"type": "daily", "daily": "24:00"}, "24:00"),
    "daily long": ({"type": "daily", "daily": "08:00," * 100_000}, "600000"),
    "weekly time": ({"type": "weekly", "weekly": "08:00"}, "mon,fri"),
    "weekly day": ({"type": "weekly", "weekly": "mun 08:00"}, "'mun'"),
    "weekly order": ({"type": "weekly", "weekly": "08:00 mon"}, "'08:00 mon'"),
    "monthly day": ({"type": "monthly", "monthly": "32 08:00"}, "32"),
    "monthly none": ({"type": "monthly", "monthly": "0 08:00"}, "0"),
    "on_calendar": ({"type": "on_calendar", "on_calendar": "Mun 08:00"}, "Mun"),
    "rrule without start": ({"type": "rrule", "rrule": "FREQ=DAILY"}, "DTSTART"),
    "rrule": ({"type": "rrule", "rrule": "FREQ=DAYLY", "start_at": "2030-01-01"}, "DAILY"),
    "solar place": ({"type": "solar", "solar": "sunset"}, "latitude"),
    "solar event": (
        {"type": "solar", "solar": "sunse", "latitude": 1, "longitude": 1},
        "'sunset'",
    ),
    "solar latitude": ({"type": "solar", "solar": "noon", "latitude": 91, "longitude": 1}, "91"),
    "rules missing": ({"type": "any_of"}, "rules=None"),
    "rules empty": ({"type": "all_of", "rules": []}, "rules=[]"),
    "rules many": ({"type": "any_of", "rules": [HOURLY] * 101}, "100"),
    "rules text": ({"type": "any_of", "rules": "x"}, "'x'"),
    "rules of text": ({"type": "any_of", "rules": ["x"]}, "'x'"),
    "rules part": ({"type": "any_of", "rules": [{"type": "cron", "cron": "x"}]}, "x"),
    "rules delay": (
        {"type": "any_of", "rules": [{"type": "interval", "hours": 1, "kind": "fixed_delay"}]},
        "fixed_delay",
    ),
    "rules never": (
        {"type": "all_of", "rules": [HOURLY, {"type": "daily", "daily": "08:30"}]},
        "",
    ),
    "rules foreign": ({"type": "any_of", "rules": [HOURLY], "cron": "@daily"}, "cron"),
    "anchor": ({"type": "interval", "hours": 1, "anchor": "noon"}, "'noon'"),
    "anchor number": ({"type": "interval", "hours": 1, "anchor": 5}, "5"),
    "anchor uneven": ({"type": "interval", "hours": 7, "anchor": "06:00"}, "epoch"),
    "anchor delay": (
        {"type": "interval", "hours": 1, "anchor": "epoch", "kind": "fixed_delay"},
        "anchor",
    ),
    "delay count": ({"type": "interval", "hours": 1, "max_runs": 5, "kind": "fixed_delay"}, "max"),
    "delay": ({"type": "interval", "hours": 1, "kind": "delay"}, "'delay'"),
    "run_at empty": ({"type": "once", "run_at": []}, "0"),
    "run_at many": ({"type": "once", "run_at": ["2030-01-01"] * 10_001}, "10000"),
    "run_at part": ({"type": "once", "run_at": ["2030-01-01", 5]}, "5"),
    "exclude": ({**HOURLY, "exclude": 5}, "5"),
    "exclude part": ({**HOURLY, "exclude": ["japan", 5]}, "5"),
    "jitter": ({**HOURLY, "jitter_seconds": -1}, "-1"),
    "jitter nan": ({**HOURLY, "jitter_seconds": float("nan")}, "nan"),
    "jitter text": ({**HOURLY, "jitter_seconds": "5"}, "'5'"),
    "day_and": ({**HOURLY, "day_and": "yes"}, "'yes'"),
}


def nested(depth: int) -> dict[str, Any]:
    plain: dict[str, Any] = HOURLY
    for _ in range(depth):
        plain = {"type": "any_of", "rules": [plain]}
    return plain


def test_rules_within_rules_have_a_depth() -> None:
    assert occurrences_of(from_plain(nested(5))).first(0) == 0
    with pytest.raises(ScheduleError, match="5"):
        from_plain(nested(900))


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_refused_with_its_value_in_every_language(name: str, language: str) -> None:
    plain, shown = BAD[name]
    set_language(language)

    with pytest.raises(ScheduleError) as caught:
        from_plain(plain)

    sentence = str(caught.value)
    assert shown in sentence
    assert "schedules." not in sentence, "the sentence is missing in the catalogue"
    assert len(sentence) < 600
    json.dumps(caught.value.values)
