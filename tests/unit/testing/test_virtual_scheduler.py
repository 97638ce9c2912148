"""A month of a schedule in an instant: what a test may do to it, and that it stays the same."""

from __future__ import annotations

import gc
import math
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from task_scheduler import (
    CommandTask,
    DefinitionError,
    FunctionTask,
    ScheduleError,
    ScheduleRule,
    ScheduleType,
    StoreError,
    TaskNotFoundError,
    current_run,
)
from task_scheduler.core.events import ClockStepped, RunSettled
from task_scheduler.core.inbox import AddEntries
from task_scheduler.testing import VirtualRun, VirtualScheduler

START = "2026-11-01T00:00:00+09:00"
_GONE = {"function": "gone:gone", "args": [], "kwargs": {}}


@pytest.fixture
def world() -> VirtualScheduler:
    return VirtualScheduler(start=START)


def command(task_id: str = "job", **options: object) -> CommandTask:
    return CommandTask(task_id, None, ["true"], **options)


def function(task_id: str = "job", **options: object) -> FunctionTask:
    return FunctionTask(task_id, None, print, **options)


def states(world: VirtualScheduler, task_id: str = "job") -> list[str]:
    return [run["state"] for run in world.runs(task_id)]


# -- schedules --------------------------------------------------------------------------------


def test_a_month_of_a_daily_task_has_thirty_runs_at_their_moments(world: VirtualScheduler) -> None:
    world.add_task(command(), cron="15 3 * * *", timezone="Asia/Tokyo")

    world.run_for(days=30)

    moments = [datetime.fromisoformat(run["started_at"]) for run in world.runs("job")]
    first = datetime.fromisoformat("2026-11-01T03:15:00+09:00")
    assert moments == [first + timedelta(days=n) for n in range(30)]
    assert set(states(world)) == {"succeeded"}
    assert world.now == datetime.fromisoformat("2026-12-01T00:00:00+09:00")


def test_the_declared_tasks_of_a_configuration_file_are_there(tmp_path: Path) -> None:
    config = tmp_path / "scheduler_config.json"
    config.write_text(
        '{"scheduler": {"max_workers": 1}, "entries": {'
        '"a": {"type": "command", "command": ["true"], "every": "1h"},'
        '"b": {"type": "command", "command": ["true"], "every": "1h", "enabled": false}}}',
        encoding="utf-8",
    )

    world = VirtualScheduler(config, start=START)
    world.run_for(hours=3)

    assert len(world.runs("a")) == 4
    assert world.runs("b") == []
    assert sorted(world.get_task_status()["tasks"]) == ["a", "b"]
    assert world.get_task_status("a")["origin"] == "config"


def test_a_rule_or_a_keyword_says_when_as_on_the_facade(world: VirtualScheduler) -> None:
    world.add_task(command("a"), ScheduleRule(ScheduleType.INTERVAL, minutes=10))
    world.add_task(command("b"), every="10m")

    world.run_for("1h")

    assert len(world.runs("a")) == len(world.runs("b")) == 7
    with pytest.raises(ScheduleError):
        world.add_task(command("c"), every="soon")


# -- scripts ----------------------------------------------------------------------------------


def test_a_sequence_is_taken_one_attempt_after_the_other_and_its_last_value_stays(
    world: VirtualScheduler,
) -> None:
    world.add_task(command(max_retries=0), every="1h")
    world.script("job", duration=["10s", "20s"], outcome=["failed", "succeeded", "failed"])

    world.run_for(hours=3)

    assert states(world) == ["failed", "succeeded", "failed", "running"]
    assert [run["duration_seconds"] for run in world.runs("job")] == [10, 20, 20, None]


def test_a_function_of_the_run_says_how_it_goes(world: VirtualScheduler) -> None:
    seen: list[VirtualRun] = []

    def outcome(run: VirtualRun) -> bool:
        seen.append(run)
        return run.scheduled_at.hour != 1

    world.add_task(command(max_retries=0), every="1h")
    world.script("job", duration=lambda run: run.number, outcome=outcome)
    world.run_for(hours=2, minutes=1)

    assert states(world) == ["succeeded", "failed", "succeeded"]
    assert [run["duration_seconds"] for run in world.runs("job")] == [0, 1, 2]
    assert seen[2].task_id == "job"
    assert seen[2].started_at == datetime.fromisoformat("2026-11-01T02:00:00+09:00")


def test_a_pattern_scripts_many_tasks_each_by_itself(world: VirtualScheduler) -> None:
    world.script("sensor_*", outcome=["failed", "succeeded"])
    for task_id in ("sensor_1", "sensor_2", "other"):
        world.add_task(command(task_id, max_retries=0), every="1h")

    world.run_for(minutes=1)

    assert states(world, "sensor_1") == states(world, "sensor_2") == ["failed"]
    assert states(world, "other") == ["succeeded"]


def test_a_failure_is_retried_as_the_policies_say(world: VirtualScheduler) -> None:
    world.add_task(command(max_retries=2, retry_delay=60), at="2026-11-01T01:00:00+09:00")
    world.script("job", duration="1s", outcome=[OSError("cable"), "failed", "succeeded"])

    world.run_for(hours=2)

    (run,) = world.runs("job")
    attempts = world.ledger.run(run["run_id"])["attempts"]
    assert run["state"] == "succeeded"
    assert [a["outcome"] for a in attempts] == ["failed", "failed", "succeeded"]
    assert attempts[0]["error"] == "OSError: cable"
    starts = [datetime.fromisoformat(a["started_at"]) for a in attempts]
    assert starts[1] - starts[0] == starts[2] - starts[1] == timedelta(seconds=61)


def test_a_program_that_takes_too_long_times_out(world: VirtualScheduler) -> None:
    world.add_task(command(timeout=30, max_retries=0), every="1h")
    world.script("job", duration=math.inf)

    world.run_for(minutes=5)

    (run,) = world.runs("job")
    assert (run["state"], run["duration_seconds"]) == ("timed_out", 30)


def test_a_function_that_overran_keeps_its_seat_until_it_returns(world: VirtualScheduler) -> None:
    world.add_task(function(timeout=30, max_retries=0), every="1m")
    world.script("job", duration="150s")

    world.run_for(minutes=3, seconds=10)

    assert states(world) == ["timed_out", "running"]
    assert [(skip["reason"], skip["count"]) for skip in world.skips("job")] == [("overlap", 2)]


def test_a_function_that_listens_gives_its_seat_back_at_its_timeout(
    world: VirtualScheduler,
) -> None:
    world.add_task(function(timeout=30, max_retries=0), every="1m")
    world.script("job", duration="150s", listens=True)

    world.run_for(minutes=2, seconds=40)

    assert states(world) == ["timed_out"] * 3
    assert world.skips("job") == []


@pytest.mark.parametrize(
    "options",
    [
        {"duration": "soon"},
        {"duration": -1},
        {"duration": [1, None]},
        {"outcome": "fine"},
        {"outcome": []},
        {"outcome": ["succeeded", "nonsense"]},
    ],
)
def test_a_script_that_cannot_be_is_refused_when_it_is_written(
    world: VirtualScheduler, options: dict
) -> None:
    with pytest.raises(DefinitionError):
        world.script("job", **options)


# -- execution --------------------------------------------------------------------------------


def test_functions_are_really_called_in_no_virtual_time() -> None:
    world = VirtualScheduler(start=START, execute=True)
    called: list[datetime] = []

    def work() -> bool:
        called.append(current_run().scheduled_at)
        return len(called) != 2

    world.add_task(FunctionTask("job", None, work, max_retries=0), every="1h")
    world.run_for(hours=2)

    assert called[0] == datetime(2026, 10, 31, 15, tzinfo=UTC)
    assert states(world) == ["succeeded", "failed", "succeeded"]
    assert {run["duration_seconds"] for run in world.runs("job")} == {0}


def test_what_a_called_function_raises_is_the_error_of_its_run() -> None:
    world = VirtualScheduler(start=START, execute=True)

    def work() -> None:
        raise RuntimeError("the pump is dry")

    world.add_task(FunctionTask("job", None, work, max_retries=0))
    run_id = world.run_task("job")
    world.run_for(seconds=1)

    assert "the pump is dry" in world.ledger.run(run_id)["error"]


def test_a_function_that_cannot_be_found_fails_its_run_and_not_the_test() -> None:
    world = VirtualScheduler(start=START, execute=True)
    world.add_task(function(max_retries=0))
    # As after a restart of a program in which the module is gone.
    entry = replace(world._bindings.bound()[0], definition=_GONE)
    world._bindings.unbind("job")
    world._command(AddEntries, entries=[entry])

    run_id = world.run_task("job")
    world.run_for(seconds=1)

    assert "gone" in world.ledger.run(run_id)["error"]


# -- changes ----------------------------------------------------------------------------------


def test_what_falls_into_a_pause_is_skipped(world: VirtualScheduler) -> None:
    world.add_task(command(), every="1h")
    world.run_for(minutes=30)
    world.pause_task("job", "disk swap")
    world.run_for(hours=3)
    assert world.get_task_status("job")["status"] == "paused"

    world.resume_task("job")
    world.run_for(hours=1)

    assert len(world.runs("job")) == 2
    assert [(skip["reason"], skip["count"]) for skip in world.skips()] == [("paused", 3)]


def test_a_task_runs_on_request_once_an_id(world: VirtualScheduler) -> None:
    world.add_task(command())

    first = world.run_task("job", request_id="mine")
    again = world.run_task("job", request_id="mine")
    world.run_for(seconds=2)

    assert first == again
    assert states(world) == ["succeeded"]


def test_a_run_is_cancelled_and_a_task_removed(world: VirtualScheduler) -> None:
    world.add_task(command(max_retries=0), every="1h")
    world.script("job", duration="10m")
    world.run_for(minutes=1)

    assert world.cancel_run(world.runs("job")[0]["run_id"], "enough")
    world.run_for(seconds=1)
    assert states(world) == ["cancelled"]

    world.remove_task("job")
    world.run_for(days=1)
    assert len(world.runs("job")) == 1
    with pytest.raises(TaskNotFoundError):
        world.pause_task("job")


# -- time -------------------------------------------------------------------------------------


def test_a_step_goes_to_the_next_thing_that_happens(world: VirtualScheduler) -> None:
    assert world.step() is not None
    assert world.step() is None
    world.add_task(command(), at="2026-11-01T06:00:00+09:00")
    world.script("job", duration="5m")

    while not world.runs("job") or world.runs("job")[0]["state"] != "running":
        assert world.step() is not None

    assert world.now == datetime.fromisoformat("2026-11-01T06:00:00+09:00")


def test_time_goes_forward_only(world: VirtualScheduler) -> None:
    world.run_until("2026-11-02T00:00:00+09:00")

    with pytest.raises(DefinitionError, match="2026-11-02"):
        world.run_until("2026-11-01T00:00:00+09:00")
    with pytest.raises(DefinitionError):
        world.run_for("tomorrow")
    with pytest.raises(DefinitionError):
        world.run_until("tomorrow")


def test_a_clock_that_is_set_forward_makes_one_run_of_what_it_jumped_over(
    world: VirtualScheduler,
) -> None:
    heard: list[object] = []
    world.add_listener(heard.append)
    world.add_task(command(), every="1h")
    world.run_for(minutes=30)

    world.set_clock(by="5h")
    world.run_for(minutes=1)

    assert len(world.runs("job")) == 2
    assert [(skip["reason"], skip["count"]) for skip in world.skips()] == [("coalesced", 4)]
    assert any(isinstance(event, ClockStepped) for event in heard)


@pytest.mark.parametrize("by", [-7200, "-2h", timedelta(hours=-2)])
def test_a_clock_that_is_set_back_runs_nothing_twice(world: VirtualScheduler, by: object) -> None:
    world.add_task(command(), cron="0 * * * *")
    world.run_for(hours=3.5)

    world.set_clock(by=by)
    world.run_for(hours=3)

    keys = Counter(run["key"] for run in world.runs("job"))
    assert len(keys) == 5
    assert set(keys.values()) == {1}


def test_an_interval_goes_on_in_real_time_where_the_clock_is_set_back(
    world: VirtualScheduler,
) -> None:
    world.add_task(command(), every="1h")
    world.run_for(hours=3)

    world.set_clock(by="-2h")
    world.run_for(hours=3)

    assert len(world.runs("job")) == 7
    assert not world.skips()


def test_a_crash_loses_functions_and_leaves_programs_running(world: VirtualScheduler) -> None:
    options = {"max_retries": 0, "on_lost": "at_most_once", "timeout": None}
    world.add_task(function("function", **options), every="1d")
    world.add_task(command("program", **options), every="1d")
    world.script("*", duration="10m")
    world.run_for(minutes=5)

    world.crash(down="1m")
    world.run_for(hours=1)

    assert states(world, "function") == ["lost"]
    assert states(world, "program") == ["succeeded"]
    assert world.runs("program")[0]["duration_seconds"] == 600


def test_a_power_cut_loses_programs_too_and_what_it_missed_is_made_up_for(
    world: VirtualScheduler,
) -> None:
    world.add_task(command(timeout=None, max_retries=0, on_lost="at_most_once"), every="1h")
    world.script("job", duration="10m")
    world.run_for(minutes=5)

    world.crash(down="4h", power_cut=True)
    world.run_for(hours=1)

    assert states(world) == ["lost", "succeeded", "running"]
    assert [(skip["reason"], skip["count"]) for skip in world.skips()] == [("coalesced", 3)]


def test_a_program_that_ended_while_nobody_watched_is_settled_with_its_true_end(
    world: VirtualScheduler,
) -> None:
    world.add_task(command(timeout=None), every="1d")
    world.script("job", duration="10m")
    world.run_for(minutes=5)

    world.crash(down="2h")
    world.crash()
    world.run_for(minutes=1)

    (run,) = world.runs("job")
    assert (run["state"], run["duration_seconds"]) == ("succeeded", 600)


def test_events_tell_of_every_end(world: VirtualScheduler) -> None:
    ends: list[RunSettled] = []
    world.add_listener(lambda event: ends.append(event) if isinstance(event, RunSettled) else None)
    world.add_task(command(), every="1m")

    world.run_for(hours=1, seconds=5)

    assert len(ends) == 61


def test_a_world_that_is_let_go_closes_its_ledger() -> None:
    world = VirtualScheduler(start=START)
    store = world._store

    del world
    gc.collect()

    with pytest.raises(StoreError):
        store.fetch("count_entries")


def test_pools_rates_chains_pauses_and_backfills_are_those_of_the_facade() -> None:
    world = VirtualScheduler({}, start="2026-01-05T00:00:00+00:00", pools={"serial": 1})
    world.script("*", duration=10)
    for task_id in ("a", "b"):
        world.add_task(CommandTask(task_id, command=["true"], pool="serial"), every=3600)
    world.add_task(CommandTask("c", command=["true"], after=["a", "b"]))
    world.add_task(CommandTask("d", command=["true"], rate_limit="1/1h"), every=60)

    world.run_for("5m")

    starts = {run["task_id"]: run["started_at"] for run in world.runs(state="succeeded")}
    assert [starts[task_id][-11:-6] for task_id in "abc"] != ["00:00"] * 3
    assert starts["a"] < starts["b"] < starts["c"]
    assert [run["task_id"] for run in world.runs(state="succeeded")].count("d") == 1
    world.pause_task("a", until="2026-01-05T02:00:00+00:00")
    world.run_until("2026-01-05T02:30:00+00:00")
    assert [skip["reason"] for skip in world.skips("a")] == ["paused"]
    counts = world.backfill("a", "2026-01-05T00:00:00+00:00", "2026-01-05T02:00:00+00:00")
    assert counts == {"planned": 1, "present": 1}
