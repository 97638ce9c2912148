"""Tasks in control groups of their own: held by them, ended by them, and none is left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from task_scheduler import CommandTask, TaskScheduler
from tests.integration.confinement.groups import attempts_in, group_of_ours, needs_controllers
from tests.integration.facade.bench import eventually, is_alive, settled

ROOT = Path(__file__).parents[3]

pytestmark = pytest.mark.may_skip(reason="making control groups takes root and version 2 of them")

ORPHAN = """
import os, sys, time
open("group", "w").write(open("/proc/self/cgroup").read())
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        # Nothing by which it could be found, but for its group.
        os.execve(sys.executable, ["sleeper", "-I", "-S", "-c",
            "import os, time; open('orphan', 'w').write(str(os.getpid())); time.sleep(600)"], {})
    os._exit(0)
while not os.path.exists("orphan") or not open("orphan").read(): time.sleep(0.01)
"""


@pytest.fixture
def base() -> Iterator[Path]:
    with group_of_ours() as made:
        yield made


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    tmp_path.chmod(0o755)
    return tmp_path


@pytest.fixture
def scheduler(base: Path, folder: Path) -> Iterator[TaskScheduler]:
    with TaskScheduler(settings(base), **options(folder)) as made:
        yield made


def settings(base: Path) -> dict[str, Any]:
    return {"security": {"control_groups": str(base)}}


def options(folder: Path) -> dict[str, Any]:
    return {
        "storage": str(folder / "state" / "scheduler.db"),
        "logging": {"log_dir": str(folder / "logs"), "console": False},
        "tasks": {"max_retries": 0},
        "language": "en",
    }


def command(folder: Path, source: str, **more: Any) -> CommandTask:
    """Return a task that runs a Python program in that folder, with a limit that groups keep."""
    argv = [sys.executable, "-I", "-S", "-c", source]
    given = {"limits": {"memory_bytes": 4_000_000_000}, "on_lost": "at_most_once", **more}
    return CommandTask("t", None, argv, working_dir=folder, **given)


def pid_in(path: Path) -> int:
    """Wait until a program has written its pid."""
    return int(eventually(f"a pid in {path}", lambda: path.exists() and path.read_text().strip()))


def attempt_of(scheduler: TaskScheduler, task: CommandTask) -> dict[str, Any]:
    """Run a task and return its only attempt."""
    scheduler.add_task(task)
    [attempt] = settled(scheduler, scheduler.run_task("t"))["attempts"]
    return dict(attempt)


def cancelled_when(
    scheduler: TaskScheduler, task: CommandTask, path: Path
) -> tuple[int, dict[str, Any]]:
    """Run a task, cancel it once a pid is in a file; return the pid and the only attempt."""
    scheduler.add_task(task)
    run_id = scheduler.run_task("t")
    pid = pid_in(path)
    scheduler.cancel_run(run_id)
    [attempt] = settled(scheduler, run_id)["attempts"]
    return pid, dict(attempt)


def test_a_task_with_limits_has_a_group_of_its_own_that_goes_with_it(
    scheduler: TaskScheduler, base: Path, folder: Path
) -> None:
    attempt = attempt_of(scheduler, command(folder, ORPHAN))

    assert attempt["outcome"] == "succeeded", attempt
    own = [line for line in (folder / "group").read_text().splitlines() if line[:3] == "0::"]
    assert f"/{base.name}/attempt-" in own[0]
    assert not is_alive(pid_in(folder / "orphan"))
    assert attempts_in(base) == []


def test_a_task_without_limits_has_none(scheduler: TaskScheduler, base: Path, folder: Path) -> None:
    attempt_of(scheduler, command(folder, ORPHAN, limits={"open_files": 64}))

    assert base.name not in (folder / "group").read_text()


def test_groups_that_a_task_makes_below_its_own_go_with_it(
    scheduler: TaskScheduler, base: Path, folder: Path
) -> None:
    source = f"""
import os
[own] = [l.split(":", 2)[2].strip() for l in open("/proc/self/cgroup") if l.startswith("0::")]
below = os.path.join({str(base.parent)!r}, own.lstrip("/"), "below", "deep")
os.makedirs(below)
open(below + "/cgroup.procs", "w").write(str(os.getpid()))
if os.fork() == 0:
    os.setsid()
    open("orphan", "w").write(str(os.getpid()))
import time; time.sleep(600)
"""
    task = command(folder, source, kill_grace_seconds=0.1)

    pid, attempt = cancelled_when(scheduler, task, folder / "orphan")

    assert attempt["outcome"] == "cancelled", attempt
    assert not is_alive(pid)
    assert attempts_in(base) == []


def test_a_task_that_leaves_its_group_is_ended_with_its_tree_all_the_same(
    scheduler: TaskScheduler, base: Path, folder: Path
) -> None:
    elsewhere = base / "elsewhere"
    elsewhere.mkdir()
    leave = f"open({str(elsewhere / 'cgroup.procs')!r}, 'w').write(str(os.getpid()))"
    source = f"import os, time\n{leave}\n{ORPHAN}\ntime.sleep(600)"
    task = command(folder, source, kill_grace_seconds=0.1)

    pid, attempt = cancelled_when(scheduler, task, folder / "orphan")

    assert attempt["outcome"] == "cancelled", attempt
    assert "/elsewhere" in (folder / "group").read_text()
    assert not is_alive(pid)
    assert attempts_in(base) == ["elsewhere"]


def test_whoever_was_put_into_a_group_does_not_outlive_it(
    scheduler: TaskScheduler, base: Path, folder: Path
) -> None:
    # Not of its tree: nobody's child that the supervisor could see.
    with subprocess.Popen(["sleep", "600"]) as stranger:
        source = f"""
import time
[own] = [l.split(":", 2)[2].strip() for l in open("/proc/self/cgroup") if l.startswith("0::")]
open({str(base.parent)!r} + own + "/cgroup.procs", "w").write("{stranger.pid}")
"""
        attempt = attempt_of(scheduler, command(folder, source))
        stranger.wait(timeout=40)

    assert attempt["outcome"] == "succeeded", attempt
    assert attempts_in(base) == []


def test_a_task_whose_supervisor_and_launcher_were_killed_leaves_nobody_and_no_group(
    scheduler: TaskScheduler, base: Path, folder: Path
) -> None:
    source = (
        ORPHAN
        + f"""
def parent(pid): return int(open(f"/proc/{{pid}}/stat").read().rpartition(")")[2].split()[1])
supervisor = os.getppid(); launcher = parent(supervisor)
os.kill(launcher, {signal.SIGKILL:d}); os.kill(supervisor, {signal.SIGKILL:d})
time.sleep(600)
"""
    )
    attempt = attempt_of(scheduler, command(folder, source))

    assert attempt["outcome"] == "lost", attempt
    assert not is_alive(pid_in(folder / "orphan"))
    eventually("the group is gone", lambda: attempts_in(base) == [])


PROGRAM = """
import json, sys, time
from task_scheduler import TaskScheduler
from tests.integration.confinement.test_groups import command, options, settings
from pathlib import Path
base, folder = map(Path, sys.argv[1:])
scheduler = TaskScheduler(settings(base), **options(folder))
scheduler.start()
source = ("import os, time; open('pid', 'w').write(str(os.getpid()))\\n"
    "while not os.path.exists('go'): time.sleep(0.02)")
scheduler.add_task(command(folder, source))
print(scheduler.run_task("t"), flush=True)
time.sleep(600)
"""


def test_a_group_outlives_the_scheduler_and_goes_when_the_next_one_sees_its_end(
    base: Path, folder: Path
) -> None:
    argv = [sys.executable, "-c", PROGRAM, str(base), str(folder)]
    with subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        run_id = int(process.stdout.readline())
        pid = pid_in(folder / "pid")
        process.kill()
    between = attempts_in(base)

    with TaskScheduler(settings(base), **options(folder)) as heir:
        eventually("the heir holds the ledger", lambda: heir.view.task("t"))
        lives = is_alive(pid)
        during = attempts_in(base)
        (folder / "go").touch()
        run = settled(heir, run_id)

    assert lives
    assert len(between) == len(during) == 1
    assert run["state"] == "succeeded", run
    assert len(run["attempts"]) == 1
    assert attempts_in(base) == []


def test_a_group_that_a_crash_of_everything_left_is_gone_with_the_next_start(
    base: Path, folder: Path
) -> None:
    argv = [sys.executable, "-c", PROGRAM, str(base), str(folder)]
    with subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        run_id = int(process.stdout.readline())
        pid = pid_in(folder / "pid")
        supervisor = parent_of(pid)
        for dead in (parent_of(supervisor), supervisor, process.pid):
            os.kill(dead, signal.SIGKILL)

    with TaskScheduler(settings(base), **options(folder)) as heir:
        run = settled(heir, run_id)

    assert run["state"] == "lost", run
    assert not is_alive(pid)
    eventually("the group is gone", lambda: attempts_in(base) == [])


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


# -- what takes controllers -----------------------------------------------------------------------


def test_more_memory_than_the_tree_may_have_ends_it_and_says_so(
    scheduler: TaskScheduler, base: Path, folder: Path
) -> None:
    needs_controllers(base)
    # Each process has less than the limit, together they have more.
    source = """
import os, time
for _ in range(3):
    if os.fork() == 0: break
data = bytearray(b"x") * 30_000_000
time.sleep(600)
"""
    limits = {"memory_bytes": 64_000_000}
    attempt = attempt_of(scheduler, command(folder, source, limits=limits, timeout=60))

    assert attempt["error"] == "killed: memory limit 64 MB", attempt
    assert attempts_in(base) == []


def test_more_processes_than_the_tree_may_have_are_not_to_be_had(
    scheduler: TaskScheduler, base: Path, folder: Path
) -> None:
    needs_controllers(base)
    source = """
import os, time
for _ in range(20):
    if os.fork() == 0:
        time.sleep(600)
"""
    attempt = attempt_of(scheduler, command(folder, source, limits={"processes": 8}))

    assert attempt["outcome"] == "failed"
    assert attempt["error"].startswith("failed: limit of 8 processes"), attempt
    assert attempts_in(base) == []


def test_less_of_a_cpu_holds_a_task_back_and_its_timeout_says_so(
    scheduler: TaskScheduler, base: Path, folder: Path
) -> None:
    needs_controllers(base)
    task = command(folder, "while True: pass", limits={"cpu_percent": 20}, timeout=6)

    attempt = attempt_of(scheduler, task)

    assert attempt["outcome"] == "timed_out"
    assert "20 % of a CPU held it back for" in attempt["error"], attempt
    # A fifth of six seconds, and what it took until the group was entered.
    assert attempt["cpu_seconds"] < 3
