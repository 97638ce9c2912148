"""What a call costs before it does anything: only what it needs is loaded."""

from __future__ import annotations

import subprocess
import sys


def test_help_loads_no_heavy_library() -> None:
    heavy = ("pydantic", "rich", "sqlite3", "logging", "asyncio")
    program = (
        "import sys; from task_scheduler.cli import main; main(['--help']);"
        f"print([n for n in {heavy!r} if n in sys.modules], file=sys.stderr)"
    )

    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert done.stderr.strip() == "[]"
    assert "tsk help exit-codes" in done.stdout.replace("\n", " ")


def test_the_module_is_the_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "task_scheduler", "--version"],
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.startswith("tsk 1.")
