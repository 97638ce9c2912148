"""Rights: who a program is, how much it may use, and that it never gains more.

Responsible for: limits, niceness, file mode mask, groups and user, in the only order in which they
can be set, each looked at afterwards. Everything here happens in the process that becomes the task.
"""

from __future__ import annotations

import ctypes
import os
import resource
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from task_scheduler.confinement.refusal import StartRefusedError

__all__ = ["LIMITS", "become", "check_process_limit", "limit", "renounce_privileges"]

LIMITS: Mapping[str, int] = {
    "cpu_seconds": resource.RLIMIT_CPU,
    "memory_bytes": resource.RLIMIT_AS,
    "open_files": resource.RLIMIT_NOFILE,
    "processes": resource.RLIMIT_NPROC,
    "file_size_bytes": resource.RLIMIT_FSIZE,
}
"""The limits by name. `memory_bytes` bounds the address space of each process of the task."""

_SET_NO_NEW_PRIVILEGES = 38
_GET_NO_NEW_PRIVILEGES = 39
_ALL_USERS = [b"0", b"0", b"4294967295"]
_EXEMPT = 1 << 21 | 1 << 24
"""CAP_SYS_ADMIN and CAP_SYS_RESOURCE."""
_GRACE_CPU_SECONDS = 5
"""Between SIGXCPU, which a program may take as a hint, and SIGKILL."""


def limit(limits: Mapping[str, int], *, nice: int | None, umask: int | None) -> None:
    """Bound this process and all that it will start. Raises StartRefusedError."""
    # No core: it would hold the task's secrets, and fill the disk.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for name, value in limits.items():
        number = LIMITS[name]
        most = value + _GRACE_CPU_SECONDS if name == "cpu_seconds" else value
        hard = resource.getrlimit(number)[1]
        if hard != resource.RLIM_INFINITY and most > hard:
            # A limit that is tighter already is kept.
            most, value = hard, min(value, hard)  # noqa: PLW2901
        try:
            resource.setrlimit(number, (value, most))
        except (OSError, ValueError) as error:
            raise StartRefusedError("limit", name, str(error)) from error
    if nice is not None:
        try:
            os.setpriority(os.PRIO_PROCESS, 0, nice)
        except OSError as error:
            raise StartRefusedError("nice", str(nice), error.strerror or "") from error
    if umask is not None:
        os.umask(umask)


def become(uid: int | None, gid: int | None, groups: Sequence[int]) -> None:
    """Become another user and group for good; the groups first, while it is still allowed.

    Raises StartRefusedError where that fails or, against all expectation, could be undone.
    """
    if uid is None and gid is None:
        return
    own_uid = os.getuid() if uid is None else uid
    own_gid = os.getgid() if gid is None else gid
    is_same = (os.getresuid(), os.getresgid()) == ((own_uid,) * 3, (own_gid,) * 3)
    if is_same and set(os.getgroups()) <= {*groups, own_gid}:
        return
    try:
        os.setgroups(list(groups))
        os.setresgid(own_gid, own_gid, own_gid)
        os.setresuid(own_uid, own_uid, own_uid)
    except OSError as error:
        raise StartRefusedError("user", f"{own_uid}:{own_gid}", error.strerror or "") from error
    is_become = (os.getresuid(), os.getresgid()) == ((own_uid,) * 3, (own_gid,) * 3)
    if not is_become or set(os.getgroups()) - {*groups, own_gid} or _can_return(own_uid):
        raise StartRefusedError("user_kept", f"{own_uid}:{own_gid}")


def check_process_limit(most: int) -> None:
    """Refuse to start who may have any number of processes, whatever the limit says.

    The kernel exempts root and whoever has root's rights over resources, without a word; not in a
    user namespace, whose rights are not those of the machine. Raises StartRefusedError.
    """
    if not sys.platform.startswith("linux"):
        return
    with open("/proc/self/uid_map", "rb") as file:
        is_whole_machine = file.read().split() == _ALL_USERS
    with open("/proc/self/status", "rb") as file:
        held = next(line for line in file if line.startswith(b"CapEff:"))
    if is_whole_machine and (os.getuid() == 0 or int(held.split()[1], 16) & _EXEMPT):
        raise StartRefusedError("processes", str(most))


def renounce_privileges() -> None:
    """Never gain a right by executing a file, as `sudo` would.

    Raises StartRefusedError where the kernel does not know that.
    """
    library: Any = ctypes.CDLL(None, use_errno=True)
    is_set = library.prctl(_SET_NO_NEW_PRIVILEGES, 1, 0, 0, 0) == 0
    if not is_set or library.prctl(_GET_NO_NEW_PRIVILEGES, 0, 0, 0, 0) != 1:
        raise StartRefusedError("privileges", "", os.strerror(ctypes.get_errno()))


def _can_return(uid: int) -> bool:
    """Whether root is still within reach of what should be an ordinary user."""
    if uid == 0:
        return False
    try:
        os.setresuid(0, 0, 0)
    except OSError:
        return False
    return True
