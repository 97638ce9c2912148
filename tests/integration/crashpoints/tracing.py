"""strace: attached to one thread, it counts the calls of that thread or kills at one of them.

Responsible for: the command line, when a tracer is ready, and what its log says.

strace counts ``when=N`` for each thread by itself, and without ``-f`` it traces the one thread that
it is attached to: so the Nth call is that of one thread of one process, whatever the others do.

- ``signal=SIGKILL`` is delivered where the call is entered: the call is not carried out.
- ``signal=SIGSTKFLT``, whose default is death too and which no program listens to, does not
  wake a traced thread out of its call: the call is carried out, and not one instruction after it.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

BEFORE, AFTER = "SIGKILL", "SIGSTKFLT"
_ATTACH_SECONDS = 20.0
_CALL = re.compile(r"^([a-z0-9_]+)\((.*)$")
_KILLED = re.compile(r"^\+\+\+ killed by (SIG[A-Z0-9]+)")


class HarnessError(Exception):
    """A trial did not come about."""


@dataclass(frozen=True, slots=True)
class Call:
    """One system call of a log: its name, and its arguments and result as text."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Kill:
    """A death at the `number`th call named `name` of the traced thread.

    With `follows` it only counts where the call of that name and number came right before.
    """

    name: str
    number: int
    signal: str
    follows: tuple[str, int] | None = None

    @property
    def options(self) -> list[str]:
        """What strace is told."""
        inject = f"inject={self.name}:signal={self.signal}:when={self.number}"
        names = self.name if self.follows is None else f"{self.name},{self.follows[0]}"
        return ["-e", f"trace={names}", "-e", inject]

    def is_witnessed(self, log: Path) -> bool:
        """Whether a log shows this death, on its side of this call."""
        if killed_by(log) != self.signal or is_carried_out(log) != (self.signal == AFTER):
            return False
        names = [call.name for call in calls(log)]
        if self.follows is None or self.follows[0] == self.name:
            return names.count(self.name) == self.number
        name, number = self.follows
        return names[-2:-1] == [name] and names.count(name) == number


class Tracer:
    """A strace attached to one thread, whose calls go to `log`."""

    def __init__(self, thread: int, log: Path, kill: Kill | None) -> None:
        options = [] if kill is None else kill.options
        self._errors = log.with_suffix(".errors")
        with self._errors.open("wb") as errors:
            self.process = subprocess.Popen(
                ["strace", "-p", str(thread), "-o", log, "-y", "-s", "12", *options],
                stdin=subprocess.DEVNULL,
                stderr=errors,
            )
        self._wait_attached()

    def _wait_attached(self) -> None:
        deadline = time.monotonic() + _ATTACH_SECONDS
        # Said after the thread was interrupted: it makes no call from now on that is not seen.
        while b"attached" not in self._errors.read_bytes():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise HarnessError(f"strace did not attach: {self._errors.read_text()}")
            time.sleep(0.001)

    def end(self) -> None:
        """Wait for its end, which follows that of its thread."""
        try:
            self.process.wait(_ATTACH_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.terminate()
            self.process.wait()


def calls(log: Path) -> list[Call]:
    """Return the calls of a log in their order."""
    matches = (_CALL.match(line) for line in _lines(log))
    return [Call(match[1], match[2]) for match in matches if match]


def killed_by(log: Path) -> str | None:
    """Return the signal by which the traced thread ended, if it did."""
    for line in reversed(_lines(log)):
        if match := _KILLED.match(line):
            return match[1]
    return None


def is_carried_out(log: Path) -> bool | None:
    """Whether the last call of a log has a result; None where there is no call."""
    found = calls(log)
    if not found:
        return None
    result = found[-1].text.rpartition("= ")[2].strip()
    return not result.startswith("?")


def obstacle() -> str | None:
    """Say why nothing can be traced here, and what helps; None where it can."""
    if sys.platform != "linux":
        return f"crash points need strace, which is Linux' own; this is {sys.platform}"
    if shutil.which("strace") is None:
        return (
            "strace is not installed: apt-get install -y strace (or run scripts/setup test as root)"
        )
    probe = subprocess.run(
        ["strace", "-e", "trace=none", "-o", os.devnull, "/bin/true"],
        capture_output=True,
        text=True,
        check=False,
    )
    if probe.returncode:
        return (
            "ptrace is not allowed here, so that strace cannot attach to a process"
            f" ({probe.stderr.strip()}): in a container start it with --cap-add=SYS_PTRACE"
        )
    return None


def _lines(log: Path) -> list[str]:
    return log.read_text(errors="replace").splitlines() if log.exists() else []
