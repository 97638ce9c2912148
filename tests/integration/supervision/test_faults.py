"""Faults around an attempt: stopped, killed, exhausted, full. Each is told, and heals by itself."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from task_scheduler.core.events import SupervisionFaltered
from task_scheduler.core.model import Claim, Outcome
from task_scheduler.core.recovery import Verdict
from task_scheduler.executors import process_flight
from task_scheduler.supervision import attempt_folder, launcher_client, signals
from tests.integration.supervision.bench import Bench, claim_of, eventually, is_alive
from tests.integration.supervision.test_survival import start_and_kill_a_scheduler

ROOT = Path(__file__).parents[3]

FUGITIVE = """
    import os, time
    if os.fork() == 0:
        os.setsid()
        if os.fork(): os._exit(0)                     # an orphan in a session of its own
        if os.fork(): os._exit(0)
        open("pids", "a").write(f"{os.getpid()}\\n")
        os.execve("/bin/sleep", ["sleep", "60"], {})  # and nothing tells whose it is
    while True: time.sleep(60)
    """


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have attempts looked at all the time."""
    for name, seconds in (("_LOOK_SECONDS", 0.2), ("_UNSTARTED_LOOK_SECONDS", 0.1)):
        monkeypatch.setattr(f"task_scheduler.executors.process.{name}", seconds)


def alarms_of(bench: Bench) -> list[str]:
    return [event.error for event in bench.events if isinstance(event, SupervisionFaltered)]


def record_of(bench: Bench, claim: Claim) -> dict[str, object]:
    folder = bench.executor.output_path(claim).parent
    record: dict[str, object] = json.loads((folder / "exit.json").read_text())
    return record


# -- the death of a supervisor ---------------------------------------------------------------------


def test_a_fugitive_of_a_killed_supervisor_is_ended_by_the_launcher(bench: Bench) -> None:
    claim = bench.launch(bench.program(FUGITIVE))
    (pid,) = bench.pids_in(bench.folder / "pids", 1)

    os.kill(bench.supervisor_of(claim), signal.SIGKILL)

    assert bench.end_of(claim).outcome is Outcome.LOST
    assert not is_alive(pid)


def test_a_launcher_guards_its_supervisors_after_the_scheduler_was_killed(
    new_bench: Callable[..., Bench], tmp_path: Path
) -> None:
    bench = new_bench(tmp_path)
    start_and_kill_a_scheduler(tmp_path, 1, bench.program(FUGITIVE))
    (pid,) = bench.pids_in(tmp_path / "pids", 1)

    os.kill(bench.supervisor_of(claim_of(1)), signal.SIGKILL)
    eventually("it is gone", lambda: not is_alive(pid))

    verdict, _ = bench.executor.inspect(claim_of(1), is_same_boot=True)
    assert verdict == Verdict.LOST


def test_where_the_launcher_was_killed_too_a_fugitive_is_known_by_the_census(bench: Bench) -> None:
    claim = bench.launch(bench.program(FUGITIVE))
    (pid,) = bench.pids_in(bench.folder / "pids", 1)
    supervisor = bench.supervisor_of(claim)
    folder = os.fsencode(bench.executor.output_path(claim).parent)
    eventually("the census knows it", lambda: pid in attempt_folder.read_members(folder))
    launcher = bench.executor.launcher.pid
    assert launcher is not None

    os.kill(launcher, signal.SIGKILL)
    os.kill(supervisor, signal.SIGKILL)

    assert bench.end_of(claim).outcome is Outcome.LOST
    assert not is_alive(pid)


def test_no_stray_signal_ends_a_supervisor_or_a_launcher(bench: Bench) -> None:
    claim = bench.launch(["sh", "-c", "while [ ! -e go ]; do sleep 0.02; done"])
    supervisor, launcher = bench.supervisor_of(claim), bench.executor.launcher.pid
    assert launcher is not None

    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGUSR1, signal.SIGALRM, signal.SIGPIPE):
        os.kill(supervisor, number)
        os.kill(launcher, number)
    os.kill(launcher, signal.SIGTERM)
    (bench.folder / "go").touch()

    assert bench.end_of(claim).outcome is Outcome.SUCCEEDED
    assert bench.run(["true"]).outcome is Outcome.SUCCEEDED
    assert bench.executor.launcher.pid == launcher


def test_memory_is_to_be_taken_from_the_task_and_not_from_its_supervisor(bench: Bench) -> None:
    claim = bench.launch(["sh", "-c", "cat /proc/self/oom_score_adj; sleep 60"])
    supervisor = bench.supervisor_of(claim)
    eventually("its output", lambda: bench.output_of(claim))

    own = Path("/proc/self/oom_score_adj").read_text()
    assert Path(f"/proc/{supervisor}/oom_score_adj").read_text() == own
    assert int(bench.output_of(claim)) == max(500, int(own))


# -- stopped ---------------------------------------------------------------------------------------


@pytest.mark.usefixtures("impatient")
def test_a_launcher_that_does_not_answer_is_replaced_and_nothing_starts_twice(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = bench.launch(["sh", "-c", "while [ ! -e go ]; do sleep 0.02; done"])
    bench.supervisor_of(running)
    launcher = bench.executor.launcher.pid
    assert launcher is not None
    os.kill(launcher, signal.SIGSTOP)
    # Not before: on a busy machine one that answers takes as long.
    monkeypatch.setattr("task_scheduler.executors.process._ANSWER", 300_000)

    claims = [bench.launch(["sh", "-c", f"echo x >> ran-{n}"]) for n in range(5)]
    outcomes = {bench.end_of(claim).outcome for claim in claims}
    (bench.folder / "go").touch()

    assert outcomes == {Outcome.SUCCEEDED}
    assert bench.end_of(running).outcome is Outcome.SUCCEEDED
    assert [(bench.folder / f"ran-{n}").read_text() for n in range(5)] == ["x\n"] * 5
    assert [text for text in alarms_of(bench) if f"pid {launcher}" in text] != []
    # It was told to go on: it takes the orders that it had, finds them carried out, and ends.
    eventually("the old launcher is gone", lambda: not is_alive(launcher))


@pytest.mark.usefixtures("impatient")
def test_a_stopped_supervisor_goes_on_keeps_the_timeout_and_is_told_of(bench: Bench) -> None:
    claim = bench.launch(["sleep", "60"], timeout_seconds=1)

    os.kill(bench.supervisor_of(claim), signal.SIGSTOP)
    end = bench.end_of(claim)

    assert end.outcome is Outcome.TIMED_OUT
    assert [text for text in alarms_of(bench) if "SIGSTOP" in text] != []


# -- exhausted -------------------------------------------------------------------------------------

PATCHED = """
import errno, os, sys
sys.path.append({root!r})
from task_scheduler.supervision import exit_record, launcher, supervisor
fork, write = os.fork, exit_record.ExitRecord.write
{patch}
launcher.serve(int(sys.argv[1]), sys.argv[2].encode())
"""
NO_SUPERVISOR = """
served = 0
def broke():
    raise OSError(errno.EAGAIN, "no more processes")
launcher.rehearse = lambda folder: setattr(os, "fork", broke)
"""
NO_TASK = """
def broke():
    pid = fork()
    if pid == 0:
        os.fork = full
    return pid
def full():
    raise OSError(errno.EAGAIN, "no more processes")
launcher.rehearse = lambda folder: setattr(os, "fork", broke)
"""
FULL_AT_THE_END = """
left = 2
def full(record, fields):
    global left
    left -= 1
    if left >= 0:
        raise OSError(errno.ENOSPC, "full")
    write(record, fields)
launcher.rehearse = lambda folder: setattr(exit_record.ExitRecord, "write", full)
"""


@pytest.fixture
def patched(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Have the launcher run with a patch of its own."""

    def patch(source: str) -> None:
        path = bench.folder / "launcher.py"
        path.write_text(PATCHED.format(root=str(ROOT), patch=source))
        monkeypatch.setattr(launcher_client.program, "__file__", str(path))  # type: ignore[attr-defined]

    return patch


def test_a_launcher_that_gets_no_process_says_so_with_the_remedy(
    bench: Bench, patched: Callable[[str], None]
) -> None:
    patched(NO_SUPERVISOR)

    end = bench.run(["true"])

    assert end.outcome is Outcome.FAILED
    assert end.error is not None
    assert os.strerror(11) in end.error
    assert "ulimit -u" in end.error


def test_a_supervisor_that_gets_no_process_records_it(
    bench: Bench, patched: Callable[[str], None]
) -> None:
    patched(NO_TASK)

    end = bench.run(["true"])

    assert end.outcome is Outcome.FAILED
    assert end.error == f"'true' could not be started: {os.strerror(11)}"


def test_an_end_that_a_full_disk_does_not_take_is_recorded_as_soon_as_there_is_room(
    bench: Bench, patched: Callable[[str], None]
) -> None:
    patched(FULL_AT_THE_END)

    end = bench.run(["sh", "-c", "exit 3"])

    assert (end.outcome, end.exit_code) == (Outcome.FAILED, 3)


def test_a_cancel_without_room_for_its_reason_ends_the_attempt_all_the_same(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim = bench.launch(["sleep", "60"])
    bench.supervisor_of(claim)

    def full(folder: bytes, reason: str) -> None:
        raise OSError(28, "full")

    monkeypatch.setattr(attempt_folder, "write_cancel_reason", full)
    bench.executor.cancel(claim, "enough")

    end = bench.end_of(claim)
    assert (end.outcome, end.error) == (Outcome.CANCELLED, "cancelled")


@pytest.mark.usefixtures("impatient")
def test_a_cancel_that_finds_no_descriptor_is_tried_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim = bench.launch(["sleep", "60"])
    bench.supervisor_of(claim)
    send, left = signals.signal_supervisor, [24, 24]

    def exhausted(folder: bytes, number: int) -> bool:
        if left:
            raise OSError(left.pop(), "no descriptors")
        return send(folder, number)

    monkeypatch.setattr(process_flight, "signal_supervisor", exhausted)
    bench.executor.cancel(claim, "enough")

    assert bench.end_of(claim).outcome is Outcome.CANCELLED
    assert left == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 KiB; only root can make one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("no file system may be mounted here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.may_skip(reason="mounting a small file system takes root")
def test_output_goes_on_when_a_full_disk_has_room_again(
    new_bench: Callable[..., Bench], small_disk: Path, tmp_path: Path
) -> None:
    bench = new_bench(small_disk)
    bench.run(["true"])
    script = (
        f"cd {tmp_path}; echo one; until [ -e full ]; do sleep 0.02; done; head -c 9000 /dev/zero;"
        " touch wrote; until [ -e room ]; do sleep 0.02; done; echo two"
    )
    claim = bench.launch(["sh", "-c", script])
    eventually("the first line", lambda: bench.output_of(claim) == b"one\n")
    ballast = small_disk / "ballast"
    with pytest.raises(OSError, match="space"):
        ballast.write_bytes(b"x" * 500_000)
    (tmp_path / "full").touch()
    eventually("the program went on", (tmp_path / "wrote").exists)
    ballast.unlink()
    (tmp_path / "room").touch()

    end = bench.end_of(claim)

    assert end.outcome is Outcome.SUCCEEDED
    kept = bench.output_of(claim)
    assert kept.startswith(b"one\n")
    assert kept.endswith(b" bytes are missing here: the disk took nothing more]\ntwo\n")
    assert record_of(bench, claim)["output_bytes"] == 9_008
    assert [text for text in alarms_of(bench) if "not whole" in text] != []


@pytest.mark.may_skip(reason="making a memory group takes root and version 1 of control groups")
def test_a_task_that_the_kernel_killed_for_want_of_memory_is_told_as_that(bench: Bench) -> None:
    group = Path("/sys/fs/cgroup/memory", f"tsk-test-{os.getpid()}")
    try:
        group.mkdir()
    except OSError:
        pytest.skip("no memory group may be made here")
    try:
        (group / "memory.limit_in_bytes").write_text("20000000")
        argv = bench.program(
            f"""
            import os
            open("{group}/cgroup.procs", "w").write(str(os.getpid()))
            bytearray(os.urandom(100_000_000))
            """
        )

        end = bench.run(argv)

        assert end.outcome is Outcome.FAILED
        assert end.error is not None
        assert (
            "killed by SIGKILL while the kernel was ending processes for want of memory"
            in end.error
        )
    finally:
        eventually("the group is empty", lambda: not (group / "cgroup.procs").read_text())
        group.rmdir()


def test_the_peak_is_that_of_the_whole_tree(bench: Bench) -> None:
    argv = bench.program(
        """
        import os, time
        for _ in range(4):
            if os.fork() == 0: break
        data = bytearray(os.urandom(30_000_000))
        open("pids", "a").write(f"{os.getpid()}\\n")
        while not os.path.exists("go"): time.sleep(0.02)
        """
    )
    claim = bench.launch(argv)
    bench.pids_in(bench.folder / "pids", 5)
    # Looks become rarer, up to one in two seconds.
    time.sleep(2.1)
    (bench.folder / "go").touch()
    bench.end_of(claim)

    record = record_of(bench, claim)
    peak, largest = record["peak_memory_bytes"], record["max_rss_bytes"]
    assert isinstance(peak, int)
    assert isinstance(largest, int)
    assert 150_000_000 < peak < 300_000_000
    assert largest < 100_000_000
    assert record["memory_source"] == "tree"


FOREIGN = """
import os, subprocess, sys, time
sys.path.append({root!r})
from pathlib import Path
from task_scheduler.clock import SystemClock
from task_scheduler.core.model import Claim, LaunchSpec
from task_scheduler.executors.process import ProcessExecutor
folder = Path({folder!r})
os.setgroups([]); os.setgid(65534); os.setuid(65534)
events, ends = [], []
executor = ProcessExecutor(runs=folder / "runs", bell=folder / "bell", clock=SystemClock(),
    report=ends.append, release=lambda: None, emit=events.append, output_limit_bytes=1000)
claim = Claim(run_id=1, task_id="t", key="k", attempt=1, token=7, scheduled_at=0, due_at=0,
    start_by=None, priority=0, slot=-1, executor="process", timeout=None, clock_offset=0)
code = ("import os, time; os.setresuid(0, 0, 0);"
    " open('pid', 'w').write(str(os.getpid())); time.sleep(60)")
shell = f'{python} -I -S -c "{{code}}" & while [ ! -s pid ]; do sleep 0.02; done'
spec = LaunchSpec(argv=("sh", "-c", shell),
    working_dir=str(folder), env={{}}, timeout_seconds=60, kill_grace_seconds=0.1)
executor.launch(claim, spec)
deadline = time.monotonic() + 20
while not events and not ends and time.monotonic() < deadline: time.sleep(0.02)
print(len(ends), events[0].error if events else "no event", flush=True)
sys.stdin.readline()
while not ends and time.monotonic() < deadline: time.sleep(0.02)
print(ends[0].outcome, flush=True)
executor.close()
"""


@pytest.mark.may_skip(reason="another user's process takes root and a Python for everybody")
def test_a_process_of_another_user_holds_the_attempt_open_and_raises_an_alarm() -> None:
    import shutil
    import tempfile

    python = shutil.which("python3", path="/usr/bin")
    if os.getuid() or python is None or sys.version_info[:2] != _version_of(python):
        pytest.skip("no root, or no such Python")
    folder = Path(tempfile.mkdtemp(dir="/tmp"))
    try:
        folder.chmod(0o777)
        program = folder / "python"
        shutil.copy(os.path.realpath(python), program)
        program.chmod(0o4755)
        source = FOREIGN.format(root=str(ROOT), folder=str(folder), python=str(program))
        with subprocess.Popen(
            [python, "-c", source], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as scheduler:
            assert scheduler.stdout is not None
            assert scheduler.stdin is not None
            told = scheduler.stdout.readline()
            pid = int((folder / "pid").read_text())
            os.kill(pid, signal.SIGKILL)
            scheduler.stdin.write("it is gone\n")
            scheduler.stdin.flush()
            outcome = scheduler.stdout.readline()

        assert told.startswith(f"0 processes {pid} of run 1 were killed and do not end")
        assert outcome == "succeeded\n"
    finally:
        shutil.rmtree(folder)


def _version_of(python: str) -> tuple[int, ...]:
    code = "import sys; print(*sys.version_info[:2])"
    told = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True)
    return tuple(map(int, told.stdout.split()))
