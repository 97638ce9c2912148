"""How late `tsk logs -f` shows what a program writes, and what following costs meanwhile."""

from __future__ import annotations

import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import figures

OPTIONS = figures.options(400, interval=0.05)
PROGRAM = (
    "import sys, time\n"
    "for _ in range(int(sys.argv[1])):\n"
    "    print(time.time(), flush=True)\n"
    "    time.sleep(float(sys.argv[2]))\n"
)


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        words = [sys.executable, "-c", PROGRAM, str(OPTIONS.count), str(OPTIONS.interval)]
        entry = {"type": "command", "command": words, "schedule": [], "timeout": 0}
        config = folder / "scheduler_config.json"
        config.write_text(json.dumps({"logging": {"console": False}, "entries": {"ticks": entry}}))
        scheduler = _start(config, "up")
        try:
            lags, cpu = _followed(config)
        finally:
            scheduler.terminate()
            scheduler.wait()
    lags.sort()
    figures.say(
        p50_ms=statistics.median(lags) * 1_000,
        p99_ms=lags[int(len(lags) * 0.99)] * 1_000,
        max_ms=lags[-1] * 1_000,
        cpu_percent=cpu * 100,
    )


def _followed(config: Path) -> tuple[list[float], float]:
    """Return by how much each line came late, and the share of a core that following took."""
    while (asked := _tsk(config, "run", "ticks", "-q")).returncode:
        time.sleep(0.1)
    while _state(config) == "waiting":
        time.sleep(0.1)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    follower = _start(config, "logs", asked.stdout.strip(), "-f", stdout=subprocess.PIPE)
    assert follower.stdout is not None
    # What was written before the follower looked was not followed.
    lags, ready = [], 0.0
    began = time.perf_counter()
    for line in follower.stdout:
        now = time.time()
        written = float(line)
        ready = ready or now
        if written >= ready:
            lags.append(now - written)
    follower.wait()
    took = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return lags, used / took


def _state(config: Path) -> str:
    done = _tsk(config, "runs", "ticks", "--json")
    return str(json.loads(done.stdout)["runs"][0]["state"])


def _tsk(config: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "task_scheduler", "-c", str(config), *words],
        capture_output=True,
        text=True,
        check=False,
    )


def _start(config: Path, *words: str, stdout: int = subprocess.DEVNULL) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "task_scheduler", "-c", str(config), *words],
        stdout=stdout,
        stderr=subprocess.DEVNULL,
        text=True,
    )


if __name__ == "__main__":
    main()
