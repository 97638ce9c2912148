"""The scheduler's end of the launcher: starts it when it is needed, sends orders, hears of ends.

Responsible for: the launcher process and its socket. Runs in the scheduler, unlike its neighbours.
A launcher that is let go stays while its supervisors live, and is reaped whenever it ends.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

from task_scheduler.errors import SupervisionError
from task_scheduler.supervision import __main__ as program
from task_scheduler.supervision.orders import MessageStream
from task_scheduler.supervision.outgoing_order import OutgoingOrder

__all__ = ["LauncherClient"]

_SEND_SECONDS = 10
"""A launcher that takes no order for so long is given up; another one takes its place."""
_END_SECONDS = 2.0
_END_LOOK_SECONDS = 0.002
_CHUNK_BYTES = 65_536

_let_go: list[int] = []
"""Launchers that may still be guarding supervisors; whoever starts another one reaps them."""


class LauncherClient:
    """One launcher at a time, for attempts whose folders are made in `folder`."""

    def __init__(self, folder: bytes) -> None:
        self._folder = folder
        self._guard = threading.Lock()
        self._channel: socket.socket | None = None
        self._pid: int | None = None
        self._messages = MessageStream()
        self._has_died = False

    @property
    def pid(self) -> int | None:
        """The launcher's process; None while there is none."""
        return self._pid

    def fileno(self) -> int:
        """Return the descriptor that becomes readable when there is news; -1 without a launcher."""
        channel = self._channel
        return -1 if channel is None else channel.fileno()

    def send(self, order: OutgoingOrder) -> bool:
        """Send an order; return whether a launcher was started for it.

        Raises OSError where the launcher cannot be started or does not take it: the order may then
        have been carried out all the same. Raises SupervisionError where there is no Python.
        """
        message = order.encode()
        with self._guard:
            is_new = self._channel is None
            channel = self._channel or self._start()
            try:
                channel.sendall(message)
            except OSError:
                # Half a message may be in it.
                self._abandon()
                raise
            return is_new

    def receive(self) -> list[tuple[str, int]] | None:
        """Return the supervisors that did not end well, as names of attempt folders and statuses.

        A status is a negative signal number or the number of the error that kept it from starting.
        Returns None, once, when a launcher has ended: what it had taken may not have been started.
        """
        reap_launchers()
        channel, messages = self._channel, self._messages
        news: list[bytes] = []
        if channel is not None:
            # Without the lock: a sender may hold it until the launcher has room for its order, and
            # the launcher may be waiting for us.
            try:
                data = channel.recv(_CHUNK_BYTES, socket.MSG_DONTWAIT)
            except BlockingIOError:
                pass
            except OSError:
                self._bury(channel)
            else:
                news = messages.feed(data)
                if not data:
                    self._bury(channel)
        if self._has_died:
            self._has_died = False
            return None
        told = [json.loads(content) for content in news]
        for message in told:
            self._take_note(message)
        return [(message["name"], message["status"]) for message in told if "name" in message]

    def replace(self) -> int | None:
        """Give up a launcher that does not answer; return its pid, None if there was none.

        `receive` then tells of its death. Should it come to itself it carries out what it had
        taken, of which nothing is started twice, and stays as long as its supervisors need it.
        """
        with self._guard:
            pid = self._pid
            if self._channel is not None:
                self._abandon()
            return pid

    def close(self) -> None:
        """Let the launcher end; the supervisors live on, and it with them."""
        with self._guard:
            channel, pid = self._channel, self._pid
            if channel is None or pid is None:
                return
            _continue(pid)
            with contextlib.suppress(OSError):
                # It hears of it also where a fork of this process holds a copy of our end.
                channel.shutdown(socket.SHUT_WR)
            if not _stays(channel, self._messages):
                _await_end(pid)
            self._let_go()

    def _start(self) -> socket.socket:
        if not sys.executable:
            raise SupervisionError("supervision.no_python")
        ours, theirs = socket.socketpair()
        with theirs:
            descriptor = theirs.fileno()
            reap_launchers()
            try:
                process = self._spawn(descriptor)
            except OSError:
                ours.close()
                raise
        # Ours to reap from here on: Popen would warn of a child that outlives it, as this one may.
        self._pid, process.returncode = process.pid, 0
        # Of sending alone: with settimeout() a look whether there is news would wait as well.
        limit = struct.pack("ll", _SEND_SECONDS, 0)
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)
        self._messages = MessageStream()
        self._channel = ours
        return ours

    def _spawn(self, descriptor: int) -> subprocess.Popen[bytes]:
        """Start the process that serves at the other end of the channel."""
        return subprocess.Popen(
            [
                sys.executable,
                "-I",
                "-S",
                os.path.abspath(program.__file__),
                str(descriptor),
                self._folder,
            ],
            pass_fds=[descriptor],
            stdin=subprocess.DEVNULL,
            # Whoever reads our output must see its end when we end.
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            start_new_session=True,
        )

    def _take_note(self, message: dict[str, object]) -> None:
        """Take in a message that tells something else than the end of a supervisor."""

    def _bury(self, channel: socket.socket) -> None:
        """Take note that the launcher at the other end of a channel is dead."""
        with self._guard:
            if self._channel is channel:
                self._abandon()

    def _abandon(self) -> None:
        pid = self._pid
        self._let_go()
        self._has_died = True
        if pid is not None:
            _continue(pid)

    def _let_go(self) -> None:
        """Close our end, by which it ends as soon as nothing needs it any more."""
        if self._channel is not None:
            # It then ends also where a fork of this process holds a copy of our end.
            with contextlib.suppress(OSError):
                self._channel.shutdown(socket.SHUT_RDWR)
            self._channel.close()
            self._channel = None
        if self._pid is not None:
            _let_go.append(self._pid)
            self._pid = None
        reap_launchers()


def reap_launchers() -> None:
    """Reap the launchers of this process that were let go and have ended."""
    for pid in list(_let_go):
        if _has_ended(pid):
            with contextlib.suppress(ValueError):
                _let_go.remove(pid)


def _has_ended(pid: int) -> bool:
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:
        # The program reaps everything by itself, or this is a fork of it.
        return True


def _continue(pid: int) -> None:
    """Wake a launcher that somebody stopped: it could not hear that it is alone.

    It is our child and not reaped, so the pid is its own.
    """
    with contextlib.suppress(OSError):
        os.kill(pid, signal.SIGCONT)


def _stays(channel: socket.socket, messages: MessageStream) -> bool:
    """Whether a launcher that shall end says that its supervisors still need it."""
    channel.settimeout(_END_SECONDS)
    try:
        while data := channel.recv(_CHUNK_BYTES):
            if any("stays" in json.loads(content) for content in messages.feed(data)):
                return True
    except (OSError, ValueError):
        # It is stopped, or dead.
        return False
    return False


def _await_end(pid: int) -> None:
    """Wait a moment until a launcher without supervisors has ended; one that does not is let be."""
    for _ in range(round(_END_SECONDS / _END_LOOK_SECONDS)):
        if _has_ended(pid):
            return
        time.sleep(_END_LOOK_SECONDS)
