"""Lives that cost little: forked from a process that has everything imported.

Most of what a start costs is Python reading modules, in which no kill can show anything. A template
reads them once for a campaign, and forks; a fork of it then starts the scheduler as any process
would. What needs an `exec` (how long a recovery takes) is a `Life` of its own.

Responsible for: the template, ``python -m tests.integration.crash.template``, and for the lives
that are forked from it, which are not the campaign's children: they are held by a pidfd.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from tests.integration.crash import census, witness
from tests.integration.crash.lives import PATIENCE_SECONDS, ROOT, environment_of

_MOST = 4_096


class Template:
    """The process that is forked from, for one campaign."""

    def __init__(self, witness_folder: Path) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._socket = ours
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", __name__, str(theirs.fileno())],
                cwd=ROOT,
                # No mark: it is none of the processes under fire.
                env=environment_of(witness_folder),
                pass_fds=[theirs.fileno()],
            )

    def life(self, arguments: list[str], mark: str) -> ForkedLife:
        """Fork a life of the program under fire."""
        out, out_end = os.pipe()
        errors, errors_end = os.pipe()
        began = time.monotonic()
        message = json.dumps({"arguments": arguments, "mark": mark}).encode()
        socket.send_fds(self._socket, [message], [out_end, errors_end])
        os.close(out_end)
        os.close(errors_end)
        answer, descriptors, _, _ = socket.recv_fds(self._socket, _MOST, 1)
        return ForkedLife(int(answer), descriptors[0], (out, errors), began)

    def end(self) -> None:
        """End the template; its lives live on."""
        self._socket.close()
        self._process.wait(PATIENCE_SECONDS)


class ForkedLife:
    """One life of the program under fire that shares the template's memory."""

    def __init__(self, pid: int, pidfd: int, pipes: tuple[int, int], began: float) -> None:
        self.pid, self.began, self.is_running = pid, began, False
        self._pidfd, (self._out, self._errors) = pidfd, pipes

    def wait_running(self, seconds: float) -> bool:
        """Wait until it says that it runs; False if it has not, or has ended, by then."""
        if not self.is_running and select.select([self._out], [], [], seconds)[0]:
            self.is_running = os.read(self._out, 100).startswith(b"running")
        return self.is_running

    def has_ended(self) -> bool:
        """Whether it has ended by itself."""
        return bool(select.select([self._pidfd], [], [], 0)[0])

    def end(self, number: int = signal.SIGKILL, seconds: float = PATIENCE_SECONDS) -> str:
        """Send a signal, wait for its death, and return what it wrote as its errors."""
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._pidfd, number)
        if not select.select([self._pidfd], [], [], seconds)[0]:
            signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)
            raise subprocess.TimeoutExpired(str(self.pid), seconds)
        os.set_blocking(self._errors, False)
        written = b""
        with contextlib.suppress(BlockingIOError):
            while more := os.read(self._errors, _MOST):
                written += more
        for descriptor in (self._pidfd, self._out, self._errors):
            os.close(descriptor)
        return written.decode(errors="replace")


def serve(connection: socket.socket) -> None:
    """Fork a life for every message, until the campaign hangs up."""
    from tests.integration.crash import program

    # Whoever dies is reaped by the kernel: the campaign sees it by the pidfd.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        message, pipes, _, _ = socket.recv_fds(connection, _MOST, 2)
        if not message:
            return
        asked = json.loads(message)
        pid = os.fork()
        if not pid:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            connection.close()
            for number, descriptor in enumerate(pipes, 1):
                os.dup2(descriptor, number)
                os.close(descriptor)
            os.environ[census.MARK_VARIABLE] = asked["mark"]
            folder, start_at, when = asked["arguments"]
            program.main(Path(folder), int(start_at), when)
            os._exit(0)
        pidfd = os.pidfd_open(pid)
        socket.send_fds(connection, [str(pid).encode()], [pidfd])
        for descriptor in (pidfd, *pipes):
            os.close(descriptor)


if __name__ == "__main__":
    assert witness.FOLDER_VARIABLE in os.environ
    serve(socket.socket(fileno=int(sys.argv[1])))
