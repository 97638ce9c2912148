"""Stop means stopped: at a timeout, a cancel and an end nothing of the process tree is left."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from task_scheduler.core.model import Claim, Outcome
from task_scheduler.supervision import launcher_client
from tests.integration.supervision.bench import Bench, eventually, is_alive

TREE = """
    import os, signal, sys, time

    def note(): open("pids", "a").write(f"{os.getpid()}\\n")

    def linger():
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        note()
        while True: time.sleep(60)

    def child(*steps):
        if os.fork() == 0:
            for step in steps: step()
            linger()

    def orphaned():
        if os.fork(): os._exit(0)

    child()                                             # ignores TERM
    child(os.setsid)                                    # has its own session
    child(os.setsid, orphaned)                          # a daemon: double fork
    child(orphaned, os.setsid, orphaned)                # a daemon's daemon
    child(lambda: os.setpgid(0, 0))                     # has its own group
    """


def test_at_the_timeout_every_descendant_is_gone(bench: Bench) -> None:
    argv = bench.program(TREE + "\n    linger()\n")
    claim = bench.launch(argv, timeout_seconds=1, kill_grace_seconds=0.2)
    pids = bench.pids_in(bench.folder / "pids", 6)

    end = bench.end_of(claim)

    assert end.outcome is Outcome.TIMED_OUT
    assert end.error == "stopped after its timeout of 1 s"
    assert [pid for pid in pids if is_alive(pid)] == []
    assert end.ended_at - end.started_at < 4_000_000


def test_after_a_cancel_every_descendant_is_gone(bench: Bench) -> None:
    argv = bench.program(TREE + "\n    linger()\n")
    claim = bench.launch(argv, kill_grace_seconds=0.1)
    pids = bench.pids_in(bench.folder / "pids", 6)

    assert bench.executor.cancel(claim, "the user said so")
    end = bench.end_of(claim)

    assert (end.outcome, end.error) == (Outcome.CANCELLED, "the user said so")
    assert [pid for pid in pids if is_alive(pid)] == []


def test_what_a_program_leaves_behind_is_ended_and_counted(bench: Bench) -> None:
    ending = """
    while not os.path.exists("go"): time.sleep(0.01)
    """
    argv = bench.program(TREE + ending)
    claim = bench.launch(argv, kill_grace_seconds=0.1)
    pids = bench.pids_in(bench.folder / "pids", 5)
    (bench.folder / "go").touch()

    end = bench.end_of(claim)

    assert end.outcome is Outcome.SUCCEEDED
    assert [pid for pid in pids if is_alive(pid)] == []
    assert record_of(bench, claim)["leftover_count"] == 5


def test_a_background_process_that_holds_the_output_does_not_hold_the_attempt(bench: Bench) -> None:
    claim = bench.launch(["sh", "-c", "sleep 100 & echo done"])

    end = bench.end_of(claim)

    assert end.outcome is Outcome.SUCCEEDED
    assert bench.output_of(claim) == b"done\n"
    assert end.ended_at - end.started_at < 3_000_000


def test_a_program_that_heeds_term_has_its_grace(bench: Bench) -> None:
    argv = bench.program(
        """
        import os, signal, sys, time
        def tidy(*_):
            time.sleep(0.3)
            os.write(1, b"tidied up\\n")
            sys.exit(0)
        signal.signal(signal.SIGTERM, tidy)
        os.write(1, b"ready\\n")
        time.sleep(60)
        """
    )
    claim = bench.launch(argv)
    eventually("the program is ready", lambda: bench.output_of(claim) == b"ready\n")

    bench.executor.cancel(claim, "maintenance")
    end = bench.end_of(claim)

    assert end.outcome is Outcome.CANCELLED
    assert bench.output_of(claim) == b"ready\ntidied up\n"


def test_killing_all_gives_no_grace(bench: Bench) -> None:
    argv = bench.program(TREE + "\n    linger()\n")
    claim = bench.launch(argv, kill_grace_seconds=1_000)
    pids = bench.pids_in(bench.folder / "pids", 6)
    bench.executor.cancel(claim, "stopping")

    bench.executor.kill_all()
    end = bench.end_of(claim)

    assert end.outcome is Outcome.CANCELLED
    assert [pid for pid in pids if is_alive(pid)] == []


@pytest.mark.parametrize("how", ["timeout", "cancel"])
def test_a_stopped_program_is_ended_too(bench: Bench, how: str) -> None:
    claim = bench.launch(
        ["sh", "-c", "echo ready; kill -STOP $$; echo never"],
        timeout_seconds=0.5 if how == "timeout" else 60,
    )
    eventually("the program is ready", lambda: bench.output_of(claim) == b"ready\n")

    if how == "cancel":
        bench.executor.cancel(claim, "enough")
    end = bench.end_of(claim)

    assert end.outcome is (Outcome.TIMED_OUT if how == "timeout" else Outcome.CANCELLED)


def test_a_program_cannot_end_its_supervisor_by_a_signal_to_its_parent(bench: Bench) -> None:
    # TERM to the supervisor is how the scheduler cancels: it is taken as that, and told.
    end = bench.run(["sh", "-c", "kill -TERM $PPID; sleep 60"])

    assert (end.outcome, end.error) == (Outcome.CANCELLED, "cancelled")


def test_a_fork_bomb_comes_to_rest(bench: Bench) -> None:
    argv = bench.program(
        """
        import os, time
        for _ in range(6): os.fork()
        open("pids", "a").write(f"{os.getpid()}\\n")
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            pid = os.fork()
            if pid == 0: os._exit(0)
            os.waitpid(pid, 0)
        """
    )
    claim = bench.launch(argv, kill_grace_seconds=0.1)
    pids = bench.pids_in(bench.folder / "pids", 64)

    bench.executor.cancel(claim, "enough")
    bench.end_of(claim)

    assert [pid for pid in pids if is_alive(pid)] == []


def test_an_attempt_cancelled_before_its_start_never_starts(bench: Bench) -> None:
    claims = [
        bench.launch(["sh", "-c", f"echo ran >> ran-{number}; sleep 60"]) for number in range(20)
    ]
    for claim in claims:
        assert bench.executor.cancel(claim, "never mind")

    outcomes = {bench.end_of(claim).outcome for claim in claims}

    assert outcomes == {Outcome.CANCELLED}
    assert bench.release_count == 20


WITHOUT_SUBREAPER = """
import sys
sys.path.append({root!r})
from task_scheduler.supervision import kernel, launcher
kernel.load = lambda: None
launcher.serve(int(sys.argv[1]), sys.argv[2].encode())
"""


def test_where_orphans_cannot_be_adopted_the_process_group_is_ended_and_the_record_says_so(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As on a system that is not Linux.
    root = str(Path(__file__).parents[3])
    degraded = bench.folder / "launcher.py"
    degraded.write_text(WITHOUT_SUBREAPER.format(root=root))
    monkeypatch.setattr(launcher_client.program, "__file__", str(degraded))  # type: ignore[attr-defined]
    orphan = "sh -c 'sleep 60 & echo $! > pids'; sleep 60"

    claim = bench.launch(["sh", "-c", orphan], timeout_seconds=0.5)
    (pid,) = bench.pids_in(bench.folder / "pids", 1)
    end = bench.end_of(claim)

    assert end.outcome is Outcome.TIMED_OUT
    assert not is_alive(pid)
    assert record_of(bench, claim)["supervision"] == "process_group"


def test_a_cancel_of_something_unknown_says_so(bench: Bench) -> None:
    claim = bench.launch(["true"])
    bench.end_of(claim)

    assert bench.executor.cancel(claim, "too late") is False


def record_of(bench: Bench, claim: Claim) -> dict[str, object]:
    folder = bench.executor.output_path(claim).parent
    record: dict[str, object] = json.loads((folder / "exit.json").read_text())
    return record
