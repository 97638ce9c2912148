"""A script started by cronstable: ``--count`` jobs, each every second, for ``--seconds``.

From its documentation: a schedule of seven fields begins with the seconds; a job does not start
beside itself (concurrencyPolicy: Forbid), and output is not kept. What it could not start in time
it does not start: the rate is that of the scripts that came to their end while it had enough to do.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import figures
from script_files import ended, write_script

OPTIONS = figures.options(40, seconds=10.0)
_READY_SECONDS = 60.0


def main() -> None:
    program = Path(sys.executable).with_name("cronstable")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        script, tally = write_script(folder)
        jobs = [
            {
                "name": f"job-{number}",
                "command": [sys.executable, str(script)],
                "schedule": "* * * * * * *",
                "concurrencyPolicy": "Forbid",
                "captureStderr": False,
            }
            for number in range(OPTIONS.count)
        ]
        config = folder / "jobs.yaml"
        config.write_text("jobs:\n" + "\n".join(f"  - {_yaml(job)}" for job in jobs) + "\n")
        daemon = subprocess.Popen(
            [str(program), "-c", str(config), "-l", "ERROR"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        until = time.monotonic() + _READY_SECONDS
        while not ended(tally):
            if daemon.poll() is not None or time.monotonic() > until:
                raise SystemExit("cronstable started nothing")
            time.sleep(0.05)
        began, before = time.perf_counter(), ended(tally)
        time.sleep(OPTIONS.seconds)
        runs, took = ended(tally) - before, time.perf_counter() - began
        daemon.send_signal(signal.SIGTERM)
        daemon.wait()
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        whole = ended(tally)
    figures.say(
        cpu_ms=(used.ru_utime + used.ru_stime) / max(1, whole) * 1_000,
        runs_per_second=runs / took,
    )
    os._exit(0)


def _yaml(job: dict[str, object]) -> str:
    """Return a job on one line, its values quoted as YAML and JSON both read them."""
    lines = [f"{key}: {json.dumps(value)}" for key, value in job.items() if key != "command"]
    words = "\n".join(f"      - {json.dumps(word)}" for word in job["command"])  # type: ignore[attr-defined]
    lines.append(f"command:\n{words}")
    return "\n    ".join(line.replace("False", "false") for line in lines)


if __name__ == "__main__":
    main()
