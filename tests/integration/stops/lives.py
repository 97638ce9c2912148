"""Processes of the stop test: started, told things, and waited for.

Responsible for: their environment, their standard streams, and reaping every one of them.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import time
import uuid
from pathlib import Path

from tests.integration.crash import census, witness

ROOT = Path(__file__).resolve().parents[3]
PATIENCE_SECONDS = 60.0
"""Far above what anything here takes, on a busy machine too: a deadline for what never comes."""


class Life:
    """One process in the folder of a round, from its start to its end."""

    def __init__(self, folder: Path, arguments: list[str], *, is_telling: bool = False) -> None:
        self.folder = folder
        self.mark = uuid.uuid4().hex
        self._is_telling = is_telling
        self.errors_path = folder / f"errors-{self.mark}"
        self.began = time.monotonic()
        with self.errors_path.open("wb") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-m", *arguments],
                cwd=folder,
                env={
                    **os.environ,
                    witness.FOLDER_VARIABLE: str(folder / "witness"),
                    census.MARK_VARIABLE: self.mark,
                    "PYTHONPATH": str(ROOT),
                    "LANG": "en",
                    # What hangs is ended by SIGABRT, and says where it stood.
                    "PYTHONFAULTHANDLER": "1",
                },
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=errors,
            )

    @property
    def pid(self) -> int:
        """The process."""
        return self.process.pid

    @property
    def errors(self) -> str:
        """What it has written to its standard error."""
        return self.errors_path.read_text(errors="replace")

    def wait_running(self, seconds: float) -> bool:
        """Wait until it is the scheduler; False if it is not, or has ended, by then."""
        census.wait_for(lambda: self._is_running() or self.process.poll() is not None, seconds)
        return self.process.poll() is None and self._is_running()

    def _is_running(self) -> bool:
        if self._is_telling:
            return (self.folder / f"running-{self.pid}").exists()
        query = "SELECT count(*) FROM epochs WHERE pid = ? AND started_at > ?"
        since = (time.time() - (time.monotonic() - self.began)) * 1_000_000
        with contextlib.suppress(sqlite3.OperationalError):
            uri = f"file:{self.folder / 'scheduler.db'}?mode=ro"
            with contextlib.closing(sqlite3.connect(uri, uri=True)) as ledger:
                return bool(ledger.execute(query, (self.pid, since - 1_000_000)).fetchone()[0])
        return False

    def send(self, number: int) -> None:
        """Send a signal; of a process that has ended nothing is asked any more."""
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(number)

    def tell(self, word: str) -> None:
        """Write a line to its standard input."""
        assert self.process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write(word.encode() + b"\n")
            self.process.stdin.flush()

    def wait(self, seconds: float) -> int | None:
        """Wait for its end and return its exit code; None when it does not come in time.

        What hangs is ended then, and its errors say where each of its threads stood.
        """
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.send(signal.SIGABRT)
            self.process.wait(PATIENCE_SECONDS)
            return None

    def close(self) -> None:
        """Kill what is left of it, and forget what it wrote."""
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGKILL)
        assert self.process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.wait()
        census.end_all(self.mark)
