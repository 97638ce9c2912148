"""The first process of a container: it buries orphans, and passes on what ends the container.

Responsible for: what process 1 owes to the others. The kernel gives it every orphan, which stays a
zombie until somebody waits for it, and takes signals from it that it does not ask for. The
scheduler runs as its child: so nobody waits for the children that the scheduler waits for itself.
"""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress

__all__ = ["is_first_process", "stand_in_front"]

_PASSED_ON = frozenset(
    {
        signal.SIGTERM,
        signal.SIGINT,
        signal.SIGHUP,
        signal.SIGQUIT,
        signal.SIGUSR1,
        signal.SIGUSR2,
    }
)
_SIGNAL_BASE = 128
"""The exit code of a process that a signal ended is this and the signal's number, as in a shell."""


def is_first_process() -> bool:
    """Whether this process is the one that all others of its container descend from."""
    return os.getpid() == 1


def stand_in_front() -> int | None:
    """Fork: return None in the child, which is to do the work, and at its end its exit code.

    To be called before there are threads.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    # Whoever ignores it lets the kernel bury children, and nobody learns how they ended.
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    # What is blocked is kept for `sigwait`; process 1 would lose what it does not handle.
    waited = _PASSED_ON | {signal.SIGCHLD}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, waited | {signal.SIGTTOU})
    child = os.fork()
    if child:
        return _attend(child, waited)
    # A group of its own, in front of the terminal: Ctrl-C comes once, and not from us too.
    os.setpgid(0, 0)
    with suppress(OSError):
        os.tcsetpgrp(0, os.getpgrp())
    signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return None


def _attend(child: int, waited: frozenset[signal.Signals]) -> int:
    """Pass signals on and wait for whoever ends, until the child has."""
    while True:
        number = signal.sigwait(waited)
        if number != signal.SIGCHLD:
            with suppress(ProcessLookupError):
                os.kill(child, number)
        elif (code := _bury(child)) is not None:
            return code


def _bury(child: int) -> int | None:
    """Wait for all that have ended; return the exit code of the child, if it is among them."""
    code = None
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return code
        if pid == 0:
            return code
        if pid == child:
            ended = os.waitstatus_to_exitcode(status)
            code = ended if ended >= 0 else _SIGNAL_BASE - ended
