"""Rules that users write: what they are asked, how their answers are read, and their failures."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from task_scheduler.errors import ScheduleError
from task_scheduler.schedules.instants import DAY, LATEST, SECOND, datetime_at, instant_of
from task_scheduler.schedules.rule import (
    ScheduleRule,
    ScheduleType,
    describe,
    occurrences_of,
    to_plain,
)

NEW_YORK = ZoneInfo("America/New_York")
MINUTE, HOUR = 60 * SECOND, 3600 * SECOND


class AskedRule(ScheduleRule):
    """A rule of a function, which notes what it was asked."""

    def __init__(self, answer: Callable[[datetime | None], Any], timezone: str | None = None):
        super().__init__(ScheduleType.INTERVAL, timezone=timezone)
        self.answer = answer
        self.asked: list[datetime | None] = []

    def get_next_run_time(self, last_run: datetime | None = None) -> datetime | None:
        self.asked.append(last_run)
        return self.answer(last_run)


def in_utc(*parts: int) -> int:
    return instant_of(datetime(*parts), UTC)


@pytest.fixture
def local_new_york(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the machine stand in New York."""
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def test_the_cron_rule_of_the_original_readme_never_runs() -> None:
    class CronScheduleRule(ScheduleRule):
        def __init__(self, cron_expression):
            super().__init__(ScheduleType.CRON, cron=cron_expression)

        def get_next_run_time(self, last_run=None):
            # 实现Cron表达式解析逻辑
            pass

    # Its own dialect of cron is its own business.
    for expression in ("0 3 * * *", "0 0 L * ?"):
        rule = CronScheduleRule(expression)
        occurrences = occurrences_of(rule)

        assert rule.cron == expression
        assert occurrences.first(in_utc(2026, 1, 1)) is None
        assert occurrences.next_after(in_utc(2026, 1, 1), 0) is None
        assert to_plain(rule) is None
        assert "CronScheduleRule" in describe(rule)


def test_a_rule_without_a_zone_speaks_naive_local_time(local_new_york: None) -> None:
    rule = AskedRule(lambda last: datetime(2026, 7, 1, 9) if last is None else last + timedelta(1))
    occurrences = occurrences_of(rule)

    first = occurrences.first(0)
    following = occurrences.next_after(first or 0, 0)

    assert first == in_utc(2026, 7, 1, 13)
    assert following == in_utc(2026, 7, 2, 13)
    assert rule.asked == [None, datetime(2026, 7, 1, 9)]
    assert rule.asked[1].tzinfo is None


def test_a_rule_with_a_zone_speaks_aware_time_and_its_naive_answers_are_read_there() -> None:
    rule = AskedRule(lambda _: datetime(2026, 7, 1, 9), timezone="Asia/Tokyo")
    occurrences = occurrences_of(rule)

    assert occurrences.first(0) == in_utc(2026, 7, 1, 0)
    assert occurrences.next_after(in_utc(2026, 6, 30), 0) == in_utc(2026, 7, 1, 0)
    assert rule.asked[1] == datetime(2026, 6, 30, 9, tzinfo=ZoneInfo("Asia/Tokyo"))


def test_an_aware_answer_is_that_instant_whatever_its_zone() -> None:
    rule = AskedRule(lambda _: datetime(2026, 7, 1, 9, tzinfo=timezone(timedelta(hours=2))))

    assert occurrences_of(rule).first(0) == in_utc(2026, 7, 1, 7)


def test_naive_local_arithmetic_gets_through_the_hour_that_comes_twice(
    local_new_york: None,
) -> None:
    # Given a rule that adds ten minutes to naive local time, which loses the fold
    rule = AskedRule(lambda last: last + timedelta(minutes=10))
    occurrences = occurrences_of(rule)

    # When it is followed from the second 01:00 of the night on
    moment = in_utc(2026, 11, 1, 6)
    found = [moment := occurrences.next_after(moment, 0) for _ in range(8)]

    # Then it stays in the second pass, ten minutes apart
    assert found == [in_utc(2026, 11, 1, 6) + n * 10 * MINUTE for n in range(1, 9)]


def fail(_: datetime | None) -> datetime:
    raise RuntimeError("pump map is missing")


FAILURES: dict[str, tuple[Callable[[datetime | None], Any], str]] = {
    "raises": (fail, "RuntimeError: pump map is missing"),
    "text": (lambda _: "tomorrow", "'tomorrow' \\(str\\)"),
    "number": (lambda _: 3600, "3600 \\(int\\)"),
    "true": (lambda _: True, "True \\(bool\\)"),
    "date": (lambda _: datetime(2026, 1, 1).date(), "\\(date\\)"),
    "same": (lambda last: last, "not later than the last run"),
    "earlier": (lambda last: last - timedelta(days=1), "not later than the last run"),
}


@pytest.mark.parametrize("kind", FAILURES)
def test_a_failing_rule_is_named_with_its_answer(kind: str) -> None:
    answer, sentence = FAILURES[kind]
    occurrences = occurrences_of(AskedRule(answer))

    with pytest.raises(ScheduleError, match=f"AskedRule.*{sentence}") as caught:
        occurrences.next_after(in_utc(2026, 1, 1), 0)

    if kind == "raises":
        assert isinstance(caught.value.__cause__, RuntimeError)


def test_an_answer_that_cannot_be_compared_is_a_failure_of_the_rule() -> None:
    # A rule without a zone, whose author expects an aware last_run.
    limit = datetime(2030, 1, 1, tzinfo=UTC)
    rule = AskedRule(lambda last: max(limit, last))

    with pytest.raises(ScheduleError, match="TypeError"):
        occurrences_of(rule).next_after(in_utc(2026, 1, 1), 0)


def test_an_answer_outside_the_planned_years_is_no_more_runs() -> None:
    for answer in (datetime.max, datetime(2201, 1, 1, 0, 0, 1, tzinfo=UTC)):
        occurrences = occurrences_of(AskedRule(lambda _, answer=answer: answer, "Asia/Tokyo"))
        assert occurrences.next_after(in_utc(2026, 1, 1), 0) is None
    assert occurrences.next_after(LATEST, 0) is None
    assert occurrences.next_after(10**40, 0) is None


def every(step: timedelta) -> AskedRule:
    return AskedRule(lambda last: last + step, timezone="UTC")


def test_missed_instants_are_walked_from_the_one_that_is_due() -> None:
    due = in_utc(2026, 1, 1)
    now = due + 5 * HOUR + MINUTE
    occurrences = occurrences_of(every(timedelta(hours=1)))

    assert occurrences.last_until(now, due - 1, 0) == due + 5 * HOUR
    assert occurrences.count_between(due - 1, now, 0) == 6
    assert occurrences.count_between(due - 1, due + 4 * HOUR, 0) == 5
    # What follows is on the same grid, although the engine asks from `now` on.
    assert occurrences.next_after(now, 0) == due + 6 * HOUR
    assert occurrences.last_until(due + 5 * HOUR - 1, due - 1, 0) == due + 4 * HOUR
    assert occurrences.last_until(due - 1, due - 1, 0) is None
    assert occurrences.count_between(due, due, 0) == 0


def test_too_many_missed_instants_are_jumped_over_and_said_not_to_be_counted() -> None:
    # Given a rule of every minute that was not asked for ten years
    due = in_utc(2026, 1, 1)
    now = in_utc(2036, 1, 1) + 30 * SECOND
    rule = AskedRule(lambda last: last.replace(second=0) + timedelta(minutes=1), timezone="UTC")
    occurrences = occurrences_of(rule)

    # When the engine catches up
    last = occurrences.last_until(now, due - 1, 0)

    # Then the newest instants are real ones, and the work was bounded
    assert last == in_utc(2036, 1, 1)
    newest = [last := occurrences.last_until(last - 1, due - 1, 0) for _ in range(100)]
    assert newest == [in_utc(2036, 1, 1) - n * MINUTE for n in range(1, 101)]
    assert occurrences.count_between(due - 1, now, 0) is None
    assert occurrences.count_between(due - 1, due + 10 * MINUTE, 0) == 11
    assert occurrences.next_after(now, 0) == in_utc(2036, 1, 1) + MINUTE
    assert len(rule.asked) < 15_000


def test_uneven_steps_are_landed_on_too() -> None:
    # Every minute of office hours on working days, and a Sunday night after a month away.
    def office(last: datetime) -> datetime:
        following = last.replace(second=0, microsecond=0) + timedelta(minutes=1)
        while following.weekday() > 4 or not 9 <= following.hour < 17:
            following = (following + timedelta(hours=1)).replace(minute=0)
        return following

    due = in_utc(2026, 1, 5, 9)
    now = in_utc(2026, 2, 8, 23)
    occurrences = occurrences_of(AskedRule(office, timezone="UTC"))

    assert occurrences.last_until(now, due - 1, 0) == in_utc(2026, 2, 6, 16, 59)
    assert occurrences.count_between(due - 1, now, 0) is None
    assert occurrences.next_after(now, 0) == in_utc(2026, 2, 9, 9)


def test_a_rule_that_ends_is_walked_to_its_end() -> None:
    end = datetime(2026, 1, 3, tzinfo=UTC)
    rule = AskedRule(lambda last: last + timedelta(days=1) if last < end else None, timezone="UTC")
    occurrences = occurrences_of(rule)
    due = in_utc(2026, 1, 1)

    assert occurrences.last_until(due + 100 * DAY, due - 1, 0) == due + 2 * DAY
    assert occurrences.next_after(due + 100 * DAY, 0) is None


def test_a_rule_may_lean_on_the_built_in_one() -> None:
    class WorkingDays(ScheduleRule):
        def get_next_run_time(self, last_run: datetime | None = None) -> datetime | None:
            found = super().get_next_run_time(last_run)
            while found is not None and found.weekday() > 4:
                found = super().get_next_run_time(found)
            return found

    rule = WorkingDays("cron", cron="0 9 * * *", timezone="America/New_York")
    following = occurrences_of(rule).next_after(in_utc(2026, 3, 6, 20), 0)

    assert following is not None
    assert str(datetime_at(following, NEW_YORK)) == "2026-03-09 09:00:00-04:00"


def test_a_rule_that_forgot_its_constructor_still_runs() -> None:
    class Bare(ScheduleRule):
        def __init__(self) -> None:
            pass

        def get_next_run_time(self, last_run: datetime | None = None) -> datetime | None:
            return datetime(2026, 1, 1, tzinfo=UTC) if last_run is None else None

    rule = Bare()

    assert occurrences_of(rule).first(0) == in_utc(2026, 1, 1)
    assert occurrences_of(rule).next_after(in_utc(2026, 1, 1), 0) is None
    assert repr(rule).startswith("Bare(")
