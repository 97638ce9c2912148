"""Insights against ledgers whose truth is known: what is there is found, and nothing else."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from typing import Any

import pytest

from task_scheduler.i18n import LANGUAGES, set_language
from task_scheduler.insights.insight import InsightKind
from tests.unit.insights.seeded import DAY, HOUR, MINUTE, NOW, S, Seeded


@pytest.fixture(autouse=True)
def _tokyo(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    set_language("en")
    yield
    set_language("en")


@pytest.fixture
def ledger() -> Iterator[Seeded]:
    seeded = Seeded()
    yield seeded
    seeded.store.close()


# -- seats and pools -----------------------------------------------------------------------------


def busy(ledger: Seeded, *, tasks: int, share: float, pool: str | None = None) -> None:
    """Let so many tasks be due at once at the beginning of the last hour, each for so long."""
    for number in range(tasks):
        ledger.task(f"t{number}", pool=pool)
    begin, took = NOW - HOUR, round(share * HOUR)
    for number in range(tasks):
        late = 0 if number < ledger.workers else took
        ledger.run(f"t{number}", begin, took, late=late)


def test_full_seats_are_told_with_how_many_would_do(ledger: Seeded) -> None:
    busy(ledger, tasks=14, share=0.34)

    [insight] = ledger.insights(InsightKind.SATURATED)

    assert insight.figures == {"share": 0.34, "places": 10, "enough": 14}
    assert insight.command == "scheduler.max_workers: 14"
    assert insight.told() == "every one of the 10 workers was busy for 34% of the last 60 min"
    assert insight.advice().endswith("scheduler.max_workers: 14")


def test_seats_that_are_full_and_enough_are_well_used(ledger: Seeded) -> None:
    busy(ledger, tasks=10, share=0.9)

    assert ledger.insights() == []


def test_seats_that_are_full_for_a_moment_are_no_news(ledger: Seeded) -> None:
    busy(ledger, tasks=14, share=0.05)

    assert ledger.insights(InsightKind.SATURATED) == []


def test_a_full_pool_is_told_by_its_name(ledger: Seeded) -> None:
    ledger.workers, ledger.pools = 2, {"modbus": 2}
    busy(ledger, tasks=5, share=0.5, pool="modbus")
    ledger.workers = 50

    [insight] = ledger.insights(InsightKind.SATURATED)

    assert (insight.subject, insight.command) == ("modbus", "pools.modbus: 5")
    assert insight.figures["share"] == 1.0


def test_what_runs_and_what_waits_now_counts_too(ledger: Seeded) -> None:
    ledger.workers = 2
    for number in range(3):
        ledger.task(f"t{number}")
    for number in range(2):
        ledger.unfinished(f"t{number}", NOW - 30 * MINUTE, started_at=NOW - 30 * MINUTE)
    ledger.unfinished("t2", NOW - 30 * MINUTE)

    [insight] = ledger.insights(InsightKind.SATURATED)

    assert insight.figures == {"share": 0.5, "places": 2, "enough": 3}


def test_the_wait_between_two_attempts_takes_no_seat(ledger: Seeded) -> None:
    ledger.workers = 1
    for number in range(2):
        ledger.task(f"t{number}")
        run_id = ledger.run(f"t{number}", NOW - HOUR, HOUR - S, attempt=2)
        ledger.attempt(run_id, 1, NOW - HOUR + number * S, S)
        ledger.attempt(run_id, 2, NOW - 2 * S + number * S, S)

    assert ledger.insights(InsightKind.SATURATED) == []


def test_where_very_many_run_the_time_is_that_of_the_newest(
    ledger: Seeded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("task_scheduler.insights.survey._SAMPLE", 60)
    ledger.workers = 2
    ledger.task("t")
    # Three at a time, each for ten seconds: the newest 60 of them fill 200 seconds.
    for number in range(3 * 360):
        ledger.run("t", NOW - HOUR + number // 3 * 10 * S + number % 3, 10 * S)

    [insight] = ledger.insights(InsightKind.SATURATED)

    assert insight.figures["share"] == pytest.approx(1, abs=0.01)
    assert insight.figures["enough"] == 3
    assert "of the last 3.3 min" in insight.told()


def test_only_the_last_hour_counts(ledger: Seeded) -> None:
    ledger.workers = 1
    for number in range(3):
        ledger.task(f"t{number}")
        ledger.run(f"t{number}", NOW - 3 * HOUR, 30 * MINUTE, late=number * 30 * MINUTE)

    assert ledger.insights(InsightKind.SATURATED) == []


def test_levels_are_those_of_a_count_by_hand(ledger: Seeded) -> None:
    rng = random.Random(11)
    ledger.task("t")
    spans = []
    for number in range(60):
        at = NOW - HOUR + rng.randrange(3_000) * S + number
        took, late = rng.randrange(1, 300) * S, rng.randrange(5) * S
        ledger.run("t", at, took, late=late)
        spans.append((at + late, at + late + took))

    rows = ledger.store.fetch("insight_levels", sample=1_000, since=NOW - HOUR, now=NOW)
    told = {level: lasted for _, what, level, lasted in rows if what == "busy" and level}

    points = sorted({moment for span in spans for moment in span})
    expected: dict[int, int] = {}
    for begin, end in itertools.pairwise(points):
        level = sum(start <= begin < stop for start, stop in spans)
        if level:
            expected[level] = expected.get(level, 0) + end - begin
    assert told == expected


# -- moments at which too much is due ------------------------------------------------------------


def test_the_worst_collision_is_told_with_a_jitter_that_spreads_it(ledger: Seeded) -> None:
    two = NOW - 10 * HOUR
    for number in range(37):
        ledger.task(f"nightly-{number:02}")
        ledger.run(f"nightly-{number:02}", two, 30 * S, late=number // 10 * 30 * S)
    ledger.task("lonely")
    ledger.run("lonely", NOW - 9 * HOUR, late=500 * S)

    [insight] = ledger.insights(InsightKind.COLLISION)

    assert insight.figures["tasks"] == 37
    assert insight.figures["late_seconds"] == 90
    assert insight.command == "entries.nightly-00.jitter_seconds: 90"
    assert "37 tasks were due at 02:00:00 for 10 workers, and the last began 90 s late" in (
        insight.told()
    )


def test_many_at_once_that_all_began_at_once_are_no_collision(ledger: Seeded) -> None:
    for number in range(37):
        ledger.task(f"t{number}")
        ledger.run(f"t{number}", NOW - HOUR, 10_000)

    assert ledger.insights() == []


# -- single tasks --------------------------------------------------------------------------------


def test_a_task_that_begins_late_again_and_again_is_told(ledger: Seeded) -> None:
    ledger.task("late", pool="modbus")
    ledger.task("once")
    for number in range(20):
        at = NOW - HOUR - number * MINUTE
        ledger.run("late", at, late=(12 + number % 3) * S if number < 8 else 0)
        ledger.run("once", at, late=HOUR if number == 3 else 0)

    [insight] = ledger.insights(InsightKind.LATE)

    assert (insight.subject, insight.variant) == ("late", "pool")
    assert (insight.figures["runs"], insight.figures["late_runs"]) == (20, 8)
    assert insight.figures["late_seconds"] == 13
    assert "modbus" in insight.told()


@pytest.mark.parametrize("is_counted", [True, False], ids=["roll-ups", "runs alone"])
@pytest.mark.parametrize("slow_days", [1, 4, 8])
def test_a_task_that_takes_longer_is_told_since_the_day_it_does(
    ledger: Seeded, slow_days: int, is_counted: bool
) -> None:
    rng = random.Random(3)
    for name in ("collect", "steady"):
        ledger.task(name)
    for hour in range(13 * 24, 0, -1):
        at = NOW - hour * HOUR
        # The days begin at midnight in Tokyo: noon today is the twelfth hour of the last of them.
        is_slow = hour <= 12 + (slow_days - 1) * 24
        ledger.run("collect", at, round((30 if is_slow else 10) * S * rng.uniform(0.9, 1.1)))
        ledger.run("steady", at, round(10 * S * rng.uniform(0.7, 1.3)))
    if is_counted:
        ledger.count()

    [insight] = ledger.insights(InsightKind.SLOWER)

    assert insight.subject == "collect"
    assert insight.figures["times"] == pytest.approx(3, abs=0.2)
    assert insight.texts["day"] == f"2026-11-{24 - slow_days + 1}"
    assert insight.command == "tsk show collect"


def test_a_task_that_was_always_uneven_is_not_slower(ledger: Seeded) -> None:
    rng = random.Random(4)
    ledger.task("uneven")
    for hour in range(13 * 24):
        ledger.run("uneven", NOW - (hour + 1) * HOUR, rng.choice([S, 30 * S]))

    assert ledger.insights(InsightKind.SLOWER) == []


@pytest.mark.parametrize("is_counted", [True, False], ids=["roll-ups", "runs alone"])
def test_a_task_that_fails_at_one_hour_alone_is_told(ledger: Seeded, is_counted: bool) -> None:
    ledger.task("upload")
    ledger.task("flaky")
    rng = random.Random(5)
    for hour in range(10 * 24):
        at = NOW - (hour + 1) * HOUR
        # In Tokyo it is noon now: the run of nine hours ago was that of 03:00.
        is_bad = (hour + 1) % 24 == 9
        ledger.run("upload", at, state="timed_out" if is_bad else "succeeded")
        ledger.run("flaky", at, state="failed" if rng.random() < 0.1 else "succeeded")
    if is_counted:
        ledger.count()

    [insight] = ledger.insights(InsightKind.FAILS_AT)

    assert insight.subject == "upload"
    assert insight.figures == {
        "hour": 3,
        "failures": 10,
        "all_failures": 10,
        "days": 10,
        "runs_in_hour": 10,
    }
    assert "only between 03:00 and 03:59" in insight.told()


def test_a_task_that_runs_at_one_hour_alone_fails_there_for_no_other_reason(
    ledger: Seeded,
) -> None:
    ledger.task("nightly")
    for day in range(1, 14):
        state = "failed" if day % 3 == 0 else "succeeded"
        ledger.run("nightly", NOW - day * DAY - 9 * HOUR, state=state)

    assert ledger.insights(InsightKind.FAILS_AT) == []


def test_tasks_that_never_ran_are_told_with_the_reason(ledger: Seeded) -> None:
    old: dict[str, Any] = {"run_count": 0, "added_at": NOW - 7 * DAY}
    ledger.task("skipped", skip_count=40, **old)
    ledger.task("never", next_due_at=None, **old)
    ledger.task("far", next_due_at=NOW + 900 * DAY, **old)
    # These are as they should be.
    ledger.task("soon", **old)
    ledger.task("new", run_count=0, next_due_at=None, added_at=NOW - HOUR)
    ledger.task("asked", rules=[], next_due_at=None, run_count=0, added_at=NOW - 7 * DAY)
    ledger.task("paused", paused_at=NOW - DAY, skip_count=3, **old)
    ledger.task("first", next_due_at=None, **old)
    ledger.unfinished("first", NOW - MINUTE)

    found = ledger.insights(InsightKind.NEVER_RAN)

    assert [(of.subject, of.variant) for of in found] == [
        ("skipped", "skipped"),
        ("far", "far"),
        ("never", "no_moment"),
    ]
    assert "all of its 40 occurrences were skipped" in found[0].told()
    assert "due first on 2029-05-12" in found[1].told()
    assert found[0].command == "tsk why skipped"


def test_a_task_that_succeeds_only_at_a_retry_is_told(ledger: Seeded) -> None:
    ledger.task("stubborn")
    ledger.task("fine")
    for number in range(20):
        at = NOW - HOUR - number * MINUTE
        ledger.run("stubborn", at, attempt=2 if number % 2 else 1)
        ledger.run("fine", at, attempt=2 if number == 0 else 1)

    [insight] = ledger.insights(InsightKind.LATE_SUCCESS)

    assert (insight.subject, insight.figures) == ("stubborn", {"runs": 20, "retried": 10})


def test_a_task_that_comes_near_to_its_timeout_is_told(ledger: Seeded) -> None:
    ledger.task("report")
    ledger.task("own", policies={"timeout": 10.0})
    ledger.task("free", policies={"timeout": None})
    ledger.task("once", policies={"timeout": 10.0})
    ledger.task("retried", policies={"timeout": 10.0})
    for number in range(6):
        at = NOW - 2 * HOUR - number * 10 * MINUTE
        ledger.run("report", at, (250 + number) * S)
        ledger.run("own", at, 9 * S)
        ledger.run("free", at, 5 * HOUR // 60)
        ledger.run("once", at, 9 * S if number == 0 else S)
        ledger.run("retried", at, 9 * S, attempt=2)

    found = ledger.insights(InsightKind.NEAR_LIMIT)

    assert [(of.subject, of.variant, of.figures["used"]) for of in found] == [
        ("own", "timeout", 9),
        ("report", "timeout", 255),
    ]
    assert found[1].told() == (
        "report takes up to 4.2 min of its timeout of 5 min, 85% of it; so it was in 6 runs of the"
        " last 24 h"
    )
    assert found[0].command == "entries.own.timeout: 18"


def test_a_task_that_comes_near_to_its_memory_is_told(ledger: Seeded) -> None:
    limit = {"limits": {"memory_bytes": 256_000_000}}
    for name in ("big", "small"):
        ledger.task(name, definition=limit)
    ledger.task("unbound")
    for number in range(3):
        for name in ("big", "small", "unbound"):
            run_id = ledger.run(name, NOW - HOUR - number * MINUTE)
            memory = 20_000_000 if name == "small" else (230 + number) * 1_000_000
            ledger.attempt(run_id, 1, NOW - HOUR - number * MINUTE, S, memory=memory)

    [insight] = ledger.insights(InsightKind.NEAR_LIMIT)

    assert (insight.subject, insight.figures["used"]) == ("big", 232_000_000)
    assert insight.command == "entries.big.limits.memory_bytes: 464MB"
    assert "232 MB" in insight.told()


def test_an_empty_ledger_has_nothing_to_tell(ledger: Seeded) -> None:
    assert ledger.insights() == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_insight_has_its_sentences(ledger: Seeded, language: str) -> None:
    set_language(language)
    busy(ledger, tasks=14, share=0.34)
    ledger.task("x", run_count=0, next_due_at=None, added_at=NOW - 7 * DAY)

    for insight in ledger.insights():
        for sentence in (insight.told(), insight.advice()):
            assert "insights." not in sentence
            assert "{" not in sentence
