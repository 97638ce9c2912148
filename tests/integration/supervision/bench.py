"""A bench for supervision: an executor in a folder, and programs written for one test."""

from __future__ import annotations

import sys
import textwrap
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from task_scheduler.clock import SystemClock
from task_scheduler.core.events import Event
from task_scheduler.core.model import Claim, Completion, LaunchSpec
from task_scheduler.executors.process import ProcessExecutor

PATIENCE_SECONDS = 40.0
"""Far above what anything here takes: a deadline for what never comes."""


def claim_of(run_id: int, token: int = 7) -> Claim:
    """Return a claim; its run id and token name the folder of its attempt."""
    return Claim(
        run_id=run_id,
        task_id=f"task-{run_id}",
        key="k",
        attempt=1,
        token=token,
        scheduled_at=0,
        due_at=0,
        start_by=None,
        priority=0,
        slot=-1,
        executor="process",
        timeout=None,
        clock_offset=0,
    )


def eventually(what: str, condition: Callable[[], object]) -> object:
    """Wait until a condition holds, and return its value; fail when it never comes."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.005)
    pytest.fail(f"did not come within {PATIENCE_SECONDS:g} s: {what}")


def is_alive(pid: int) -> bool:
    """Whether a process runs; a remnant that nobody reaped does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in (b"Z", b"X")


class Bench:
    """An executor and what it reported."""

    def __init__(self, folder: Path, *, output_limit_bytes: int = 1_000_000) -> None:
        self.folder = folder
        self.runs = folder / "scheduler.runs"
        self.completions: list[Completion] = []
        self.release_count = 0
        self.events: list[Event] = []
        self._changed = threading.Condition()
        self._next_run_id = 0
        self.executor = ProcessExecutor(
            runs=self.runs,
            bell=folder / "scheduler.bell",
            clock=SystemClock(),
            report=self._take,
            release=self._count,
            emit=self.events.append,
            output_limit_bytes=output_limit_bytes,
        )

    def program(self, source: str, name: str = "program.py") -> list[str]:
        """Write a Python program and return its command."""
        path = self.folder / name
        path.write_text(textwrap.dedent(source), encoding="utf-8")
        # -I -S: it starts fast.
        return [sys.executable, "-I", "-S", str(path)]

    def launch(
        self,
        argv: list[str],
        *,
        env: Mapping[str, str] | None = None,
        timeout_seconds: float | None = 60,
        kill_grace_seconds: float = 5,
        working_dir: str | None = None,
        claim: Claim | None = None,
    ) -> Claim:
        """Launch one attempt and return its claim."""
        if claim is None:
            self._next_run_id += 1
            claim = claim_of(self._next_run_id)
        spec = LaunchSpec(
            argv=tuple(argv),
            working_dir=working_dir or str(self.folder),
            env=env or {},
            timeout_seconds=timeout_seconds,
            kill_grace_seconds=kill_grace_seconds,
        )
        self.executor.launch(claim, spec)
        return claim

    def end_of(self, claim: Claim) -> Completion:
        """Wait for the completion of an attempt."""

        def found() -> list[Completion]:
            return [
                c for c in self.completions if (c.run_id, c.token) == (claim.run_id, claim.token)
            ]

        with self._changed:
            if not self._changed.wait_for(found, PATIENCE_SECONDS):
                pytest.fail(f"no completion of {claim} within {PATIENCE_SECONDS:g} s")
            return found()[0]

    def run(self, argv: list[str], **options: object) -> Completion:
        """Launch one attempt and wait for its end."""
        return self.end_of(self.launch(argv, **options))  # type: ignore[arg-type]

    def output_of(self, claim: Claim) -> bytes:
        """Return what an attempt wrote so far."""
        try:
            return self.executor.output_path(claim).read_bytes()
        except FileNotFoundError:
            return b""

    def pids_in(self, path: Path, count: int) -> list[int]:
        """Wait until a program has written that many pids, and return them."""

        def read() -> list[int]:
            pids = [int(word) for word in path.read_text().split()] if path.exists() else []
            return pids if len(pids) >= count else []

        return eventually(f"{count} pids in {path}", read)  # type: ignore[return-value]

    def supervisor_of(self, claim: Claim) -> int:
        """Return the pid that the lock file of an attempt names, once its task has started."""
        lock = self.runs / f"{claim.run_id}-{claim.token}" / "lock"

        def read() -> int:
            words = lock.read_text().split() if lock.exists() else []
            return int(words[1]) if len(words) == 5 and words[3] != "0" else 0

        return eventually("the supervisor's pid", read)  # type: ignore[return-value]

    def _take(self, completion: Completion) -> None:
        with self._changed:
            self.completions.append(completion)
            self._changed.notify_all()

    def _count(self) -> None:
        with self._changed:
            self.release_count += 1
            self._changed.notify_all()

    def close(self) -> None:
        """End everything that is left and the executor."""
        self.executor.kill_all()
        eventually("all attempts have ended", lambda: self.executor.running_count() == 0)
        self.executor.close()
