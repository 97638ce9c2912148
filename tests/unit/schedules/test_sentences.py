"""Sentences about rules: letter by letter, and never about something else."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from task_scheduler.errors import ScheduleError
from task_scheduler.i18n import LANGUAGES, set_language
from task_scheduler.schedules.calendar_times import CalendarTimes, of_cron
from task_scheduler.schedules.cron_expression import parse_cron
from task_scheduler.schedules.phrases import phrases_in
from task_scheduler.schedules.rule import from_plain, occurrences_of
from task_scheduler.schedules.sentences import describe
from tests.unit.schedules.sentence_rules import rules

GOLDEN = Path(__file__).with_name("sentences.txt")
TASK = "pump"


def told(plain: dict[str, object]) -> str:
    """Return a rule with its sentences, as the golden file shows it."""
    lines = [describe(plain, language=language, task_id=TASK) for language in LANGUAGES]
    return "\n  ".join([json.dumps(plain, ensure_ascii=False), *lines])


def test_every_rule_reads_as_it_was_approved(monkeypatch: pytest.MonkeyPatch) -> None:
    """Meant to change? ``TASK_SCHEDULER_RENEW_GOLDEN=1``, and read the difference."""
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    text = "\n".join(told(plain) for plain in rules()) + "\n"
    if os.environ.get("TASK_SCHEDULER_RENEW_GOLDEN"):
        GOLDEN.write_text(text, encoding="utf-8")

    assert text == GOLDEN.read_text(encoding="utf-8")


def test_more_than_120_rules_were_read() -> None:
    assert len(rules()) > 120


@pytest.mark.parametrize(
    ("language", "sentence"),
    [
        ("en", "Mondays and Fridays at 08:00"),
        ("zh", "每周一、周五 8:00"),
        ("ja", "毎週月曜と金曜の8:00"),
    ],
)
def test_a_language_has_its_own_order_of_words(language: str, sentence: str) -> None:
    assert describe({"type": "cron", "cron": "0 8 * * 1,5"}, language=language) == sentence


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    ("sugar", "cron"),
    [
        ({"type": "daily", "daily": "08:00,20:00"}, "0 8,20 * * *"),
        ({"type": "weekly", "weekly": "mon-fri 08:00"}, "0 8 * * 1-5"),
        ({"type": "monthly", "monthly": "1,last 08:00"}, "0 8 1,L * *"),
    ],
)
def test_the_sugar_and_its_cron_are_told_alike(
    sugar: dict[str, object], cron: str, language: str
) -> None:
    plain = {"type": "cron", "cron": cron}

    assert describe(sugar, language=language) == describe(plain, language=language)


def test_without_a_language_the_current_one_is_spoken() -> None:
    set_language("zh")
    try:
        assert describe({"type": "interval", "seconds": 30}) == "每 30 秒"
    finally:
        set_language("en")


def test_a_locale_names_its_language() -> None:
    assert describe({"type": "interval", "minutes": 1}, language="ja_JP.UTF-8") == "毎分"


def test_a_rule_of_a_user_is_described_as_it_describes_itself() -> None:
    assert describe({"type": "user", "description": "by the rule Tides"}) == "by the rule Tides"


# -- never wrongly ------------------------------------------------------------------------------

FIELDS = ((0, 59), (0, 59), (0, 23), (1, 31), (1, 12), (0, 6))


@st.composite
def a_field(draw: st.DrawFn, bounds: tuple[int, int]) -> str:
    low, high = bounds
    kind = draw(st.sampled_from(["*", "*", "value", "list", "range", "step", "range step"]))
    one, other = sorted(draw(st.tuples(*[st.integers(low, high)] * 2)))
    step = draw(st.integers(2, 12))
    return {
        "*": "*",
        "value": f"{one}",
        "list": ",".join(map(str, draw(st.lists(st.integers(low, high), min_size=1, max_size=5)))),
        "range": f"{one}-{other}",
        "step": f"*/{min(step, high - low)}",
        "range step": f"{one}-{other}/{min(step, high - low)}",
    }[kind]


@st.composite
def a_cron(draw: st.DrawFn) -> str:
    """Draw six fields that do come: any day of some month, or short ones."""
    fields = [draw(a_field(bounds)) for bounds in FIELDS]
    special = draw(st.sampled_from([None] * 5 + ["L", "L-2", "15W", "LW", "5L", "MON#2"]))
    if special is not None:
        fields[5 if special in ("5L", "MON#2") else 3] = special
    return " ".join(fields)


def read(cron: str) -> CalendarTimes | None:
    """Return what an expression names; None where no day does."""
    try:
        return of_cron(parse_cron(cron), None)
    except ValueError:
        return None


@settings(max_examples=300, deadline=None)
@given(cron=a_cron(), index=st.integers(0, 5), data=st.data())
def test_different_times_never_have_the_same_sentence(
    cron: str, index: int, data: st.DataObject
) -> None:
    fields = cron.split()
    fields[index] = data.draw(a_field(FIELDS[index]))
    other = " ".join(fields)
    times, other_times = read(cron), read(other)
    if times is None or other_times is None or times == other_times:
        return

    for language in LANGUAGES:
        sentences = {
            describe({"type": "cron", "cron": c}, language=language) for c in (cron, other)
        }
        assert len(sentences) == 2, (cron, other)


@settings(max_examples=300, deadline=None)
@given(cron=a_cron())
def test_the_sentence_mentions_every_restricted_field(cron: str) -> None:
    times = read(cron)
    if times is None:
        return

    for language in LANGUAGES:
        sentence = describe({"type": "cron", "cron": cron}, language=language)
        phrases = phrases_in(language)
        days, clock = times.days, times.clock
        words = [phrases.say(f"month_{month}") for month in _ends(days.months, 12)]
        words += [phrases.say(f"day_{day}") for day in _ends(days.month_days, 31) if day > 0]
        words += [phrases.say(f"day_{day}") for day in days.nearest_working]
        words += [phrases.say(f"weekday_{day}") for _, day in days.nth_weekdays]
        if days.weekdays != (0, 1, 2, 3, 4):
            words += [phrases.say(f"weekday_{day}") for day in _ends(days.weekdays, 7)]
        words += [str(hour) for hour in _ends(clock.hours, 24)]
        assert [word for word in words if word not in sentence] == [], cron
        assert (len(clock.minutes) == 60) or any(character.isdigit() for character in sentence)


def _ends(values: tuple[int, ...], count: int) -> tuple[int, ...]:
    """Return the first and the last of values, none where all there are are meant."""
    return () if not values or len(values) == count else (values[0], values[-1])


_PARTS = {
    "INTERVAL": st.sampled_from(["2", "3"]),
    "COUNT": st.sampled_from(["3", "7"]),
    "BYMONTH": st.sampled_from(["1", "2,7", "3,6,9"]),
    "BYMONTHDAY": st.sampled_from(["1", "-1", "13,27", "-3,5"]),
    "BYDAY": st.sampled_from(["MO", "MO,FR", "SA,SU", "1MO", "-1FR,2TU", "MO,1TU"]),
    "BYHOUR": st.sampled_from(["9", "0,12", "9,10,11"]),
    "BYMINUTE": st.sampled_from(["0", "15,45"]),
    "BYSETPOS": st.sampled_from(["1", "-1", "1,-1"]),
    "BYYEARDAY": st.sampled_from(["1", "100,-1"]),
    "BYWEEKNO": st.sampled_from(["1", "10,-1"]),
}
_FREQUENCIES = ("YEARLY", "MONTHLY", "WEEKLY", "DAILY", "HOURLY", "MINUTELY")


def coming(recurrence: dict[str, str]) -> tuple[int, ...] | None:
    """Return the first 150 instants of a recurrence; None where it is refused."""
    try:
        found = occurrences_of(from_plain(plain_of(recurrence)))
    except ScheduleError:
        return None
    instants: list[int] = []
    moment: int | None = found.next_after(0, 0)
    while moment is not None and len(instants) < 150:
        instants.append(moment)
        moment = found.next_after(moment, 0)
    return tuple(instants)


def plain_of(recurrence: dict[str, str]) -> dict[str, str]:
    parts = ";".join(f"{name}={value}" for name, value in recurrence.items())
    text = f"DTSTART:20300101T080000\nRRULE:{parts}"
    return {"type": "rrule", "rrule": text, "timezone": "UTC"}


@settings(max_examples=300, deadline=None)
@given(
    frequency=st.sampled_from(_FREQUENCIES),
    parts=st.fixed_dictionaries({}, optional=_PARTS),
    name=st.sampled_from(sorted(_PARTS)),
    data=st.data(),
)
def test_different_recurrences_never_have_the_same_sentence(
    frequency: str, parts: dict[str, str], name: str, data: st.DataObject
) -> None:
    one = {"FREQ": frequency, **parts}
    other = {**one, name: data.draw(_PARTS[name])}
    if name in parts and data.draw(st.booleans()):
        del other[name]
    instants, other_instants = coming(one), coming(other)
    if instants is None or other_instants is None or instants == other_instants:
        return

    for language in LANGUAGES:
        sentences = {describe(plain_of(rule), language=language) for rule in (one, other)}
        assert len(sentences) == 2, (one, other)


def test_a_calendar_event_is_told_as_the_cron_of_its_times() -> None:
    for event, cron in (
        ("Mon,Fri 08:00", "0 8 * * 1,5"),
        ("*-*-1,15 08..17:00", "0 8-17 1,15 * *"),
        ("*-1..3-* *:0/5", "*/5 * * 1-3 *"),
        ("*-*~1 00:00", "0 0 L * *"),
        ("2030..2033-1-1 9:00", "0 0 9 1 1 ? 2030-2033"),
    ):
        for language in LANGUAGES:
            assert describe(
                {"type": "on_calendar", "on_calendar": event}, language=language
            ) == describe({"type": "cron", "cron": cron}, language=language)
