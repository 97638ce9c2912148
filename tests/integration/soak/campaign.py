"""One soak: a scheduler's process under very many short runs, looked at again and again.

Responsible for: the process from its start to an orderly end, requests from outside while it works,
the samples, and the verdict on each figure.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

from task_scheduler import FunctionTask, TaskScheduler
from tests.integration.soak.bounds import beyond
from tests.integration.soak.sample import FIGURES, Sample, runs_done, take
from tests.integration.soak.trend import Trend, trend_of

TASKS = 300
WARM_UP = 0.2
"""Of the samples: until caches are full and the first runs have reached the retention's bound."""
_PER = 100_000
"""Runs that a slope is given for."""
_PATIENCE_SECONDS = 60.0
_STOP_SECONDS = 30.0
_ROOT = Path(__file__).resolve().parents[3]


@dataclass(slots=True)
class Report:
    """What came of one soak."""

    samples: list[Sample] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    requests: int = 0

    def trends(self, warm_up: float = WARM_UP) -> dict[str, Trend]:
        """Return the slope of each figure after the warm-up, per 100,000 runs."""
        settled = self.samples[int(len(self.samples) * warm_up) :]
        xs = [sample.done / _PER for sample in settled]
        return {name: trend_of(xs, [getattr(s, name) for s in settled]) for name in FIGURES}

    def save(self, path: Path) -> None:
        """Write the samples, so that the figures can be read again."""
        saved = {"requests": self.requests, "samples": [asdict(s) for s in self.samples]}
        path.write_text(json.dumps(saved), encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> Report:
        """Read the samples that `save` wrote."""
        saved = json.loads(path.read_text(encoding="utf-8"))
        return cls([Sample(**values) for values in saved["samples"]], [], saved["requests"])


class Soak:
    """`runs` runs in one process; a sample every `every` runs."""

    def __init__(self, folder: Path, seed: str, *, runs: int, every: int) -> None:
        self.folder, self.seed = folder, seed
        self.runs, self.every = runs, every
        self.report = Report()
        self._database = folder / "state" / "scheduler.db"
        self._client: TaskScheduler | None = None

    def run(self) -> Report:
        """Start, sample until so many runs have ended, end it, and judge."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        errors = self.folder / "errors"
        with errors.open("wb") as stream:
            process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "tests.integration.soak.program"),
                    *(str(self.folder), str(TASKS), self.seed),
                ],
                cwd=_ROOT,
                env={
                    **os.environ,
                    "PYTHONPATH": str(_ROOT),
                    "LANG": "en",
                    # glibc keeps up to 240 kB of what was freed for each thread, and fills that in
                    # hundreds of thousands of runs: a bounded rise that would hide a leak.
                    "GLIBC_TUNABLES": "glibc.malloc.tcache_count=0",
                },
                stderr=stream,
            )
        try:
            self._watch(process)
            self._end(process)
        finally:
            process.kill()
            process.wait()
            if self._client is not None:
                self._client.stop()
        if said := [line for line in errors.read_text().splitlines() if "SIGTERM" not in line]:
            self._say(f"it wrote errors: {said[:5]}")
        # The first may find the launcher still at its preparations, with all that it inherited.
        self.report.violations += beyond(self.report.samples[1:], TASKS)
        self.report.save(self.folder / "samples.json")
        return self.report

    def _watch(self, process: subprocess.Popen[bytes]) -> None:
        began = progressed = time.monotonic()
        last = done = 0
        while done < self.runs:
            time.sleep(0.05)
            if process.poll() is not None:
                self._say(f"it ended by itself with {process.returncode} after {done} runs")
                return
            done = runs_done(self._database)
            # The last look comes when all have ended, however few came after the one before.
            if done < min(last + self.every, self.runs):
                if time.monotonic() - progressed > _PATIENCE_SECONDS:
                    self._say(f"no sample's worth of runs in {_PATIENCE_SECONDS:g} s after {done}")
                    return
                continue
            last, progressed = done, time.monotonic()
            self._ask()
            self.report.samples.append(take(process.pid, self.folder, progressed - began))
            # At once: a soak that is broken off has figures too.
            self.report.save(self.folder / "samples.json")

    def _ask(self) -> None:
        """Change something from another process, as people and programs do all the time."""
        if self._client is None:
            self._client = TaskScheduler(
                {},
                storage={"path": str(self._database)},
                logging={"log_dir": str(self.folder / "client-logs"), "console": False},
            )
        self._client.add_task(FunctionTask("guest", None, "math:floor", (1.5,)))
        self._client.pause_task("guest", "a guest")
        self._client.resume_task("guest")
        self._client.run_task("guest")
        self._client.get_task_status("guest")
        self._client.remove_task("guest")
        self.report.requests += 6

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        process.send_signal(signal.SIGTERM)
        try:
            code = process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._say(f"it did not end within {_STOP_SECONDS:g} s")
            return
        if code:
            self._say(f"it ended with {code}")

    def _say(self, problem: str) -> None:
        self.report.violations.append(problem)
