"""A script started again and again as a process: what it costs cron, and whoever spawns.

A floor for everybody who starts a fresh interpreter, and no scheduler: nothing is watched, limited
or recorded. One after the other for the lone time, two at a time for the rate.
"""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import figures
from script_files import ended, write_script

OPTIONS = figures.options(40)
_AT_A_TIME = 2


def cpu_seconds() -> float:
    """Return what the children have used that were waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        script, tally = write_script(Path(folder))
        command = [sys.executable, str(script)]
        subprocess.run(command, check=True)
        lone, cpu = [], cpu_seconds()
        for _ in range(OPTIONS.count):
            began = time.perf_counter()
            subprocess.run(command, check=True)
            lone.append(time.perf_counter() - began)
        cpu = cpu_seconds() - cpu
        began, running = time.perf_counter(), []
        for _ in range(OPTIONS.count):
            if len(running) == _AT_A_TIME:
                running.pop(0).wait()
            running.append(subprocess.Popen(command))
        for process in running:
            process.wait()
        rate = OPTIONS.count / (time.perf_counter() - began)
        if ended(tally) != 2 * OPTIONS.count + 1:
            raise SystemExit("not every script came to its end")
    figures.say(
        serial_ms=statistics.median(lone) * 1_000,
        cpu_ms=cpu / OPTIONS.count * 1_000,
        runs_per_second=rate,
    )


if __name__ == "__main__":
    main()
