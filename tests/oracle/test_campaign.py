"""A slice of the campaign, and that the campaign would notice a wrong engine and a lost place."""

from __future__ import annotations

import random
from calendar import monthrange
from collections.abc import Callable
from dataclasses import asdict
from datetime import date, timedelta
from itertools import product
from pathlib import Path
from zoneinfo import available_timezones

import pytest

from task_scheduler.errors import ScheduleError
from task_scheduler.schedules import cron_occurrences
from task_scheduler.schedules.cron_expression import parse_cron
from task_scheduler.schedules.zones import Period
from tests.oracle import campaign
from tests.oracle.campaign import CORPUS_SIZE, Campaign, Totals, all_changes, summary
from tests.oracle.expressions import (
    DayTest,
    Expression,
    corpus,
    days_left,
    is_last_working_day,
    is_nearest_working_day,
)
from tests.oracle.scan import Change, changes_of

SEED = 20_261_124
PARTS = 4
UNITS = 40
NOTABLE = [
    "Africa/Casablanca",
    "Africa/Monrovia",
    "America/Caracas",
    "America/Santo_Domingo",
    "America/Sao_Paulo",
    "America/St_Johns",
    "Antarctica/Casey",
    "Antarctica/Troll",
    "Asia/Beirut",
    "Asia/Gaza",
    "Asia/Kathmandu",
    "Asia/Pyongyang",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "Pacific/Kwajalein",
    "UTC",
]
"""Half hours, gaps at midnight, days that do not exist, offsets with seconds, no change at all."""


def zones_of(part: int) -> list[str]:
    draw = random.Random(SEED + part)
    return [*NOTABLE[part::PARTS], *draw.sample(sorted(available_timezones()), 8)]


@pytest.mark.parametrize("part", range(PARTS))
def test_a_slice_of_the_campaign_finds_no_difference(part: int) -> None:
    changes = all_changes(zones_of(part))
    run = Campaign(SEED + part, changes)
    totals = Totals(SEED, "")
    for cursor in range(UNITS):
        run.run_unit(cursor, totals)

    assert not totals.differences, summary(totals, len(changes), run.size)
    assert totals.by_scan > 500_000
    assert totals.by_cronsim > 5_000


def test_the_changes_on_the_date_line_are_compared_with_every_expression() -> None:
    # Given the day that Apia and Kwajalein left out
    changes = [
        change
        for zone in ("Pacific/Apia", "Pacific/Kwajalein")
        for change in changes_of(zone)
        if change.after - change.before >= 12 * 3600
    ]
    assert len(changes) == 2

    run = Campaign(SEED, changes)
    totals = Totals(SEED, "")
    for cursor in range(60):
        run.run_unit(cursor, totals)

    assert not totals.differences, summary(totals, len(changes), run.size)


RARE_DAYS: dict[str, DayTest] = {
    "29": lambda day: day.day == 29,
    "30,31": lambda day: day.day >= 30,
    "31W": lambda day: monthrange(day.year, day.month)[1] == 31 and is_nearest_working_day(day, 31),
    "L-28": lambda day: days_left(day) == 28,
    "L-30": lambda day: days_left(day) == 30,
    "LW": is_last_working_day,
}
RARE_WEEKDAYS: dict[str, DayTest] = {
    "*": lambda day: True,
    "6#5": lambda day: day.isoweekday() == 6 and day.day > 28,
    "MONL": lambda day: day.isoweekday() == 1 and days_left(day) < 7,
    "SUN": lambda day: day.isoweekday() == 7,
    "2#1": lambda day: day.isoweekday() == 2 and day.day < 8,
}


@pytest.mark.parametrize("day_text", RARE_DAYS)
def test_what_is_refused_never_comes_and_what_never_comes_is_refused(day_text: str) -> None:
    draw = random.Random(f"{SEED} {day_text}")
    answers = []
    for weekday_text, month, is_both in product(RARE_WEEKDAYS, range(1, 13), (True, False)):
        year = draw.randint(1970, 2199)
        is_one, is_other = RARE_DAYS[day_text], RARE_WEEKDAYS[weekday_text]
        joined = all if is_both or weekday_text == "*" else any
        days = [date(year, month, 1) + timedelta(days=n) for n in range(31)]
        is_due = any(joined([is_one(day), is_other(day)]) for day in days if day.month == month)

        text = f"0 0 0 {day_text} {month} {weekday_text} {year}"
        assert is_accepted(text, day_and=is_both) == is_due, text
        answers.append(is_due)
    assert any(answers)


def is_accepted(text: str, *, day_and: bool) -> bool:
    try:
        parse_cron(text, day_and=day_and)
    except ScheduleError:
        return False
    return True


WRONG_ENGINES: dict[str, Callable[[pytest.MonkeyPatch], None]] = {
    "forgets gaps": lambda patch: patch.setattr(
        cron_occurrences.CronOccurrences, "_runs_at_start", lambda self, period: False
    ),
    "repeats folds": lambda patch: patch.setattr(
        cron_occurrences.CronOccurrences,
        "_begin",
        lambda self, period: period.start + period.offset,
    ),
    "remembers too much": lambda patch: patch.setattr(
        cron_occurrences.CronOccurrences, "_remember", _remember_too_much
    ),
}


def _remember_too_much(
    self: cron_occurrences.CronOccurrences, period: Period, edition: int
) -> None:
    self._stretch = (edition, period.start, period.end + 60, period.offset)


@pytest.mark.parametrize("name", WRONG_ENGINES)
def test_a_wrong_engine_is_noticed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    WRONG_ENGINES[name](monkeypatch)
    changes = all_changes(["America/New_York", "Europe/London"])
    run = Campaign(SEED, changes)
    totals = Totals(SEED, "")
    for cursor in range(40):
        run.run_unit(cursor, totals)

    assert totals.differences


def test_a_campaign_goes_on_where_it_stopped(tmp_path: Path) -> None:
    changes = all_changes(["Australia/Lord_Howe"])
    state = tmp_path / "state.json"

    def run_to(end: int, totals: Totals) -> Totals:
        run = Campaign(SEED, changes)
        while totals.cursor < end:
            run.run_unit(totals.cursor, totals)
            totals.cursor += 1
        return totals

    campaign._save(state, run_to(2, Totals(SEED, "rules")))
    resumed = run_to(4, campaign._load(state, SEED, "rules"))

    assert asdict(resumed) == asdict(run_to(4, Totals(SEED, "rules")))
    assert campaign._load(state, SEED, "other rules").cursor == 0


def test_the_corpus_is_large_and_of_every_kind() -> None:
    drawn = corpus(1, CORPUS_SIZE)

    assert len({one.text for one in drawn}) >= 500
    assert {one.kind for one in drawn} == {"cron5", "cron6", "cron7", "event"}
    assert drawn[:20] != corpus(2, 20)
    for sign in ("L", "LW", "#", "W ", "?", "~", "..", "/", "MON"):
        assert any(sign in one.text for one in drawn), sign


def test_a_difference_of_cronsim_is_excused_only_where_the_table_says_so() -> None:
    def expression(text: str, is_fixed: bool) -> Expression:
        return Expression(text, "cron5", frozenset([0]), frozenset([0]), lambda day: True, is_fixed)

    half_hour = Change("Australia/Lord_Howe", 10**9, 39_600, 37_800)
    whole_hour = Change("Europe/London", 10**9, 3600, 0)
    wildcard, fixed = expression("*/30 2 * * *", False), expression("30 2 * * *", True)

    assert campaign.reason_of_cronsim(wildcard, half_hour, {10**9})
    assert not campaign.reason_of_cronsim(wildcard, half_hour, {10**9 - 7200})
    assert not campaign.reason_of_cronsim(wildcard, whole_hour, {10**9})
    assert not campaign.reason_of_cronsim(fixed, half_hour, {10**9})

    at_midnight = Change("Asia/Beirut", 86_400 * 1000, 0, 3600)
    at_a_quarter = Change("Pacific/Chatham", 86_400 * 1000 + 900, 3600, 7200)
    at_two = Change("America/New_York", 86_400 * 1000, 7200, 10_800)
    for change, is_excused in ((at_midnight, True), (at_a_quarter, True), (at_two, False)):
        assert bool(campaign.reason_of_cronsim(wildcard, change, {change.at})) is is_excused
        assert not campaign.reason_of_cronsim(wildcard, change, {change.at - 60})
        assert not campaign.reason_of_cronsim(fixed, change, {change.at})
