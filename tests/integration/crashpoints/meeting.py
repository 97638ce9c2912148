"""Where a thread under test waits until it is watched, and what it is called.

Responsible for: asking the harness to trace this very thread, before it does anything of interest.
Standard library only, and little of it: the launcher loads it too.
"""

from __future__ import annotations

import os
import socket
from _thread import get_native_id

WANTED_VARIABLE = "CRASHPOINTS_WANTED"
"""The actor to be traced, or ``*`` for every one; unset: none."""
SOCKET_VARIABLE = "CRASHPOINTS_SOCKET"
"""Where the harness listens: an abstract address, because a path may be too long for one."""


def meet(actor: str) -> None:
    """Wait until this thread is traced; return at once where nobody wants to trace it."""
    if os.environ.get(WANTED_VARIABLE) not in ("*", actor):
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as harness:
        harness.connect("\0" + os.environ[SOCKET_VARIABLE])
        harness.sendall(f"{actor} {get_native_id()}\n".encode())
        harness.recv(1)
