"""What supervision promises of every program it keeps for a warm start, too."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from task_scheduler.core.model import Outcome
from task_scheduler.core.recovery import Verdict
from tests.integration.supervision.bench import claim_of, eventually, is_alive
from tests.integration.warm.stage import Stage

ROOT = Path(__file__).parents[3]

SCHEDULER = """
import sys, time
from pathlib import Path
from tests.integration.warm.stage import Stage
stage = Stage(Path(sys.argv[1]))
quick = Path(sys.argv[1], "quick.py")
quick.write_text("")
stage.run(quick)
stage.await_templates()
claim = stage.launch(sys.argv[2])
stage.bench.supervisor_of(claim)
print("started", stage.templates()[0].pid, flush=True)
time.sleep(60)
"""

TREE = """
import os, subprocess, sys, time
child = subprocess.Popen(["sleep", "60"], start_new_session=True)
with open("pids", "w") as file:
    file.write(f"{os.getpid()} {child.pid}")
time.sleep(60)
"""


def warm_tree(stage: Stage, **options: float) -> tuple[object, list[int]]:
    """Launch, warm, a script that starts a process in a session of its own."""
    script = stage.scripts / "case.py"
    script.write_text("pass")
    stage.run(script)
    stage.await_templates()
    script.write_text(TREE)
    claim = stage.launch(script, **options)
    return claim, stage.bench.pids_in(stage.cwd / "pids", 2)


def test_a_timeout_ends_the_whole_tree(stage: Stage) -> None:
    claim, pids = warm_tree(stage, timeout_seconds=1)

    end = stage.bench.end_of(claim)

    assert (end.outcome, stage.start_of(claim)) == (Outcome.TIMED_OUT, "warm")
    assert not any(map(is_alive, pids))


def test_a_cancel_ends_the_whole_tree(stage: Stage) -> None:
    claim, pids = warm_tree(stage)

    stage.bench.executor.cancel(claim, "no longer wanted")
    end = stage.bench.end_of(claim)

    assert (end.outcome, end.error) == (Outcome.CANCELLED, "no longer wanted")
    assert stage.start_of(claim) == "warm"
    assert not any(map(is_alive, pids))


def test_if_its_supervisor_is_killed_nothing_is_left_and_the_attempt_is_lost(stage: Stage) -> None:
    claim, pids = warm_tree(stage)

    os.kill(stage.bench.supervisor_of(claim), signal.SIGKILL)
    end = stage.bench.end_of(claim)

    assert end.outcome is Outcome.LOST
    assert not any(map(is_alive, pids))


def test_if_template_and_supervisor_are_killed_nothing_is_left_either(stage: Stage) -> None:
    claim, pids = warm_tree(stage)
    [template] = stage.templates()

    os.kill(template.pid, signal.SIGKILL)
    os.kill(stage.bench.supervisor_of(claim), signal.SIGKILL)
    end = stage.bench.end_of(claim)

    assert end.outcome is Outcome.LOST
    assert not any(map(is_alive, pids))


def test_the_death_of_a_template_is_no_affair_of_its_runs(stage: Stage) -> None:
    script = stage.scripts / "case.py"
    script.write_text("pass")
    stage.run(script)
    stage.await_templates()
    script.write_text(
        "import os, time\nwhile not os.path.exists('go'): time.sleep(0.01)\nprint('to the end')"
    )
    claim = stage.launch(script)
    stage.bench.supervisor_of(claim)
    [template] = stage.templates()

    os.kill(template.pid, signal.SIGKILL)
    eventually("it is gone", lambda: not stage.templates())
    (stage.cwd / "go").touch()
    end = stage.bench.end_of(claim)

    assert (end.outcome, stage.start_of(claim)) == (Outcome.SUCCEEDED, "warm")
    assert stage.bench.output_of(claim) == b"to the end\n"


def test_a_warm_run_outlives_its_scheduler_and_the_next_one_reports_its_end(tmp_path: Path) -> None:
    script = tmp_path / "case.py"
    script.write_text(
        "import os, sys, time\nwhile not os.path.exists('go'): time.sleep(0.01)\nsys.exit(5)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", SCHEDULER, str(tmp_path), str(script)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    with process:
        word, pid = process.stdout.readline().split()
        process.kill()
    (tmp_path / "scripts").rmdir()
    stage = Stage(tmp_path)
    try:
        stage.bench.executor.start()
        claim = claim_of(2)
        verdict, _ = stage.bench.executor.inspect(claim, is_same_boot=True)
        stage.bench.executor.adopt(claim)
        (stage.cwd / "go").touch()
        end = stage.bench.end_of(claim)
        start = stage.start_of(claim)
    finally:
        stage.bench.close()

    assert (word, verdict, end.outcome, end.exit_code) == (
        b"started",
        Verdict.ALIVE,
        Outcome.FAILED,
        5,
    )
    assert start == "warm"
    eventually("the template ends with its last run", lambda: not is_alive(int(pid)))


def test_a_run_goes_on_after_a_close_and_its_template_as_long_as_it_is_needed(
    tmp_path: Path,
) -> None:
    stage = Stage(tmp_path)
    claim, pids = warm_tree(stage)
    [template] = [each.started_pid for each in stage.templates()]

    stage.bench.executor.close()
    are_alive = [is_alive(pid) for pid in (*pids, template)]
    os.kill(stage.bench.supervisor_of(claim), signal.SIGQUIT)

    assert all(are_alive)
    eventually("all are gone", lambda: not any(map(is_alive, (*pids, template))))
