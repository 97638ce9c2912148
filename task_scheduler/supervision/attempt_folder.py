"""The folder of one attempt: the files by which supervisor and scheduler speak of it.

Responsible for: their names, their format, and what they prove.

- ``lock``: held (`flock`) by the supervisor for its whole life; an attempt is alive exactly while
  it is held. It tells who holds it and what session the task has.
- ``permit``: created once, by whoever decides about the start: a file by the supervisor that starts
  the task, a symbolic link to nowhere as a tombstone by recovery. Only the holder of the lock
  creates it.
- ``output``: what the task wrote. It stays when the rest is forgotten, and still forbids a
  start; so it is ``output.new`` until there is a permit.
- ``cancel``: why the attempt shall end. ``exit.json``: how it ended.
- ``tree``: who was seen to belong to it. ``trouble``: what keeps its supervisor from ending it.

Each has a format number. Within a number fields are only added, and some stay in every format to
come (the names of `_PROMISED`, the first three words of ``lock``): what was started by one release
can be cancelled, and is believed at its end, by an older and by a newer one.

They must survive a process, not a power cut (the boot id tells of that): nothing is synced here.
"""

from __future__ import annotations

import fcntl
import json
import os

__all__ = [
    "Holder",
    "State",
    "create_permit",
    "examine",
    "exists",
    "forget",
    "has_permit",
    "newer_format",
    "path_in",
    "read_cancel_reason",
    "read_exit_record",
    "read_holder",
    "read_members",
    "read_trouble",
    "try_lock",
    "write_cancel_reason",
    "write_holder",
    "write_members",
    "write_trouble",
]

FORMAT = 1
_ONLY_THE_NAME = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC if hasattr(os, "O_PATH") else 0
CREATE = os.O_CREAT | os.O_CLOEXEC | getattr(os, "O_NOFOLLOW", 0)
_MAX_RECORD_BYTES = 65_536
_MAX_REASON_BYTES = 4_096
_TOMBSTONE = b"buried"
_MOST_MEMBERS_BYTES = 1_048_576
_OUTCOMES = frozenset({"succeeded", "failed", "timed_out", "cancelled"})
_PROMISED: dict[str, type | tuple[type, ...]] = {
    "outcome": str,
    "started_at": int,
    "ended_at": int,
    "exit_code": (int, type(None)),
    "signal": (int, type(None)),
    "error": (str, type(None)),
}
"""What an exit record of any format holds."""


class State:
    """What the files of an attempt prove."""

    ENDED = "ended"
    ALIVE = "alive"
    DEAD = "dead"
    """It was started and its supervisor ended without a record."""
    UNSTARTED = "unstarted"


class Holder:
    """Who holds the lock: pids together with their start times, which tell a reused pid."""

    __slots__ = ("pid", "started", "task_pid", "task_started")

    def __init__(self, pid: int, started: int, task_pid: int = 0, task_started: int = 0) -> None:
        self.pid = pid
        self.started = started
        self.task_pid = task_pid
        """Also the id of the task's session; 0 before there is one."""
        self.task_started = task_started


def path_in(folder: bytes, name: str) -> bytes:
    """Return the path of one of the files."""
    return folder + b"/" + name.encode("ascii")


def exists(folder: bytes, name: str) -> bool:
    """Whether one of the files is there, be it a link to nowhere."""
    path = path_in(folder, name)
    if not _ONLY_THE_NAME:
        return os.path.lexists(path)
    # The result of a `stat` is large, and what a supervisor touches once it has for life.
    try:
        os.close(os.open(path, _ONLY_THE_NAME))
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


def unlock(descriptor: int) -> None:
    """Give a lock back, also where a fork at this moment copied its descriptor."""
    fcntl.flock(descriptor, fcntl.LOCK_UN)
    os.close(descriptor)


def write_holder(descriptor: int, holder: Holder) -> None:
    """Tell in the held lock file who holds it."""
    fields = (FORMAT, holder.pid, holder.started, holder.task_pid, holder.task_started)
    # One write of one line that only grows: a reader never sees half of it.
    os.pwrite(descriptor, (" ".join(map(str, fields)) + "\n").encode("ascii"), 0)


def read_holder(folder: bytes) -> Holder | None:
    """Return who holds, or last held, the lock; None where nobody has said so yet."""
    words = _read(path_in(folder, "lock"), 256) or b""
    try:
        number, pid, started, *rest = map(int, words.split())
    except ValueError:
        return None
    # What a newer format says of the task may mean something else.
    task = rest[:2] if number <= FORMAT and len(rest) >= 2 else (0, 0)
    return Holder(pid, started, *task)


def write_members(folder: bytes, members: dict[int, int]) -> None:
    """Write down who belongs to the tree: pids with their start times."""
    lines = [b"%d" % FORMAT, *(b"%d %d" % member for member in members.items())]
    _write(path_in(folder, "tree"), b"\n".join(lines))


def read_members(folder: bytes) -> dict[int, int]:
    """Return who was seen to belong to the tree; most of them may be gone."""
    number, *lines = (_read(path_in(folder, "tree"), _MOST_MEMBERS_BYTES) or b"").split(b"\n")
    words = [line.split() for line in lines] if number == b"%d" % FORMAT else []
    # The last line may be half written.
    return {
        int(pair[0]): int(pair[1]) for pair in words if len(pair) == 2 and b"".join(pair).isdigit()
    }


def write_trouble(folder: bytes, kind: str, detail: str) -> None:
    """Say what keeps the supervisor from ending the attempt; on a full disk nobody is told."""
    _write(path_in(folder, "trouble"), f"{FORMAT} {kind} {detail}".encode("utf-8", "replace"))


def read_trouble(folder: bytes) -> tuple[str, str] | None:
    """Return the kind of trouble that the supervisor has, and its detail; None without any."""
    content = _read(path_in(folder, "trouble"), _MAX_REASON_BYTES)
    _, _, rest = (content or b"").decode("utf-8", "replace").partition(" ")
    kind, _, detail = rest.partition(" ")
    return (kind, detail) if kind else None


def has_permit(folder: bytes) -> bool:
    """Whether the start of the attempt was decided."""
    return exists(folder, "permit")


def create_permit(folder: bytes) -> bool:
    """Decide about the start; False if that was done before."""
    try:
        os.close(os.open(path_in(folder, "permit"), os.O_WRONLY | os.O_EXCL | CREATE, 0o600))
    except FileExistsError:
        return False
    return True


def write_cancel_reason(folder: bytes, reason: str) -> None:
    """Say why the attempt shall end, before its supervisor is signalled."""
    flags = os.O_WRONLY | os.O_TRUNC | CREATE
    descriptor = os.open(path_in(folder, "cancel"), flags, 0o600)
    try:
        os.write(descriptor, reason.encode("utf-8", "replace")[:_MAX_REASON_BYTES])
    finally:
        os.close(descriptor)


def read_cancel_reason(folder: bytes) -> str | None:
    """Return why the attempt shall end; None if nobody asked for it, empty if none was given."""
    content = _read(path_in(folder, "cancel"), _MAX_REASON_BYTES)
    return None if content is None else content.decode("utf-8", "replace").strip()


def read_exit_record(folder: bytes) -> dict[str, object] | None:
    """Return the exit record; None if there is none that is sound."""
    record = _exit_record(folder)
    return record if _is_sound(record) else None


def newer_format(folder: bytes) -> int | None:
    """Return the format of an exit record that a newer release wrote; None of any other."""
    number = _exit_record(folder).get("format")
    return number if isinstance(number, int) and number > FORMAT else None


def examine(folder: bytes, *, bury: bool = False) -> tuple[str, dict[str, object] | None]:
    """Return what the files prove (one of `State`), and the exit record of an ended attempt.

    With `bury` an unstarted attempt gets a permit as its tombstone: it can never start afterwards.
    """
    record = read_exit_record(folder)
    if record is not None:
        return State.ENDED, record
    try:
        lock = try_lock(folder)
    except FileNotFoundError:
        # Somebody deleted the folder. Its supervisor can end without a trace: nothing else is left.
        return State.DEAD, None
    if lock is None:
        return State.ALIVE, None
    try:
        # Under the lock the files stand still: a record may have come since the first look.
        record = read_exit_record(folder)
        if record is not None:
            return State.ENDED, record
        is_started = has_permit(folder)
        if bury and not is_started:
            # A link tells what it is from its first moment on: whoever buries may be killed before
            # anybody has recorded it, and the next one must not take the tombstone for a start.
            os.symlink(_TOMBSTONE, path_in(folder, "permit"))
        elif bury:
            is_started = not os.path.islink(path_in(folder, "permit"))
        return (State.DEAD if is_started else State.UNSTARTED), None
    finally:
        unlock(lock)


def forget(folder: bytes) -> None:
    """Delete all files of an attempt but its output, and the folder if there is none."""
    for name in (
        "exit.json",
        "exit.tmp",
        "cancel",
        "tree",
        "trouble",
        "output.new",
        "lock",
        "permit",
    ):
        try:
            os.unlink(path_in(folder, name))
        except FileNotFoundError:
            continue
    try:
        os.rmdir(folder)
    except OSError:
        return


def _exit_record(folder: bytes) -> dict[str, object]:
    try:
        record = json.loads(_read(path_in(folder, "exit.json"), _MAX_RECORD_BYTES) or b"null")
    except (ValueError, RecursionError):
        return {}
    return record if isinstance(record, dict) else {}


def _is_sound(record: dict[str, object]) -> bool:
    """Whether a record holds, whole, what every format promises."""
    number = record.get("format")
    return (
        type(number) is int
        and number >= 1
        and all(
            name in record and isinstance(record[name], kind) for name, kind in _PROMISED.items()
        )
        and record["outcome"] in _OUTCOMES
    )


def _read(path: bytes, limit: int) -> bytes | None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        return os.read(descriptor, limit)
    except OSError:
        return None
    finally:
        os.close(descriptor)


def _write(path: bytes, content: bytes) -> None:
    """Write a file that helps, and that nobody depends on."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_TRUNC | CREATE, 0o600)
    except OSError:
        return
    try:
        os.write(descriptor, content)
    except OSError:
        return
    finally:
        os.close(descriptor)
