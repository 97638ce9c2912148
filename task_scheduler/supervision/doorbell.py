"""The doorbell: the socket by which supervisors tell that an attempt has ended.

Responsible for: hearing the names that are rung. Nothing is believed that comes through it: the
files of the attempt tell what happened. Runs in the scheduler.
"""

from __future__ import annotations

import os
import socket

from task_scheduler.supervision.exit_record import reach

__all__ = ["Doorbell"]

_LONGEST_NAME = 256


class Doorbell:
    """A bound bell. Raises OSError where it cannot be bound."""

    def __init__(self, path: bytes) -> None:
        self._path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._inode = 0
        try:
            self._bind()
        except OSError:
            self._socket.close()
            raise

    def fileno(self) -> int:
        """Return the descriptor that becomes readable when somebody rings."""
        return self._socket.fileno()

    def rung(self) -> list[str]:
        """Return the names that were rung since the last time."""
        names = []
        while True:
            try:
                names.append(self._socket.recv(_LONGEST_NAME).decode("latin-1"))
            except BlockingIOError:
                return names

    def is_in_place(self) -> bool:
        """Whether a supervisor that rings would be heard here."""
        try:
            return os.stat(self._path).st_ino == self._inode
        except OSError:
            return False

    def close(self) -> None:
        """Stop hearing, and remove the file if it is still ours."""
        self._socket.close()
        try:
            # Another scheduler may have put its own there.
            if os.stat(self._path).st_ino == self._inode:
                os.unlink(self._path)
        except FileNotFoundError:
            return

    def _bind(self) -> None:
        self._socket.setblocking(False)
        if os.path.lexists(self._path):
            # Left by a scheduler that was killed: nobody listens to it, and it is in the way.
            os.unlink(self._path)
        reach(self._path, self._socket.bind)
        os.chmod(self._path, 0o600)
        self._inode = os.stat(self._path).st_ino
