"""Section A of the list: clocks that are set, nights with 23 or 25 hours, intervals that drift."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from task_scheduler.core.model import SECOND, MisfirePolicy, Outcome
from task_scheduler.schedules.rule import ScheduleRule, occurrences_of
from task_scheduler.testing import VirtualScheduler
from tests.regressions.worlds import (
    DAY,
    HOUR,
    YEAR,
    began,
    command,
    cron,
    function,
    gaps,
    moment,
    next_process,
    planned,
    skipped,
    states,
    walk,
)
from tests.unit.core.engine_bench import Bench, entry

ZONES = (
    "Africa/Cairo",
    "Africa/Casablanca",
    "America/Havana",
    "America/New_York",
    "America/Santiago",
    "America/Sao_Paulo",
    "America/St_Johns",
    "Antarctica/Troll",
    "Asia/Beirut",
    "Asia/Tehran",
    "Australia/Lord_Howe",
    "Europe/Berlin",
    "Europe/Dublin",
    "Pacific/Apia",
)


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.mark.parametrize("by", [-YEAR, -HOUR, HOUR, YEAR])
def test_apscheduler_35_a_clock_set_back_or_forward_does_not_stop_the_jobs(by: int) -> None:
    world = VirtualScheduler(start="2026-06-01T00:00:00+00:00")
    world.add_task(command("every"), every="10m")
    world.add_task(function("hourly"), cron="0 * * * *", timezone="UTC")
    world.run_for(hours=3)
    before = {task_id: len(world.runs(task_id)) for task_id in ("every", "hourly")}

    world.set_clock(by=by)
    world.run_for(hours=3, seconds=30)

    # An hour that the clock shows for the second time has had its run of the hourly task.
    assert len(world.runs("every")) - before["every"] in (18, 19)
    assert len(world.runs("hourly")) - before["hourly"] in (2, 3, 4)
    assert set(states(world, "every") + states(world, "hourly")) == {"succeeded"}


def test_apscheduler_526_a_jump_of_a_century_is_one_range_and_not_a_thousand_million_runs(
    bench: Bench,
) -> None:
    bench.add(entry(seconds=1))
    bench.end(bench.start())
    bench.tick(after=1)
    bench.end(bench.start())

    bench.set_clock(100 * YEAR)

    assert bench.skips() == [("coalesced", 100 * YEAR - 1)]
    assert len(bench.runs()) == 3
    assert len(bench.store.steps) <= 14, bench.store.steps


def test_apscheduler_980_the_next_time_is_always_later_than_the_one_before() -> None:
    rules = ("* * * * *", "30 2 * * *", "0 0 * * *", "*/20 0-3 * * *", "0 */4 * * *", "59 23 * * 0")
    begin = moment("2010-01-01T00:00Z")
    for zone in ZONES:
        tz = ZoneInfo(zone)
        changes = [
            hour
            for hour in range(begin, begin + 2 * YEAR * SECOND, HOUR * SECOND)
            if _offset(tz, hour) != _offset(tz, hour + HOUR * SECOND)
        ]
        assert changes, zone
        for text in rules:
            occurrences = occurrences_of(cron(text, zone))
            for change in changes:
                at = change - 2 * HOUR * SECOND
                for _ in range(60):
                    following = occurrences.next_after(at, 0)
                    assert following is not None
                    assert following > at, (zone, text, at)
                    at = following


def _offset(tz: ZoneInfo, at: int) -> timedelta | None:
    return datetime.fromtimestamp(at // SECOND, tz).utcoffset()


def test_apscheduler_1059_a_midnight_that_does_not_exist_is_the_end_of_the_gap() -> None:
    # In Cuba the clocks go forward at midnight: Sunday the 8th of March 2026 begins at 01:00.
    zone = "America/Havana"
    found = walk(cron("0 0 * * *", zone), "2026-03-06T12:00Z", "2026-03-11T12:00Z", zone=zone)

    assert [one.strftime("%d %H:%M") for one in found] == [
        "07 00:00",
        "08 01:00",
        "09 00:00",
        "10 00:00",
        "11 00:00",
    ]
    mondays = walk(cron("0 0 * * 1", zone), "2026-03-01T12:00Z", "2026-03-20T12:00Z", zone=zone)
    assert [one.day for one in mondays] == [2, 9, 16], "the day after the change is not passed over"


def test_celery_1604_a_noon_job_runs_at_noon_and_not_an_hour_early_as_well() -> None:
    world = VirtualScheduler(start="2026-03-07T00:00:00-05:00")
    world.add_task(command(), cron="0 12 * * *", timezone="America/New_York")

    world.run_for(days=3)

    found = began(world, zone="America/New_York")
    assert [one.strftime("%d %H:%M") for one in found] == ["07 12:00", "08 12:00", "09 12:00"]


def test_celery_6438_a_task_of_every_minute_goes_on_through_the_night_of_25_hours() -> None:
    world = VirtualScheduler(start="2026-10-25T00:00:00+02:00")
    world.add_task(command(), cron="* * * * *", timezone="Europe/Berlin")

    world.run_for(hours=25)

    assert len(began(world)) == 25 * 60 + 1
    assert gaps(began(world)) == {60}


@pytest.mark.parametrize(("start", "offset"), [("2026-03-28", "+01:00"), ("2026-10-24", "+02:00")])
def test_celery_9653_a_daily_job_is_not_an_hour_late_after_the_change(
    start: str, offset: str
) -> None:
    world = VirtualScheduler(start=f"{start}T00:00:00{offset}")
    world.add_task(command(), cron="15 9 * * *", timezone="Europe/Berlin")

    world.run_for(days=4)

    assert [one.strftime("%H:%M") for one in began(world, zone="Europe/Berlin")] == ["09:15"] * 4


def test_celery_10107_an_hourly_job_runs_in_the_second_one_o_clock_too() -> None:
    zone = "America/New_York"
    found = walk(cron("0 * * * *", zone), "2026-11-01T04:00Z", "2026-11-01T07:59Z", zone=zone)

    assert [one.strftime("%H:%M %z") for one in found] == [
        "00:00 -0400",
        "01:00 -0400",
        "01:00 -0500",
        "02:00 -0500",
    ]


def test_robfig_cron_541_a_job_whose_hour_is_skipped_runs_once_at_the_end_of_the_gap() -> None:
    world = VirtualScheduler(start="2026-03-28T00:00:00+00:00")
    world.add_task(command(), cron="0 1 * * *", timezone="Europe/London")

    world.run_for(days=2, hours=12)

    found = began(world, zone="Europe/London")
    assert [one.strftime("%d %H:%M") for one in found] == ["28 01:00", "29 02:00", "30 01:00"]


def test_node_cron_492_days_off_over_a_change_of_clocks_are_one_run_and_one_range() -> None:
    world = VirtualScheduler(start="2026-10-24T12:00:00+02:00")
    world.add_task(command(), cron="* * * * *", timezone="Europe/Berlin")
    world.run_for(seconds=30)

    world.crash(down="2d")
    world.run_for(seconds=10)

    # 24 October 12:01 to 26 October 11:00 (two days of real time later) in steps of a minute.
    assert skipped(world) == [("coalesced", 2 * 24 * 60 - 1)]
    assert len(world.runs("job")) == 2


def test_kelektiv_node_cron_638_from_anywhere_in_a_gap_the_next_time_is_after_it() -> None:
    end_of_gap = moment("2026-03-29T01:00+00:00")
    rules = [
        *(cron(text, "Europe/Berlin") for text in ("30 2 * * *", "15 2 29 3 *", "*/7 2 * * *")),
        ScheduleRule("daily", daily="02:15, 03:00", timezone="Europe/Berlin"),
        ScheduleRule("weekly", weekly="sun 02:45", timezone="Europe/Berlin"),
    ]
    for rule in rules:
        occurrences = occurrences_of(rule)
        for minute in range(-30, 90):
            at = end_of_gap + minute * 60 * SECOND
            following = occurrences.next_after(at, 0)
            assert following is not None
            assert at < following <= at + 366 * DAY * SECOND, (rule, minute)


def test_nats_server_8543_a_zone_whose_midnight_is_skipped_keeps_every_day() -> None:
    zone = "America/Sao_Paulo"
    found = walk(cron("@daily", zone), "2018-11-02T12:00Z", "2018-11-07T12:00Z", zone=zone)

    assert [one.strftime("%Y-%m-%d %H:%M") for one in found] == [
        "2018-11-03 00:00",
        "2018-11-04 01:00",
        "2018-11-05 00:00",
        "2018-11-06 00:00",
        "2018-11-07 00:00",
    ]


def test_croner_343_a_job_of_every_second_is_not_silent_in_the_fold() -> None:
    zone = "Europe/Berlin"
    found = walk(
        cron("* * * * * *", zone), "2026-10-25T00:59:00Z", "2026-10-25T01:01:00Z", zone=zone
    )

    assert len(found) == 121
    assert gaps(found) == {1}


@pytest.mark.parametrize(
    ("policy", "spring", "autumn"),
    [
        ({}, ["03:00"], ["02:30"]),
        ({"gap": "skip"}, [], ["02:30"]),
        ({"fold": "twice"}, ["03:00"], ["02:30", "02:30"]),
        ({"gap": "skip", "fold": "twice"}, [], ["02:30", "02:30"]),
    ],
)
def test_temporal_api_157_how_often_a_job_runs_on_the_night_of_the_change_is_a_policy(
    policy: dict[str, str], spring: list[str], autumn: list[str]
) -> None:
    zone = "Europe/Berlin"
    rule = cron("30 2 * * *", zone, **policy)

    short = walk(rule, "2026-03-28T22:00Z", "2026-03-29T12:00Z", zone=zone)
    long = walk(rule, "2026-10-24T22:00Z", "2026-10-25T12:00Z", zone=zone)

    assert [one.strftime("%H:%M") for one in short] == spring
    assert [one.strftime("%H:%M") for one in long] == autumn


def test_huey_304_an_interval_does_not_creep_however_long_its_runs_take() -> None:
    world = VirtualScheduler(start="2026-01-01T00:00:00+00:00")
    world.add_task(command(), every="7m")
    world.script("job", duration=lambda run: 0.9 + run.number % 13)

    world.run_for(days=2)
    world.crash(down="16m")
    world.run_for(days=2)

    first, *rest = planned(world)
    assert {(one - first) % timedelta(minutes=7) for one in rest} == {timedelta(0)}
    assert len(rest) + sum(count for _, count in skipped(world)) == (4 * 24 * 60 + 16) // 7
    # But for the one that the absence kept waiting.
    late = [a - b for a, b in zip(began(world), planned(world), strict=True) if a != b]
    assert len(late) == 1


def test_sidekiq_scheduler_283_a_jump_forward_fires_once_and_a_jump_back_stops_nothing() -> None:
    world = VirtualScheduler(start="2026-06-01T00:00:00+00:00")
    world.add_task(command(), cron="*/5 * * * *", timezone="UTC")
    world.run_for(minutes=31)
    before = len(world.runs("job"))

    world.set_clock(by=30 * DAY)
    world.run_for(minutes=1)

    assert len(world.runs("job")) == before + 1
    assert skipped(world) == [("coalesced", 30 * 24 * 12 - 1)]

    world.set_clock(by=-10 * DAY)
    world.run_for(minutes=20)

    assert len(world.runs("job")) == before + 1 + 4


def test_systemd_6036_a_timer_does_not_wait_for_the_future_that_the_clock_has_left() -> None:
    world = VirtualScheduler(start="2036-01-01T00:00:00+00:00")
    world.add_task(command(), cron="0 * * * *", timezone="UTC")
    world.run_for(hours=2)

    world.set_clock(by=-10 * YEAR)
    world.run_for(hours=2)

    assert [one.year for one in began(world)] == [2036] * 3 + [2026] * 2


def test_systemd_6821_a_last_run_in_the_future_is_no_reason_to_be_silent(bench: Bench) -> None:
    hourly = {"type": "cron", "cron": "0 * * * *", "timezone": "UTC"}
    bench.add(entry(rules=[hourly]))
    bench.tick(after=HOUR)
    bench.end(bench.start())
    bench.tick()
    ahead = bench.clock.wall + YEAR * SECOND
    with bench.ledger.transaction():
        bench.ledger._connection.execute(
            "UPDATE progress SET cursor = ?, next_due_at = ?, plan_at = ?", (ahead,) * 3
        )

    next_process(bench, boot_id="another boot")
    bench.tick(after=HOUR)

    assert bench.start().due_at <= bench.clock.wall
    assert any(type(event).__name__ == "ClockFollowed" for event in bench.events)


def test_systemd_16347_a_boot_in_2098_leaves_nothing_waiting_once_the_clock_is_right() -> None:
    world = VirtualScheduler(start="2098-05-05T00:00:00+00:00")
    world.add_task(command("daily"), cron="0 6 * * *", timezone="UTC")
    world.add_task(command("every"), every="1h")
    world.run_for(hours=1)

    world.set_clock(by=-72 * YEAR)
    world.run_for(hours=24)

    assert len([one for one in began(world, "daily") if one.year < 2027]) == 1
    assert len([one for one in began(world, "every") if one.year < 2027]) == 24


def test_systemd_5595_a_night_with_23_hours_leaves_no_hole_in_the_steps_of_a_day() -> None:
    zone = "Europe/Berlin"
    steps = walk(cron("0 */4 * * *", zone), "2026-03-28T12:00Z", "2026-03-30T12:00Z", zone=zone)
    once = walk(cron("30 2 * * *", zone), "2026-03-28T12:00Z", "2026-03-29T12:00Z", zone=zone)

    assert max(gaps(steps)) <= 4 * HOUR
    assert [one.strftime("%d %H:%M") for one in once] == ["29 03:00"]


def test_systemd_16732_another_time_of_day_is_no_reason_to_run_at_once() -> None:
    world = VirtualScheduler(start="2026-06-01T07:00:00+00:00")
    world.add_task(command(), cron="30 7 * * *", timezone="UTC")
    world.run_for(hours=5)
    assert len(world.runs("job")) == 1

    world.add_task(command(), cron="0 9 * * *", timezone="UTC")
    world.run_for(minutes=5)
    assert len(world.runs("job")) == 1

    world.run_until("2026-06-02T09:00:00+00:00")
    assert [one.strftime("%d %H:%M") for one in began(world)] == ["01 07:30", "02 09:00"]
    assert skipped(world) == []


def test_redbeat_218_a_laptop_that_slept_goes_on_with_what_it_held(bench: Bench) -> None:
    # Asleep both clocks go on and nothing else does; no lock runs out meanwhile.
    bench.add(entry(seconds=60, misfire=MisfirePolicy.RUN_ONCE))
    running = bench.start()
    bench.tick()

    bench.tick(after=9 * DAY)
    bench.end(running)
    bench.tick()
    bench.tick(after=60)

    assert bench.engine.fenced_count == 0
    assert bench.runs() == [Outcome.SUCCEEDED, "waiting"]
    assert bench.skips() == [("coalesced", 9 * 24 * 60 - 1), ("overlap", 1)]
    assert len(bench.hands.gate) == 1
