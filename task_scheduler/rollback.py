"""Rollback: whether a ledger is an older copy of itself, or a backup, found out when it is taken.

Responsible for: gathering what lies beside the database (the witness of the marks, the folders of
attempts), letting the ledger's ids go on above all of it, and holding a ledger that is behind. What
follows from the evidence is decided in `core.hold`. Also: which attempts live that the ledger
knows nothing of.
"""

from __future__ import annotations

import os
import re
import uuid
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from task_scheduler.core.hold import HoldReason, Mileage, is_rolled_back
from task_scheduler.core.model import Microseconds
from task_scheduler.core.ports import Store
from task_scheduler.executors.marks import read_witness
from task_scheduler.state_files import StateFiles
from task_scheduler.supervision import attempt_folder
from task_scheduler.supervision.attempt_folder import State

__all__ = ["Stray", "attempts_beside", "find_strays", "hold", "look_for_rollback", "strays_beyond"]

_MOST = 1 << 62
_FOLDER = re.compile(r"(\d{1,19})-(\d{1,19})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Stray:
    """The folder of an attempt that the ledger knows nothing of."""

    run_id: int
    token: int
    is_alive: bool
    pid: int | None
    at: Microseconds
    """When something last happened in it."""


def look_for_rollback(
    store: Store, files: StateFiles, *, now: Microseconds, with_folders: bool
) -> None:
    """Hold the ledger if it is older than what ran; its new ids collide with none in any case.

    `with_folders`: also the folders of attempts are looked at, which takes longer the more there
    are. Raises what the store raises.
    """
    row = store.fetch("ledger_row")
    if row["ledger_id"] is None:
        store.execute("name_ledger", ledger_id=uuid.uuid4().hex)
        row = store.fetch("ledger_row")
    own = Mileage(row["last_token"], row["last_run_id"])
    witness = read_witness(files.marks)
    attempts = attempts_beside(files.runs) if with_folders else Mileage()
    seen = attempts if witness is None else attempts.most(witness.mileage)
    reason = None
    if is_rolled_back(row["ledger_id"], own, witness, attempts):
        reason = HoldReason.ROLLED_BACK
    elif row["backed_up_at"] is not None and row["held_at"] is None:
        # Somebody put a backup in place without `tsk restore`, perhaps on another machine.
        reason = HoldReason.RESTORED
    if reason is None and seen.token <= own.token:
        return
    with store.transaction():
        if reason is not None:
            hold(store, reason, seen, now=now)
        else:
            _go_above(store, seen)


def hold(
    store: Store,
    reason: HoldReason,
    seen: Mileage,
    *,
    now: Microseconds,
    is_anew: bool = False,
) -> None:
    """Hold a ledger, and let its ids go on above all that was `seen`; in a transaction.

    `is_anew`: also one that is held already, for this reason from now on.
    """
    token = store.fetch("ledger_row")["last_token"]
    moment = store.fetch("last_life")
    _go_above(store, seen)
    if is_anew:
        store.execute("release_ledger")
    store.execute("hold_ledger", at=now, reason=reason, token=token, moment=moment)


def _go_above(store: Store, seen: Mileage) -> None:
    store.execute("begin_sequences")
    store.execute("raise_sequences", run_id=seen.run_id, epoch=seen.token >> 32)
    store.execute("note_claims", token=seen.token)


def attempts_beside(runs: Path) -> Mileage:
    """Return how far the folders of attempts came, whosever they are."""
    found = Mileage()
    for run_id, token, _ in _folders(runs):
        found = found.most(Mileage(token, run_id))
    return found


def find_strays(runs: Path, claims: list[list[Any]]) -> list[Stray]:
    """Return the attempts that live and that none of these claims (run id, token, ...) is of."""
    known = {(claim[0], claim[1]) for claim in claims}
    found = [
        _stray(run_id, token, path)
        for run_id, token, path in _folders(runs)
        # Only the folder of an attempt whose end nobody has recorded has a lock still.
        if (run_id, token) not in known and (path / "lock").exists()
    ]
    return sorted((stray for stray in found if stray.is_alive), key=lambda stray: stray.token)


def strays_beyond(runs: Path, token: int) -> list[Stray]:
    """Return the attempts with a greater token: what ran after it, as far as it left a folder."""
    found = [_stray(run, other, path) for run, other, path in _folders(runs) if other > token]
    return sorted(found, key=lambda stray: stray.token)


def _folders(runs: Path) -> list[tuple[int, int, Path]]:
    """Return run id, token and path of every folder of an attempt."""
    found = []
    with suppress(OSError), os.scandir(runs) as folders:
        for folder in folders:
            match = _FOLDER.fullmatch(folder.name)
            if match is not None and max(ids := (int(match[1]), int(match[2]))) < _MOST:
                found.append((*ids, Path(folder.path)))
    return found


def _stray(run_id: int, token: int, path: Path) -> Stray:
    folder = os.fsencode(path)
    is_alive = False
    try:
        at = max(entry.stat().st_mtime_ns for entry in (path, *path.iterdir())) // 1_000
        if (path / "lock").exists():
            is_alive = attempt_folder.examine(folder)[0] == State.ALIVE
    except OSError:
        # It ends at this moment.
        at = 0
    holder = attempt_folder.read_holder(folder) if is_alive else None
    return Stray(run_id, token, is_alive, None if holder is None else holder.pid, at)
