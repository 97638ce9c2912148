"""A service manager for tests: starts a program as systemd does, and hears what it says."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[3]
PATIENCE_SECONDS = 30.0


class Manager:
    """A datagram socket with a process in front of it."""

    def __init__(self, folder: Path, *, is_abstract: bool = False) -> None:
        self.folder = folder
        name = f"task-scheduler-{os.getpid()}-{folder.name}"
        self.address = f"@{name}" if is_abstract else str(folder / "notify")
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(f"\0{name}" if is_abstract else self.address)
        self.heard: list[dict[str, str]] = []
        self.process: subprocess.Popen[str] | None = None

    def start(self, *arguments: str, watchdog_seconds: float = 0.0) -> subprocess.Popen[str]:
        """Start Python with arguments; a watchdog is asked for as systemd asks."""
        unset = ("LC_ALL", "LC_MESSAGES", "TASK_SCHEDULER_CONFIG")
        environ = {name: text for name, text in os.environ.items() if name not in unset}
        environ |= {"LANG": "C.UTF-8", "PYTHONPATH": str(ROOT), "NOTIFY_SOCKET": self.address}
        if watchdog_seconds:
            environ["WATCHDOG_USEC"] = str(round(watchdog_seconds * 1_000_000))
        self.process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=self.folder,
            env=environ,
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        return self.process

    def until(self, is_it: Callable[[dict[str, str]], Any], what: str) -> dict[str, str]:
        """Hear messages until one is it, and return that; those before it are in `heard`."""
        until = time.monotonic() + PATIENCE_SECONDS
        while True:
            message = self.next(until - time.monotonic())
            assert message is not None, f"not heard: {what}; heard: {self.heard}"
            if is_it(message):
                return message

    def next(self, seconds: float) -> dict[str, str] | None:
        """Return the next message; None where none comes in time."""
        if seconds <= 0:
            return None
        self._socket.settimeout(seconds)
        try:
            text = self._socket.recv(65_536).decode()
        except TimeoutError:
            return None
        message = dict(line.split("=", 1) for line in text.split("\n"))
        self.heard.append(message)
        return message

    def end(self) -> tuple[int, str]:
        """Send SIGTERM; return the exit code, and what was written to stderr."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        _, text = self.process.communicate(timeout=PATIENCE_SECONDS * 2)
        return self.process.returncode, text

    def close(self) -> None:
        """End what still runs."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.communicate()
        self._socket.close()
