"""Commands of `tsk` on a ledger of N tasks, each in a process of its own, by the median."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import figures

from task_scheduler import CommandTask, TaskScheduler

OPTIONS = figures.options(10_000, rounds=5)
COMMANDS = {
    "ls_ms": ["ls"],
    "status_ms": ["status"],
    "next_ms": ["next"],
}


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        config = folder / "scheduler_config.json"
        config.write_text(json.dumps({"logging": {"log_dir": name, "console": False}}))
        scheduler = TaskScheduler(config)
        scheduler.add_tasks(
            (CommandTask(f"task-{number}", "no-op", ["true"]), None)
            for number in range(OPTIONS.count)
        )
        scheduler.stop()
        found = {figure: _took(config, words) for figure, words in COMMANDS.items()}
    figures.say(**found)


def _took(config: Path, words: list[str]) -> float:
    """Return the milliseconds of one command."""
    times = []
    for _ in range(OPTIONS.rounds):
        began = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "task_scheduler", "-c", str(config), *words],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
        )
        times.append(time.perf_counter() - began)
    return statistics.median(times) * 1_000


if __name__ == "__main__":
    main()
