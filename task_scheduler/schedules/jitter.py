"""Jitter: a delay that spreads what is due at the same instant, and is always the same.

Responsible for: the delay of one occurrence of one task. It is added to when a run becomes due and
is no part of what the run is: the same task and instant get the same delay in every process.
"""

from __future__ import annotations

import hashlib

from task_scheduler.schedules.instants import SECOND

__all__ = ["jitter_of"]

_BITS = 64


def jitter_of(task_id: str, instant: int, seconds: float) -> int:
    """Return the microseconds, from 0 to `seconds`, by which an occurrence is put off."""
    longest = round(seconds * SECOND)
    text = f"{instant} {task_id}".encode("utf-8", "surrogatepass")
    drawn = int.from_bytes(hashlib.blake2b(text, digest_size=_BITS // 8).digest())
    # Every microsecond from 0 to the longest is as likely as any other.
    return drawn * (longest + 1) >> _BITS
