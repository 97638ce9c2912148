"""The one reader of time.

Responsible for: the wall clock (*when*), the boot clock (*how long*) and the identity of this
boot. Everything else takes moments as arguments; a test keeps it so.
"""

from __future__ import annotations

import time

__all__ = ["SystemClock", "read_boot_id"]

_BOOT_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""Counts suspend too where the system has it (Linux); macOS's monotonic clock is the nearest."""


class SystemClock:
    """Read the machine's clocks, in microseconds."""

    def now(self) -> int:
        """Return the wall clock: microseconds since the Unix epoch, UTC."""
        return time.time_ns() // 1_000

    def boottime(self) -> int:
        """Return the microseconds since boot, suspend included; it never steps."""
        return time.clock_gettime_ns(_BOOT_CLOCK) // 1_000

    def monotonic(self) -> int:
        """Return the microseconds that this boot has been awake: systemd orders messages by it."""
        return time.monotonic_ns() // 1_000


def read_boot_id() -> str:
    """Return an id that changes with every boot of the machine.

    Where the system gives none, a new id each time: every claim of an earlier process then counts
    as started, which is the careful answer.
    """
    # Imported here: a supervisor reads the clock and must stay small.
    import uuid
    from pathlib import Path

    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return uuid.uuid4().hex
