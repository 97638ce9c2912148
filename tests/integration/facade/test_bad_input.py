"""What users get wrong: each has a clear answer at the right moment, and disturbs nothing else."""

from __future__ import annotations

import math
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from task_scheduler import (
    CommandTask,
    DefinitionError,
    FunctionTask,
    PolicyError,
    RunNotFoundError,
    ScheduleError,
    ScheduleRule,
    ScheduleType,
    ScriptTask,
    TaskNotFoundError,
)
from tests.integration.facade import work
from tests.integration.facade.bench import Bench, Neighbour, eventually, is_alive, ran, settled


def nothing() -> None:
    """Succeed."""


@pytest.mark.parametrize(
    "call",
    [
        lambda s: s.get_task_status("hart_beat"),
        lambda s: s.remove_task("hart_beat"),
        lambda s: s.pause_task("hart_beat"),
        lambda s: s.resume_task("hart_beat"),
        lambda s: s.run_task("hart_beat"),
    ],
    ids=["get_task_status", "remove_task", "pause_task", "resume_task", "run_task"],
)
def test_an_unknown_task_is_a_lookup_error_that_names_the_nearest(bench: Bench, call) -> None:
    scheduler = bench.scheduler()
    scheduler.add_task(FunctionTask("heart_beat", func=nothing))

    with pytest.raises(TaskNotFoundError, match=r"hart_beat.*heart_beat") as caught:
        call(scheduler)

    assert isinstance(caught.value, LookupError)


def test_an_unknown_run_is_a_lookup_error(bench: Bench) -> None:
    scheduler = bench.scheduler()

    with pytest.raises(RunNotFoundError, match="7") as caught:
        scheduler.cancel_run(7)

    assert isinstance(caught.value, LookupError)
    with pytest.raises(RunNotFoundError):
        scheduler.view.run(7)


def test_a_task_of_another_kind_may_not_take_an_id(bench: Bench) -> None:
    scheduler = bench.running()
    scheduler.add_task(FunctionTask("beat", func=nothing), every=3600)
    ran(scheduler, "beat")

    with pytest.raises(DefinitionError, match=r"beat.*remove_task"):
        scheduler.add_task(CommandTask("beat", command=["true"]), every=1)

    status = scheduler.get_task_status("beat")
    assert (status["kind"], status["rules"][0]["seconds"]) == ("function", 3600)
    scheduler.run_task("beat")
    assert ran(scheduler, "beat", 2)["failure_count"] == 0, "the first one's code is still bound"


def test_a_missing_script_warns_when_added_and_fails_when_run(bench: Bench, caplog) -> None:
    scheduler = bench.running()
    neighbour = Neighbour(scheduler)

    scheduler.add_task(ScriptTask("gone", script_path=bench.folder / "gone.py"))

    warned = [r.getMessage() for r in caplog.records if r.levelname == "WARNING"]
    assert any("gone.py" in text for text in warned)
    run = settled(scheduler, scheduler.run_task("gone"))
    assert run["state"] == "failed"
    assert "gone.py" in run["error"]
    neighbour.goes_on()


def test_a_missing_script_that_appears_runs(bench: Bench) -> None:
    scheduler = bench.running()
    scheduler.add_task(ScriptTask("late", script_path=bench.folder / "late.py"))

    bench.script("print('here now')", "late.py")

    assert settled(scheduler, scheduler.run_task("late"))["state"] == "succeeded"


def test_a_folder_as_script_warns_and_fails(bench: Bench, caplog) -> None:
    scheduler = bench.running()
    folder = bench.folder / "folder.py"
    folder.mkdir()

    scheduler.add_task(ScriptTask("folder", script_path=folder))

    assert any("folder.py" in r.getMessage() for r in caplog.records if r.levelname == "WARNING")
    run = settled(scheduler, scheduler.run_task("folder"))
    assert run["state"] == "failed"
    assert "folder" in run["error"]


@pytest.mark.parametrize("value", [None, 7, "not a reference", "os:no_such_thing", [print]])
def test_what_is_no_function_is_refused_at_once(value: object) -> None:
    with pytest.raises(DefinitionError, match=r"f1|no_such_thing|reference"):
        FunctionTask("f1", func=value)  # type: ignore[arg-type]


@pytest.mark.parametrize("every", [0, -1, -0.5, math.nan, math.inf, "soon", "-5m", True, []])
def test_an_impossible_interval_is_refused_and_leaves_no_task(bench: Bench, every: object) -> None:
    scheduler = bench.scheduler()

    with pytest.raises(ScheduleError):
        scheduler.add_task(FunctionTask("f", func=nothing), every=every)  # type: ignore[arg-type]

    assert scheduler.get_task_status()["total_tasks"] == 0


@pytest.mark.parametrize("seconds", [0, -30, math.nan, math.inf, "30", True])
def test_an_impossible_interval_rule_is_refused(seconds: object) -> None:
    with pytest.raises(ScheduleError, match="seconds"):
        ScheduleRule(ScheduleType.INTERVAL, seconds=seconds)  # type: ignore[arg-type]


def test_a_moment_just_past_runs_once_now(bench: Bench) -> None:
    scheduler = bench.running()
    at = datetime.now() - timedelta(seconds=10)

    scheduler.add_task(FunctionTask("once", func=nothing), at=at)

    status = ran(scheduler, "once")
    assert (status["status"], status["next_run_time"]) == ("finished", None)
    (run,) = scheduler.view.runs("once")
    assert datetime.fromisoformat(run["scheduled_at"]) == at.astimezone()
    assert scheduler.view.skips("once") == []


def test_a_moment_long_past_runs_once_now_by_default(bench: Bench) -> None:
    scheduler = bench.running()

    scheduler.add_task(FunctionTask("once", func=nothing), at="2001-02-03T04:05:06+09:00")

    assert ran(scheduler, "once")["run_count"] == 1
    assert scheduler.get_task_status("once")["status"] == "finished"


def test_a_moment_long_past_is_skipped_where_the_policy_says_so_and_the_ledger_says_it(
    bench: Bench,
) -> None:
    scheduler = bench.running()
    task = FunctionTask("once", func=nothing, misfire="skip", misfire_grace_seconds=1)

    scheduler.add_task(task, at=datetime.now(UTC) - timedelta(hours=1))

    (skip,) = eventually("the skip is recorded", lambda: scheduler.view.skips("once"))
    assert (skip["reason"], skip["count"]) == ("misfire", 1)
    status = scheduler.get_task_status("once")
    assert (status["run_count"], status["status"]) == (0, "finished")
    eventually("the log says it", lambda: "Skipped task: once" in bench.log())


def test_naive_and_aware_moments_may_be_mixed(bench: Bench) -> None:
    scheduler = bench.scheduler()
    soon = datetime.now().replace(microsecond=0) + timedelta(hours=1)
    rules = [
        ScheduleRule(ScheduleType.ONCE, run_at=soon),
        ScheduleRule(ScheduleType.ONCE, run_at=soon.astimezone(UTC) - timedelta(minutes=1)),
    ]

    scheduler.add_task(FunctionTask("mixed", func=nothing), rules)

    due = datetime.fromisoformat(scheduler.get_task_status("mixed")["next_run_time"])
    assert due == soon.astimezone() - timedelta(minutes=1)


def test_arguments_that_are_not_json_run_here_and_bind_the_task_to_this_process(
    bench: Bench,
) -> None:
    scheduler = bench.running()
    seen: list[object] = []
    thing = object()

    scheduler.add_task(FunctionTask("bound", func=seen.append, args=(thing,)), every=3600)

    ran(scheduler, "bound")
    assert seen == [thing]


def test_arguments_that_are_not_json_cannot_go_into_a_process(bench: Bench) -> None:
    scheduler = bench.scheduler()

    with pytest.raises(DefinitionError, match=r"iso.*JSON"):
        scheduler.add_task(
            FunctionTask("iso", func=work.leave_with, args=(object(),), isolation="process")
        )


def test_nan_as_argument_reaches_the_function_and_never_the_ledger(bench: Bench) -> None:
    scheduler = bench.running()
    seen: list[float] = []

    scheduler.add_task(FunctionTask("nan", func=seen.append, args=(math.nan,)), every=3600)

    status = ran(scheduler, "nan")
    assert math.isnan(seen[0])
    assert "NaN" not in str(status["definition"])


@pytest.mark.parametrize("value", [math.nan, -1, "long", True])
def test_nan_and_the_like_are_no_timeout(value: object) -> None:
    with pytest.raises(PolicyError, match="timeout"):
        FunctionTask("f", func=nothing, timeout=value)


def test_ten_megabytes_without_a_newline_are_kept_up_to_the_limit(bench: Bench) -> None:
    scheduler = bench.running(storage={"path": str(bench.database), "output_limit": "1MB"})
    neighbour = Neighbour(scheduler)
    script = bench.script("import sys; sys.stdout.write('x' * 10_000_000)")
    scheduler.add_task(ScriptTask("loud", script_path=script))

    run = settled(scheduler, scheduler.run_task("loud"))

    assert run["state"] == "succeeded"
    output = Path(run["attempts"][0]["output_path"])
    assert 1_000_000 <= output.stat().st_size < 1_010_000
    neighbour.goes_on()


def test_binary_output_is_kept_as_it_is_and_shown_as_text(bench: Bench) -> None:
    scheduler = bench.running()
    script = bench.script(
        r"""
        import sys
        sys.stdout.buffer.write(bytes(range(256)))
        sys.stdout.flush()
        sys.stderr.buffer.write(b"\xff\x00 failed \x1b[31m\n")
        sys.exit(3)
        """
    )
    scheduler.add_task(ScriptTask("binary", script_path=script))

    run = settled(scheduler, scheduler.run_task("binary"))

    assert (run["state"], run["attempts"][0]["exit_code"]) == ("failed", 3)
    assert bytes(range(256)) in Path(run["attempts"][0]["output_path"]).read_bytes()
    assert run["error"].isprintable() or "\n" in run["error"]
    assert "\x1b" not in bench.log()


@pytest.mark.parametrize(("code", "state"), [(3, "failed"), (0, "succeeded")])
def test_a_function_that_leaves_its_process_ends_its_attempt_alone(
    bench: Bench, code: int, state: str
) -> None:
    scheduler = bench.running()
    neighbour = Neighbour(scheduler)
    scheduler.add_task(
        FunctionTask("leaves", func=work.leave_with, args=(code,), isolation="process")
    )

    run = settled(scheduler, scheduler.run_task("leaves"))

    assert run["state"] == state
    assert run["attempts"][0]["exit_code"] == code
    neighbour.goes_on()


def test_a_child_that_a_task_forks_and_leaves_is_gone_with_the_attempt(bench: Bench) -> None:
    scheduler = bench.running()
    neighbour = Neighbour(scheduler)
    pid_file = bench.folder / "pid"
    task = FunctionTask(
        "forks", func=work.fork_and_leave_child, args=(str(pid_file),), isolation="process"
    )
    scheduler.add_task(task)

    run = settled(scheduler, scheduler.run_task("forks"))

    assert run["state"] == "succeeded"
    assert not is_alive(int(pid_file.read_text()))
    neighbour.goes_on()


def test_a_task_that_never_returns_is_killed_at_its_timeout(bench: Bench) -> None:
    scheduler = bench.running()
    neighbour = Neighbour(scheduler)
    pid_file = bench.folder / "pid"
    task = FunctionTask(
        "hangs",
        func=work.never_return,
        args=(str(pid_file),),
        isolation="process",
        timeout=1,
        kill_grace_seconds=0.2,
    )
    scheduler.add_task(task)

    run = settled(scheduler, scheduler.run_task("hangs"))

    assert run["state"] == "timed_out"
    assert "1" in run["error"]
    assert not is_alive(int(pid_file.read_text()))
    neighbour.goes_on()


def test_a_script_that_nobody_may_run_fails_with_the_remedy(bench: Bench) -> None:
    scheduler = bench.running()
    script = bench.script("#!/bin/sh\n", "tool.sh")
    script.chmod(0o600)
    scheduler.add_task(ScriptTask("tool", script_path=script))

    run = settled(scheduler, scheduler.run_task("tool"))

    assert run["state"] == "failed"
    assert "tool.sh" in run["error"]
    assert not os.access(script, os.X_OK)


@pytest.mark.parametrize("pairs", [[None], [("a",)], [(FunctionTask("a", func=nothing), 5)], [3]])
def test_what_is_no_pair_of_task_and_rule_is_refused(bench: Bench, pairs: list[object]) -> None:
    scheduler = bench.scheduler()

    with pytest.raises((DefinitionError, ScheduleError)):
        scheduler.add_tasks(pairs)  # type: ignore[arg-type]

    assert scheduler.get_task_status()["total_tasks"] == 0


@pytest.mark.parametrize("task", [None, "heartbeat", FunctionTask, object()])
def test_what_is_no_task_is_refused(bench: Bench, task: object) -> None:
    with pytest.raises(DefinitionError):
        bench.scheduler().add_task(task, every=1)  # type: ignore[arg-type]
