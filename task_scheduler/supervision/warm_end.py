"""The end of a warm script: what Python would do, without taking apart what was not the script's.

Responsible for: threads joined, exit functions called, streams flushed and objects destroyed in the
order of Python's own end (`Py_FinalizeEx`). That one also frees all that the template had loaded,
of which nobody hears: but each page that it writes to is first copied, and that is half of what a
warm start costs. Where an end is out of the ordinary it is Python's own.
"""

from __future__ import annotations

import _thread
import atexit
import builtins
import contextlib
import ctypes
import functools
import gc
import io
import sys
import weakref
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

__all__ = ["Inheritance", "endings"]

_FORGOTTEN = (
    "path", "argv", "ps1", "ps2", "last_exc", "last_type", "last_value", "last_traceback",
    "path_hooks", "path_importer_cache", "meta_path", "__interactivehook__",
)  # fmt: skip
"""What Python takes out of `sys` before the modules go."""
_STREAMS = ("stdin", "stdout", "stderr", "__stdin__", "__stdout__", "__stderr__")
_WRITERS = (io.TextIOWrapper, io.BufferedWriter, io.BufferedRandom)

_exit = ctypes.PyDLL(None).exit
_finalize_and_exit = ctypes.pythonapi.Py_Exit


class Inheritance:
    """What a script has found: its modules, and the names in `sys` and `builtins`."""

    def __init__(self) -> None:
        self.modules = frozenset(sys.modules)
        self.in_sys = frozenset(vars(sys))
        self.in_builtins = dict(vars(builtins))
        self.exit_count = atexit._ncallbacks()  # noqa: SLF001  no other way


def endings(status: int, found: Inheritance) -> Iterator[Callable[[], object]]:
    """Give what is to be called to end a script that has run to its end, or failed."""
    # Python 3.12 refuses threads to exit functions, which nobody else can.
    is_strict = sys.version_info[:2] == (3, 12) and atexit._ncallbacks() > found.exit_count  # noqa: SLF001
    if not sys.flags.dev_mode and not is_strict:
        threading = sys.modules.get("threading")
        if threading is not None:
            yield threading._shutdown  # noqa: SLF001  what Python calls here
        yield atexit._run_exitfuncs  # noqa: SLF001  what Python calls here
        # A thread that goes on would run among what is being taken apart.
        if not _thread._count() and _are_flushed():  # noqa: SLF001  no other way
            streams = [sys.__stdout__, sys.__stderr__]
            yield from _taking_apart(found)
            _flush_rest(streams)
            # As at every end: what C libraries have registered, and what they hold back.
            yield functools.partial(_exit, status)
    yield functools.partial(_finalize_and_exit, status)


def _are_flushed() -> bool:
    """Flush what the script has written; False where Python has something to say about it."""
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None and not stream.closed:
                stream.flush()
        except Exception:  # fence: attempt
            return False
    return True


def _taking_apart(found: Inheritance) -> Iterator[Callable[[], object]]:
    """Give what destroys the script's objects, module by module, in the order that Python has.

    Called by C, like the script: a destructor may look at the stack, and a warning does.
    """
    yield gc.collect
    vars(builtins)["_"] = None
    yield _setter(vars(sys), [name for name in _FORGOTTEN if name in vars(sys)])
    vars(sys).update(stdin=sys.__stdin__, stdout=sys.__stdout__, stderr=sys.__stderr__)
    # By this reference the others stay.
    modules: dict[str, ModuleType | None] = dict(sys.modules)
    own = [
        (name, weakref.ref(module))
        for name, module in modules.items()
        if isinstance(module, ModuleType) and (name not in found.modules or name == "__main__")
    ]
    modules.update((name, None) for name in modules if name not in found.modules)
    modules.pop("__main__", None)
    yield _setter(vars(sys)["modules"], list(sys.modules))
    yield sys.modules.clear
    names = vars(builtins)
    yield _setter(names, [name for name in names if name not in found.in_builtins])
    yield functools.partial(names.update, found.in_builtins)
    yield gc.collect
    for _, alive in reversed(own):
        names = getattr(alive(), "__dict__", {})
        yield _setter(names, [n for n in names if n.startswith("_") and not n.startswith("__")])
        yield _setter(names, [n for n in names if n != "__builtins__"])
        del names
    # What is only there has nobody left to print to.
    yield _setter(vars(sys), [*_STREAMS, "modules"])
    yield _setter(vars(sys), [name for name in vars(sys) if name not in found.in_sys])
    yield gc.collect


def _setter(names: dict[str, Any], which: list[str]) -> Callable[[], object]:
    """Return what sets some names to None, one after another."""
    return functools.partial(names.update, dict.fromkeys(which))


def _flush_rest(streams: list[Any]) -> None:
    """Write what files hold back that something else than the script still has."""
    files = [thing for thing in gc.get_objects() if type(thing) in _WRITERS]
    for file in (*files, *streams):
        with contextlib.suppress(AttributeError, OSError, ValueError):
            file.flush()
