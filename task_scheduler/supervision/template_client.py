"""The scheduler's end of one warm template: starts it, and knows what it can be used for.

Responsible for: the process, the environment that it starts with, and what it says of itself. Runs
in the scheduler. Which runs go to which template is `executors.warm_starts`.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from task_scheduler.supervision import warm_start
from task_scheduler.supervision.launcher_client import LauncherClient
from task_scheduler.supervision.orders import FOLDER_VARIABLE
from task_scheduler.supervision.outgoing_order import OutgoingOrder

__all__ = ["TemplateClient", "TemplateKey", "key_of"]

_READ_AT_START = re.compile(
    rb"PYTHON.*|LANG|LANGUAGE|LC_.*|LD_.*|MALLOC_.*|GLIBC_TUNABLES|HOME|OPENSSL_.*|SSL_CERT_.*"
)
"""What interpreter, loader and C library read when they start: a template has them as its runs."""
_ONLY_AT_START = frozenset(
    {
        b"PYTHONDEBUG", b"PYTHONDUMPREFS", b"PYTHONDUMPREFSFILE", b"PYTHONINSPECT",
        b"PYTHONMALLOCSTATS", b"PYTHONPERFSUPPORT", b"PYTHONPROFILEIMPORTTIME",
        b"PYTHONTRACEMALLOC", b"PYTHONVERBOSE",
    }
)  # fmt: skip
"""What these show or change is the start itself."""
_ROOM = " " * 1_000
"""A script's arguments are shown by `ps` up to this length."""


class TemplateKey(NamedTuple):
    """What runs must have in common to be forked from one template."""

    interpreter: bytes
    preload: tuple[str, ...]
    variables: tuple[tuple[bytes, bytes], ...]
    """What is read at the start."""


def key_of(order: OutgoingOrder, preload: Sequence[str]) -> TemplateKey | None:
    """Return which template an order needs; None where only a start of its own will do."""
    env = order.env
    if _ONLY_AT_START & env.keys() or env.get(b"PYTHONHASHSEED") == b"random":
        return None
    program = order.argv[0]
    variables = [item for item in env.items() if _READ_AT_START.fullmatch(item[0])]
    if b"/" not in program:
        variables.append((b"PATH", env.get(b"PATH", b"")))
    return TemplateKey(program, tuple(preload), tuple(sorted(variables)))


class TemplateClient(LauncherClient):
    """One template, and what it has said of itself."""

    def __init__(self, folder: bytes, key: TemplateKey, *, idle_seconds: float) -> None:
        super().__init__(folder)
        self.key = key
        self.is_ready = False
        self.refusal: tuple[str, str] | None = None
        """Why it cannot be used, and of what that speaks."""
        self.leaving: tuple[str, str] | None = None
        """Why nothing more should be sent to it."""
        self.sent_count = 0
        self._idle_seconds = idle_seconds
        self.started_pid = 0

    def start(self, env: Mapping[bytes, bytes]) -> None:
        """Start it, with what an order has that comes from the scheduler or is read at the start.

        Raises OSError, or SupervisionError.
        """
        wanted = dict(self.key.variables)
        ours = os.environb
        wanted.update(item for item in env.items() if ours.get(item[0]) == item[1])
        # Written over by each script with its own: its end has to be as long.
        room = len(self._folder) + 64
        wanted[FOLDER_VARIABLE.encode("ascii")] = b"-" * room
        self._env = wanted
        with self._guard:
            self._start()
        self.started_pid = self.pid or 0

    def send(self, order: OutgoingOrder) -> bool:
        """Send an order; False where the template is gone, or will be."""
        message = order.encode()
        with self._guard:
            channel = self._channel
            if channel is None or not self.is_ready or self.leaving is not None:
                return False
            try:
                # Not waited for: one that is behind is no faster than a cold start.
                sent = channel.send(message, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return False
            except OSError:
                sent = 0
            if sent < len(message):
                self._abandon()
                return False
            self.sent_count += 1
            return True

    def part(self) -> None:
        """Let it end without waiting for that: it goes on as long as its supervisors need it."""
        self._end_loading()
        self.replace()

    def close(self) -> None:
        """Let it end, as a launcher; one that is still loading is ended."""
        self._end_loading()
        super().close()

    def _end_loading(self) -> None:
        pid = self.pid
        if not self.is_ready and pid is not None:
            with contextlib.suppress(OSError):
                # Its session holds nothing but itself and what a module has started.
                os.killpg(pid, signal.SIGKILL)

    def _spawn(self, descriptor: int) -> subprocess.Popen[bytes]:
        read, write = os.pipe()
        try:
            options = {
                "channel": descriptor,
                "pipe": read,
                "folder": os.fsdecode(self._folder),
                "preload": self.key.preload,
                "idle_seconds": self._idle_seconds,
            }
            return subprocess.Popen(
                [self.key.interpreter, warm_start.__file__, json.dumps(options), _ROOM],
                pass_fds=[descriptor, read],
                stdin=subprocess.DEVNULL,
                # A pipe, as a script has: streams that are made at the start suit it.
                stdout=write,
                stderr=write,
                cwd="/",
                env=self._env,
                start_new_session=True,
            )
        finally:
            os.close(read)
            os.close(write)

    def _take_note(self, message: dict[str, object]) -> None:
        what = str(message.get("what", ""))
        if "ready" in message:
            self.is_ready = True
        elif "refused" in message:
            self.refusal = (str(message["refused"]), what)
        elif "leaving" in message:
            self.leaving = (str(message["leaving"]), what)
