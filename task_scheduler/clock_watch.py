"""The clock watch: hear at once that the wall clock was set.

Responsible for: one sleeping thread on a kernel timer that is cancelled when somebody sets the
clock. Reads no clock, and does not know what follows. Where the system has no such timer (macOS)
it is never told; the engine's loop looks at both clocks now and then in any case.
"""

from __future__ import annotations

import os
import select
import threading
from collections.abc import Callable

__all__ = ["ClockWatch", "open_cancelled_timer"]

_CLOCK_REALTIME = 0
_CANCEL_ON_SET = 2
_ABSOLUTE = 1
_FAR = 1 << 34
"""Seconds since the epoch, in the year 2514: only a set clock ends the wait."""


class ClockWatch:
    """Call `on_set`, in a thread of its own, each time the wall clock is set."""

    def __init__(
        self,
        on_set: Callable[[], None],
        *,
        open_timer: Callable[[], int | None] | None = None,
    ) -> None:
        self._on_set = on_set
        self._open_timer = open_timer or open_cancelled_timer
        self._timer = self._open_timer()
        self._end_read, self._end_write = os.pipe()
        self.is_told = self._timer is not None
        """Whether this system tells."""
        if self._timer is not None:
            threading.Thread(target=self._watch, name="task-scheduler-clock", daemon=True).start()

    def close(self) -> None:
        """End the thread; a second call does nothing."""
        if self._end_write >= 0:
            os.close(self._end_write)
            self._end_write = -1
            if self._timer is None:
                os.close(self._end_read)

    def _watch(self) -> None:
        while self._timer is not None:
            poll = select.poll()
            poll.register(self._timer, select.POLLIN)
            poll.register(self._end_read, select.POLLIN | select.POLLHUP)
            ready = {descriptor for descriptor, _ in poll.poll()}
            # A cancelled timer stays cancelled: a new one waits for the next time.
            os.close(self._timer)
            if self._end_read in ready:
                break
            self._timer = self._open_timer()
            self._on_set()
        os.close(self._end_read)


def open_cancelled_timer() -> int | None:
    """Return a timer that becomes readable when the clock is set; None where there is none."""
    import ctypes

    class Span(ctypes.Structure):
        _fields_ = [("seconds", ctypes.c_longlong), ("nanoseconds", ctypes.c_long)]

    class Setting(ctypes.Structure):
        _fields_ = [("interval", Span), ("value", Span)]

    try:
        library = ctypes.CDLL(None, use_errno=True)
        create, set_time = library.timerfd_create, library.timerfd_settime
    except (OSError, AttributeError):
        return None
    timer: int = create(_CLOCK_REALTIME, os.O_CLOEXEC | os.O_NONBLOCK)
    if timer < 0:
        return None
    setting = Setting(Span(0, 0), Span(_FAR, 0))
    if set_time(timer, _ABSOLUTE | _CANCEL_ON_SET, ctypes.byref(setting), None) != 0:
        os.close(timer)
        return None
    return timer
