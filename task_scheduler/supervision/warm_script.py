"""Becoming a script without executing an interpreter: what lies between a fork and its first line.

Responsible for: leaving a process as ``python SCRIPT ARGUMENTS`` would have made it: descriptors,
signals, environment, `sys`, `__main__`, and what loaded modules remember of another process. The
script itself is then run, and the interpreter ended, by the functions of C that ``python`` calls.
"""

from __future__ import annotations

import atexit
import builtins
import contextlib
import ctypes
import functools
import gc
import os
import pkgutil
import posix
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from types import ModuleType
from typing import Any, NamedTuple

from task_scheduler.clock import SystemClock
from task_scheduler.supervision import kernel
from task_scheduler.supervision.orders import FOLDER_VARIABLE
from task_scheduler.supervision.warm_end import Inheritance, endings

__all__ = ["OURS", "Origin", "Script", "become", "forget_errors", "steps"]

OURS = "task_scheduler"
"""What a script imports by this name is its own affair."""
_FRAMES = 5
"""So many calls of C lie below a script's first line in Python 3.11, which counts them."""
# Made before there are scripts: each is an object of some size.
_run = ctypes.pythonapi.PyRun_SimpleFileExFlags
_run.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int, ctypes.c_void_p]
_leave_call = ctypes.pythonapi.Py_LeaveRecursiveCall if sys.version_info < (3, 12) else None
_library = ctypes.PyDLL(None)
_fopen, _fdopen = _library.fopen, _library.fdopen
_fopen.restype = _fdopen.restype = ctypes.c_void_p
_LAST = ("last_type", "last_value", "last_traceback", "last_exc")


class Script(NamedTuple):
    """A script that is open, and the name under which it was called."""

    file: int
    """A ``FILE *``."""
    path: bytes


class Origin(NamedTuple):
    """What a process became before it was forked for scripts."""

    changes: Mapping[bytes, bytes | None]
    """What start and preload have made of its environment; None: removed."""
    handlers: Mapping[int, Any]
    """The signal handlers that a script finds."""
    modules: Mapping[str, ModuleType]
    """Those of the user's that are named like ours."""
    has_place: bool
    """Whether the first place of `sys.path` is that of the script's folder."""
    texts: tuple[tuple[int, int], tuple[int, int]]
    """Where the kernel reads arguments and the attempt's variable: address and length."""


def open_script(argv: list[bytes]) -> tuple[Script | None, list[bytes]]:
    """Open the script of a command; return it and its arguments, the script's name first.

    The command of a script that was checked names a descriptor: see `confinement.as_script`.
    """
    if argv[1].endswith(b"/confinement/as_script.py"):
        opened, arguments = int(argv[2]), argv[3:]
        file = _fdopen(opened, b"rb")
    else:
        arguments = argv[1:]
        if pkgutil.get_importer(os.fsdecode(arguments[0])) is not None:
            # A folder or an archive, whose `__main__` is found in another way.
            return None, arguments
        file = _fopen(arguments[0], b"rbe")
    return (Script(file, arguments[0]) if file else None), arguments


def become(
    argv: list[bytes], env: dict[bytes, bytes], report: int, origin: Origin
) -> Script | None:
    """Leave all that was; return the script to run, None where it has to be started cold.

    `report` is closed at last: from then on the script runs.
    """
    _close_all_but(report)
    script, arguments = open_script(argv)
    if script is None:
        return None
    for number, handler in origin.handlers.items():
        signal.signal(number, handler)
    _take_environment(env, origin.changes)
    path = os.fsdecode(script.path)
    if origin.has_place:
        sys.path[0] = os.path.dirname(os.path.realpath(path))
    sys.argv[:] = map(os.fsdecode, arguments)
    sys.orig_argv[:] = map(os.fsdecode, [argv[0], *arguments])
    for name in [name for name in sys.modules if name.partition(".")[0] == OURS]:
        del sys.modules[name]
    sys.modules.update(origin.modules)
    sys.modules["__main__"] = _main_module()
    _refresh()
    kernel.set_name(os.path.basename(argv[0])[:15])
    folder = FOLDER_VARIABLE.encode("ascii")
    shown = (b"\0".join([argv[0], *arguments]), folder + b"=" + env.get(folder, b""))
    for (address, length), text in zip(origin.texts, shown, strict=True):
        if length:
            # Its last byte stays 0, or the kernel would read on.
            ctypes.memmove(address, text[: length - 1].ljust(length, b"\0"), length)
    gc.enable()
    os.close(report)
    return script


def steps(script: Script) -> Iterator[Callable[[], object]]:
    """Give what is to be called, one after another, with no frame of Python's below.

    So a traceback, `warnings`, `inspect` and the limit of recursion see what they always see.
    """
    results: list[int] = []
    found = Inheritance()
    _run.errcheck = lambda result, *_: results.append(result)  # type: ignore[assignment]
    if _leave_call is not None:
        for _ in range(_FRAMES):
            _leave_call()
    yield functools.partial(_run, script.file, script.path, 1, None)
    # Here only if it was not `sys.exit` that ended it.
    if results[0] and issubclass(getattr(sys, "last_type", int), KeyboardInterrupt):
        yield _end_by_interrupt
    yield from endings(1 if results[0] else 0, found)


def forget_errors() -> None:
    """Forget the last error shown: a script finds none."""
    for name in _LAST:
        if hasattr(sys, name):
            delattr(sys, name)


def _end_by_interrupt() -> None:
    """End as an interpreter does that was interrupted: by the signal, when all is tidied up."""
    threading = sys.modules.get("threading")
    if threading is not None:
        threading._shutdown()  # noqa: SLF001  no other way
    atexit._run_exitfuncs()  # noqa: SLF001  no other way
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, OSError, ValueError):
            stream.flush()
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGINT)


def _close_all_but(report: int) -> None:
    """Close what an exec would have closed."""
    for name in os.listdir("/proc/self/fd"):
        number = int(name)
        with contextlib.suppress(OSError):
            if number > 2 and number != report and not os.get_inheritable(number):
                os.close(number)


def _take_environment(env: Mapping[bytes, bytes], changes: Mapping[bytes, bytes | None]) -> None:
    wanted = dict(env)
    for name, value in changes.items():
        if value is None:
            wanted.pop(name, None)
        else:
            wanted[name] = value
    os.environb.clear()
    os.environb.update(wanted)
    posix.environ.clear()
    posix.environ.update(wanted)
    time.tzset()


def _main_module() -> ModuleType:
    module = ModuleType("__main__")
    if sys.version_info < (3, 14):
        module.__annotations__ = {}
    vars(module)["__builtins__"] = builtins
    return module


def _refresh() -> None:
    """Give loaded modules what they would have if they had been loaded in this process."""
    modules = sys.modules
    if "logging" in modules:
        now = SystemClock().now()
        started = now * 1_000 if sys.version_info >= (3, 13) else now / 1_000_000
        vars(modules["logging"])["_startTime"] = started
    if "numpy.random" in modules:
        modules["numpy.random"].seed()
    process: Any = modules.get("multiprocessing.process")
    if process is not None:
        process.ORIGINAL_DIR = os.path.abspath(os.getcwd())
        process.current_process().authkey = os.urandom(32)
    if "linecache" in modules:
        modules["linecache"].clearcache()
