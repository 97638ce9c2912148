"""The rehearsal: before it serves, the launcher goes through attempts that start no program.

Responsible for: making supervisors small. What Python does the first few times (specializing code,
filling caches) writes to memory that a forked supervisor would then no longer share with the
launcher: a quarter of what it has for itself. Done here once, it is shared by all.
"""

from __future__ import annotations

import os
import signal

from task_scheduler.supervision import kernel
from task_scheduler.supervision.attempt_files import path_in
from task_scheduler.supervision.census import Census
from task_scheduler.supervision.orders import Order
from task_scheduler.supervision.process_tree import start_time
from task_scheduler.supervision.supervisor import supervise

__all__ = ["rehearse"]

_ROUNDS = 9
"""Code is specialized when it is entered for the ninth time."""
_PREFIX = b"rehearsal-"


def rehearse(folder: bytes) -> None:
    """Go through attempts in a folder beside those of the real ones; only memory depends on it."""
    try:
        for name in os.listdir(folder):
            # Of a launcher that was killed in the midst of it.
            if name.startswith(_PREFIX) and not start_time(int(name[len(_PREFIX) :])):
                _clear(path_in(folder, name.decode("ascii")))
        place = path_in(folder, f"{_PREFIX.decode('ascii')}{os.getpid()}")
        for _ in range(_ROUNDS):
            kernel.set_name(b"tsk-launcher")
            os.mkdir(place, 0o700)
            supervise(_order(place))
            _clear(place)
        _look(place)
    except Exception:  # fence: attempt
        # A full or read-only disk, say: then supervisors are somewhat larger.
        return


def _look(place: bytes) -> None:
    """Have a tree to look at, which an attempt that starts nothing has not."""
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        try:
            # The launcher may be killed before it ends this.
            kernel.die_with_parent()
            if os.getppid() == parent:
                signal.pause()
        finally:
            os._exit(0)
    census = Census(place, 0)
    for _ in range(_ROUNDS):
        census.look(0, 0)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def _order(place: bytes) -> Order:
    return Order.decode(
        Order(
            folder=place,
            # A folder is no program: what is forked ends where it would have become one.
            argv=[b"/"],
            working_dir=b"/",
            env={},
            timeout_seconds=1.0,
            kill_grace_seconds=1.0,
            output_limit_bytes=1,
            bell=place,
            texts={"truncated": "", "not_allowed": ""},
        ).encode()[4:]
    )


def _clear(place: bytes) -> None:
    for name in os.listdir(place):
        os.unlink(place + b"/" + name)
    os.rmdir(place)
