"""What this process uses of the machine, and what the machine has left.

Responsible for: one cheap reading at a time. Whatever cannot be read is None; nothing raises.
"""

from __future__ import annotations

import resource
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from task_scheduler.core.ports import Clock

if TYPE_CHECKING:
    import psutil

__all__ = ["ResourceSampler", "resident_bytes"]

_T = TypeVar("_T")


class ResourceSampler:
    """Read figures of this process, its machine and the disk of `folder`."""

    def __init__(self, clock: Clock, *, folder: Path | None = None) -> None:
        self._clock = clock
        self._folder = folder or Path.cwd()
        self._last: tuple[int, int, float] | None = None
        """Process id, boot clock and processor seconds at the last sample."""

    def sample(self) -> dict[str, int | float | None]:
        """Return the figures of now.

        `cpu_percent` is the mean since the last sample, 100 for one core fully used; None the
        first time, as there is nothing to compare with.
        """
        import psutil

        process = _read(psutil.Process)
        memory = _read(psutil.virtual_memory)
        disk = _read(lambda: psutil.disk_usage(str(self._folder)))
        return {
            "cpu_percent": self._cpu_percent(process) if process else None,
            "rss_bytes": _read(lambda: process.memory_info().rss) if process else None,
            "peak_rss_bytes": _read(_peak_bytes),
            "threads": _read(process.num_threads) if process else None,
            "open_files": _read(process.num_fds) if process else None,
            "read_bytes": _read(lambda: process.io_counters().read_bytes) if process else None,
            "written_bytes": _read(lambda: process.io_counters().write_bytes) if process else None,
            "memory_total_bytes": memory.total if memory else None,
            "memory_available_bytes": memory.available if memory else None,
            "disk_total_bytes": disk.total if disk else None,
            "disk_free_bytes": disk.free if disk else None,
        }

    def _cpu_percent(self, process: psutil.Process) -> float | None:
        times = _read(process.cpu_times)
        if times is None:
            return None
        pid, now, used = process.pid, self._clock.boottime(), times.user + times.system
        last, self._last = self._last, (pid, now, used)
        if last is None or last[0] != pid or now <= last[1]:
            return None
        return round(max(0.0, used - last[2]) / ((now - last[1]) / 1_000_000) * 100, 1)


def resident_bytes() -> int | None:
    """Return the memory that this process has now; None where that cannot be read."""
    import psutil

    return _read(lambda: psutil.Process().memory_info().rss)


def _read(reading: Callable[[], _T]) -> _T | None:
    import psutil

    try:
        return reading()
    except (psutil.Error, OSError, NotImplementedError, AttributeError):
        return None  # no such thing here, or not for this user


def _peak_bytes() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
