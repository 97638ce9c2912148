"""The machine, the versions and the commit that stand beside every figure.

Responsible for: reading them. Figures without them say nothing a week later.
"""

from __future__ import annotations

import os
import platform
import sqlite3
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

__all__ = ["commit", "load_average", "machine", "sync_microseconds"]

_ROOT = Path(__file__).resolve().parent.parent
_SYNCS = 50


def machine() -> dict[str, Any]:
    """Return what the figures were measured on."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "processor": f"{os.cpu_count()} x {_processor()}",
        "memory": f"{memory / 2**30:.0f} GiB",
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "fdatasync of 8 kB": f"{sync_microseconds():.0f} µs",
    }


def commit() -> str:
    """Return the commit that was measured, with a mark if files were changed since."""
    found = _git("rev-parse", "--short", "HEAD")
    changed = _git("status", "--porcelain", "--untracked-files=no", "task_scheduler")
    return f"{found} with changes" if changed else found


def load_average() -> float:
    """Return how many processes wanted to run in the last minute."""
    return round(os.getloadavg()[0], 2)


def sync_microseconds() -> float:
    """Return the middle time of a small synced write where temporary files lie.

    It decides what a commit costs: everybody's durable figures hang on it.
    """
    times = []
    with tempfile.TemporaryFile() as file:
        for _ in range(_SYNCS):
            began = time.perf_counter()
            os.pwrite(file.fileno(), bytes(8192), 0)
            os.fdatasync(file.fileno())
            times.append(time.perf_counter() - began)
    return sorted(times)[_SYNCS // 2] * 1_000_000


def _git(*arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], capture_output=True, text=True, cwd=_ROOT, check=False
    )
    return done.stdout.strip()


def _processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in text.splitlines() if "model name" in line]
    return names[0] if names else platform.machine()
