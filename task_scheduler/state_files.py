"""Where the files of one ledger lie: all of them beside it and named after it.

Responsible for: names, the private folder, and who may own it. Two ledgers in one folder never
share a file.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import weakref
from dataclasses import dataclass
from pathlib import Path

from task_scheduler.errors import StoreError, StoreUnavailableError

__all__ = ["StateFiles", "temporary_files"]


@dataclass(frozen=True, slots=True)
class StateFiles:
    """The paths that belong to the ledger file `database`."""

    database: Path

    def _beside(self, suffix: str) -> Path:
        return self.database.with_name(self.database.stem + suffix)

    @property
    def lock(self) -> Path:
        """The engine lock: nothing else may open this file."""
        return self._beside(".lock")

    @property
    def marks(self) -> Path:
        """The mark bytes of claims in hand."""
        return self._beside(".marks")

    @property
    def socket(self) -> Path:
        """Where the holder takes requests of other processes."""
        return self._beside(".sock")

    @property
    def bell(self) -> Path:
        """Where supervisors ring when an attempt has ended."""
        return self._beside(".bell")

    @property
    def runs(self) -> Path:
        """One folder an attempt: its output, its exit record."""
        return self._beside(".runs")

    def prepare(self) -> None:
        """Make the folder, private; raises StoreError where it is another user's or cannot be made.

        A folder that was there already keeps its permissions: it may be one of the user's own.
        """
        folder = self.database.parent
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            _refuse_foreign(folder)
            self.runs.mkdir(exist_ok=True, mode=0o700)
            # In a folder where others may make files, as /tmp, they may have made ours.
            for path in (self.runs, self.database, self.lock, self.marks):
                _refuse_foreign(path)
        except OSError as error:
            raise StoreUnavailableError(
                "errors.store_unavailable",
                path=str(self.database),
                reason=error.strerror or str(error),
            ) from error


def _refuse_foreign(path: Path) -> None:
    """Raise StoreError where a file, or a link to it, is another user's; root's are welcome."""
    for look in (path.lstat, path.stat):
        try:
            owner = look().st_uid
        except FileNotFoundError:
            continue
        if owner not in (os.geteuid(), 0):
            raise StoreError("errors.state_folder_foreign", path=str(path), owner=owner)


def temporary_files(owner: object) -> StateFiles:
    """Return the files of a ledger in memory: attempts of scripts still need a folder.

    The folder goes with its owner, at the latest at the end of this process.
    """
    folder = tempfile.mkdtemp(prefix="task-scheduler-")
    weakref.finalize(owner, _remove, folder, os.getpid())
    return StateFiles(Path(folder) / "scheduler.db")


def _remove(folder: str, pid: int) -> None:
    # A forked child has the finalizer too, and the folder is its parent's.
    if os.getpid() == pid:
        shutil.rmtree(folder, ignore_errors=True)
