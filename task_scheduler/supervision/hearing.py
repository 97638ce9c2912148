"""How launcher and supervisor hear signals: as bytes in a pipe that a poll waits for.

Responsible for: the signals that are heard instead of ending the process, and the pipe. The
handlers are set once, in the launcher, and inherited by every supervisor.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # what `signal` is made of
import os
import signal
from signal import SIGALRM, SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGUSR1, SIGUSR2

__all__ = ["HEARD", "Hearing", "hear", "hold_back"]

HEARD = (SIGCHLD, SIGTERM, SIGQUIT, SIGINT, SIGHUP, SIGUSR1, SIGUSR2, SIGALRM, SIGTSTP)
"""Held back around a fork, too: the child must not act on what its parent has a handler for."""
_OWN_IGNORED = (signal.SIGPIPE, signal.SIGXFSZ)
"""What Python ignores for itself: a closed pipe and a full quota are errors, not deaths."""


class Hearing:
    """A pipe that holds a byte, its number, for every signal that came."""

    def __init__(self) -> None:
        self._read, self._write = os.pipe()
        os.set_blocking(self._read, False)
        os.set_blocking(self._write, False)
        signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)

    def fileno(self) -> int:
        """Return the descriptor that becomes readable when a signal has come."""
        return self._read

    def heard(self) -> bytes:
        """Return the numbers of the signals since the last time."""
        try:
            return os.read(self._read, 4_096)
        except BlockingIOError:
            return b""

    def close(self) -> None:
        """Hear nothing more, as a child must that has its parent's pipe."""
        signal.set_wakeup_fd(-1)
        os.close(self._read)
        os.close(self._write)


def hear() -> None:
    """Have the signals of `HEARD` heard, and undo what the scheduler ignores or blocks.

    What it ignores (as under ``nohup``) would be handed on to every task.
    """
    for number in signal.valid_signals():
        if number not in _OWN_IGNORED and signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    for number in HEARD:
        signal.signal(number, _notice)
    hold_back(())


def hold_back(numbers: tuple[int, ...]) -> None:
    """Hold back these signals, and no others."""
    # `signal` makes enumeration members of what this returns: 60 KB in every supervisor, for life.
    _signal.pthread_sigmask(signal.SIG_SETMASK, numbers)


def _notice(number: int, frame: object) -> None:
    """Let a signal interrupt the wait; the pipe does the rest."""
