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
- ``tree``: who was seen to belong to it. ``group``: its control group, where it has one.
- ``trouble``: what keeps its supervisor from ending it.

Each has a format number. Within a number fields are only added, and some stay in every format to
come (the names of `_PROMISED`, the first three words of ``lock``): what was started by one release
can be cancelled, and is believed at its end, by an older and by a newer one.

They must survive a process, not a power cut (the boot id tells of that): nothing is synced here.
"""

from __future__ import annotations

import fcntl
import json
import os
from typing import NamedTuple

from task_scheduler.supervision.attempt_files import (
    FORMAT,
    MOST_REASON_BYTES,
    create_permit,
    exists,
    path_in,
    read_cancel_reason,
    try_lock,
    write_holder,
    write_members,
    write_trouble,
)
from task_scheduler.supervision.small_files import CREATE, read_file

__all__ = [
    "FORMAT",
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
    "read_group",
    "read_holder",
    "read_members",
    "read_trouble",
    "try_lock",
    "unlock",
    "write_cancel_reason",
    "write_holder",
    "write_members",
    "write_trouble",
]

_MAX_RECORD_BYTES = 65_536
_MOST = 1 << 62
_TOMBSTONE = b"buried"
_MOST_MEMBERS_BYTES = 1_048_576
_MOST_PATH_BYTES = 8_192
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


class Holder(NamedTuple):
    """Who holds the lock: pids together with their start times, which tell a reused pid."""

    pid: int
    started: int
    task_pid: int = 0
    """Also the id of the task's session; 0 before there is one."""
    task_started: int = 0


def unlock(descriptor: int) -> None:
    """Give a lock back, also where a fork at this moment copied its descriptor."""
    fcntl.flock(descriptor, fcntl.LOCK_UN)
    os.close(descriptor)


def has_permit(folder: bytes) -> bool:
    """Whether the start of the attempt was decided."""
    return exists(folder, "permit")


def read_holder(folder: bytes) -> Holder | None:
    """Return who holds, or last held, the lock; None where nobody has said so yet."""
    words = read_file(path_in(folder, "lock"), 256) or b""
    try:
        number, pid, started, *rest = map(int, words.split())
    except ValueError:
        return None
    # What a newer format says of the task may mean something else.
    task = rest[:2] if number <= FORMAT and len(rest) >= 2 else (0, 0)
    return Holder(pid, started, *task)


def read_members(folder: bytes) -> dict[int, int]:
    """Return who was seen to belong to the tree; most of them may be gone."""
    number, *lines = (read_file(path_in(folder, "tree"), _MOST_MEMBERS_BYTES) or b"").split(b"\n")
    words = [line.split() for line in lines] if number == b"%d" % FORMAT else []
    # The last line may be half written.
    return {
        int(pair[0]): int(pair[1]) for pair in words if len(pair) == 2 and b"".join(pair).isdigit()
    }


def read_group(folder: bytes) -> str | None:
    """Return the control group that the tree was given; None without one."""
    content = read_file(path_in(folder, "group"), _MOST_PATH_BYTES) or b""
    number, _, group = content.partition(b" ")
    return os.fsdecode(group) if group and number == b"%d" % FORMAT else None


def read_trouble(folder: bytes) -> tuple[str, str] | None:
    """Return the kind of trouble that the supervisor has, and its detail; None without any."""
    content = read_file(path_in(folder, "trouble"), MOST_REASON_BYTES)
    _, _, rest = (content or b"").decode("utf-8", "replace").partition(" ")
    kind, _, detail = rest.partition(" ")
    return (kind, detail) if kind else None


def write_cancel_reason(folder: bytes, reason: str) -> None:
    """Say why the attempt shall end, before its supervisor is signalled."""
    path = path_in(folder, "cancel")
    flags = os.O_WRONLY | os.O_TRUNC | os.O_NONBLOCK | CREATE
    try:
        descriptor = os.open(path, flags, 0o600)
    except OSError:
        # A task that wants to go on may have put a pipe or a link there.
        os.unlink(path)
        descriptor = os.open(path, flags | os.O_EXCL, 0o600)
    try:
        os.write(descriptor, reason.encode("utf-8", "replace")[:MOST_REASON_BYTES])
    finally:
        os.close(descriptor)


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
        "group",
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
        record = json.loads(read_file(path_in(folder, "exit.json"), _MAX_RECORD_BYTES) or b"null")
    except (ValueError, RecursionError):
        return {}
    return record if isinstance(record, dict) else {}


def _is_sound(record: dict[str, object]) -> bool:
    """Whether a record holds, whole, what every format promises."""
    number = record.get("format")
    return (
        # What a program forged must not spoil the commit of others' ends.
        all(abs(value) < _MOST for value in record.values() if isinstance(value, int))
        and type(number) is int
        and number >= 1
        and all(
            name in record and isinstance(record[name], kind) for name, kind in _PROMISED.items()
        )
        and record["outcome"] in _OUTCOMES
    )
