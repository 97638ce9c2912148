"""The exit record of an attempt, and the bell that tells of it.

Responsible for: writing the record whole or not at all, also on a disk that has become full, and
for ringing. The record is the fact; the bell only says that somebody may look.
"""

from __future__ import annotations

import errno
import json
import os
import socket
from collections.abc import Callable
from contextlib import suppress

from task_scheduler.supervision.attempt_files import path_in
from task_scheduler.supervision.small_files import CREATE

__all__ = ["ExitRecord", "reach", "ring"]

_RESERVED_BYTES = 4_096
"""One block. A record is shorter, unless the reason of a cancel is a page of control characters."""
_LONGEST_ADDRESS = 100
"""Bytes that the path of a Unix socket may have on every system."""
_RING_SECONDS = 1.0
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class ExitRecord:
    """A record whose place on the disk is reserved before its attempt starts.

    Raises OSError where there is none: an attempt whose end cannot be recorded must not start.
    """

    def __init__(self, folder: bytes) -> None:
        self._folder = folder
        self._descriptor = os.open(path_in(folder, "exit.tmp"), os.O_RDWR | CREATE, 0o600)
        try:
            os.posix_fallocate(self._descriptor, 0, _RESERVED_BYTES)
        except AttributeError:
            # Not every system can; there a full disk holds the end up until it has room.
            return
        except OSError as error:
            if error.errno in _FULL:
                raise

    def write(self, fields: dict[str, object]) -> None:
        """Write the record under its final name; raises OSError where that cannot be."""
        content = json.dumps(fields, ensure_ascii=False).encode("utf-8", "replace")
        os.pwrite(self._descriptor, content, 0)
        os.ftruncate(self._descriptor, len(content))
        os.rename(path_in(self._folder, "exit.tmp"), path_in(self._folder, "exit.json"))


def ring(bell: bytes, name: bytes) -> None:
    """Tell the scheduler, if there is one, that the attempt in folder `name` has ended."""
    # Where nobody listens the next scheduler finds the record.
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        # Its queue is short; a scheduler that is alive empties it at once.
        sender.settimeout(_RING_SECONDS)
        reach(bell, lambda address: sender.sendto(name, address))


def reach(path: bytes, use: Callable[[bytes], object]) -> None:
    """Have a socket's address used.

    A path that is too long for an address is reached through its folder's descriptor, which only
    Linux can; elsewhere it stays as it is, and the system refuses it.
    """
    if len(path) <= _LONGEST_ADDRESS or not os.path.isdir("/proc/self/fd"):
        use(path)
        return
    folder = os.open(os.path.dirname(path), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        use(b"/proc/self/fd/%d/%s" % (folder, os.path.basename(path)))
    finally:
        os.close(folder)
