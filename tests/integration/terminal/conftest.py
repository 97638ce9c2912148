"""A terminal of 80 columns and 24 lines with a shell in it, and a scheduler beside it."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from task_scheduler.cli.display_width import width_of
from tests.integration.shell import Shell, until

WIDTH, HEIGHT = 80, 24
PYTHON = sys.executable
FAR = "2100-01-01T00:00:00+00:00"


def program(text: str) -> list[str]:
    """Return the command of a program of Python."""
    return [PYTHON, "-c", text]


ENTRIES: dict[str, Any] = {
    "heartbeat": {"type": "command", "command": program("print('beat')"), "every": "30d"},
    "slow": {
        "type": "command",
        "command": program(
            "import time\n"
            "for n in range(600):\n"
            "    print('line', n, flush=True)\n"
            "    time.sleep(0.5)\n"
        ),
        "at": FAR,
        "kill_grace_seconds": 1,
    },
    "brief": {
        "type": "command",
        "command": program("import time\nprint('working', flush=True)\ntime.sleep(4)"),
        "at": FAR,
    },
    "bad": {
        "type": "command",
        "command": program("print('going down'); raise SystemExit(3)"),
        "at": FAR,
        "max_retries": 0,
    },
    "flaky": {
        "type": "command",
        "command": program("print('one try'); raise SystemExit(4)"),
        "at": FAR,
        "max_retries": 1,
        "retry_delay": 3,
    },
}


class Place(Shell):
    """A folder with the configuration of the tests, and commands typed in it."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, configured(ENTRIES))

    def state_of(self, run_id: int) -> str:
        """Return where a run stands."""
        runs = self.json("runs", "-n", "100")["runs"]
        return next(run["state"] for run in runs if run["run_id"] == run_id)


def configured(entries: dict[str, Any]) -> dict[str, Any]:
    """Return a configuration with these tasks."""
    return {
        "scheduler": {"stop_timeout_seconds": 3},
        "logging": {"console": False},
        "entries": entries,
    }


class Screen:
    """A terminal that tmux keeps, and what is seen in it."""

    def __init__(self, place: Place) -> None:
        self._server = f"tsk-{uuid.uuid4().hex[:12]}"
        self._place = place
        self._tmux(
            *("new-session", "-d", "-x", str(WIDTH), "-y", str(HEIGHT), "-c", str(place.folder)),
            *("/bin/sh",),
        )
        # A shell of root has its own prompt, whatever the environment says.
        self.type("PS1='ready> '; clear")
        try:
            self.until("ready>", gone="PS1")
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """End the shell and the server of tmux that was made for it."""
        with contextlib.suppress(subprocess.CalledProcessError):
            self._tmux("kill-server")

    def type(self, line: str) -> None:
        """Type a line into the shell."""
        self._tmux("send-keys", "-l", line)
        self._tmux("send-keys", "Enter")

    def tsk(self, line: str) -> None:
        """Type a command of `tsk`; what it ends with stands after it as ``code=``."""
        self.type(f"clear; '{PYTHON}' -m task_scheduler {line}; echo code=$?")

    def press(self, *keys: str) -> None:
        """Press keys, as tmux names them."""
        for key in keys:
            self._tmux("send-keys", key)

    def write(self, text: str) -> None:
        """Type text without an end of line."""
        self._tmux("send-keys", "-l", text)

    def lines(self) -> list[str]:
        """Return what is on the screen."""
        shown = self._tmux("capture-pane", "-p").split("\n")[:HEIGHT]
        assert [line for line in shown if width_of(line) > WIDTH] == []
        return [line.rstrip() for line in shown]

    def text(self) -> str:
        """Return what is on the screen as one text."""
        return "\n".join(self.lines())

    def until(self, *wanted: str, gone: str = "") -> str:
        """Wait until all of these are on the screen, and one is not."""
        seen = ""

        def is_there() -> bool:
            nonlocal seen
            seen = self.text()
            return all(each in seen for each in wanted) and not (gone and gone in seen)

        try:
            until(is_there)
        except AssertionError:
            raise AssertionError(
                f"waited in vain for {wanted} without {gone!r} in\n{seen}"
            ) from None
        return seen

    def _tmux(self, *arguments: str) -> str:
        done = subprocess.run(
            ["tmux", "-u", "-L", self._server, "-f", "/dev/null", *arguments],
            env=self._place.environ | {"TERM": "xterm-256color"},
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.fixture
def up(place: Place) -> Iterator[subprocess.Popen[str]]:
    """A running scheduler."""
    with place.scheduler() as process:
        yield process


@pytest.fixture
def screen(place: Place) -> Iterator[Screen]:
    """A terminal in which commands are typed."""
    if shutil.which("tmux") is None:
        pytest.skip("tmux is not installed")
    made = Screen(place)
    yield made
    made.close()
