"""What the kernel knows of the wall clock: whether it is kept right, and how far it may be off.

Responsible for: one question to the kernel, which changes nothing. None where it has no such call
(macOS) or does not answer.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["ClockSync", "read_clock_sync"]

_UNSYNCHRONISED = 0x0040
_SPARE_BYTES = 256
"""More than any kernel adds behind the fields that are read here."""


class ClockSync(NamedTuple):
    """Whether the clock is kept right, and the most by which it may be off, in microseconds."""

    is_synchronised: bool
    error: int


def read_clock_sync() -> ClockSync | None:
    """Ask; see adjtimex(2)."""
    import ctypes

    class Timex(ctypes.Structure):
        _fields_ = [
            ("modes", ctypes.c_uint),
            ("offset", ctypes.c_long),
            ("frequency", ctypes.c_long),
            ("error", ctypes.c_long),
            ("estimate", ctypes.c_long),
            ("status", ctypes.c_int),
            ("rest", ctypes.c_byte * _SPARE_BYTES),
        ]

    try:
        ask = ctypes.CDLL(None, use_errno=True).adjtimex
    except (OSError, AttributeError):
        return None
    state = Timex()
    if ask(ctypes.byref(state)) < 0:
        return None
    return ClockSync(not state.status & _UNSYNCHRONISED, state.error)
