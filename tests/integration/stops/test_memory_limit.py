"""A scheduler in the foreground that has too much memory ends in order, to be started anew."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from pathlib import Path

from task_scheduler import TaskScheduler

ROOT = Path(__file__).parents[3]
PROGRAM = """
    import json, sys
    from task_scheduler import TaskScheduler, memory_care
    # A minute is a long time for a test.
    memory_care._PATIENCE = memory_care._LOOK = 0
    sys.exit(TaskScheduler(json.loads(sys.argv[1])).run_forever())
"""


def ended(folder: Path, **scheduler: object) -> subprocess.CompletedProcess[str]:
    config = {
        "storage": {"path": str(folder / "scheduler.db")},
        "logging": {"log_dir": str(folder / "logs"), "console": True},
        "scheduler": {"language": "en", "stop_timeout_seconds": 20, **scheduler},
        "entries": {
            "once": {"type": "command", "command": ["sleep", "0.2"], "every": "1d"},
        },
    }
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(PROGRAM), json.dumps(config)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_it_drains_and_ends_with_the_code_that_has_it_started_anew(tmp_path: Path) -> None:
    done = ended(tmp_path, memory_limit="1MB")

    assert done.returncode == 10, done.stderr
    assert "more than scheduler.memory_limit" in done.stderr
    # What ran has ended in order and is recorded; a slow machine had not begun it.
    ledger = TaskScheduler(storage=str(tmp_path / "scheduler.db"))
    assert {run["state"] for run in ledger.view.runs("once")} <= {"succeeded", "waiting"}
    log = (tmp_path / "logs" / "scheduler.log").read_text(encoding="utf-8")
    assert "has more memory than it should" in log
