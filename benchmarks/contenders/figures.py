"""What every contender needs: its options, its memory, and the one line that it prints.

Standard library only: it is imported in the environment of each peer.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import resource
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

__all__ = [
    "Finish",
    "endure",
    "leave",
    "options",
    "rss_bytes",
    "say",
    "skip",
    "sleep_until",
    "switches",
]


def options(count: int, **more: object) -> argparse.Namespace:
    """Return the options of the command line: ``--count``, and those given with their defaults."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=count)
    for name, default in more.items():
        flag = f"--{name.replace('_', '-')}"
        if isinstance(default, bool):
            parser.add_argument(flag, action="store_true")
        else:
            parser.add_argument(flag, type=type(default), default=default)
    return parser.parse_args()


def say(**figures: float) -> None:
    """Print the figures as the harness reads them."""
    print(json.dumps(figures), flush=True)


def skip(reason: str) -> NoReturn:
    """Print why there are no figures here, and end."""
    print(json.dumps({"skipped": reason}), flush=True)
    leave()


def leave() -> NoReturn:
    """End at once: what a peer still has in its queues is nobody's business any more."""
    os._exit(0)


def rss_bytes() -> int:
    """Return how much memory this process has in hand."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return pages * os.sysconf("SC_PAGE_SIZE")


def switches() -> int:
    """Return how often threads of this process went to sleep and were woken."""
    total = 0
    for status in Path("/proc/self/task").glob("*/status"):
        for line in status.read_text(encoding="ascii").splitlines():
            if line.startswith("voluntary_ctxt_switches"):
                total += int(line.split()[1])
    return total


def sleep_until(moment: float) -> None:
    """Sleep until a moment of the wall clock."""
    while (rest := moment - time.time()) > 0:
        time.sleep(rest)


def endure(run: Callable[[int], None], count: int, part: int) -> dict[str, float]:
    """Let so many functions be run, in parts; return the rate and by what memory grew.

    The first tenth fills pools and caches; what comes after it is what a run leaves behind.
    """
    done, began, early = 0, time.perf_counter(), 0
    first = max(1, count // 10)
    while done < count:
        size = min(part, count - done, first - done if done < first else count)
        run(size)
        done += size
        if done == first:
            gc.collect()
            early = rss_bytes()
    took = time.perf_counter() - began
    gc.collect()
    late = rss_bytes()
    return {
        "runs_per_second": count / took,
        "resident_mb": late / 2**20,
        "per_run_bytes": max(0, late - early) / max(1, count - first),
    }


class Finish:
    """Counts no-op jobs until all have run; `work` is the job."""

    def __init__(self, wanted: int) -> None:
        self.count = 0
        self._wanted = wanted
        self._all_ended = threading.Event()
        self._guard = threading.Lock()

    def work(self, *_: object) -> bool:
        """Do nothing but count."""
        # Under a lock: on some interpreters two threads may count as one.
        with self._guard:
            self.count += 1
            if self.count >= self._wanted:
                self._all_ended.set()
        return True

    def is_over(self) -> bool:
        """Whether all have run."""
        return self._all_ended.is_set()

    def wait(self, check: Callable[[], None] | None = None) -> float:
        """Wait until all have run; return the moment on the performance counter."""
        while not self._all_ended.wait(0.5):
            if check is not None:
                check()
        return time.perf_counter()
