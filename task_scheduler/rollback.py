"""Rollback: whether a ledger is an older copy of itself, or a backup, found out when it is taken.

Responsible for: gathering what lies beside the database (the witness of the marks, the folders of
attempts), letting the ledger's ids go on above all of it, and holding a ledger that is behind. What
follows from the evidence is decided in `core.hold`. Also: which attempts live that the ledger
knows nothing of.
"""

from __future__ import annotations

import os
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
    ids = _attempts(runs)
    return Mileage(
        token=max((token for _, token in ids), default=0),
        run_id=max((run_id for run_id, _ in ids), default=0),
    )


def find_strays(runs: Path, claims: list[list[Any]]) -> list[Stray]:
    """Return the attempts that live and that none of these claims (run id, token, ...) is of."""
    known = {(claim[0], claim[1]) for claim in claims}
    found = [
        _stray(runs, *ids)
        for ids in _attempts(runs)
        # Only the folder of an attempt whose end nobody has recorded has a lock still.
        if ids not in known and _folder(runs, *ids).joinpath("lock").exists()
    ]
    return sorted((stray for stray in found if stray.is_alive), key=lambda stray: stray.token)


def strays_beyond(runs: Path, token: int) -> list[Stray]:
    """Return the attempts with a greater token: what ran after it, as far as it left a folder."""
    found = [_stray(runs, *ids) for ids in _attempts(runs) if ids[1] > token]
    return sorted(found, key=lambda stray: stray.token)


def _attempts(runs: Path) -> list[tuple[int, int]]:
    """Return run id and token of every folder of an attempt; there may be very many."""
    found = []
    with suppress(OSError), os.scandir(runs) as folders:
        for folder in folders:
            run_id, _, token = folder.name.partition("-")
            if run_id.isdecimal() and token.isdecimal() and folder.name.isascii():
                ids = (int(run_id), int(token))
                if max(ids) < _MOST:
                    found.append(ids)
    return found


def _folder(runs: Path, run_id: int, token: int) -> Path:
    return runs / f"{run_id}-{token}"


def _stray(runs: Path, run_id: int, token: int) -> Stray:
    path = _folder(runs, run_id, token)
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
