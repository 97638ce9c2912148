"""A hostile program: it grows the process tree that its argument describes, as JSON.

Responsible for: doing what a node says: its steps, its children, its end. Run by the tests of trees
alone, under supervision, with nothing but the standard library.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

_BLOCKS = {"lines": b"0123456789abcde\n" * 4_096, "no_newline": b"x" * 65_536, "nul": bytes(65_536)}
_IGNORABLE = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGUSR1)


def grow(node: dict[str, Any], parent: int) -> None:
    """Be a node of the tree; never returns."""
    for step in node["steps"]:
        _STEPS[step](parent)
    _write(node.get("output"))
    me = os.getpid()
    for child in node["children"]:
        if os.fork() == 0:
            grow(child, me)
    if "ready" in node:
        os.close(os.open(node["ready"], os.O_WRONLY | os.O_CREAT, 0o600))
    kind, *values = node["end"]
    _ENDS[kind](*values)
    os._exit(99)


def _write(output: dict[str, Any] | None) -> None:
    left = 0 if output is None else output["bytes"]
    block = memoryview(_BLOCKS["lines" if output is None else output["style"]])
    offset = 0
    while left:
        # A pipe may take a part of a block only: the next write goes on inside it.
        count = os.write(1, block[offset : offset + left])
        left -= count
        offset = (offset + count) % len(block)


def _ignore(parent: int) -> None:
    for number in _IGNORABLE:
        signal.signal(number, signal.SIG_IGN)


def _orphan(parent: int) -> None:
    if os.fork():
        os._exit(0)


def _kill_parent(parent: int) -> None:
    if os.getppid() == parent:
        os.kill(parent, signal.SIGKILL)


def _fork_when_told_to_end(parent: int) -> None:
    def multiply(number: int, frame: object) -> None:
        for _ in range(3):
            if os.fork() == 0:
                _linger()

    signal.signal(signal.SIGTERM, multiply)


def _lead_a_session(parent: int) -> None:
    # Who leads a group may not.
    if os.getpgid(0) != os.getpid():
        os.setsid()


def _lead_a_group(parent: int) -> None:
    if os.getsid(0) != os.getpid():
        os.setpgid(0, 0)


_STEPS: dict[str, Callable[[int], None]] = {
    "setsid": _lead_a_session,
    "setpgid": _lead_a_group,
    "ignore": _ignore,
    "orphan": _orphan,
    "close": lambda parent: os.closerange(0, 64),
    "kill_parent": _kill_parent,
    "fork_at_term": _fork_when_told_to_end,
}


def _linger() -> None:
    while True:
        time.sleep(60)


def _signal_self(number: int) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if number != signal.SIGKILL:
        signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    _linger()


def _stop_self() -> None:
    while True:
        os.kill(os.getpid(), signal.SIGSTOP)


def _hop(seconds: float) -> None:
    """Have another pid all the time."""
    while True:
        if os.fork():
            os._exit(0)
        time.sleep(seconds)


def _breed(seconds: float) -> None:
    """Have short-lived children all the time."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        if os.fork() == 0:
            time.sleep(seconds)
            os._exit(0)
        time.sleep(seconds)


def _wipe(mark: str) -> None:
    """Go on as a program that nothing but its arguments tells from any other."""
    os.execve("/bin/sleep", ["sleep", mark], {})


def _kill_own_parent(number: int) -> None:
    time.sleep(0.05)
    os.kill(os.getppid(), number)
    _linger()


def _strike_supervisor(number: int) -> None:
    # What was forked must be there first.
    time.sleep(0.05)
    os.kill(os.getppid(), number)
    if number == signal.SIGSTOP:
        os._exit(0)
    _linger()


_ENDS: dict[str, Callable[..., None]] = {
    "exit": os._exit,
    "linger": _linger,
    "signal": _signal_self,
    "stop": _stop_self,
    "hop": _hop,
    "breed": _breed,
    "wipe": _wipe,
    "kill_parent": _kill_own_parent,
    "strike": _strike_supervisor,
}

if __name__ == "__main__":
    grow(json.loads(sys.argv[1]), os.getppid())
