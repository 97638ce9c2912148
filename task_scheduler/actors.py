"""Who asks for a change, and from where: as the audit tells it.

Responsible for: naming this process, and the process at the other end of a socket. What the system
says of that one stands before what it says of itself.
"""

from __future__ import annotations

import functools
import os
import sys

__all__ = ["actor_here", "actor_of_peer"]

_LONGEST = 200
"""Characters of what a process says of itself."""


def actor_here() -> str:
    """Return user, process and program of this process: ``root, pid 12, tsk pause``."""
    return f"{_user_name(os.geteuid())}, pid {os.getpid()}, {_program()}"


def actor_of_peer(pid: int | None, uid: int | None, claimed: str) -> str:
    """Return what the system says of the other end, and its own words about its program."""
    program = claimed.rpartition(", ")[2][:_LONGEST]
    user = "?" if uid is None else _user_name(uid)
    return f"{user}, pid {pid or '?'}, {_shown(program)}"


def _program() -> str:
    path = sys.argv[0] if getattr(sys, "argv", None) else ""
    name = os.path.basename(path) or os.path.basename(sys.executable) or "python"  # noqa: PTH119
    if name == "__main__.py":
        name = "tsk"
    command = sys.argv[1] if name in ("tsk", "task-scheduler") and len(sys.argv) > 1 else ""
    return _shown(f"{name} {command}".strip()[:_LONGEST])


def _shown(text: str) -> str:
    return "".join(mark if mark.isprintable() else "?" for mark in text)


@functools.lru_cache(maxsize=16)
def _user_name(uid: int) -> str:
    try:
        import pwd  # not everywhere

        return pwd.getpwuid(uid).pw_name
    except (ImportError, KeyError):
        return str(uid)
