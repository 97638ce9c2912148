"""Crash points: at which calls of which thread a death is tried, and on which side of them.

Responsible for: choosing them from the log of an undisturbed life, and for leaving out a side only
where it is provably the same as another.
"""

from __future__ import annotations

import collections
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from tests.integration.crashpoints.tracing import AFTER, BEFORE, Call, Kill

GROUPS = {
    "write": ("write", "writev", "pwrite64", "pwritev", "pwritev2", "sendfile", "copy_file_range"),
    "fsync": ("fsync", "fdatasync", "sync_file_range", "msync", "syncfs"),
    "rename": ("rename", "renameat", "renameat2", "link", "linkat", "symlink", "symlinkat"),
    "unlink": ("unlink", "unlinkat", "rmdir"),
    "create": ("open", "openat", "creat", "mkdir", "mkdirat"),
    "change": ("ftruncate", "truncate", "fallocate", "chmod", "fchmod", "fchmodat"),
    "connect": ("connect", "bind", "listen", "sendto", "sendmsg", "sendmmsg", "shutdown"),
    "receive": ("recvfrom", "recvmsg", "accept", "accept4"),
    "spawn": ("fork", "vfork", "clone", "clone3", "execve", "execveat"),
    "signal": ("kill", "tkill", "tgkill", "pidfd_send_signal"),
}
"""What a process does to the world outside of itself."""
_GROUP_OF = {name: group for group, names in GROUPS.items() for name in names}
_OPENS = ("open", "openat")
_OURS = ("/acks", "/gate", "/staged", "/witness.lock")
"""Files of the harness: a death at them is none of the scheduler's."""

_SILENT = frozenset(
    """
    lseek fstat newfstatat stat lstat statx statfs fstatfs pread64 access faccessat faccessat2
    readlink readlinkat getdents64 getcwd close dup dup2 dup3 fcntl flock ioctl mmap munmap mprotect
    mremap madvise brk rt_sigprocmask rt_sigaction sigaltstack getpid gettid getppid getuid geteuid
    getgid getegid uname sysinfo getrandom sched_getaffinity clock_gettime clock_getres gettimeofday
    times getrusage prlimit64 prctl set_robust_list rseq arch_prctl set_tid_address socket
    socketpair pipe2 eventfd2 getsockopt setsockopt getsockname getpeername open openat umask
    timerfd_create timerfd_settime setsid
    """.split()  # noqa: SIM905  a table of words
)
"""Calls that change nothing which outlives the process, and that wait for nobody.

(What they change, like descriptors, mappings and locks, ends with the process.)
"""


@dataclass(frozen=True, slots=True)
class Point:
    """One side of one call of one thread."""

    scenario: str
    actor: str
    call: str
    number: int
    side: str
    target: str
    kill: Kill

    @property
    def role(self) -> str:
        """``scheduler``, ``launcher`` or ``supervisor``."""
        return self.actor.partition(".")[0]

    @property
    def group(self) -> str:
        """What kind of call it is, in the words of `GROUPS`."""
        return _GROUP_OF[self.call]

    @property
    def name(self) -> str:
        """What is given to ``--only`` to try it again."""
        return f"{self.scenario}:{self.actor}:{self.call}:{self.number}:{self.side}"

    def plain(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return asdict(self)

    @classmethod
    def of_plain(cls, values: dict[str, Any]) -> Point:
        """Return the point of its plain form."""
        kill = values["kill"]
        follows = None if kill["follows"] is None else tuple(kill["follows"])
        return cls(**{**values, "kill": Kill(**{**kill, "follows": follows})})


@dataclass(frozen=True, slots=True)
class Enumeration:
    """The points of one thread, and how many sides are the same as another one's."""

    points: list[Point]
    merged: int


def enumerate_points(scenario: str, actor: str, log: Sequence[Call]) -> Enumeration:
    """Return the points of an undisturbed life of one thread.

    Each call has two sides. The side after it is left out where the thread's next such call follows
    with nothing in between but `_SILENT` ones: it is then the side before that one.
    """
    points: list[Point] = []
    merged = 0
    counts: collections.Counter[str] = collections.Counter()
    for index, call in enumerate(log):
        counts[call.name] += 1
        if not is_point(call) or _is_with_itself(actor, call):
            continue
        number, target = counts[call.name], _target(call)
        fixed: dict[str, Any] = {
            "scenario": scenario,
            "actor": actor,
            "call": call.name,
            "number": number,
        }
        before = Kill(call.name, number, BEFORE)
        points.append(Point(**fixed, side="before", target=target, kill=before))
        if _is_followed_by_point(log, index):
            merged += 1
            continue
        after = _after(log, index, counts)
        if after is not None:
            points.append(Point(**fixed, side="after", target=target, kill=after))
    return Enumeration(points, merged)


def is_point(call: Call) -> bool:
    """Whether a call changes the world outside of its process."""
    if call.name not in _GROUP_OF or _took_nothing(call):
        return False
    if any(f"{file}{end}" in call.text for file in _OURS for end in '>"'):
        return False
    return call.name not in _OPENS or "O_CREAT" in call.text or "O_TRUNC" in call.text


def _took_nothing(call: Call) -> bool:
    """Whether a call found an empty queue, or was the harness' own."""
    is_receiving = _GROUP_OF.get(call.name) == "receive"
    return is_receiving and (") = -1 " in call.text or ") = ?" in call.text or '"!"' in call.text)


def _is_with_itself(actor: str, call: Call) -> bool:
    """Whether a call takes something that dies with this very process, which is at both ends.

    The client of the control socket lives, in the scenarios, in the holder's own process.
    """
    is_receiving = _GROUP_OF[call.name] == "receive"
    return is_receiving and actor not in ("launcher", "scheduler.supervision")


def _is_followed_by_point(log: Sequence[Call], index: int) -> bool:
    for call in log[index + 1 :]:
        if is_point(call):
            return True
        if call.name not in _SILENT:
            return False
    return False


def _after(log: Sequence[Call], index: int, counts: collections.Counter[str]) -> Kill | None:
    call = log[index]
    number = counts[call.name]
    if _GROUP_OF[call.name] not in ("spawn", "receive"):
        return Kill(call.name, number, AFTER)
    # With a signal pending a process neither forks nor waits: it dies where its next call begins.
    # (Not at one of `futex`, which comes or not as its threads take turns.)
    name = next((later.name for later in log[index + 1 :] if later.name != "futex"), None)
    if name is None:
        return None
    return Kill(name, counts[name] + 1, BEFORE, follows=(call.name, number))


def _target(call: Call) -> str:
    """Return which file a call is about, as far as its text tells."""
    for text in (call.text.partition("<")[2].partition(">")[0], *call.text.split('"')[1:2]):
        if text.startswith("/"):
            return text.rpartition("/")[2]
        if text:
            return text.partition(":")[0]
    return ""
