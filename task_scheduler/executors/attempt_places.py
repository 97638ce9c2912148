"""The places of attempts: one folder each, below one that they share.

Responsible for: their names, making and deleting them. What lies in one is `supervision`'s.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from task_scheduler.core.model import Claim
from task_scheduler.executors.process_flight import name_of
from task_scheduler.supervision import attempt_folder

__all__ = ["AttemptPlaces"]

_ATTEMPT_NAME = re.compile(r"[0-9]+-[0-9]+")


class AttemptPlaces:
    """The folders below `runs`, which is absolute."""

    def __init__(self, runs: Path) -> None:
        self._runs = runs

    def output_path(self, claim: Claim) -> Path:
        """Return the file that holds what an attempt wrote, or will write."""
        return Path(self._runs, name_of(claim), "output")

    def forget(self, claims: Sequence[Claim]) -> None:
        """Delete the files of attempts whose ends are durable, all but their outputs."""
        for claim in claims:
            try:
                attempt_folder.forget(self._folder(name_of(claim)))
            except OSError:
                # What stays behind is small, and goes with its run.
                continue

    def attempt_names(self) -> Iterator[str]:
        """Give the names of all attempts of which something is left: ``<run id>-<token>``."""
        with contextlib.suppress(FileNotFoundError), os.scandir(self._runs) as folders:
            for folder in folders:
                if _ATTEMPT_NAME.fullmatch(folder.name):
                    yield folder.name

    def prune(self, names: Iterable[str]) -> None:
        """Delete all that is left of these attempts."""
        for name in names:
            shutil.rmtree(self._runs / name, ignore_errors=True)

    def _folder(self, name: str) -> bytes:
        return os.fsencode(self._runs / name)

    def _make(self, name: str) -> None:
        (self._runs / name).mkdir(mode=0o700, parents=True, exist_ok=True)
