"""The launcher: the one process per node that forks supervisors.

Responsible for: one supervisor for each order, and telling the scheduler of a supervisor that did
not end well. It has one thread and few modules, so that a fork of it is cheap and safe, which a
fork of the scheduler, with its threads, is not.

It ends when the scheduler's end of the socket is closed; its supervisors live on.
"""

from __future__ import annotations

import gc
import os
import resource  # noqa: F401  loaded here once, instead of by the first `wait4` of every supervisor
import select
import signal
import socket
from typing import NoReturn

from task_scheduler.supervision import kernel
from task_scheduler.supervision.orders import MessageStream, Order, encode_message
from task_scheduler.supervision.supervisor import supervise

__all__ = ["serve"]

_CHUNK_BYTES = 262_144
_HELD_BACK = (signal.SIGCHLD, signal.SIGTERM, signal.SIGQUIT, signal.SIGINT, signal.SIGHUP)
"""Not delivered around a fork: the child must not act on what its parent has a handler for."""
_OWN_IGNORED = (signal.SIGPIPE, signal.SIGXFSZ)
"""What Python ignores for itself: a closed pipe and a full quota are errors, not deaths."""


def serve(descriptor: int) -> None:
    """Fork a supervisor for each order from the socket, until its other end is closed."""
    kernel.load()
    kernel.set_name(b"tsk-launcher")
    os.set_inheritable(descriptor, False)
    _default_signals()
    # Out of the collector's sight: what is not touched stays shared with every supervisor.
    gc.disable()
    gc.freeze()
    with socket.socket(fileno=descriptor) as channel:
        _Launcher(channel).run()


class _Launcher:
    """The loop over orders and ends."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self._orders = MessageStream()
        self._folders: dict[int, bytes] = {}
        self._wake, self._wake_write = os.pipe()
        os.set_blocking(self._wake, False)
        os.set_blocking(self._wake_write, False)

    def run(self) -> None:
        """Serve until the scheduler is gone."""
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, _notice)
        poll = select.poll()
        poll.register(self._channel, select.POLLIN)
        poll.register(self._wake, select.POLLIN)
        while True:
            for ready, _ in poll.poll():
                if ready == self._wake:
                    os.read(self._wake, 4_096)
                    self._reap()
                elif not self._take_orders():
                    return

    def _take_orders(self) -> bool:
        try:
            data = self._channel.recv(_CHUNK_BYTES)
        except ConnectionError:
            return False
        for content in self._orders.feed(data):
            self._fork(Order.decode(content))
        return bool(data)

    def _fork(self, order: Order) -> None:
        """Start the supervisor of one order; it begins with its signals held back."""
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, _HELD_BACK)
        try:
            pid = os.fork()
            if pid == 0:
                self._become_supervisor(order)
            self._folders[pid] = order.folder
        except OSError as error:
            self._tell(order.folder, error.errno or 1)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)

    def _become_supervisor(self, order: Order) -> NoReturn:
        status = 255
        try:
            os.setsid()
            kernel.set_name(b"tsk-supervisor")
            # Its ends must be the launcher's alone, or the scheduler would not notice its death.
            self._channel.close()
            signal.set_wakeup_fd(-1)
            os.close(self._wake)
            os.close(self._wake_write)
            status = supervise(order)
        finally:
            # Nothing may ever return from here into a second launcher.
            os._exit(status)

    def _reap(self) -> None:
        """Reap the supervisors that ended; tell of each that did not end well."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            folder = self._folders.pop(pid, None)
            if status and folder is not None:
                self._tell(folder, os.waitstatus_to_exitcode(status))

    def _tell(self, folder: bytes, status: int) -> None:
        name = os.path.basename(folder).decode("latin-1")
        try:
            self._channel.sendall(encode_message({"name": name, "status": status}))
        except OSError:
            # The scheduler is gone; the next read says so.
            return


def _notice(number: int, frame: object) -> None:
    """Let a signal interrupt the wait; the wake-up pipe does the rest."""


def _default_signals() -> None:
    """Undo what the scheduler ignores (as under `nohup`): it would be handed on to every task."""
    for number in signal.valid_signals():
        if number not in _OWN_IGNORED and signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
