"""Backing a ledger up and putting a backup in its place, whole and held.

Responsible for: the order of the steps, so that a kill between two of them leaves a whole ledger.
The ledger that was there is moved aside; the copy's ids go on above all that is known of it, and it
starts nothing until the operator lets it go on.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from datetime import UTC
from pathlib import Path
from typing import Any

from task_scheduler.core.hold import HoldReason, Mileage
from task_scheduler.core.model import Microseconds
from task_scheduler.errors import StoreError, StoreUnavailableError
from task_scheduler.executors.marks import read_witness
from task_scheduler.ledger_view import iso
from task_scheduler.rollback import Stray, attempts_beside, find_strays, hold, strays_beyond
from task_scheduler.schedules.instants import datetime_at
from task_scheduler.state_files import StateFiles
from task_scheduler.stores.backup import (
    Contents,
    copy_file,
    put_in_place,
    read_contents,
    sync,
)
from task_scheduler.stores.engine_lock import EngineLock
from task_scheduler.stores.sqlite import SqliteStore

__all__ = [
    "backup_ledger",
    "contents_plain",
    "evidence_plain",
    "refuse_living",
    "restore_ledger",
    "stamped",
]


def stamped(path: Path, now: Microseconds, ending: str) -> Path:
    """Return a path that says when it was made, and that nothing has yet."""
    stem = f"{path}-{datetime_at(now, UTC):%Y%m%dT%H%M%SZ}"
    found, number = Path(stem + ending), 1
    while os.path.lexists(found):
        number += 1
        found = Path(f"{stem}-{number}{ending}")
    return found


def backup_ledger(
    copy: Callable[[Path], object], files: StateFiles, path: Path, *, overwrite: bool
) -> Contents:
    """Have `copy` write a ledger to a file beside `path`, check it, and give it its name.

    Raises FileExistsError unless `overwrite`, StoreError where it cannot be made or is not sound;
    then nothing is left.
    """
    path = path.absolute()
    # Never over a ledger in use, to which an open connection would go on to write.
    is_ours = path.parent.resolve() / path.name in _state_paths(files)
    if is_ours or (os.path.lexists(path) and not overwrite):
        raise FileExistsError(17, os.strerror(17), str(path))
    part = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.part")
    try:
        copy(part)
        found = read_contents(part)
        if overwrite:
            part.replace(path)
        else:
            _name(part, path)
    except StoreUnavailableError as error:
        if error.key != "errors.copy_failed":
            raise
        # By the name that was given: the other one was ours alone.
        raise StoreUnavailableError(
            error.key, path=str(path), reason=error.values["reason"]
        ) from error.__cause__
    except OSError as error:
        if isinstance(error, FileExistsError):
            raise
        raise StoreUnavailableError(
            "errors.copy_failed", path=str(path), reason=error.strerror or str(error)
        ) from error
    finally:
        part.unlink(missing_ok=True)
    sync(path.parent)
    return Contents(**{**_fields(found), "path": path})


def contents_plain(contents: Contents) -> dict[str, Any]:
    """Return what a backup holds as plain JSON values."""
    plain = _fields(contents)
    moments = {name: iso(plain[name]) for name in ("newest_run_at", "backed_up_at")}
    return {**plain, **moments, "path": str(contents.path)}


def evidence_plain(
    files: StateFiles, hold: Mapping[str, Any], fetch: Callable[..., Any]
) -> dict[str, Any]:
    """Return what is left of attempts that a held ledger knows nothing of, as plain values."""
    later = strays_beyond(files.runs, hold["token"])
    living = find_strays(files.runs, fetch("claims_now"))
    return {
        "later": [_stray_plain(stray) for stray in later],
        "living": [_stray_plain(stray) for stray in living],
    }


def refuse_living(files: StateFiles, fetch: Callable[..., Any]) -> None:
    """Raise StoreUnavailableError while attempts live that a ledger knows nothing of."""
    living = find_strays(files.runs, fetch("claims_now"))
    if living:
        names = ", ".join(f"{s.run_id}-{s.token} ({s.pid or '?'})" for s in living)
        raise StoreUnavailableError("errors.strays_alive", count=len(living), names=names)


def restore_ledger(files: StateFiles, source: Path, *, now: Microseconds) -> Path | None:
    """Put a copy of `source` in the place of the ledger, held; return where that lies now.

    None: there was none. Raises FileNotFoundError and StoreError for what is no backup,
    StoreUnavailableError while a process holds the ledger; then nothing has changed.
    """
    read_contents(source)
    files.prepare()
    lock = EngineLock(files.lock)
    if not lock.acquire():
        raise StoreUnavailableError("errors.ledger_in_use", path=str(files.database))
    # Where it really lies: a link to it stays one.
    database = files.database.resolve()
    fresh = database.with_name(f"{database.name}.restoring")
    try:
        for suffix in ("", "-wal", "-shm"):
            # Of one that was killed.
            Path(f"{fresh}{suffix}").unlink(missing_ok=True)
        seen = _mileage(files)
        copy_file(source, fresh)
        with closing(SqliteStore(fresh)) as store, store.transaction():
            store.execute("name_ledger", ledger_id=uuid.uuid4().hex)
            hold(store, HoldReason.RESTORED, seen, now=now, is_anew=True)
        _give_to_owner(fresh)
        aside = stamped(database, now, ".aside")
        put_in_place(fresh, database, aside)
        return aside if aside.exists() else None
    finally:
        fresh.unlink(missing_ok=True)
        lock.release()


def _mileage(files: StateFiles) -> Mileage:
    """Return how far the ledger that is there came; it is left as one file, if it is sound."""
    seen = attempts_beside(files.runs)
    witness = read_witness(files.marks)
    if witness is not None:
        seen = seen.most(witness.mileage)
    if files.database.exists():
        # Of a damaged one, or of a newer release, nothing more is known.
        with suppress(StoreError), closing(SqliteStore(files.database)) as store:
            row = store.fetch("ledger_row")
            seen = seen.most(Mileage(row["last_token"], row["last_run_id"]))
    return seen


def _give_to_owner(path: Path) -> None:
    """Let a ledger that root puts in place belong to whom the folder belongs to."""
    folder = path.parent.stat()
    if os.geteuid() == 0 and folder.st_uid:
        os.chown(path, folder.st_uid, folder.st_gid)


def _name(part: Path, path: Path) -> None:
    """Give a file its name, unless somebody has put another one there meanwhile."""
    try:
        path.hardlink_to(part)
    except FileExistsError:
        raise
    except OSError:
        # A stick with a file system that has no links.
        part.rename(path)


def _state_paths(files: StateFiles) -> set[Path]:
    """Return the places of the files of a ledger."""
    database = files.database.parent.resolve() / files.database.name
    beside = (files.lock, files.marks, files.socket, files.bell, files.runs)
    logs = {Path(f"{database}{suffix}") for suffix in ("", "-wal", "-shm")}
    return logs | {database.with_name(path.name) for path in beside}


def _stray_plain(stray: Stray) -> dict[str, Any]:
    return {"run_id": stray.run_id, "token": stray.token, "pid": stray.pid, "at": iso(stray.at)}


def _fields(contents: Contents) -> dict[str, Any]:
    return {name: getattr(contents, name) for name in Contents.__slots__}
