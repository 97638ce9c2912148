"""The memory of the scheduler's own process: watched, bounded, and collected if wished.

Responsible for: samples over hours and the faults that they are worth, whether it has more than it
may, and collecting garbage now and then. What memory a program of a task may have is supervision's.
"""

from __future__ import annotations

import gc
import logging
import os
from collections import deque
from collections.abc import Callable
from typing import Protocol

from task_scheduler.core.faults import FaultKind, Trouble
from task_scheduler.core.model import SECOND, Microseconds
from task_scheduler.core.ports import Clock
from task_scheduler.i18n import translate
from task_scheduler.observe.logs import LOGGER_NAME
from task_scheduler.observe.memory_trend import HOURS_KEPT, Growth, growth_of
from task_scheduler.observe.resources import resident_bytes

__all__ = ["MemoryCare"]

_SAMPLE: Microseconds = 60 * SECOND
_LOOK: Microseconds = 5 * SECOND
_JUDGE: Microseconds = 600 * SECOND
"""A trend of hours is no other a minute later."""
_PATIENCE: Microseconds = 60 * SECOND
"""For how long more than the limit is borne: what a task took for a moment is given back."""

_log = logging.getLogger(LOGGER_NAME)


class Bounds(Protocol):
    """What the section `scheduler` says of memory; None and 0: nothing."""

    @property
    def memory_warning(self) -> int | None:
        """Bytes above which it is told."""

    @property
    def memory_limit(self) -> int | None:
        """Bytes above which the process is to end."""

    @property
    def gc_interval_seconds(self) -> float:
        """How often garbage is collected."""


class MemoryCare:
    """Watch the memory of this process; the watchdog's thread looks, the engine's collects."""

    def __init__(
        self,
        clock: Clock,
        bounds: Callable[[], Bounds],
        *,
        read: Callable[[], int | None] = resident_bytes,
    ) -> None:
        self._clock = clock
        self._bounds = bounds
        self._read = read
        self._began = clock.boottime()
        self._samples: deque[tuple[Microseconds, int]] = deque(maxlen=HOURS_KEPT * 60)
        self._used: int | None = None
        self._looked_at = self._sampled_at = self._judged_at = self._began - _JUDGE
        self._growth: Growth | None = None
        self._over_since: Microseconds | None = None
        self._collected_at = self._began

    def growing(self) -> Trouble | None:
        """Return that memory grows hour by hour, if it does: a probe of the watchdog."""
        now = self._clock.boottime()
        used = self._look(now)
        if used is not None and now - self._sampled_at >= _SAMPLE:
            self._sampled_at = now
            self._samples.append((now, used))
        if now - self._judged_at >= _JUDGE:
            self._judged_at = now
            self._growth = growth_of(self._samples, self._began)
        growth = self._growth
        if growth is None:
            return None
        why = translate(
            "faults.memory_grew",
            grown=_megabytes(growth.grown_bytes),
            hours=growth.hours,
            rate=_megabytes(growth.bytes_per_hour),
            now=_megabytes(growth.now_bytes),
        )
        return Trouble(FaultKind.MEMORY_GROWS, f"pid {os.getpid()}", why)

    def high(self) -> Trouble | None:
        """Return that this process has more memory than it should: a probe of the watchdog."""
        bounds, used = self._bounds(), self._look(self._clock.boottime())
        least = bounds.memory_warning or bounds.memory_limit
        if used is None or not least or used <= least:
            return None
        why = translate("faults.memory_used", used=_megabytes(used), most=_megabytes(least))
        return Trouble(FaultKind.MEMORY_HIGH, f"pid {os.getpid()}", why)

    def exceeded(self) -> int:
        """Return the bytes of this process if they were above the limit for a minute, else 0."""
        now, limit = self._clock.boottime(), self._bounds().memory_limit
        used = self._look(now)
        if not limit or used is None or used <= limit:
            self._over_since = None
            return 0
        self._over_since = self._over_since if self._over_since is not None else now
        return used if now - self._over_since >= _PATIENCE else 0

    def collect(self) -> None:
        """Collect garbage if it is time for that: a chore of the engine's thread."""
        interval, now = self._bounds().gc_interval_seconds, self._clock.boottime()
        if not interval or now - self._collected_at < interval * SECOND:
            return
        self._collected_at = now
        before = self._read()
        count = gc.collect()
        after, took = self._read(), self._clock.boottime() - now
        freed = max(0, (before or 0) - (after or 0))
        _log.debug(
            translate(
                "logs.collected",
                count=count,
                freed=_megabytes(freed),
                seconds=f"{took / SECOND:.3f}",
            )
        )

    def _look(self, now: Microseconds) -> int | None:
        if now - self._looked_at >= _LOOK:
            self._looked_at = now
            self._used = self._read()
        return self._used


def _megabytes(count: int) -> str:
    return f"{count / 1e6:.1f} MB"
