"""Recurrences against python-dateutil: thousands of drawn rules and moments, the same instants.

The oracle walks from DTSTART; it is asked in the zone UTC, about rules as RFC 5545 allows them.
Where it reads the RFC otherwise than we do (docs/recurrence.md has the table), the rule is put to
it in the words in which both mean the same, or not drawn.
"""

from __future__ import annotations

import random
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from dateutil.rrule import rrulestr

from task_scheduler.errors import ScheduleError
from task_scheduler.schedules.instants import SECOND, datetime_at, instant_of
from task_scheduler.schedules.recurrence import recurrence_occurrences
from task_scheduler.schedules.zones import zone_named

SEEDS = range(8)
RULES = 300
"""Of each seed."""
ASKED = 15
"""How many instants of a rule are compared."""

WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
SPANS = {
    "YEARLY": 366 * 12 * 86_400,
    "MONTHLY": 31 * 30 * 86_400,
    "WEEKLY": 7 * 60 * 86_400,
    "DAILY": 80 * 86_400,
    "HOURLY": 4 * 86_400,
    "MINUTELY": 20_000,
    "SECONDLY": 600,
}
"""How far after DTSTART a rule is asked, in seconds: the oracle walks all the way."""
INTERVALS = (1, 2, 3, 4, 5, 6, 7, 10, 12, 15, 24, 36, 45, 60, 90)
IS_WITHIN_DAY = {"HOURLY", "MINUTELY", "SECONDLY"}


def some(draw: random.Random, low: int, high: int, most: int, *, is_signed: bool = False) -> str:
    numbers = {draw.randint(low, high) for _ in range(draw.randint(1, most))}
    return ",".join(
        str(-number if is_signed and draw.random() < 0.4 else number) for number in sorted(numbers)
    )


def drawn_weekdays(draw: random.Random, frequency: str, parts: dict[str, str]) -> str:
    # All with a number or none: the oracle reads "1MO,TU" as "a first Monday that is a Tuesday".
    names = [draw.choice(WEEKDAYS) for _ in range(draw.randint(1, 4))]
    may_count = frequency == "MONTHLY" or (frequency == "YEARLY" and "BYWEEKNO" not in parts)
    if not may_count or draw.random() < 0.5:
        return ",".join(names)
    most = 5 if frequency == "MONTHLY" or "BYMONTH" in parts else 53
    return ",".join(f"{draw.choice([1, -1]) * draw.randint(1, most)}{name}" for name in names)


def drawn_parts(draw: random.Random, frequency: str) -> dict[str, str]:
    parts: dict[str, str] = {}

    def maybe(share: float, name: str, value: str) -> None:
        if draw.random() < share:
            parts[name] = value

    maybe(0.3, "BYMONTH", some(draw, 1, 12, 4))
    if frequency == "YEARLY":
        # The oracle errs about weeks that belong to the year before or after: test_day_sets.py
        # compares those with the calendar.
        maybe(0.2, "BYWEEKNO", some(draw, 2, 51, 4, is_signed=True))
    if frequency == "YEARLY" or frequency in IS_WITHIN_DAY:
        maybe(0.15, "BYYEARDAY", some(draw, 1, 366, 20, is_signed=True))
    if frequency != "WEEKLY":
        maybe(0.3, "BYMONTHDAY", some(draw, 1, 31, 8, is_signed=True))
    maybe(0.4, "BYDAY", drawn_weekdays(draw, frequency, parts))
    maybe(0.3, "BYHOUR", some(draw, 0, 23, 4))
    maybe(0.3, "BYMINUTE", some(draw, 0, 59, 4))
    maybe(0.3, "BYSECOND", some(draw, 0, 59, 3))
    # The oracle begins the first week at DTSTART, and picks from what is left of it.
    if parts and frequency != "WEEKLY":
        most = 2 if frequency in IS_WITHIN_DAY else 5
        maybe(0.25, "BYSETPOS", some(draw, 1, most, 3, is_signed=True))
    maybe(0.3, "WKST", draw.choice(WEEKDAYS))
    return parts


def drawn_rule(draw: random.Random) -> tuple[str, dict[str, str], datetime]:
    frequency = draw.choice(list(SPANS))
    start = datetime(1985, 1, 1) + timedelta(seconds=draw.randrange(60 * 365 * 86_400))
    parts = drawn_parts(draw, frequency)
    if draw.random() < 0.5:
        parts["INTERVAL"] = str(draw.choice(INTERVALS))
    chance = draw.random()
    if chance < 0.15:
        parts["COUNT"] = str(draw.randint(1, 60))
    elif chance < 0.25:
        until = start + timedelta(seconds=draw.randrange(2 * SPANS[frequency]))
        parts["UNTIL"] = f"{until:%Y%m%dT%H%M%S}"
    return frequency, parts, start


def text_of(frequency: str, parts: dict[str, str]) -> str:
    return "RRULE:" + ";".join([f"FREQ={frequency}", *(f"{k}={v}" for k, v in parts.items())])


def for_the_oracle(frequency: str, parts: dict[str, str], start: datetime) -> str:
    """Return the rule with the weekday that the RFC takes from DTSTART, and the oracle does not."""
    if "BYWEEKNO" in parts and not parts.keys() & {"BYDAY", "BYMONTHDAY", "BYYEARDAY"}:
        parts = parts | {"BYDAY": WEEKDAYS[start.weekday()]}
    return text_of(frequency, parts)


def theirs_between(text: str, start: datetime, after: datetime, until: datetime) -> list[datetime]:
    found = []
    for moment in rrulestr(text, dtstart=start):
        if moment > until:
            break
        if moment > after:
            found.append(moment)
    return found


@pytest.mark.parametrize("seed", SEEDS)
def test_drawn_rules_have_the_instants_that_dateutil_walks_to(seed: int) -> None:
    zone = zone_named("UTC")
    compared, refused = 0, Counter[str]()
    for number in range(RULES):
        draw = random.Random(f"{seed} {number}")
        # Given a rule, and a moment some way behind its start
        frequency, parts, start = drawn_rule(draw)
        text = text_of(frequency, parts)
        moment = start + timedelta(seconds=draw.randrange(-86_400, SPANS[frequency]))
        try:
            occurrences = recurrence_occurrences(text, zone, start_at=start)
        except ScheduleError as error:
            refused[error.key] += 1
            continue

        # When the next instants are asked for
        asked = instant_of(moment, UTC)
        far = instant_of(start, UTC) + 4 * SPANS[frequency] * SECOND
        ours: list[int] = []
        following = occurrences.next_after(asked, 0)
        while following is not None and following <= far and len(ours) < ASKED:
            ours.append(following)
            following = occurrences.next_after(following, 0)

        if not ours and "COUNT" not in parts and "UNTIL" not in parts:
            continue  # The next one is far: the oracle would walk for minutes.

        # Then they are those of the walk, and can be found back and counted
        until = datetime_at(ours[-1], UTC).replace(tzinfo=None) if ours else moment
        expected = theirs_between(for_the_oracle(frequency, parts, start), start, moment, until)
        assert [datetime_at(at, UTC).replace(tzinfo=None) for at in ours] == expected, (text, start)
        if ours:
            assert occurrences.count_between(asked, ours[-1], 0) == len(ours)
            assert occurrences.last_until(ours[-1], asked, 0) == ours[-1]
            assert occurrences.last_until(ours[0] - 1, asked, 0) is None
            compared += len(ours)
    assert compared > RULES * 5
    assert set(refused) == {"schedules.rrule_never"}


@pytest.mark.parametrize("weekday", WEEKDAYS)
def test_what_is_refused_because_it_never_runs_does_not_run_for_dateutil_either(
    weekday: str,
) -> None:
    # YEARLY and MONTHLY walks end by themselves, in the year 9999.
    start = datetime(2150, 1, 1, 9)
    for text in (
        f"FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30;BYDAY={weekday}",
        f"FREQ=YEARLY;BYDAY={weekday};BYMONTHDAY=1;BYSETPOS=2;BYMONTH=4",
        f"FREQ=MONTHLY;INTERVAL=12;BYMONTH=6;BYDAY={weekday}",
    ):
        with pytest.raises(ScheduleError, match="never run"):
            recurrence_occurrences(text, zone_named("UTC"), start_at=start)
        assert next(iter(rrulestr(text, dtstart=start)), None) is None
