"""Control groups: whether this process was given a group to divide, and what may be bounded in it.

Responsible for: finding our own group (cgroup v2), telling whether it was delegated to us, making
it ready, and which limits groups keep here. What is not delegated belongs to somebody, mostly to
systemd, and is left alone. What happens in the group of one attempt stands in `attempt_group`.

A group in which processes live hands no controllers on to groups in it. So whoever divides one
moves into a sub-group before: systemd can begin there (`DelegateSubgroup=scheduler`).
"""

from __future__ import annotations

import errno
import os
import zlib
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from task_scheduler.confinement.attempt_group import AttemptGroup

__all__ = [
    "AUTO", "LIMITS_BY_GROUP", "OFF", "ONLY_BY_GROUP", "ControlGroups", "find", "group_of",
    "is_group_of", "prepare", "split",
]  # fmt: skip

AUTO, OFF = "auto", "off"
LIMITS_BY_GROUP: Mapping[str, str] = {
    "memory_bytes": "memory",
    "processes": "pids",
    "cpu_percent": "cpu",
}
"""The limits that a group keeps, each with the controller that it takes."""
ONLY_BY_GROUP = frozenset({"cpu_percent"})
"""Those that nothing else keeps."""
SUBGROUP = "scheduler"
_PREFIX = "attempt-"
_ATTRIBUTES = ("user.delegate", "trusted.delegate")


class ControlGroups(NamedTuple):
    """The group in which groups of attempts are made; without one `reason` tells why."""

    base: str = ""
    controllers: frozenset[str] = frozenset()
    reason: str = ""
    """A name of the catalogue (``confinement.group_<name>``) where something is missing."""
    what: str = ""

    def keeps(self, limit: str) -> bool:
        """Whether a limit is kept by groups here."""
        return bool(self.base) and LIMITS_BY_GROUP.get(limit) in self.controllers


def find(wish: str = AUTO, proc: str = "/proc") -> ControlGroups:
    """Return the group that we may divide, and the controllers that it has; changes nothing.

    `wish` is AUTO, OFF, or the folder of a group that the operator made for us.
    """
    if wish == OFF:
        return ControlGroups(reason="off")
    if wish != AUTO:
        if not _is_writable(wish):
            return ControlGroups(reason="not_writable", what=wish)
        return _with_controllers(wish)
    mount = _mount_point(proc)
    if mount is None:
        return ControlGroups(reason="no_mount")
    path = _own_path(proc)
    if path is None:
        return ControlGroups(reason="no_mount")
    own = _joined(mount, path)
    base = os.path.dirname(own) if os.path.basename(own) == SUBGROUP else own
    if not (_is_delegated(base, path) and _is_writable(base)):
        return ControlGroups(reason="not_delegated", what=own)
    return _with_controllers(base)


def prepare(found: ControlGroups, proc: str = "/proc") -> ControlGroups:
    """Make the group ready: move out of it, hand its controllers on; return what is to be had.

    Only we and what descends from us is moved. Empty groups that dead attempts left are removed.
    """
    if not found.base:
        return found
    try:
        strangers = _move_out(found.base, proc)
    except OSError as error:
        return ControlGroups(reason="refused", what=f"{found.base}: {error.strerror}")
    refused = found
    for controller in sorted(found.controllers):
        try:
            _write(found.base, "cgroup.subtree_control", f"+{controller}")
        except OSError as error:
            is_shared = error.errno == errno.EBUSY and strangers
            what = ", ".join(map(str, strangers)) if is_shared else str(error.strerror)
            refused = refused._replace(reason="shared" if is_shared else "refused", what=what)
    _sweep(found.base)
    handed_on = _words(found.base, "cgroup.subtree_control") & set(LIMITS_BY_GROUP.values())
    return refused._replace(controllers=frozenset(handed_on))


def split(
    groups: ControlGroups, limits: Mapping[str, int]
) -> tuple[dict[str, Any], dict[str, int]]:
    """Return the plan of an attempt's group, empty where none is made, and the limits left over.

    What a group keeps is the tree's as a whole, so it is not asked of each process as well.
    """
    if not groups.base or not limits:
        return {}, dict(limits)
    kept = {name: most for name, most in limits.items() if groups.keeps(name)}
    rest = {name: most for name, most in limits.items() if name not in kept}
    return {"base": groups.base, "limits": kept}, rest


def group_of(base: str, folder: bytes) -> str:
    """Return the group of the attempt that has this folder.

    Several ledgers, each with an attempt of the same name, may divide one group.
    """
    place, name = os.path.split(folder)
    return os.path.join(base, f"{_PREFIX}{zlib.crc32(place):08x}-{os.fsdecode(name)}")


def is_group_of(group: str, folder: bytes) -> bool:
    """Whether a group can be that of the attempt that has this folder."""
    return os.path.isabs(group) and group_of(os.path.dirname(group), folder) == group


def _with_controllers(base: str) -> ControlGroups:
    offered = _words(base, "cgroup.controllers") & set(LIMITS_BY_GROUP.values())
    missing = sorted(set(LIMITS_BY_GROUP.values()) - offered)
    if not missing:
        return ControlGroups(base, frozenset(offered))
    return ControlGroups(base, frozenset(offered), "no_controller", ", ".join(missing))


def _mount_point(proc: str) -> str | None:
    """Return where the control groups are mounted whole."""
    for line in _lines(f"{proc}/self/mountinfo"):
        place, _, rest = line.partition(" - ")
        if rest.split(" ", 1)[0] == "cgroup2":
            fields = place.split(" ")
            if fields[3] == "/":
                return _unescaped(fields[4])
    return None


def _own_path(proc: str) -> str | None:
    for line in _lines(f"{proc}/self/cgroup"):
        if line.startswith("0::"):
            return line[3:].removesuffix(" (deleted)")
    return None


def _is_delegated(base: str, path: str) -> bool:
    """Whether a group was given to us, and not merely lies open to us."""
    for name in _ATTRIBUTES:
        try:
            if os.getxattr(base, name) == b"1":
                return True
        except (OSError, AttributeError):
            continue
    if path in ("/", f"/{SUBGROUP}"):
        # The whole of a container's groups is its own. That of a machine has no type.
        return os.path.exists(os.path.join(base, "cgroup.type"))
    # Before version 251 systemd told nobody but root. To the user of a service, not of a session,
    # it gives the folder only where it delegates.
    uid = os.geteuid()
    is_own = uid != 0 and os.path.isdir(base) and os.stat(base).st_uid == uid
    return is_own and "/user.slice/" not in f"{path}/"


def _is_writable(base: str) -> bool:
    files = ("", "cgroup.procs", "cgroup.subtree_control")
    return all(os.access(os.path.join(base, file), os.W_OK) for file in files)


def _move_out(base: str, proc: str) -> list[int]:
    """Move us and our descendants into the sub-group; return the others that stay."""
    strangers: list[int] = []
    while True:
        pids = [int(pid) for pid in sorted(_words(base, "cgroup.procs"))]
        ours = [pid for pid in pids if pid not in strangers and _is_ours(pid, proc)]
        strangers = [pid for pid in pids if pid not in ours]
        if not ours:
            return strangers
        place = os.path.join(base, SUBGROUP)
        os.makedirs(place, 0o755, exist_ok=True)
        for pid in ours:
            try:
                _write(place, "cgroup.procs", str(pid))
            except ProcessLookupError:
                continue


def _is_ours(pid: int, proc: str) -> bool:
    """Whether a process is this one or descends from it."""
    while pid > 1 and pid != os.getpid():
        try:
            with open(f"{proc}/{pid}/stat", "rb") as file:
                pid = int(file.read().rpartition(b")")[2].split()[1])
        except (OSError, IndexError, ValueError):
            return False
    return pid == os.getpid()


def _sweep(base: str) -> None:
    """Remove the groups of attempts in which nothing lives."""
    for name in _folders(base):
        group = AttemptGroup(os.path.join(base, name))
        if name.startswith(_PREFIX) and group.is_empty():
            group.remove()


def _folders(base: str) -> Iterator[str]:
    try:
        with os.scandir(base) as entries:
            yield from [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    except OSError:
        return


def _words(folder: str, file: str) -> set[str]:
    return {word for line in _lines(os.path.join(folder, file)) for word in line.split()}


def _lines(path: str) -> list[str]:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return file.read().splitlines()
    except OSError:
        return []


def _write(folder: str, file: str, text: str) -> None:
    descriptor = os.open(os.path.join(folder, file), os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(descriptor, text.encode("ascii"))
    finally:
        os.close(descriptor)


def _joined(mount: str, path: str) -> str:
    return mount.rstrip("/") + path.rstrip("/") if path != "/" else mount


def _unescaped(field: str) -> str:
    """Return a path of ``mountinfo``, in which a blank stands as a backslash and 040."""
    found, rest = "", field
    while rest:
        before, mark, after = rest.partition("\\")
        found += before
        if mark:
            found, after = found + chr(int(after[:3], 8)), after[3:]
        rest = after
    return found
