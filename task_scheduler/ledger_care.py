"""What users do with the ledger as a whole: back it up, and let a held one go on.

Responsible for: that part of the facade, and who makes a copy: this process if it holds the ledger
or nobody does, else the one that holds it.
"""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path
from typing import Any

from task_scheduler.control import HolderGoneError, ask
from task_scheduler.core.inbox import CollectLedger, ReleaseLedger
from task_scheduler.errors import (
    SchedulerStoppedError,
    StoreError,
    StoreUnavailableError,
)
from task_scheduler.facade_part import FacadePart
from task_scheduler.holding import Holding
from task_scheduler.offers import Patience
from task_scheduler.restoring import (
    backup_ledger,
    contents_plain,
    evidence_plain,
    refuse_living,
)
from task_scheduler.stores.backup import write_backup
from task_scheduler.task_rules import moment_of

__all__ = ["LedgerCare"]

_QUICK_BYTES = 64 * 1024 * 1024
"""A ledger up to this is written anew within a second: nothing that is due has to wait for long."""
_LEAST_SHARE = 10
"""The part of a ledger that has to be free, one of so many, for it to be written anew unasked."""
_LEAST_BYTES = 1024 * 1024
_LOOK_SECONDS = 0.2


class LedgerCare(FacadePart):
    """The part of `TaskScheduler` that looks after its ledger."""

    def backup(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> dict[str, Any]:
        """Copy the ledger, whoever runs it meanwhile, into one private file; say what is in it.

        What runs wrote is not in it. Raises FileExistsError unless `overwrite`, and StoreError
        where the copy cannot be made or is not sound; then there is none.
        """
        found = backup_ledger(self._copy, self.files, Path(path), overwrite=overwrite)
        return contents_plain(found)

    def hold(self) -> dict[str, Any] | None:
        """Say why nothing of a restored or rolled-back ledger starts; None where it is not held.

        ``reason``, ``held_at``, ``moment`` (the newest it knows), ``waiting`` runs, and the
        attempts that came after it: ``later``, of which files are left, and ``living``.
        """
        hold = self.view.hold()
        return hold and {**hold, **evidence_plain(self.files, hold, self._reader.fetch)}

    def release_hold(
        self,
        resume_from: datetime | str | None = None,
        *,
        keep_waiting: bool = False,
        despite_living: bool = False,
    ) -> dict[str, int]:
        """Let a held ledger go on from a moment: what was due before is skipped, the rest late.

        ``"now"``, or None: from where the ledger stands. Its waiting retries, requests and chained
        runs start only with `keep_waiting`. Returns how many `entries`, `skipped` occurrences,
        `given_up` and `kept` runs. Raises StoreError while attempts live that it does not know,
        unless `despite_living`, and DefinitionError for a ledger that is not held.
        """
        if not despite_living:
            refuse_living(self.files, self._reader.fetch)
        since = None if resume_from is None else self._clock.now()
        if resume_from is not None and resume_from != "now":
            since = moment_of(resume_from)
        command = ReleaseLedger(since=since, keep_waiting=keep_waiting)
        counts: dict[str, int] = self._runtime.execute(command)
        return counts

    def collect(self, *, vacuum: bool | None = None) -> dict[str, Any]:
        """Let go at once what retention would take by and by, and give its room back to the disk.

        Returns the ``runs``, ``skips`` and ``folders`` that went, the ``size`` of the ledger with
        ``size_before`` and what is ``free`` in it, and whether it was ``vacuumed``. By default it
        is where that gains something and keeps nobody waiting; `vacuum` true: in any case. Raises
        StoreError for a large one that a scheduler runs, and where the ledger cannot be written.
        """
        self._runtime.execute(CollectLedger(is_vacuuming=bool(vacuum)))
        socket = self.files.socket
        patience: Patience | None = None
        while True:
            try:
                found = self._collect_here(vacuum) or ask(socket, "collect", vacuum=vacuum)
                return dict(found)
            except (HolderGoneError, SchedulerStoppedError) as error:
                patience = patience or Patience(self._clock)
                patience.spend(socket, error)

    def _collect_for(self, vacuum: bool | None) -> dict[str, Any]:
        """Do so for another process."""
        found = self._collect_here(vacuum)
        if found is None:
            raise SchedulerStoppedError("errors.stopped")
        return found

    def _collect_here(self, vacuum: bool | None) -> dict[str, Any] | None:
        """Do so in this process; None where it does not hold the ledger."""
        holding = self._runtime.hold()
        if holding is None:
            return None
        size_before = holding.store.fetch("ledger_room")["size"]
        if vacuum and holding.is_active and size_before > _QUICK_BYTES:
            raise StoreError("manual.too_large", size=size_before // 1_000_000)
        taken = holding.collect()
        while not taken.ended.wait(_LOOK_SECONDS):
            if self._runtime.holding is not holding:
                raise SchedulerStoppedError("errors.stopped")
            if self._runtime.store_error is not None:
                raise StoreUnavailableError(
                    "errors.store_unavailable",
                    path=str(self.files.database),
                    reason=self._runtime.store_error,
                )
        is_vacuumed = vacuum if vacuum is not None else _is_worth_it(holding)
        if is_vacuumed and not holding.store.is_memory:
            holding.store.vacuum()
        return {
            "runs": taken.runs,
            "skips": taken.skips,
            "folders": taken.folders,
            "size_before": size_before,
            **holding.store.fetch("ledger_room"),
            "is_vacuumed": bool(is_vacuumed),
        }

    def _copy(self, path: Path) -> None:
        """Copy the ledger into a file that is not there yet: here, or by whoever holds it."""
        socket = self.files.socket
        patience: Patience | None = None
        while True:
            try:
                if self._is_copied_here(path) or ask(socket, "backup", target=str(path)):
                    return
            except (HolderGoneError, SchedulerStoppedError) as error:
                patience = patience or Patience(self._clock)
                patience.spend(socket, error)

    def _copy_here(self, target: str) -> bool:
        """Do so for another process."""
        if not self._is_copied_here(Path(target)):
            raise SchedulerStoppedError("errors.stopped")
        return True

    def _is_copied_here(self, path: Path) -> bool:
        holding = self._runtime.hold()
        if holding is None:
            return False
        try:
            write_backup(holding.store, path, now=self._clock.now())
        except StoreUnavailableError as error:
            if error.key != "errors.copy_broken_off":
                raise
            # It was let go in the very moment; who took it makes the copy.
            return False
        return True


def _is_worth_it(holding: Holding) -> bool:
    """Whether writing a ledger anew gives enough room back, and keeps nobody waiting for it."""
    room = holding.store.fetch("ledger_room")
    gain = max(_LEAST_BYTES, room["size"] // _LEAST_SHARE)
    return room["free"] >= gain and (room["size"] <= _QUICK_BYTES or not holding.is_active)
