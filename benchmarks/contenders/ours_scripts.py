"""Starts of a Python script with heavy imports, cold and warm, from the order to the exit record.

Prints one JSON object: for each way milliseconds of a lone run (median, least, most), milliseconds
of CPU a run in the scheduler and in all that it started (supervisor and script), and runs a second
with eight at a time.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from task_scheduler.clock import SystemClock
from task_scheduler.core.model import Claim, Completion, LaunchSpec
from task_scheduler.executors.process import ProcessExecutor

STANDARD = ("json", "sqlite3", "urllib.request")
_TICKS = os.sysconf("SC_CLK_TCK")
_AT_A_TIME = 8
_PATIENCE_SECONDS = 120.0


def main() -> None:
    options = _options()
    ways: dict[str, tuple[tuple[str, ...], tuple[str, ...] | None]] = {
        "cold": (STANDARD, None),
        "warm": (STANDARD, STANDARD),
    }
    if importlib.util.find_spec("requests"):
        ways["cold_requests"] = (("requests",), None)
        ways["warm_requests"] = (("requests",), ("requests",))
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        yard = _Yard(Path(folder))
        for name, (modules, preload) in ways.items():
            # Not called like a module that it imports: it would import itself.
            script = Path(folder) / f"script_{name}.py"
            script.write_text(_source(modules), encoding="utf-8")
            count = options.count if preload else max(5, options.count // 5)
            found[name] = yard.measure(script, preload, count)
        yard.executor.close()
    print(json.dumps(found))


def _source(modules: Sequence[str]) -> str:
    lines = [f"import {module}" for module in modules]
    lines += [f"assert {module}.__file__ != __file__" for module in modules]
    return "\n".join(lines) + "\n"


class _Yard:
    """An executor, and how long what it is given takes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ended: dict[int, tuple[float, Completion]] = {}
        self._changed = threading.Condition()
        self._next = 0
        self.executor = ProcessExecutor(
            runs=folder / "runs",
            bell=folder / "bell",
            clock=SystemClock(),
            report=self._take,
            release=lambda: None,
            emit=lambda event: print(event, file=sys.stderr),
            output_limit_bytes=100_000,
        )

    def measure(self, script: Path, preload: tuple[str, ...] | None, count: int) -> dict[str, Any]:
        """Return the figures of one way to start a script."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while self._start_of(self._run(script, preload)) != ("warm" if preload else "cold"):
            if time.monotonic() > deadline:
                raise SystemExit(f"no template became ready: {preload}")
            time.sleep(0.05)
        for _ in range(5):
            self._run(script, preload)
        before, own = self._cpu_seconds(preload), time.process_time()
        serial = [self._seconds_of(self._run(script, preload)) for _ in range(count)]
        own = time.process_time() - own
        time.sleep(0.1)
        cpu = self._cpu_seconds(preload) - before
        began = time.perf_counter()
        many = 3 * count
        waiting: list[int] = []
        for _ in range(many):
            waiting.append(self._launch(script, preload))
            if len(waiting) >= _AT_A_TIME:
                self._await(waiting.pop(0))
        for run_id in waiting:
            self._await(run_id)
        return {
            "count": count,
            "serial_ms": round(statistics.median(serial) * 1_000, 2),
            "serial_ms_least": round(min(serial) * 1_000, 2),
            "serial_ms_most": round(max(serial) * 1_000, 2),
            "cpu_ms": round(cpu / count * 1_000, 2),
            "scheduler_cpu_ms": round(own / count * 1_000, 2),
            "runs_per_second": round(many / (time.perf_counter() - began), 1),
        }

    def _launch(self, script: Path, preload: tuple[str, ...] | None) -> int:
        self._next += 1
        claim = Claim(
            run_id=self._next,
            task_id="script",
            key="k",
            attempt=1,
            token=1,
            scheduled_at=0,
            due_at=0,
            start_by=None,
            priority=0,
            slot=-1,
            executor="process",
            timeout=None,
            clock_offset=0,
        )
        spec = LaunchSpec(
            argv=(sys.executable, str(script)),
            working_dir=str(self._folder),
            env={"PYTHONUNBUFFERED": "1"},
            timeout_seconds=60,
            python=None if preload is None else {"preload": preload},
        )
        self._began = time.perf_counter()
        self.executor.launch(claim, spec)
        return claim.run_id

    def _run(self, script: Path, preload: tuple[str, ...] | None) -> int:
        run_id = self._launch(script, preload)
        self._await(run_id)
        return run_id

    def _await(self, run_id: int) -> None:
        with self._changed:
            if not self._changed.wait_for(lambda: run_id in self._ended, _PATIENCE_SECONDS):
                raise SystemExit(f"run {run_id} did not end")
            end = self._ended[run_id][1]
        if end.outcome != "succeeded":
            raise SystemExit(f"run {run_id} failed: {end.error}")

    def _seconds_of(self, run_id: int) -> float:
        return self._ended[run_id][0] - self._began

    def _start_of(self, run_id: int) -> str:
        record = self._folder / "runs" / f"{run_id}-1" / "exit.json"
        start: str = json.loads(record.read_text("utf-8")).get("start", "cold")
        return start

    def _cpu_seconds(self, preload: tuple[str, ...] | None) -> float:
        """Return the CPU of who starts, and of all that it has started and reaped."""
        # Each process is known here by what only a measurement asks for.
        warm = [t.pid for t in self.executor._warm._templates() if t.key.preload == preload]  # noqa: SLF001
        pid = warm[0] if preload else self.executor.launcher.pid
        fields = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()
        return sum(map(int, fields[11:15])) / _TICKS

    def _take(self, completion: Completion) -> None:
        with self._changed:
            self._ended[completion.run_id] = (time.perf_counter(), completion)
            self._changed.notify_all()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=100)
    return parser.parse_args()


if __name__ == "__main__":
    main()
