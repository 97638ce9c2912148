"""Schedule rules as users write them: arguments, answers, plain form, sentences, errors."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from task_scheduler.errors import ScheduleError
from task_scheduler.i18n import LANGUAGES, set_language
from task_scheduler.schedules import rule as rule_module
from task_scheduler.schedules.instants import SECOND, instant_of
from task_scheduler.schedules.rule import (
    ScheduleRule,
    ScheduleType,
    describe,
    from_plain,
    occurrences_of,
    to_plain,
)

TOKYO = ZoneInfo("Asia/Tokyo")
RUN_AT = datetime(2030, 1, 31, 9)
NOW = instant_of(datetime(2026, 5, 1, 12, 0, 0, 5), UTC)


@pytest.fixture(autouse=True)
def in_tokyo_at_noon(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the machine stand in Tokyo, at a fixed moment, and speak English."""
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    monkeypatch.setattr(rule_module, "current_moment", lambda: NOW)
    time.tzset()
    set_language("en")
    yield
    monkeypatch.undo()
    time.tzset()
    set_language("en")


def first_of(rule: ScheduleRule) -> int | None:
    return occurrences_of(rule).first(NOW)


def test_the_rules_of_the_original_readme_can_be_made() -> None:
    assert to_plain(ScheduleRule(ScheduleType.INTERVAL, seconds=3600)) == {
        "type": "interval",
        "seconds": 3600,
    }
    run_time = datetime.now() + timedelta(minutes=5)
    once = ScheduleRule(ScheduleType.ONCE, run_at=run_time)
    assert first_of(once) == instant_of(run_time, TOKYO)
    assert once.get_next_run_time() == run_time
    assert once.get_next_run_time(run_time) is None


def test_the_parts_of_an_interval_are_added_up() -> None:
    rule = ScheduleRule("interval", days=1, hours=2, minutes=3, seconds=4.5)

    assert to_plain(rule) == {"type": "interval", "seconds": 86_400 + 7_200 + 180 + 4.5}
    assert to_plain(ScheduleRule("interval", seconds=0.1)) == {"type": "interval", "seconds": 0.1}
    assert to_plain(ScheduleRule("interval", hours=1, minutes=0)) == {
        "type": "interval",
        "seconds": 3600,
    }


def test_an_interval_answers_from_the_last_run_or_from_its_start() -> None:
    every = ScheduleRule("interval", minutes=5)
    anchored = ScheduleRule("interval", minutes=5, start_at=RUN_AT)
    last_run = datetime(2030, 1, 31, 9, 7)

    assert every.get_next_run_time(last_run) == datetime(2030, 1, 31, 9, 12)
    assert anchored.get_next_run_time(last_run) == datetime(2030, 1, 31, 9, 10)
    assert anchored.get_next_run_time() == RUN_AT
    # Without a last run and a start it is due now; noon in UTC is 21:00 in Tokyo.
    assert every.get_next_run_time() == datetime(2026, 5, 1, 21, 0, 0, 5)


def test_a_cron_rule_answers_in_the_time_it_is_asked_in() -> None:
    local = ScheduleRule("cron", cron="0 3 * * *")
    zoned = ScheduleRule("cron", cron="0 3 * * *", timezone="America/New_York")

    assert local.get_next_run_time() == datetime(2026, 5, 2, 3)
    assert local.get_next_run_time(datetime(2026, 5, 2, 3)) == datetime(2026, 5, 3, 3)
    asked_in_utc = local.get_next_run_time(datetime(2026, 5, 1, 12, tzinfo=UTC))
    assert str(asked_in_utc) == "2026-05-01 18:00:00+00:00"
    assert str(zoned.get_next_run_time()) == "2026-05-02 03:00:00-04:00"
    # A naive last run is read in the rule's zone.
    following = zoned.get_next_run_time(datetime(2026, 5, 2, 3))
    assert str(following) == "2026-05-03 03:00:00-04:00"


def test_a_cron_rule_without_microseconds_is_due_at_the_very_moment() -> None:
    rule = ScheduleRule("cron", cron="* * * * *")
    noon = NOW - 5

    assert occurrences_of(rule).first(noon) == noon
    assert occurrences_of(rule).next_after(noon, noon) == noon + 60 * SECOND


def test_an_aware_moment_is_that_instant_and_a_naive_one_is_read_in_the_zone() -> None:
    aware = ScheduleRule("once", run_at=datetime(2030, 1, 31, 9, tzinfo=UTC))
    zoned = ScheduleRule("once", run_at=RUN_AT, timezone="America/New_York")
    local = ScheduleRule("once", run_at=RUN_AT)

    assert first_of(aware) == instant_of(datetime(2030, 1, 31, 9), UTC)
    assert first_of(zoned) == instant_of(datetime(2030, 1, 31, 14), UTC)
    assert first_of(local) == instant_of(datetime(2030, 1, 31, 0), UTC)
    assert str(aware.get_next_run_time()) == "2030-01-31 09:00:00+00:00"
    assert str(zoned.get_next_run_time()) == "2030-01-31 09:00:00-05:00"


def test_a_zone_may_be_given_as_an_object() -> None:
    assert ScheduleRule("cron", cron="@daily", timezone=TOKYO).timezone == "Asia/Tokyo"
    assert ScheduleRule("cron", cron="@daily", timezone=UTC).timezone == "UTC"


def test_the_present_is_read_from_the_clock_only_when_a_user_asks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.undo()
    before = instant_of(datetime.now(UTC), UTC)

    assert rule_module.current_moment() >= before


moments = st.datetimes(datetime(1970, 1, 3), datetime(2200, 12, 30))
zones = st.sampled_from([None, "UTC", "Asia/Tokyo", "America/New_York"])
rules = st.one_of(
    st.builds(
        lambda seconds, start_at, timezone: ScheduleRule(
            "interval", seconds=seconds, start_at=start_at, timezone=timezone
        ),
        st.integers(1, 10**9) | st.floats(1e-6, 3e9),
        st.none() | moments,
        zones,
    ),
    st.builds(
        lambda run_at, timezone: ScheduleRule("once", run_at=run_at, timezone=timezone),
        moments | moments.map(lambda moment: moment.replace(tzinfo=TOKYO)),
        zones,
    ),
    st.builds(
        lambda cron, timezone, gap, fold: ScheduleRule(
            "cron", cron=cron, timezone=timezone, gap=gap, fold=fold
        ),
        st.sampled_from(["@daily", "*/5 * * * *", "0 0 3 * * MON-FRI", "30 2 13 * 5"]),
        zones,
        st.sampled_from([None, "run_after", "skip"]),
        st.sampled_from([None, "once", "twice"]),
    ),
)


@settings(deadline=None)
@given(rule=rules)
def test_the_plain_form_of_a_rule_is_json_and_the_same_rule(rule: ScheduleRule) -> None:
    plain = to_plain(rule)
    again = from_plain(json.loads(json.dumps(plain)))

    assert to_plain(again) == plain
    assert occurrences_of(again) == occurrences_of(rule)
    assert describe(again)


def test_a_fold_survives_the_plain_form() -> None:
    second_pass = datetime(2026, 11, 1, 1, 30, fold=1)
    rule = ScheduleRule("once", run_at=second_pass, timezone="America/New_York")

    assert to_plain(rule)["run_at"] == "2026-11-01T01:30:00-05:00"
    assert first_of(from_plain(to_plain(rule))) == first_of(rule)


SENTENCES = [
    (ScheduleRule("interval", seconds=30), "every 30 seconds", "每 30 秒", "30秒ごと"),
    (ScheduleRule("interval", minutes=90), "every 90 minutes", "每 90 分钟", "90分ごと"),
    (ScheduleRule("interval", seconds=0.25), "every 0.25 seconds", "每 0.25 秒", "0.25秒ごと"),
    (
        ScheduleRule("interval", hours=1, start_at=RUN_AT),
        "every hour, from 31 January 2030 at 09:00 (UTC+09:00)",
        "每小时，自2030年1月31日 9:00（UTC+09:00）起",
        "1時間ごと、2030年1月31日9:00（UTC+09:00）から",
    ),
    (
        ScheduleRule("once", run_at=RUN_AT),
        "once, on 31 January 2030 at 09:00 (UTC+09:00)",
        "2030年1月31日 9:00（UTC+09:00），一次",
        "2030年1月31日9:00（UTC+09:00）に1回",
    ),
    (
        ScheduleRule("cron", cron="0 3 * * *", timezone="Asia/Tokyo"),
        "every day at 03:00 (Asia/Tokyo)",
        "每天 3:00（Asia/Tokyo）",
        "毎日3:00（Asia/Tokyo）",
    ),
    (
        ScheduleRule("monthly", monthly="15,first mon 08:00"),
        "the 15th of each month, and also the first Monday of each month, at 08:00",
        "每月15日以及每月第一个周一 8:00",
        "毎月15日、および毎月第1月曜の8:00",
    ),
]


@pytest.mark.parametrize("case", SENTENCES, ids=lambda case: case[1])
def test_a_rule_is_described_in_every_language(case: tuple[Any, ...]) -> None:
    rule, *sentences = case
    for language, sentence in zip(LANGUAGES, sentences, strict=True):
        set_language(language)
        assert describe(rule) == sentence


def interval(**parts: Any) -> Callable[[], object]:
    return lambda: ScheduleRule("interval", **parts)


def cron(text: Any = "@daily", **options: Any) -> Callable[[], object]:
    return lambda: ScheduleRule("cron", cron=text, **options)


def once(**options: Any) -> Callable[[], object]:
    return lambda: ScheduleRule("once", **options)


def plain(value: Any) -> Callable[[], object]:
    return lambda: from_plain(value)


BAD = {
    "kind": (lambda: ScheduleRule("hourly"), "'hourly'"),
    "kind none": (lambda: ScheduleRule(None), "None"),
    "kind list": (lambda: ScheduleRule([]), "[]"),
    "no length": (interval(), "seconds="),
    "zero": (interval(seconds=0), "seconds=0"),
    "zero sum": (interval(hours=0, minutes=0), "minutes=0"),
    "too short": (interval(seconds=1e-9), "seconds=1e-09"),
    "negative": (interval(seconds=-5), "seconds=-5"),
    "negative part": (interval(hours=1, minutes=-5), "minutes=-5"),
    "nan": (interval(seconds=float("nan")), "seconds=nan"),
    "infinite": (interval(days=float("inf")), "days=inf"),
    "too long": (interval(days=10**9), "days=1000000000"),
    "far too long": (interval(seconds=10**5000), "seconds=<int>"),
    "huge float": (interval(seconds=1e308), "seconds=1e+308"),
    "bool": (interval(seconds=True), "True"),
    "text": (interval(seconds="30"), "'30'"),
    "timedelta": (interval(seconds=timedelta(5)), "timedelta"),
    "foreign run_at": (interval(seconds=5, run_at=RUN_AT), "run_at"),
    "foreign gap": (interval(seconds=5, gap="skip"), "gap"),
    "start text": (interval(seconds=5, start_at="2030-01-01"), "'2030-01-01'"),
    "start far": (interval(seconds=5, start_at=datetime.min), "0001-01-01"),
    "no moment": (once(), "run_at="),
    "moment text": (once(run_at="2030-01-01"), "'2030-01-01'"),
    "moment date": (once(run_at=date(2030, 1, 1)), "datetime.date(2030, 1, 1)"),
    "moment number": (once(run_at=5), "5"),
    "moment far": (once(run_at=datetime.max), "9999-12-31"),
    "moment early": (once(run_at=datetime(1960, 1, 1)), "1960-01-01"),
    "foreign seconds": (once(run_at=RUN_AT, seconds=5), "seconds"),
    "no cron": (lambda: ScheduleRule("cron"), "cron="),
    "cron number": (cron(5), "5"),
    "cron empty": (cron(""), "''"),
    "cron value": (cron("61 * * * *"), "0-59"),
    "cron range": (cron("* 5-3 * * *"), "5-3"),
    "cron step": (cron("*/0 * * * *"), "*/0"),
    "cron question": (cron("? * * * *"), "?"),
    "cron alias": (cron("@dayly"), "@daily"),
    "cron date": (cron("0 0 30 2 *"), "29"),
    "gap": (cron(gap="later"), "'later'"),
    "fold": (cron(fold=2), "2"),
    "zone": (cron(timezone="Asia/Tokio"), "'Asia/Tokyo'"),
    "zone empty": (cron(timezone=""), "''"),
    "zone number": (cron(timezone=9), "9"),
    "zone without name": (cron(timezone=datetime.now().astimezone().tzinfo), "timezone="),
    "user's zone": (
        lambda: type("Mine", (ScheduleRule,), {"get_next_run_time": lambda *_: None})(
            "cron", timezone="Nowhere/X"
        ),
        "Nowhere/X",
    ),
    "last run": (lambda: ScheduleRule("interval", seconds=5).get_next_run_time("now"), "'now'"),
    "no rule": (lambda: occurrences_of("every day"), "'every day'"),
    "plain list": (plain([]), "[]"),
    "plain empty": (plain({}), "None"),
    "plain key": (plain({"type": "interval", "second": 5}), "'seconds'"),
    "plain number key": (plain({"type": "interval", 5: 5}), "5"),
    "plain moment": (plain({"type": "once", "run_at": "soon"}), "'soon'"),
    "plain moment number": (plain({"type": "once", "run_at": 5}), "5"),
    "plain nan": (plain(json.loads('{"type": "interval", "seconds": NaN}')), "nan"),
}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_refused_with_its_value_in_every_language(name: str, language: str) -> None:
    act, shown = BAD[name]
    set_language(language)

    with pytest.raises(ScheduleError) as caught:
        act()

    sentence = str(caught.value)
    assert shown in sentence
    assert "schedules." not in sentence, "the sentence is missing in the catalogue"
    assert "{" not in sentence.replace('{"type": "interval", "seconds": 30}', "")
    assert len(sentence) < 400
    json.dumps(caught.value.values)
