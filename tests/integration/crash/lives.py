"""Processes under fire: started, waited for, killed.

Responsible for: their environment, and for reaping every one of them.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.integration.crash import census, witness

PATIENCE_SECONDS = 60.0
"""Far above what anything here takes, on a busy machine too: a deadline for what never comes."""
ROOT = Path(__file__).resolve().parents[3]


def environment_of(witness_folder: Path) -> dict[str, str]:
    """Return the environment in which programs of ours run."""
    return {
        **os.environ,
        witness.FOLDER_VARIABLE: str(witness_folder),
        "PYTHONPATH": str(ROOT),
        "LANG": "en",
    }


class Life:
    """One process of a program of ours, from its start to its death."""

    def __init__(
        self, program: str, arguments: list[str], *, witness_folder: Path, mark: str
    ) -> None:
        environment = {**environment_of(witness_folder), census.MARK_VARIABLE: mark}
        self.began = time.monotonic()
        self.is_running = False
        self.process = subprocess.Popen(
            [sys.executable, "-m", f"tests.integration.crash.{program}", *arguments],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    @property
    def pid(self) -> int:
        """Its process."""
        return self.process.pid

    def has_ended(self) -> bool:
        """Whether it has ended by itself."""
        return self.process.poll() is not None

    def wait_running(self, seconds: float) -> bool:
        """Wait until it says that it runs; False if it has not, or has ended, by then."""
        assert self.process.stdout is not None
        if not self.is_running and select.select([self.process.stdout], [], [], seconds)[0]:
            self.is_running = os.read(self.process.stdout.fileno(), 100).startswith(b"running")
        return self.is_running

    def end(self, number: int = signal.SIGKILL, seconds: float = PATIENCE_SECONDS) -> str:
        """Send a signal, reap it, and return what it wrote as its errors."""
        self.process.send_signal(number)
        try:
            return self.process.communicate(timeout=seconds)[1].decode(errors="replace")
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()
            raise
