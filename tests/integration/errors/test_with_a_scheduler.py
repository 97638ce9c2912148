"""The codes that are met beside a scheduler in a process of its own, or as another user."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from task_scheduler import FunctionTask, TaskScheduler
from task_scheduler.cli import main
from task_scheduler.cli.exit_codes import ExitCode
from task_scheduler.control import ask
from task_scheduler.state_files import StateFiles
from tests.integration.errors.cases import met
from tests.integration.errors.stories import NOBODY, shut_out
from tests.integration.shell import until
from tests.unit.cli.made_ledger import Answer, MadeLedger

CODES = (
    "E3008", "E4002", "E4004", "E4005", "E4006", "E4007", "E4010", "E4011", "E5012",
)  # fmt: skip
EXIT_CODES = (ExitCode.TIMED_OUT, ExitCode.RUN_FAILED, ExitCode.INTERRUPTED)

_LATER = "2100-01-01T00:00:00+00:00"
_ENTRIES = {
    "bad": {"type": "command", "command": ["false"], "at": _LATER, "max_retries": 0},
    "endless": {"type": "command", "command": ["sleep", "600"], "at": _LATER},
}


class Running:
    """A scheduler in a process of its own, and the command line beside it."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self._capsys = capsys
        self.config = folder / "scheduler_config.json"
        config = {
            "scheduler": {"stop_timeout_seconds": 20, "enable_monitoring": False},
            "entries": _ENTRIES,
        }
        self.config.write_text(json.dumps(config), encoding="utf-8")
        with (folder / "up.txt").open("w") as log:
            self.process = self.start("up", stdout=log, stderr=log)
        try:
            until(lambda: self.tsk("status").code != ExitCode.UNREACHABLE)
        except AssertionError:
            self.process.kill()
            raise AssertionError((folder / "up.txt").read_text()) from None

    def start(self, *line: str, **options: Any) -> subprocess.Popen[str]:
        """Begin a command."""
        return subprocess.Popen(
            [sys.executable, "-m", "task_scheduler", *line],
            cwd=self.folder,
            env={**os.environ, "LANG": "en", "PYTHONPATH": os.pathsep.join(sys.path)},
            text=True,
            **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options},
        )

    def tsk(self, *line: str) -> Answer:
        """Type a command and wait for its end; in this process, which is sooner done."""
        code = main(["-c", str(self.config), *line])
        out, err = self._capsys.readouterr()
        return Answer(code, out, err)

    def close(self) -> None:
        """End it at once, with all that it runs."""
        for _ in range(2):
            self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@pytest.fixture
def running(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Running]:
    scheduler = Running(tmp_path, capsys)
    yield scheduler
    scheduler.close()


def test_a_run_that_takes_too_long_fails_or_is_interrupted(running: Running) -> None:
    late = running.tsk("run", "endless", "--timeout", "0.2")
    assert late.code == ExitCode.TIMED_OUT
    assert "error[E3008]: " in late.err
    run_id = re.findall(r"\d+", late.out)[0]
    assert running.tsk("kill", run_id, "--wait").code == ExitCode.FINE

    assert running.tsk("run", "bad", "--wait").code == ExitCode.RUN_FAILED

    waiting = running.start("run", "endless", "--wait")
    assert waiting.stdout is not None
    assert waiting.stdout.readline().strip().isdigit()
    waiting.send_signal(signal.SIGINT)
    _, err = waiting.communicate(timeout=60)
    assert waiting.returncode == ExitCode.INTERRUPTED
    assert "tsk kill" in err

    ending = running.tsk("down", "--timeout", "0.2")
    assert ending.code == ExitCode.TIMED_OUT
    assert "error[E4007]: " in ending.err


def test_what_the_running_scheduler_refuses_or_does_not_hear(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("task_scheduler.offers._SECONDS", 0.3)
    socket = StateFiles(running.folder / ".scheduler" / "scheduler.db").socket
    assert met(lambda: ask(socket, "nonsense")).code == "E4005"

    refused = running.tsk("metrics")
    assert refused.code == ExitCode.PROBLEM
    assert "error[E4010]: " in refused.err

    other = running.folder / "other.json"
    other.write_text('{"storage": {"path": ".scheduler/scheduler.db"}}', encoding="utf-8")
    refused = running.tsk("-c", str(other), "apply", "--yes")
    assert refused.code == ExitCode.CONFLICT
    assert "error[E4011]: " in refused.err

    second = TaskScheduler(str(running.config))
    second.add_task(FunctionTask("other", func=lambda: None), every=60)
    assert met(second.start).code == "E4006"
    second.stop(0)

    running.process.send_signal(signal.SIGSTOP)
    try:
        silent = running.tsk("pause", "bad")
    finally:
        running.process.send_signal(signal.SIGCONT)
    assert silent.code == ExitCode.UNREACHABLE
    assert "error[E4002]: " in silent.err


def test_the_scheduler_of_another_user_is_not_called_absent(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        ledger = MadeLedger(folder, capsys)
        # Once before, so that nothing is left to import.
        assert ledger.tsk("down").code == ExitCode.UNREACHABLE

        with shut_out(ledger.database.parent):
            answer = ledger.tsk("down")

    assert answer.code == ExitCode.NOT_ALLOWED
    assert "error[E4004]: " in answer.err


@pytest.mark.may_skip(reason="only root may give a folder away")
def test_the_state_folder_of_another_user_is_refused(farm: MadeLedger) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root may give a folder away")
    os.chown(farm.database.parent, NOBODY, NOBODY)

    answer = farm.tsk("pause", "heartbeat")

    assert answer.code == ExitCode.NOT_ALLOWED
    assert "error[E5012]: " in answer.err
