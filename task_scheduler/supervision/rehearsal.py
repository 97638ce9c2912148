"""The rehearsal: before it serves, the launcher goes through attempts that start no program.

Responsible for: making supervisors small. What Python does the first few times (specializing code,
filling caches) writes to memory that a forked supervisor would then no longer share with the
launcher: a quarter of what it has for itself. Done here once, it is shared by all.
"""

from __future__ import annotations

import os

from task_scheduler.supervision import kernel
from task_scheduler.supervision.census import Census
from task_scheduler.supervision.orders import Order, encode_message
from task_scheduler.supervision.process_tree import start_time
from task_scheduler.supervision.supervisor import supervise

__all__ = ["rehearse"]

_ROUNDS = 9
"""Code is specialized when it is entered for the ninth time."""
_PREFIX = b"rehearsal-"
# A folder is no program: what is forked ends where it would have become one.
_ORDER = {"argv": ["/"], "working_dir": "/", "env": [], "texts": {}}
_LIMITS = dict.fromkeys(("timeout_seconds", "kill_grace_seconds", "output_limit_bytes"), 1)


def rehearse(folder: bytes) -> None:
    """Go through attempts in a folder beside those of the real ones; only memory depends on it."""
    try:
        for name in os.listdir(folder):
            # Of a launcher that was killed in the midst of it.
            if name.startswith(_PREFIX) and not start_time(int(name[len(_PREFIX) :])):
                _clear(os.path.join(folder, name))
        place = os.path.join(folder, _PREFIX + b"%d" % os.getpid())
        places = dict.fromkeys(("folder", "bell"), place.decode("latin-1"))
        for _ in range(_ROUNDS):
            kernel.set_name(b"tsk-launcher")
            os.mkdir(place, 0o700)
            supervise(Order(encode_message({**_ORDER, **_LIMITS, **places})[4:]))
            _clear(place)
            # An attempt that starts nothing has no tree: it looks at us, and as if we were two.
            Census(place, 0).look([os.getpid()] * 2, 0, 0)
    except Exception:  # fence: attempt
        # A full or read-only disk, say: then supervisors are somewhat larger.
        return


def _clear(place: bytes) -> None:
    for name in os.listdir(place):
        os.unlink(os.path.join(place, name))
    os.rmdir(place)
