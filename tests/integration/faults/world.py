"""The place of one campaign: small disks, the scheduler's process on them, and its control socket.

Responsible for: mounting and unmounting, starting, reaping, and asking. Needs root: for the disks,
and to have system calls fail in a process (`strace`).
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from task_scheduler.control import HolderGoneError, ask
from tests.integration.faults.work import WITNESS_VARIABLE

ROOT = Path(__file__).resolve().parents[3]
PATIENCE_SECONDS = 60.0
"""Far above what anything here takes, on a busy machine too: a deadline for what never comes."""
_DISKS = {"disk": "32m", "logs": "24m"}
_STOP_SECONDS = 30.0


def lacking() -> str:
    """Say what this machine lacks for a campaign; empty where it lacks nothing."""
    if os.geteuid() != 0:
        return "only root may mount small disks and have system calls fail"
    return "" if shutil.which("strace") else "strace is not installed"


def wait_for(condition: Callable[[], object], seconds: float) -> bool:
    """Look again and again until a condition holds; False when it does not come in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.02)
    return True


def now() -> int:
    """Return the microseconds since the epoch."""
    return time.time_ns() // 1_000


class World:
    """One folder with two disks, and one scheduler at a time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.start_at = 0
        self.process: subprocess.Popen[bytes] | None = None
        self.errors = folder / "errors"
        self._mounted: list[Path] = []

    @property
    def state(self) -> Path:
        """The folder of the ledger."""
        return self.folder / "disk" / "state"

    @property
    def database(self) -> Path:
        """The ledger."""
        return self.state / "scheduler.db"

    @property
    def pid(self) -> int:
        """The scheduler's process."""
        assert self.process is not None
        return self.process.pid

    def open(self) -> None:
        """Mount the disks."""
        (self.folder / "witness").mkdir(parents=True)
        for name, size in _DISKS.items():
            place = self.folder / name
            place.mkdir()
            mount = ["mount", "-t", "tmpfs", "-o", f"size={size},mode=0700", "tmpfs", str(place)]
            subprocess.run(mount, check=True)
            self._mounted.append(place)

    def close(self) -> None:
        """End what runs, keep a copy of what it wrote as evidence, and unmount."""
        if self.process is not None and self.process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGCONT)
            self.process.kill()
            self.process.wait()
        for place in self._mounted:
            kept = place.with_name(f"{place.name}-kept")
            shutil.copytree(
                place, kept, ignore=shutil.ignore_patterns("filler*", "*.sock", "*.bell")
            )
            subprocess.run(["umount", "-l", str(place)], check=True)
        self._mounted.clear()

    def start(self) -> bool:
        """Start the scheduler; False if it does not run in time."""
        environment = {
            **os.environ,
            WITNESS_VARIABLE: str(self.folder / "witness"),
            "PYTHONPATH": str(ROOT),
            "LANG": "en",
        }
        with self.errors.open("ab") as errors:
            self.process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "tests.integration.faults.program",
                    str(self.folder),
                    str(self.start_at),
                ],
                cwd=ROOT,
                env=environment,
                stdout=errors,
                stderr=errors,
            )
        return wait_for(self.is_running, PATIENCE_SECONDS)

    def is_running(self) -> bool:
        """Whether the scheduler says that it runs."""
        return self.hello().get("state") == "running"

    def clear(self) -> None:
        """Begin anew, without a ledger and a witness."""
        shutil.rmtree(self.state)
        for path in (self.folder / "witness").iterdir():
            path.unlink()

    def tidy(self) -> None:
        """Remove what was moved away: a small disk has no room for all of it."""
        for folder in (self.folder / "disk").iterdir():
            if folder != self.state:
                shutil.rmtree(folder)

    def is_whole(self) -> bool:
        """Whether the ledger lies in its place with its log."""
        return all(Path(f"{self.database}{suffix}").exists() for suffix in ("", "-wal", "-shm"))

    def hello(self, seconds: float = 2.0) -> dict[str, Any]:
        """Return what the scheduler says of itself; nothing where it does not answer."""
        try:
            answer: dict[str, Any] = self.ask("hello", timeout_seconds=seconds)
        except (HolderGoneError, OSError):
            return {}
        return answer

    def problems(self) -> set[tuple[str, int]]:
        """Return the kinds of the problems that the scheduler shows, and since when."""
        return {(p["kind"], p["since"]) for p in self.hello().get("problems", ())}

    def ask(self, op: str, *, timeout_seconds: float = 20.0, **values: Any) -> Any:
        """Ask the scheduler, and nobody else: without it nothing is written by us."""
        socket = self.state / "scheduler.sock"
        return ask(socket, op, timeout_seconds=timeout_seconds, **values)

    def status(self) -> tuple[int, str]:
        """Return the exit code of `tsk status --json`, and its document."""
        config = self.folder / "status.json"
        if not config.exists():
            config.write_text(f'{{"storage": {{"path": "{self.database}"}}}}')
        done = subprocess.run(
            [sys.executable, "-m", "task_scheduler", "-c", str(config), "status", "--json"],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(ROOT), "LANG": "en"},
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr

    def stop(self) -> int | None:
        """End the scheduler as a user would; return its exit code, None if it hung."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            return None

    def kill(self) -> None:
        """End it at once."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def launcher(self) -> int | None:
        """Return the process of the launcher."""
        for folder in Path("/proc").iterdir():
            if not folder.name.isdigit():
                continue
            with contextlib.suppress(OSError):
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
                name = (folder / "comm").read_text().strip()
                if name == "tsk-launcher" and int(fields[1]) == self.pid:
                    return int(folder.name)
        return None
