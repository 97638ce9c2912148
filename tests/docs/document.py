"""The fenced blocks of a Markdown document, and the programs that tests make of them.

Responsible for: extraction of blocks exactly as printed, and running one in a Python of its own
between the lines that a reader would have around it.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]

_FENCE = re.compile(
    r"^(?P<indent> *)```(?P<language>\w*)\n(?P<text>.*?)^(?P=indent)```", re.MULTILINE | re.DOTALL
)

IMPORTS = """
import json
import logging
import time
from datetime import datetime, timedelta
from task_scheduler import (
    BaseTask, FunctionTask, ScheduleRule, ScheduleType, ScriptTask, TaskScheduler,
)

def until(check, seconds=8.0):
    deadline = time.monotonic() + seconds
    while not (found := check()):
        assert time.monotonic() < deadline, "did not come true in time"
        time.sleep(0.01)
    return found
"""
"""What the document imports elsewhere, and how the lines after a block wait for an effect."""


@dataclass(frozen=True)
class Block:
    """One fenced block; `number` counts those of its language from 1."""

    language: str
    number: int
    text: str

    @property
    def name(self) -> str:
        """What a test says to mean this block."""
        return f"{self.language} {self.number}"


def blocks_of(document: Path) -> dict[str, Block]:
    """Return the blocks of a document by name, without the indentation of a list around them."""
    found: dict[str, Block] = {}
    counts: dict[str, int] = {}
    for match in _FENCE.finditer(document.read_text(encoding="utf-8")):
        language = match["language"] or "text"
        counts[language] = counts.get(language, 0) + 1
        block = Block(language, counts[language], textwrap.dedent(match["text"]))
        found[block.name] = block
    return found


def environment(language: str = "zh_CN.UTF-8") -> dict[str, str]:
    """Return the environment of a reader with this language."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("TASK_SCHEDULER", "FARM_", "LC_"))
    }
    return {**kept, "LANG": language, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}


def run(folder: Path, block: Block, *, before: str = "", after: str = "") -> str:
    """Run a block in a folder, between these lines; return what it printed."""
    program = _written(folder, block, before, after)
    done = subprocess.run(
        [sys.executable, program.name],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def run_until(folder: Path, block: Block, is_enough: Callable[[], bool], *, after: str = "") -> str:
    """Run a block that loops for ever; interrupt it as Ctrl-C does once it has done enough."""
    program = _written(folder, block, "", after)
    return interrupt([sys.executable, program.name], folder, is_enough)


def interrupt(argv: list[str], folder: Path, is_enough: Callable[[], bool]) -> str:
    """Start a program, send SIGINT once it has done enough, and return what it printed."""
    with subprocess.Popen(
        argv,
        cwd=folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        deadline = time.monotonic() + 20
        while not is_enough() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)
        was_enough = is_enough()
        process.send_signal(signal.SIGINT)
        try:
            output, _ = process.communicate(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            output, _ = process.communicate()
            raise AssertionError(f"SIGINT did not end it; it printed:\n{output}") from None
    assert was_enough, output
    assert process.returncode == 0, output
    return output


def _written(folder: Path, block: Block, before: str, after: str) -> Path:
    parts = [IMPORTS, textwrap.dedent(before), block.text, textwrap.dedent(after)]
    program = folder / "program.py"
    program.write_text("\n".join(parts), encoding="utf-8")
    return program
