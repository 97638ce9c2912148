"""The files behind loaded modules: whether they are still those that were loaded.

Responsible for: noticing a change before it could be missed in a script, and modules that a script
would find beside itself instead of the loaded ones.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Set as AbstractSet

__all__ = ["LoadedFiles", "Shadows"]

_SETTLED_NS = 1_000_000_000
"""A folder that changed more recently may change again within one tick of its clock."""
_MOST_FOLDERS = 1_000

_Mark = tuple[int, int, int] | None


class LoadedFiles:
    """The files of all modules loaded by now, the interpreter, and the folders it searches."""

    def __init__(self) -> None:
        paths = {getattr(module, "__file__", None) for module in list(sys.modules.values())}
        paths = {path for path in paths if isinstance(path, str) and path.endswith((".py", ".so"))}
        # The first folder is that of this program.
        paths |= {sys.executable, os.path.realpath(sys.executable), *sys.path[1:]}
        paths |= {os.path.join(sys.prefix, "pyvenv.cfg")}
        self._marks: dict[str, _Mark] = {path: _mark_of(path) for path in paths if path}

    def changed(self) -> str:
        """Return a path that is not what it was; empty if there is none."""
        for path, mark in self._marks.items():
            if _mark_of(path) != mark:
                return path
        return ""


class Shadows:
    """Whether folders of scripts hold modules named like loaded ones, which would go before."""

    def __init__(self, names: AbstractSet[str]) -> None:
        self._names = names
        self._known: dict[bytes, tuple[_Mark, str]] = {}

    def hides(self, folder: bytes, now: int) -> str:
        """Return a loaded module that a script in this folder would find there; empty: none.

        `now` is the wall clock, in microseconds.
        """
        mark = _mark_of(folder)
        known = self._known.get(folder)
        if known is not None and known[0] == mark:
            return known[1]
        try:
            here = {name.partition(".")[0] for name in map(os.fsdecode, os.listdir(folder))}
        except OSError:
            return ""
        name = min(here & self._names, default="")
        if mark is not None and now * 1_000 - mark[0] > _SETTLED_NS:
            if len(self._known) >= _MOST_FOLDERS:
                self._known.clear()
            self._known[folder] = (mark, name)
        return name


def _mark_of(path: str | bytes) -> _Mark:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
