"""The folder of one attempt: the files by which supervisor and scheduler speak of it.

Responsible for: their names, their format, and what they prove.

- ``lock``: held (`flock`) by the supervisor for its whole life; an attempt is alive exactly while
  it is held. It tells who holds it and what session the task has.
- ``permit``: created once, by whoever decides about the start: a file by the supervisor that starts
  the task, a symbolic link to nowhere as a tombstone by recovery. Only the holder of the lock
  creates it.
- ``output``: what the task wrote. It stays when the rest is forgotten, and still forbids a
  start.
- ``cancel``: why the attempt shall end. ``exit.json``: how it ended.

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
    "forget",
    "has_permit",
    "path_in",
    "read_cancel_reason",
    "read_exit_record",
    "read_holder",
    "try_lock",
    "write_cancel_reason",
    "write_holder",
]

FORMAT = 1
CREATE = os.O_CREAT | os.O_CLOEXEC | getattr(os, "O_NOFOLLOW", 0)
_MAX_RECORD_BYTES = 65_536
_MAX_REASON_BYTES = 4_096
_TOMBSTONE = b"buried"
_OUTCOMES = frozenset({"succeeded", "failed", "timed_out", "cancelled"})


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
    content = _read(path_in(folder, "lock"), 256)
    try:
        number, pid, started, task_pid, task_started = map(int, (content or b"").split())
    except ValueError:
        return None
    return Holder(pid, started, task_pid, task_started) if number == FORMAT else None


def has_permit(folder: bytes) -> bool:
    """Whether the start of the attempt was decided."""
    return os.path.lexists(path_in(folder, "permit"))


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
    content = _read(path_in(folder, "exit.json"), _MAX_RECORD_BYTES)
    if content is None:
        return None
    try:
        record = json.loads(content)
    except (ValueError, RecursionError):
        return None
    return record if _is_sound(record) else None


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
    for name in ("exit.json", "exit.tmp", "cancel", "lock", "permit"):
        try:
            os.unlink(path_in(folder, name))
        except FileNotFoundError:
            continue
    try:
        os.rmdir(folder)
    except OSError:
        return


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


def _is_sound(record: object) -> bool:
    """Whether a record is whole and of a format that we read."""
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        return False
    outcome = record.get("outcome")
    started_at, ended_at = record.get("started_at"), record.get("ended_at")
    return (
        isinstance(outcome, str)
        and outcome in _OUTCOMES
        and isinstance(started_at, int)
        and isinstance(ended_at, int)
        and all(_is_a(record.get(name), int) for name in ("exit_code", "signal"))
        and _is_a(record.get("error"), str)
    )


def _is_a(value: object, kind: type) -> bool:
    return value is None or isinstance(value, kind)
