"""Deaths: of scheduler, launcher, supervisor. No attempt starts twice, none is forgotten."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

from task_scheduler.core.model import Outcome
from task_scheduler.core.recovery import Verdict
from tests.integration.supervision.bench import Bench, claim_of, eventually, is_alive

ROOT = Path(__file__).parents[3]

SCHEDULER = """
import sys, time
from pathlib import Path
from tests.integration.supervision.bench import Bench, claim_of
bench = Bench(Path(sys.argv[1]))
claim = bench.launch(sys.argv[3:], claim=claim_of(int(sys.argv[2])))
bench.supervisor_of(claim)
print("started", flush=True)
time.sleep(60)
"""


def start_and_kill_a_scheduler(folder: Path, run_id: int, argv: list[str]) -> None:
    """Let another process launch an attempt, and kill that process."""
    process = subprocess.Popen(
        [sys.executable, "-c", SCHEDULER, str(folder), str(run_id), *argv],
        cwd=ROOT,
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    with process:
        assert process.stdout.readline() == b"started\n"
        process.kill()


def test_an_attempt_outlives_the_scheduler_and_the_next_one_reports_its_end(
    new_bench: Callable[..., Bench], tmp_path: Path
) -> None:
    script = "while [ ! -e go ]; do sleep 0.02; done; echo finished; exit 5"
    start_and_kill_a_scheduler(tmp_path, 1, ["sh", "-c", script])
    bench = new_bench(tmp_path)
    bench.executor.start()
    claim = claim_of(1)

    verdict, completion = bench.executor.inspect(claim, is_same_boot=True)
    bench.executor.adopt(claim)
    running = bench.executor.running_count()
    (tmp_path / "go").touch()
    end = bench.end_of(claim)

    assert (verdict, completion, running) == (Verdict.ALIVE, None, 1)
    assert (end.outcome, end.exit_code) == (Outcome.FAILED, 5)
    assert end.error == "exit code 5: finished"
    assert (len(bench.completions), bench.release_count) == (1, 1)


def test_an_attempt_that_ended_without_a_scheduler_is_found_as_it_ended(
    new_bench: Callable[..., Bench], tmp_path: Path
) -> None:
    start_and_kill_a_scheduler(tmp_path, 1, ["sh", "-c", "sleep 0.2; echo finished"])
    bench = new_bench(tmp_path)
    exit_record = bench.runs / "1-7" / "exit.json"
    eventually("the exit record", exit_record.exists)

    verdict, completion = bench.executor.inspect(claim_of(1), is_same_boot=True)

    assert verdict == Verdict.ENDED
    assert completion is not None
    assert completion.outcome is Outcome.SUCCEEDED


def test_an_adopted_attempt_can_be_cancelled(
    new_bench: Callable[..., Bench], tmp_path: Path
) -> None:
    start_and_kill_a_scheduler(tmp_path, 1, ["sleep", "60"])
    bench = new_bench(tmp_path)
    bench.executor.adopt(claim_of(1))

    assert bench.executor.cancel(claim_of(1), "replaced")

    assert bench.end_of(claim_of(1)).outcome is Outcome.CANCELLED


def test_the_launcher_ends_with_the_scheduler(bench: Bench) -> None:
    bench.run(["true"])
    launcher = bench.executor.launcher.pid
    assert launcher is not None

    bench.executor.close()

    eventually("the launcher has ended", lambda: not is_alive(launcher))


def test_an_attempt_that_never_started_is_buried_for_good(bench: Bench) -> None:
    claim = claim_of(1)

    verdict, completion = bench.executor.inspect(claim, is_same_boot=True)
    bench.launch(["sh", "-c", "echo ran > ran"], claim=claim)
    bench.end_of(claim)

    assert (verdict, completion) == (Verdict.NOT_STARTED, None)
    assert not (bench.folder / "ran").exists()


def test_a_second_order_for_one_attempt_starts_nothing(bench: Bench) -> None:
    claim = bench.launch(["sh", "-c", "echo started >> starts; sleep 0.3"])
    order = bench.executor._flights[f"{claim.run_id}-{claim.token}"].order
    assert order is not None
    for _ in range(5):
        bench.executor.launcher.send(order)
    bench.end_of(claim)
    bench.executor.forget([claim])
    # Also after everything but the output was deleted.
    bench.executor.launcher.send(order)
    bench.run(["true"])

    assert (bench.folder / "starts").read_text() == "started\n"
    assert len(bench.completions) == 2


def test_a_dead_launcher_is_replaced_and_its_attempts_live_on(bench: Bench) -> None:
    running = bench.launch(["sh", "-c", "while [ ! -e go ]; do sleep 0.02; done"])
    bench.supervisor_of(running)
    launcher = bench.executor.launcher.pid
    assert launcher is not None

    os.kill(launcher, signal.SIGKILL)
    end = bench.run(["true"])
    (bench.folder / "go").touch()

    assert end.outcome is Outcome.SUCCEEDED
    assert bench.end_of(running).outcome is Outcome.SUCCEEDED


def test_orders_that_a_dying_launcher_took_are_carried_out_once(bench: Bench) -> None:
    bench.run(["true"])
    launcher = bench.executor.launcher.pid
    assert launcher is not None
    os.kill(launcher, signal.SIGSTOP)

    claims = [bench.launch(["sh", "-c", f"echo x >> ran-{n}"]) for n in range(10)]
    os.kill(launcher, signal.SIGKILL)
    outcomes = {bench.end_of(claim).outcome for claim in claims}

    assert outcomes == {Outcome.SUCCEEDED}
    assert [(bench.folder / f"ran-{n}").read_text() for n in range(10)] == ["x\n"] * 10
    assert bench.release_count == len(bench.completions) == 11


def test_a_launcher_that_always_dies_fails_the_attempt(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")

    end = bench.run(["true"])

    assert end.outcome is Outcome.FAILED
    assert end.error is not None
    assert end.error.startswith("not started")


def test_no_python_is_told_with_the_remedy(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "")

    end = bench.run(["true"])

    assert end.outcome is Outcome.FAILED
    assert end.error is not None
    assert "sys.executable" in end.error
    assert bench.release_count == 1


TREE = """
    import os, time
    def stay():
        open("pids", "a").write(f"{os.getpid()}\\n")
        while True: time.sleep(60)
    if os.fork() == 0:
        stay()                                  # in the task's session
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0: stay()               # in another one, an orphan
        os._exit(0)
    stay()
    """


def test_an_attempt_whose_supervisor_was_killed_is_lost_and_nothing_of_it_is_left(
    bench: Bench,
) -> None:
    claim = bench.launch(bench.program(TREE))
    pids = bench.pids_in(bench.folder / "pids", 3)

    os.kill(bench.supervisor_of(claim), signal.SIGKILL)
    end = bench.end_of(claim)

    assert end.outcome is Outcome.LOST
    assert end.error is not None
    assert "supervisor" in end.error
    assert [pid for pid in pids if is_alive(pid)] == []
    assert bench.release_count == 1


def test_recovery_finds_a_lost_attempt_and_ends_what_is_left_of_it(
    new_bench: Callable[..., Bench], tmp_path: Path
) -> None:
    bench = new_bench(tmp_path)
    argv = bench.program(TREE)
    start_and_kill_a_scheduler(tmp_path, 1, argv)
    pids = bench.pids_in(tmp_path / "pids", 3)
    supervisor = bench.supervisor_of(claim_of(1))
    os.kill(supervisor, signal.SIGKILL)
    eventually("the supervisor is dead", lambda: not is_alive(supervisor))

    verdict, completion = bench.executor.inspect(claim_of(1), is_same_boot=True)

    assert verdict == Verdict.LOST
    assert completion is not None
    assert completion.outcome is Outcome.LOST
    assert [pid for pid in pids if is_alive(pid)] == []


@pytest.mark.parametrize("content", [None, "", "{", '{"format": 2}', "[]", "null", "\0" * 100])
def test_after_a_reboot_only_a_sound_record_tells_an_end(bench: Bench, content: str | None) -> None:
    folder = bench.runs / "1-7"
    folder.mkdir(parents=True)
    if content is not None:
        (folder / "exit.json").write_text(content)

    verdict, completion = bench.executor.inspect(claim_of(1), is_same_boot=False)

    assert verdict == Verdict.LOST
    assert completion is not None
    assert completion.error is not None
    assert "restarted" in completion.error


def test_after_a_reboot_a_sound_record_is_believed(bench: Bench) -> None:
    claim = bench.launch(["true"])
    bench.end_of(claim)

    verdict, completion = bench.executor.inspect(claim, is_same_boot=False)

    assert verdict == Verdict.ENDED
    assert completion == bench.completions[0]


def test_a_foreign_or_repeated_bell_changes_nothing(bench: Bench) -> None:
    import socket

    claim = bench.launch(["sleep", "0.3"])
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as stranger:
        for name in (f"{claim.run_id}-{claim.token}", "9-9", "../../etc", "\0\xff"):
            stranger.sendto(name.encode(), str(bench.folder / "scheduler.bell"))
        assert bench.end_of(claim).outcome is Outcome.SUCCEEDED
        stranger.sendto(b"1-7", str(bench.folder / "scheduler.bell"))
    bench.run(["true"])

    assert (len(bench.completions), bench.release_count) == (2, 2)


def test_a_bell_that_nobody_hears_costs_a_look_and_no_end(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("task_scheduler.executors.process._LOOK_SECONDS", 0.2)
    bench.executor.start()
    (bench.folder / "scheduler.bell").unlink()

    assert bench.run(["true"]).outcome is Outcome.SUCCEEDED


def test_a_long_path_has_a_bell_too(new_bench: Callable[..., Bench], tmp_path: Path) -> None:
    folder = tmp_path / ("a" * 100) / ("b" * 100)
    folder.mkdir(parents=True)
    bench = new_bench(folder)

    assert bench.run(["true"]).outcome is Outcome.SUCCEEDED


def test_fifty_attempts_leave_no_process_no_remnant_and_no_descriptor(bench: Bench) -> None:
    bench.run(["true"])
    before = descriptors_of(os.getpid())
    launcher = bench.executor.launcher.pid
    launcher_before = descriptors_of(launcher)

    claims = [bench.launch(["sh", "-c", "exit 0"]) for _ in range(50)]
    for claim in claims:
        bench.end_of(claim)

    eventually("every supervisor was reaped", lambda: children_of(launcher) == [])
    assert descriptors_of(os.getpid()) == before
    assert descriptors_of(launcher) == launcher_before
    assert (bench.release_count, bench.executor.running_count()) == (51, 0)


def test_a_fork_of_the_scheduler_disturbs_nothing(bench: Bench) -> None:
    claim = bench.launch(["sh", "-c", "while [ ! -e go ]; do sleep 0.02; done"])
    bench.supervisor_of(claim)

    with warnings.catch_warnings():
        # Python 3.12 warns that a fork copies no threads; that is what is tried here.
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if pid == 0:
        try:
            bench.executor.close()
        finally:
            os._exit(0)
    os.waitpid(pid, 0)
    (bench.folder / "go").touch()

    assert bench.end_of(claim).outcome is Outcome.SUCCEEDED
    assert (bench.folder / "scheduler.bell").exists()
    assert bench.run(["true"]).outcome is Outcome.SUCCEEDED


def test_a_fork_that_lives_on_does_not_keep_the_launcher(bench: Bench) -> None:
    bench.run(["true"])
    launcher = bench.executor.launcher.pid
    assert launcher is not None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if pid == 0:
        signal.pause()
        os._exit(0)

    try:
        bench.executor.close()

        eventually("the launcher has ended", lambda: not is_alive(launcher))
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def test_two_executors_on_one_folder_each_report_their_own(
    new_bench: Callable[..., Bench], tmp_path: Path
) -> None:
    first, standby = new_bench(tmp_path), new_bench(tmp_path)
    mine = first.launch(["true"], claim=claim_of(1))
    first.end_of(mine)

    theirs = standby.launch(["true"], claim=claim_of(2))

    assert standby.end_of(theirs).outcome is Outcome.SUCCEEDED
    assert (len(first.completions), len(standby.completions)) == (1, 1)


def test_after_closing_nothing_starts_and_that_is_told(bench: Bench) -> None:
    bench.executor.close()

    end = bench.run(["true"])

    assert end.outcome is Outcome.FAILED
    assert bench.release_count == 1


def test_a_program_that_kills_its_supervisor_is_lost_and_ended(bench: Bench) -> None:
    claim = bench.launch(["sh", "-c", "sleep 60 & echo $$ $! > pids; kill -9 $PPID; wait"])
    pids = bench.pids_in(bench.folder / "pids", 2)

    assert bench.end_of(claim).outcome is Outcome.LOST
    assert [pid for pid in pids if is_alive(pid)] == []


def test_a_program_that_deletes_its_own_folder_is_lost(bench: Bench) -> None:
    claim = bench.launch(["sh", "-c", 'rm -rf "$TASK_SCHEDULER_ATTEMPT_FOLDER"'])

    assert bench.end_of(claim).outcome is Outcome.LOST
    assert bench.release_count == 1


def test_orders_of_a_launcher_that_a_later_launch_found_dead_are_carried_out(bench: Bench) -> None:
    bench.run(["true"])
    launcher = bench.executor.launcher.pid
    assert launcher is not None
    os.kill(launcher, signal.SIGSTOP)
    first = bench.launch(["sh", "-c", "echo x >> first"])
    # As if a send had failed half-way, before the listener noticed anything.
    with bench.executor.launcher._guard:
        os.kill(launcher, signal.SIGKILL)
        bench.executor.launcher._let_go()
        bench.executor.launcher._has_died = True

    second = bench.run(["true"])

    assert second.outcome is Outcome.SUCCEEDED
    assert bench.end_of(first).outcome is Outcome.SUCCEEDED
    assert (bench.folder / "first").read_text() == "x\n"


def test_an_attempt_whose_folder_cannot_be_made_fails_and_says_why(bench: Bench) -> None:
    bench.executor.start()
    (bench.runs / "1-7").write_text("in the way")

    end = bench.run(["true"], claim=claim_of(1))

    assert end.outcome is Outcome.FAILED
    assert end.error is not None
    assert end.error.startswith("not started on this machine: File exists")


def test_a_supervisor_loads_nothing_heavy() -> None:
    code = (
        f"import sys; sys.path.append({str(ROOT)!r}); import task_scheduler.supervision.launcher;"
        " print(*sys.modules)"
    )
    loaded = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()

    heavy = {"asyncio", "dataclasses", "inspect", "logging", "pathlib", "subprocess", "threading"}
    assert heavy.isdisjoint(loaded)


def test_the_record_on_disk_is_plain_json(bench: Bench) -> None:
    claim = bench.launch(["sh", "-c", "echo '\"quoted\" 中文'; exit 1"])
    bench.end_of(claim)

    record = json.loads((bench.runs / "1-7" / "exit.json").read_text(encoding="utf-8"))

    assert record["error"] == 'exit code 1: "quoted" 中文'


def children_of(pid: int | None) -> list[str]:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


def descriptors_of(pid: int | None) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def test_a_launcher_that_is_stopped_when_its_scheduler_leaves_does_not_stay(bench: Bench) -> None:
    bench.run(["true"])
    launcher = bench.executor.launcher.pid
    assert launcher is not None
    os.kill(launcher, signal.SIGSTOP)

    bench.executor.close()

    eventually("the launcher has ended", lambda: not is_alive(launcher))
