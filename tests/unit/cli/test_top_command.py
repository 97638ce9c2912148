"""`tsk top` where it cannot open: what is missing is named with the command that mends it."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from typing import Any

import pytest

from task_scheduler.cli.exit_codes import ExitCode
from tests.unit.cli.made_ledger import MadeLedger


def test_without_a_terminal_another_command_is_named(farm: MadeLedger) -> None:
    answer = farm.tsk("top")

    assert answer.code == ExitCode.USAGE
    assert "tsk status" in answer.err


def test_without_textual_the_way_to_install_it_is_told(
    farm: MadeLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    find: Any = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "textual" else find(name)
    )
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)

    answer = farm.tsk("top")

    assert answer.code == ExitCode.PROBLEM
    assert f"{sys.executable} -m pip install 'task-scheduler[tui]'" in answer.err


def test_textual_is_loaded_by_the_live_view_alone() -> None:
    program = (
        "import sys; from task_scheduler.cli import main; main(['help', 'top']);"
        "print([n for n in sys.modules if n.partition('.')[0] == 'textual'], file=sys.stderr)"
    )

    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert done.stderr.strip() == "[]"
