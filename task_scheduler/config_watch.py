"""Watching the files of a configuration: when they have changed, and come to rest, tell it once.

Responsible for: looking at the folders and not at the files, since editors and deployments put a
new file in the place of the old one or turn a link; waiting until whoever writes has finished; and
going on by looking every now and then where the system tells of no changes. Reads no configuration.
"""

from __future__ import annotations

import glob
import os
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from task_scheduler.folder_bell import FolderBell

__all__ = ["ConfigWatch", "Watched"]

_LOOK_SECONDS = 30.0
"""Between two looks where nothing was told: a folder may be replaced, or lie on a network."""
_POLL_SECONDS = 1.0
"""The same where the system tells of nothing."""
_REST_SECONDS = 0.2
"""For how long nothing must change before what is there is read."""
_LONGEST_WAIT_SECONDS = 5.0
"""Somebody who writes without an end is not waited for longer."""


class Watched(NamedTuple):
    """What is watched: files, and patterns of files that may come."""

    paths: Sequence[Path]
    patterns: Sequence[Path] = ()


class ConfigWatch:
    """A thread that calls `changed` after each change, until closed.

    `watched` is asked again and again: a changed configuration may include other files.
    """

    def __init__(self, watched: Callable[[], Watched], changed: Callable[[], None]) -> None:
        self._watched = watched
        self._changed = changed
        self._closed = threading.Event()
        self._wake, self._waker = os.pipe()
        # Before the thread begins: what changes from here on is told.
        self._seen = _signature(watched())
        self._thread = threading.Thread(
            target=self._watch, name="task-scheduler-config", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Watch no more."""
        self._closed.set()
        os.write(self._waker, b".")
        self._thread.join()
        os.close(self._wake)
        os.close(self._waker)

    def _watch(self) -> None:
        watch = self._listen
        while not self._closed.is_set():
            try:
                watch()
                watch = self._listen
            except Exception:  # fence: request
                # No descriptor or watch left, no means for it, a folder that is gone: by looking.
                self._closed.wait(_POLL_SECONDS)
                watch = self._look

    def _listen(self) -> None:
        """Look whenever something changed in the folders, as long as these stay the same."""
        folders = _folders(self._watched())
        bell = FolderBell(folders)
        try:
            while not self._closed.is_set() and _folders(self._watched()) == folders:
                self._look()
                bell.wait(self._wake, _LOOK_SECONDS)
        finally:
            bell.close()

    def _look(self) -> None:
        """Tell a change, if there is one, when it has come to rest."""
        if _signature(self._watched()) == self._seen:
            return
        self._seen = self._come_to_rest()
        if not self._closed.is_set():
            self._changed()

    def _come_to_rest(self) -> object:
        """Wait until nothing changes any more; return how things stand then."""
        seen = _signature(self._watched())
        waited = 0.0
        while waited < _LONGEST_WAIT_SECONDS and not self._closed.wait(_REST_SECONDS):
            waited += _REST_SECONDS
            before, seen = seen, _signature(self._watched())
            if seen == before:
                break
        return seen


def _folders(watched: Watched) -> list[Path]:
    """Return the folders in which files may change: where they stand, and where links lead."""
    folders: dict[Path, None] = {}
    for path in watched.paths:
        folders[path.parent] = None
        folders[path.resolve().parent] = None
    for pattern in watched.patterns:
        folders.update(dict.fromkeys(map(Path, _matching(pattern.parent))))
    return [folder for folder in folders if folder.is_dir()]


def _signature(watched: Watched) -> object:
    """Return a value that differs where a file was changed, replaced, added or taken away."""
    names = {str(path) for path in watched.paths}
    for pattern in watched.patterns:
        names.update(_matching(pattern))
    found: list[tuple[str | int | None, ...]] = []
    for name in sorted(names):
        try:
            status = Path(name).stat()
        except OSError as error:
            found.append((name, error.errno))
        else:
            identity = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
            found.append((name, *identity))
    return found


def _matching(pattern: Path) -> list[str]:
    return glob.glob(str(pattern))  # noqa: PTH207  an absolute pattern
