"""What becomes of failures, overruns and overlaps, as a user sees it."""

from __future__ import annotations

import itertools
import threading
import time
from datetime import datetime

from task_scheduler import CommandTask, FunctionTask, ScriptTask, current_run
from tests.integration.facade.bench import Bench, Neighbour, eventually, is_alive, ran, settled


def nothing() -> None:
    """Succeed."""


def test_a_failed_run_is_tried_again_with_growing_delays_and_is_one_run(bench: Bench) -> None:
    scheduler = bench.running()
    attempts: list[int] = []

    def fail_twice() -> bool:
        attempts.append(current_run().attempt)
        return len(attempts) > 2

    task = FunctionTask("t", func=fail_twice, max_retries=3, retry_delay=0.1, backoff="exponential")
    scheduler.add_task(task)

    run = settled(scheduler, scheduler.run_task("t"))

    assert run["state"] == "succeeded"
    assert attempts == [1, 2, 3]
    assert [a["outcome"] for a in run["attempts"]] == ["failed", "failed", "succeeded"]
    starts = [datetime.fromisoformat(a["started_at"]) for a in run["attempts"]]
    gaps = [(b - a).total_seconds() for a, b in itertools.pairwise(starts)]
    assert gaps[0] >= 0.1
    assert gaps[1] >= 0.2
    status = scheduler.get_task_status("t")
    assert (status["run_count"], status["success_count"]) == (1, 1)
    assert "Task failed, trying again in" in bench.log()


def test_retries_come_to_an_end(bench: Bench) -> None:
    scheduler = bench.running()
    task = CommandTask("c", command=["false"], max_retries=2, retry_delay=0)
    scheduler.add_task(task)

    run = settled(scheduler, scheduler.run_task("c"))

    assert run["state"] == "failed"
    assert [a["exit_code"] for a in run["attempts"]] == [1, 1, 1]
    assert scheduler.get_task_status("c")["failure_count"] == 1


def test_the_configuration_gives_the_policies_that_a_task_does_not(bench: Bench) -> None:
    scheduler = bench.running(tasks={"max_retries": 1, "retry_delay": 0.05, "default_timeout": 7})
    scheduler.add_task(FunctionTask("default", func=lambda: False))
    scheduler.add_task(FunctionTask("own", func=lambda: False, max_retries=0, timeout=9))

    default = settled(scheduler, scheduler.run_task("default"))
    own = settled(scheduler, scheduler.run_task("own"))

    assert (len(default["attempts"]), len(own["attempts"])) == (2, 1)
    assert scheduler.get_task_status("default")["policies"]["timeout"] == 7
    assert scheduler.get_task_status("own")["policies"]["timeout"] == 9


def test_a_script_is_killed_at_its_timeout_with_all_its_children(bench: Bench) -> None:
    scheduler = bench.running()
    pids = bench.folder / "pids"
    script = bench.script(
        f"""
        import os, subprocess, time
        child = subprocess.Popen(["sleep", "600"], start_new_session=True)
        open({str(pids)!r}, "w").write(f"{{os.getpid()}} {{child.pid}}")
        print("before the end", flush=True)
        time.sleep(600)
        """
    )
    scheduler.add_task(ScriptTask("s", script_path=script, timeout=0.7))

    run = settled(scheduler, scheduler.run_task("s"))

    assert run["state"] == "timed_out"
    assert not any(is_alive(int(pid)) for pid in pids.read_text().split())
    assert 0.6 <= run["duration_seconds"] < 5


def test_a_function_that_overruns_is_timed_out_at_once_and_keeps_its_seat(bench: Bench) -> None:
    scheduler = bench.running(max_workers=1)
    go_on = threading.Event()
    runs: list[int] = []

    def overrun() -> None:
        runs.append(current_run().run_id)
        if len(runs) == 1:
            go_on.wait(20)

    scheduler.add_task(FunctionTask("t", func=overrun, timeout=0.2), every=0.3)
    neighbour = Neighbour(scheduler)
    first = eventually("it runs", lambda: runs and runs[0])

    run = settled(scheduler, first)

    assert run["state"] == "timed_out"
    assert "still running" in run["error"]
    # The only worker is stuck in it: another one took its place.
    neighbour.goes_on(8)
    assert runs == [first], "its thread keeps the seat"
    assert "cannot be stopped and is still running" in bench.log()
    go_on.set()
    eventually("it fires again", lambda: len(runs) > 1)
    reasons = {skip["reason"] for skip in scheduler.view.skips("t")}
    assert reasons == {"overlap"}


def test_a_retry_of_a_function_waits_until_the_overrun_thread_has_ended(bench: Bench) -> None:
    scheduler = bench.running()
    go_on = threading.Event()
    spans: list[list[float]] = []

    def overrun() -> None:
        span = [time.monotonic()]
        spans.append(span)
        if len(spans) == 1:
            go_on.wait(20)
        span.append(time.monotonic())

    task = FunctionTask("t", func=overrun, timeout=0.2, max_retries=1, retry_delay=0)
    scheduler.add_task(task)
    run_id = scheduler.run_task("t")
    eventually("it is given up", lambda: "still running" in bench.log())
    assert len(spans) == 1

    go_on.set()

    run = settled(scheduler, run_id)
    assert [a["outcome"] for a in run["attempts"]] == ["timed_out", "succeeded"]
    assert spans[1][0] >= spans[0][1]


def test_a_function_that_heeds_its_cancellation_ends_at_its_timeout(bench: Bench) -> None:
    scheduler = bench.running()
    ended = threading.Event()

    def heed() -> None:
        if current_run().wait_cancelled(20):
            ended.set()

    scheduler.add_task(FunctionTask("t", func=heed, timeout=0.2))
    run = settled(scheduler, scheduler.run_task("t"))

    assert run["state"] == "timed_out"
    assert ended.wait(5)


def _slow(bench: Bench, overlap: str, **options: object):
    """Return a scheduler whose task lasts 0.5 s, is due every 0.2 s, and how many live at once."""
    scheduler = bench.running()
    living: set[int] = set()
    most = [0]

    def work() -> None:
        run = current_run()
        living.add(run.run_id)
        most[0] = max(most[0], len(living))
        run.wait_cancelled(0.5)
        living.discard(run.run_id)

    scheduler.add_task(FunctionTask("t", func=work, overlap=overlap, **options), every=0.2)
    return scheduler, most


def test_overlap_skip_leaves_rows_that_name_the_run_in_the_way(bench: Bench) -> None:
    scheduler, most = _slow(bench, "skip")

    ran(scheduler, "t", 3)

    assert most == [1]
    skips = scheduler.view.skips("t")
    assert {skip["reason"] for skip in skips} == {"overlap"}
    assert all(skip["blocker_run_id"] for skip in skips)
    assert "the previous run was still running" in bench.log()


def test_overlap_queue_starts_the_next_when_the_last_has_ended(bench: Bench) -> None:
    scheduler, most = _slow(bench, "queue")

    ran(scheduler, "t", 3)

    assert most == [1]
    latest, before = [r for r in scheduler.view.runs("t") if r["state"] == "succeeded"][:2]
    gap = datetime.fromisoformat(latest["started_at"]) - datetime.fromisoformat(before["ended_at"])
    assert 0 <= gap.total_seconds() < 0.15, "it was waiting already"


def test_overlap_allow_lets_them_run_side_by_side(bench: Bench) -> None:
    scheduler, most = _slow(bench, "allow", overlap_limit=2)

    ran(scheduler, "t", 4)

    assert most == [2]


def test_overlap_replace_ends_the_last_for_the_next(bench: Bench) -> None:
    scheduler = bench.running()
    scheduler.add_task(CommandTask("c", command=["sleep", "600"], overlap="replace"), every=0.5)

    ran(scheduler, "c", 2)

    ended = [run for run in scheduler.view.runs("c") if run["state"] not in ("running", "waiting")]
    assert {run["state"] for run in ended} == {"cancelled"}
    assert scheduler.get_task_status("c")["running_count"] <= 1


def test_a_cpu_bound_function_delays_nobody_for_long(bench: Bench) -> None:
    scheduler = bench.running()
    is_over = threading.Event()

    def burn() -> None:
        while not is_over.is_set():
            sum(range(1_000))

    scheduler.add_task(FunctionTask("burns", func=burn))
    scheduler.run_task("burns")
    try:
        Neighbour(scheduler).goes_on(10)
    finally:
        is_over.set()


def test_an_async_function_runs_and_its_failure_is_told(bench: Bench) -> None:
    scheduler = bench.running()

    async def measure() -> bool:
        raise ValueError(current_run().task_id)

    scheduler.add_task(FunctionTask("a", func=measure))

    run = settled(scheduler, scheduler.run_task("a"))

    assert run["state"] == "failed"
    assert "ValueError: a" in run["error"]


def test_more_tasks_than_workers_are_due_and_all_of_them_run(bench: Bench) -> None:
    scheduler = bench.running(max_workers=2)
    tasks = [(FunctionTask(f"t{number}", func=nothing), None) for number in range(50)]
    scheduler.add_tasks(tasks)

    for task, _ in tasks:
        scheduler.run_task(task.task_id)

    eventually(
        "all have run",
        lambda: all(s["success_count"] == 1 for s in scheduler.get_task_status()["tasks"].values()),
    )
