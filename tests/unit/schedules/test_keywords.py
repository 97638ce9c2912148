"""Rules from keywords: what a user writes beside a task."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from task_scheduler.errors import ScheduleError
from task_scheduler.schedules.keywords import TIME_KEYWORDS, rules_from
from task_scheduler.schedules.rule import to_plain

JANUARY = datetime(2030, 1, 1, 9, tzinfo=UTC)
WRITTEN = "2030-01-01T09:00:00+00:00"


@pytest.mark.parametrize(
    ("keywords", "plain"),
    [
        ({"every": 30}, {"type": "interval", "seconds": 30}),
        ({"every": "1h30m"}, {"type": "interval", "seconds": 5400}),
        ({"every": timedelta(minutes=5)}, {"type": "interval", "seconds": 300}),
        ({"at": JANUARY}, {"type": "once", "run_at": WRITTEN}),
        ({"at": WRITTEN}, {"type": "once", "run_at": WRITTEN}),
        ({"at": [JANUARY, WRITTEN]}, {"type": "once", "run_at": [WRITTEN, WRITTEN]}),
        ({"cron": "@daily"}, {"type": "cron", "cron": "@daily"}),
        ({"on_calendar": "daily"}, {"type": "on_calendar", "on_calendar": "daily"}),
        ({"daily": "08:00"}, {"type": "daily", "daily": "08:00"}),
        ({"weekly": "mon 08:00"}, {"type": "weekly", "weekly": "mon 08:00"}),
        ({"monthly": "last 08:00"}, {"type": "monthly", "monthly": "last 08:00"}),
        (
            {"solar": "sunset", "latitude": 35, "longitude": 139, "offset_seconds": -600},
            {"type": "solar", "solar": "sunset", "latitude": 35, "longitude": 139,
             "offset_seconds": -600},
        ),
        (
            {"rrule": "FREQ=DAILY", "start_at": WRITTEN},
            {"type": "rrule", "rrule": "FREQ=DAILY", "start_at": WRITTEN},
        ),
        (
            {"every": "1d", "exclude": "japan", "roll": "next", "timezone": "Asia/Tokyo",
             "max_runs": 3, "jitter_seconds": 5},
            {"type": "interval", "seconds": 86400, "timezone": "Asia/Tokyo",
             "exclude": ["japan"], "roll": "next", "max_runs": 3, "jitter_seconds": 5},
        ),
    ],
)  # fmt: skip
def test_a_keyword_makes_a_rule(keywords: dict[str, Any], plain: dict[str, Any]) -> None:
    (rule,) = rules_from(**keywords)

    assert to_plain(rule) == plain


def test_each_keyword_makes_a_rule_and_modifiers_go_to_those_that_take_them() -> None:
    every, cron = rules_from(every=60, cron="0 3 * * *", gap="skip", exclude=["weekends"])

    assert to_plain(every) == {"type": "interval", "seconds": 60, "exclude": ["weekends"]}
    assert to_plain(cron) == {
        "type": "cron",
        "cron": "0 3 * * *",
        "gap": "skip",
        "exclude": ["weekends"],
    }


def test_no_keyword_makes_no_rule() -> None:
    assert rules_from() == ()
    assert rules_from(**dict.fromkeys(TIME_KEYWORDS)) == ()


@pytest.mark.parametrize(
    ("keywords", "named"),
    [
        ({"every": "soon"}, "'soon'"),
        ({"every": []}, "[]"),
        ({"every": 0}, "seconds=0"),
        ({"at": "soon"}, "'soon'"),
        ({"at": 5}, "5"),
        ({"at": []}, "0 moments"),
        ({"every": 5, "gap": "skip"}, "cron"),
        ({"exclude": "japan"}, "every"),
        ({"timezone": "UTC"}, "every"),
        ({"every": 5, "exclud": "japan"}, "'exclude'"),
        ({"dayly": "08:00"}, "'daily'"),
        ({"cron": "@daily", "start_at": "soon"}, "'soon'"),
    ],
)
def test_keywords_that_make_no_sense_are_refused(keywords: dict[str, Any], named: str) -> None:
    with pytest.raises(ScheduleError) as caught:
        rules_from(**keywords)

    assert named in str(caught.value)
    assert "schedules." not in str(caught.value)
