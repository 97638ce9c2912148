"""The files of one attempt, as its supervisor makes and reads them.

Responsible for: their names and their format, which `attempt_folder` explains. What they prove to a
scheduler is not known here: this is loaded by every launcher and supervisor.
"""

from __future__ import annotations

import fcntl
import os

from task_scheduler.supervision.small_files import CREATE, read_file, write_file

__all__ = ["FORMAT", "MOST_REASON_BYTES", "create_permit", "exists", "path_in",
    "read_cancel_reason", "try_lock", "write_holder", "write_members", "write_trouble"]  # fmt: skip

FORMAT = 1
MOST_REASON_BYTES = 4_096
# Of a link the name too: macOS has another word for it.
_ONLY_THE_NAME = getattr(os, "O_PATH", 0) | getattr(os, "O_SYMLINK", os.O_NOFOLLOW) | os.O_CLOEXEC


def path_in(folder: bytes, name: str) -> bytes:
    """Return the path of one of the files."""
    return folder + b"/" + name.encode("ascii")


def exists(folder: bytes, name: str) -> bool:
    """Whether one of the files is there, be it a link to nowhere."""
    # The result of a `stat` is large, and what a supervisor touches once it has for life.
    try:
        os.close(os.open(path_in(folder, name), _ONLY_THE_NAME))
    except FileNotFoundError:
        return False
    return True


def try_lock(folder: bytes) -> int | None:
    """Take the lock without waiting; return its descriptor, None while somebody holds it."""
    descriptor = os.open(path_in(folder, "lock"), os.O_RDWR | CREATE, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def write_holder(descriptor: int, holder: tuple[int, int, int, int]) -> None:
    """Tell in the held lock file who holds it: pid and start time of the supervisor, of the task.

    The start times tell a pid that was given anew; the task's are 0 before there is one.
    """
    fields = (FORMAT, *holder)
    # One write of one line that only grows: a reader never sees half of it.
    os.pwrite(descriptor, (" ".join(map(str, fields)) + "\n").encode("ascii"), 0)


def create_permit(folder: bytes) -> bool:
    """Decide about the start; False if that was done before."""
    try:
        os.close(os.open(path_in(folder, "permit"), os.O_WRONLY | os.O_EXCL | CREATE, 0o600))
    except FileExistsError:
        return False
    return True


def read_cancel_reason(folder: bytes) -> str | None:
    """Return why the attempt shall end; None if nobody asked for it, empty if none was given."""
    content = read_file(path_in(folder, "cancel"), MOST_REASON_BYTES)
    return None if content is None else content.decode("utf-8", "replace").strip()


def write_members(folder: bytes, members: dict[int, int]) -> None:
    """Write down who belongs to the tree: pids with their start times."""
    lines = [b"%d" % FORMAT, *(b"%d %d" % member for member in members.items())]
    write_file(path_in(folder, "tree"), b"\n".join(lines))


def write_trouble(folder: bytes, kind: str, detail: str) -> None:
    """Say what keeps the supervisor from ending the attempt; on a full disk nobody is told."""
    write_file(path_in(folder, "trouble"), f"{FORMAT} {kind} {detail}".encode("utf-8", "replace"))
