"""A folder in which commands are typed, and a scheduler that runs it, each in its own process.

Responsible for: the environment of commands, their documents, and waiting for what is to come.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

_PATIENCE_SECONDS = 30.0
_UNREACHABLE = 4
"""The exit code of `tsk status` where no scheduler runs."""
_UNSET = ("LC_ALL", "LC_MESSAGES", "TASK_SCHEDULER_CONFIG", "COLUMNS", "LINES", "TMUX")


def until(what: Callable[[], Any]) -> Any:
    """Wait until something is so, and return it."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < deadline:
        found = what()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(f"waited {_PATIENCE_SECONDS:g} s in vain")


class Shell:
    """Commands typed without a terminal, in a folder with a configuration."""

    def __init__(self, folder: Path, config: Mapping[str, Any]) -> None:
        self.folder = folder
        self.write_config(config)
        self.environ = {name: v for name, v in os.environ.items() if name not in _UNSET}
        root = str(Path(__file__).parents[2])
        self.environ |= {"LANG": "C.UTF-8", "TZ": "UTC", "PYTHONPATH": root}

    def write_config(self, config: Mapping[str, Any]) -> None:
        """Write the configuration."""
        (self.folder / "scheduler_config.json").write_text(json.dumps(config), encoding="utf-8")

    def start(self, *arguments: str, **options: Any) -> subprocess.Popen[str]:
        """Begin a command; its output is kept unless it is to go elsewhere."""
        return subprocess.Popen(
            [sys.executable, "-m", "task_scheduler", *arguments],
            cwd=self.folder,
            env=self.environ,
            text=True,
            stdin=subprocess.DEVNULL,
            **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options},
        )

    def tsk(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Type a command and wait for its end."""
        process = self.start(*arguments)
        out, err = process.communicate(timeout=60)
        return subprocess.CompletedProcess(arguments, process.returncode, out, err)

    def json(self, *arguments: str) -> Any:
        """Type a command and read its document."""
        done = self.tsk("--json", *arguments)
        assert done.stdout, done.stderr
        return json.loads(done.stdout)

    @contextlib.contextmanager
    def scheduler(self) -> Iterator[subprocess.Popen[str]]:
        """Run the scheduler for a while."""
        with (self.folder / "up.txt").open("a") as log:
            process = self.start("up", stdout=log, stderr=log)
        try:
            until(
                lambda: process.poll() is not None or self.tsk("status").returncode != _UNREACHABLE
            )
            assert process.poll() is None, (self.folder / "up.txt").read_text()
            yield process
        finally:
            if process.poll() is None:
                process.terminate()
                try:
                    process.wait(_PATIENCE_SECONDS)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
