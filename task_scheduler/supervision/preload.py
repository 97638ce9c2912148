"""Loading modules ahead of the scripts that need them, and what a fork cannot hand on of that.

Responsible for: importing them, watching what they read of the environment, and refusing those
that leave threads, processes, descriptors or printed text behind.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from types import ModuleType
from typing import Any

from task_scheduler.supervision.hearing import HEARD
from task_scheduler.supervision.small_files import read_file
from task_scheduler.supervision.warm_script import OURS

__all__ = ["Preload", "RefusedError", "differing_variable"]

_OWN_PREFIX = b"TASK_SCHEDULER_"
"""These differ from run to run, and no module loaded ahead has a use for them."""
_ERROR_CHARACTERS = 500


class RefusedError(Exception):
    """Scripts cannot be started warm with this preload: `reason`, and of what it speaks."""

    def __init__(self, reason: str, what: str) -> None:
        super().__init__(reason, what)
        self.reason = reason
        self.what = what


class _Watched(type(os.environ)):  # type: ignore[misc]
    """The environment while modules are loaded; `os.environ` becomes one and is one no longer."""

    asked: set[bytes]
    is_read_whole: bool

    def __getitem__(self, name: Any) -> Any:
        self.__dict__.setdefault("asked", set()).add(os.fsencode(name))
        return super().__getitem__(name)

    def __iter__(self) -> Iterator[Any]:
        self.__dict__["is_read_whole"] = True
        found: Iterator[Any] = super().__iter__()
        return found


class Preload:
    """Modules loaded ahead, and what is to be known of it."""

    def __init__(self, names: Sequence[str], descriptors: frozenset[int]) -> None:
        self._names = names
        self._descriptors = descriptors
        self.asked: dict[bytes, bytes | None] = {}
        """What was read of the environment while loading; a script must have the same."""
        self.changes: dict[bytes, bytes | None] = {}
        """What the start of the interpreter and the modules have changed in the environment."""
        self.handlers: dict[int, Any] = {}
        """The handlers of signals as the modules left them."""
        self.modules: dict[str, ModuleType] = {}
        """Modules of the user's that are named like ours."""
        self.names: frozenset[str] = frozenset()
        """The outermost names of all that is loaded."""

    def load(self, pipe: int) -> None:
        """Load them; raises RefusedError. Whatever is printed goes to the pipe."""
        given = _initial_environment()
        self._import()
        for name, value in os.environb.items():
            if given.get(name) != value:
                self.changes[name] = value
        self.changes.update((name, None) for name in given if name not in os.environb)
        for number in (*HEARD, signal.SIGPIPE, signal.SIGXFSZ):
            handler = signal.getsignal(number)
            if number in HEARD and handler == signal.SIG_IGN:
                # The scheduler's, as under ``nohup``: no task inherits that.
                is_interrupt = number == signal.SIGINT
                handler = signal.default_int_handler if is_interrupt else signal.SIG_DFL
            self.handlers[number] = handler
        self.names = frozenset(name.partition(".")[0] for name in sys.modules) - {OURS, "__main__"}
        self.names -= set(sys.builtin_module_names)
        self.names |= {name.partition(".")[0] for name in self.modules}
        self._check(pipe)

    def _import(self) -> None:
        ours = {name: sys.modules.pop(name) for name in list(sys.modules) if _is_ours(name)}
        environ: Any = os.environ
        kind = type(environ)
        environ.__class__ = _Watched
        try:
            for name in self._names:
                import_module(name)
        except BaseException as error:  # fence: attempt
            what = f"{type(error).__name__}: {error}"[:_ERROR_CHARACTERS]
            raise RefusedError("import", what) from error
        finally:
            asked = environ.__dict__.pop("asked", set())
            if environ.__dict__.pop("is_read_whole", False):
                asked |= {name for name in os.environb if not name.startswith(_OWN_PREFIX)}
            environ.__class__ = kind
        self.asked = {name: os.environb.get(name) for name in asked}
        self.modules = {name: sys.modules.pop(name) for name in list(sys.modules) if _is_ours(name)}
        sys.modules.update(ours)

    def _check(self, pipe: int) -> None:
        """Refuse what a fork would not hand on, or would hand on to all."""
        threads = os.listdir("/proc/self/task")
        if len(threads) > 1:
            raise RefusedError("threads", str(len(threads) - 1))
        if children := read_file(f"/proc/self/task/{os.getpid()}/children"):
            raise RefusedError("processes", children.decode("ascii").strip())
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os.set_blocking(pipe, False)
        try:
            said = os.read(pipe, 4_096)
        except BlockingIOError:
            said = b""
        if said:
            text = " ".join(said.decode("utf-8", "replace").split())
            raise RefusedError("output", text[:_ERROR_CHARACTERS])
        null = os.open(os.devnull, os.O_WRONLY)
        for number in (1, 2):
            os.dup2(null, number)
        os.close(null)
        os.close(pipe)
        for name in os.listdir("/proc/self/fd"):
            number = int(name)
            if number not in self._descriptors and os.path.exists(f"/proc/self/fd/{number}"):
                raise RefusedError("descriptors", os.readlink(f"/proc/self/fd/{number}"))


def differing_variable(preload: Preload, env: Mapping[bytes, bytes]) -> str:
    """Return a variable that was read while loading and has another value in `env`, or none."""
    for name, value in preload.asked.items():
        if env.get(name) != value and name not in preload.changes:
            return os.fsdecode(name)
    return ""


def _initial_environment() -> dict[bytes, bytes]:
    """Return the environment as this process was executed with."""
    found: dict[bytes, bytes] = {}
    for line in (read_file("/proc/self/environ") or b"").split(b"\0"):
        name, mark, value = line.partition(b"=")
        if mark:
            found[name] = value
    return found


def _is_ours(name: str) -> bool:
    return name.partition(".")[0] == OURS
