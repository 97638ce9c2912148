"""The launcher: the one process per node that forks supervisors.

Responsible for: one supervisor for each order, telling the scheduler of a supervisor that did not
end well, and ending what such a one left behind. It has one thread and few modules, so that a fork
of it is cheap and safe, which a fork of the scheduler, with its threads, is not.

When its scheduler has gone it stays as long as its supervisors live, as their guardian: if one of
them is killed its tree comes to the launcher, which kills it whatever session and environment it
has given itself. A child of the launcher that is no supervisor is an orphan of a dead one.
"""

from __future__ import annotations

import gc
import os
import select
import socket
import time
from collections.abc import Callable
from contextlib import suppress

from task_scheduler.supervision import kernel, task_start
from task_scheduler.supervision.attempt_files import write_members
from task_scheduler.supervision.hearing import HEARD, Hearing, hear, hold_back
from task_scheduler.supervision.memory_layout import fill_holes
from task_scheduler.supervision.orders import FOREIGN_ORDER, MessageStream, Order, encode_message
from task_scheduler.supervision.process_tree import descendants, kill_descendants, start_time
from task_scheduler.supervision.rehearsal import rehearse
from task_scheduler.supervision.supervisor import supervise

__all__ = ["Launcher", "serve"]

_CHANNEL = 3
_MOST_DESCRIPTORS = 256
_CHUNK_BYTES = 16_384
_SWEEP_ROUNDS = 100
_SWEEP_SECONDS = 0.01


def serve(descriptor: int, folder: bytes, make: Callable[..., Launcher] | None = None) -> None:
    """Fork a supervisor for each order from the socket, until its other end is closed.

    `folder` is where the folders of the attempts are made. A template makes a launcher of its own.
    """
    kernel.load()
    kernel.set_name(b"tsk-launcher")
    is_guardian = kernel.adopt_orphans()
    os.dup2(descriptor, _CHANNEL)
    os.set_inheritable(_CHANNEL, False)
    hear()
    rehearse(folder)
    # With the scheduler's number of the channel goes what the rehearsal has opened.
    os.closerange(_CHANNEL + 1, max(_CHANNEL, descriptor) + _MOST_DESCRIPTORS)
    # Out of the collector's sight: what is not touched stays shared with every supervisor.
    fill_holes()
    gc.disable()
    gc.freeze()
    with socket.socket(fileno=_CHANNEL) as channel:
        (make or Launcher)(channel, is_guardian).run()


class Launcher:
    """The loop over orders and ends."""

    def __init__(self, channel: socket.socket, is_guardian: bool) -> None:
        self._channel = channel
        self._is_guardian = is_guardian
        self._is_served = True
        self._orders = MessageStream()
        self._folders: dict[int, bytes] = {}
        self._hearing = Hearing()

    def run(self) -> None:
        """Serve until the scheduler is gone, and every supervisor."""
        poll = select.poll()
        poll.register(self._channel, select.POLLIN)
        poll.register(self._hearing, select.POLLIN)
        while self._is_served or self._folders:
            for ready, _ in poll.poll():
                if ready == self._hearing.fileno():
                    self._hearing.heard()
                    self._reap()
                elif not self._take_orders():
                    poll.unregister(ready)
                    self._part()

    def _take_orders(self) -> bool:
        data = b""
        with suppress(ConnectionError):
            data = self._channel.recv(_CHUNK_BYTES)
        for content in self._orders.feed(data):
            try:
                order = Order(content)
            except Order.FOREIGN:
                self._tell({"name": Order.name_in(content), "status": FOREIGN_ORDER})
            else:
                self._fork(order)
        return bool(data)

    def _part(self) -> None:
        """Let the scheduler go; it waits for our end unless it hears that we stay."""
        self._is_served = False
        if self._folders:
            self._tell({"stays": len(self._folders)})
        self._channel.close()

    def _fork(self, order: Order) -> None:
        """Start the supervisor of one order; it begins with its signals held back."""
        hold_back(HEARD)
        try:
            pid = os.fork()
            if pid == 0:
                self._become_supervisor(order)
            self._folders[pid] = order.folder
        except OSError as error:
            self._tell_status(order.folder, error.errno or 1)
        finally:
            hold_back(())

    def _become_supervisor(self, order: Order) -> None:
        status = 255
        try:
            os.setsid()
            kernel.set_name(b"tsk-supervisor")
            # Its ends must be the launcher's alone, or the scheduler would not notice its death.
            self._channel.close()
            self._hearing.close()
            status = supervise(order)
        finally:
            # Nothing may ever return from here into a second launcher.
            task_start.end_process(status)

    def _reap(self) -> None:
        """Reap the supervisors that ended; tell of each that did not end well.

        What one of these left behind is ended before it is reaped: while its pid is there, whoever
        looks at the attempt knows that its tree may be, too.
        """
        while wanted := self._next_ended():
            pid, status = os.waitpid(wanted, os.WNOHANG)
            if not pid:
                return
            folder = self._folders.pop(pid, None)
            if status and folder is not None:
                self._tell_status(folder, os.waitstatus_to_exitcode(status))

    def _next_ended(self) -> int:
        """Return a child that has ended and may be reaped, -1 for any; 0 if there is none."""
        if not self._is_guardian:
            return -1 if self._folders else 0
        ended = None
        with suppress(ChildProcessError):
            ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        if ended is None:
            return 0
        if ended.si_pid in self._folders and (ended.si_status or ended.si_code != os.CLD_EXITED):
            self._sweep(self._folders[ended.si_pid])
        return ended.si_pid

    def _sweep(self, folder: bytes) -> None:
        """End every child that is no supervisor; write down who does not end."""
        for _ in range(_SWEEP_ROUNDS):
            supervisors = frozenset(self._folders)
            kill_descendants(os.getpid(), supervisors)
            orphans = descendants(os.getpid(), supervisors)
            if not orphans:
                return
            for pid in orphans:
                # It is not ours yet where its parent is being killed.
                with suppress(ChildProcessError):
                    os.waitpid(pid, os.WNOHANG)
            time.sleep(_SWEEP_SECONDS)
        write_members(folder, {pid: start_time(pid) for pid in orphans})

    def _tell_status(self, folder: bytes, status: int) -> None:
        self._tell({"name": os.path.basename(folder).decode("latin-1"), "status": status})

    def _tell(self, fields: dict[str, object]) -> None:
        # Where the scheduler is gone the next read says so.
        with suppress(OSError):
            self._channel.sendall(encode_message(fields))
