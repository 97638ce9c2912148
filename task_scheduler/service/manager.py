"""The service manager that started this process, and wants to hear how it does: systemd, or a like.

Responsible for: the messages of sd_notify(3), sent to the socket that the environment names. Never
fails, and never waits for long: a manager that does not listen is no reason to stop working.
"""

from __future__ import annotations

import os
import socket
from collections.abc import MutableMapping
from dataclasses import dataclass

from task_scheduler.clock import SystemClock

__all__ = ["ServiceManager"]

_SEND_SECONDS = 2.0
"""For a manager whose queue is full: a READY that is lost would be a start that failed."""
_LONGEST_STATUS = 512
_START_SECONDS = 600
"""A ledger of millions of runs is recovered in less."""
_STOP_SPARE_SECONDS = 30
"""Beyond the tasks' own deadline: killing what is left, and closing the ledger."""


@dataclass(frozen=True, slots=True)
class ServiceManager:
    """Who started this process; without an address nobody did, and nothing is told."""

    address: str = ""
    watchdog_seconds: float = 0.0
    """It must hear that all is well within this; 0: it does not ask."""

    @classmethod
    def of(cls, environ: MutableMapping[str, str]) -> ServiceManager:
        """Take it from an environment, and out of it: no task is to speak for the scheduler."""
        address = environ.pop("NOTIFY_SOCKET", "")
        microseconds = environ.pop("WATCHDOG_USEC", "")
        pid = environ.pop("WATCHDOG_PID", "")
        if not address.startswith(("/", "@")):
            return cls()
        is_watched = microseconds.isdecimal() and pid in ("", str(os.getpid()))
        return cls(address, int(microseconds) / 1_000_000 if is_watched else 0.0)

    @property
    def is_there(self) -> bool:
        """Whether anybody is to be told."""
        return bool(self.address)

    def starting(self) -> None:
        """Ask for time: what an earlier process left is looked at first."""
        self._tell(EXTEND_TIMEOUT_USEC=_START_SECONDS * 1_000_000)

    def ready(self, status: str) -> None:
        """Say that everything works, at first or again after `reloading`."""
        self._tell(READY=1, STATUS=status)

    def reloading(self) -> None:
        """Say that the configuration is read again; `ready` follows."""
        self._tell(RELOADING=1, MONOTONIC_USEC=SystemClock().monotonic())

    def stopping(self, status: str, *, seconds: float) -> None:
        """Say that the end has begun, and for how long running tasks may take to theirs."""
        longest = round((seconds + _STOP_SPARE_SECONDS) * 1_000_000)
        self._tell(STOPPING=1, STATUS=status, EXTEND_TIMEOUT_USEC=longest)

    def say(self, status: str) -> None:
        """Show a sentence in the status of the service."""
        self._tell(STATUS=status)

    def alive(self) -> None:
        """Say that all is well until `watchdog_seconds` from now."""
        self._tell(WATCHDOG=1)

    def _tell(self, **values: str | int) -> None:
        if not self.address:
            return
        text = "\n".join(f"{name}={_line(value)}" for name, value in values.items())
        # A name that begins with @ is an abstract one: it stands in no folder.
        address = f"\0{self.address[1:]}" if self.address.startswith("@") else self.address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
                sender.settimeout(_SEND_SECONDS)
                sender.sendto(text.encode(errors="replace"), address)
        except OSError:
            return


def _line(value: str | int) -> str:
    """Return a value as the one line that the protocol has room for."""
    text = " ".join(str(value).split())
    return text if len(text) <= _LONGEST_STATUS else f"{text[: _LONGEST_STATUS - 1]}…"
