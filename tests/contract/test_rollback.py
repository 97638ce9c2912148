"""What lies beside a database, and what follows from it when the ledger is taken."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from task_scheduler.core.hold import Mileage
from task_scheduler.executors.marks import MarkFile
from task_scheduler.rollback import find_strays, look_for_rollback, strays_beyond
from task_scheduler.state_files import StateFiles
from task_scheduler.stores.backup import write_backup
from task_scheduler.stores.sqlite import SqliteStore

OTHER = "f" * 32


@pytest.fixture
def files(tmp_path: Path) -> StateFiles:
    made = StateFiles(tmp_path / "scheduler.db")
    made.prepare()
    return made


@pytest.fixture
def store(files: StateFiles) -> Iterator[SqliteStore]:
    with closing(SqliteStore(files.database)) as made:
        yield made


def look(store: SqliteStore, files: StateFiles, *, now: int = 50) -> dict[str, Any]:
    look_for_rollback(store, files, now=now, with_folders=True)
    row: dict[str, Any] = store.fetch("ledger_row")
    return row


def note(files: StateFiles, ledger_id: str, token: int, run_id: int) -> None:
    with closing(MarkFile(files.marks)) as marks:
        marks.identify(ledger_id, Mileage(token, run_id))


def begin_epoch(store: SqliteStore) -> int:
    store.execute("begin_epoch", boot_id="boot", pid=1, version="1", at=1)
    epoch: int = store.fetch("last_epoch")[0]
    return epoch


def test_a_ledger_gets_its_name_once(store: SqliteStore, files: StateFiles) -> None:
    first = look(store, files)

    assert len(first["ledger_id"]) == 32
    assert first["held_at"] is None
    assert look(store, files) == first


def test_a_witness_that_is_ahead_holds_it_and_ids_go_on_above_it(
    store: SqliteStore, files: StateFiles
) -> None:
    row = look(store, files)
    note(files, row["ledger_id"], (7 << 32) + 5, 900)
    (files.runs / f"950-{(6 << 32) + 1}").mkdir()

    held = look(store, files)

    assert (held["held_at"], held["held_reason"]) == (50, "rolled_back")
    assert held["held_token"] == row["last_token"]
    assert held["last_token"] == (7 << 32) + 5
    assert held["held_run_id"] == store.fetch("last_run_id") == 950
    assert begin_epoch(store) == 8
    assert look(store, files, now=60) == held, "it is found once"


def test_a_backup_that_somebody_just_copied_into_place_is_held(
    store: SqliteStore, tmp_path: Path
) -> None:
    place = StateFiles(tmp_path / "another machine" / "scheduler.db")
    place.prepare()
    write_backup(store, place.database, now=40)

    with closing(SqliteStore(place.database)) as copy:
        held = look(copy, place)
        assert (held["held_at"], held["held_reason"]) == (50, "restored")
        assert held["held_moment"] == 40
        copy.execute("release_ledger")
        assert look(copy, place, now=60)["held_at"] is None, "it is no backup any more"


def test_a_witness_that_is_behind_is_no_rollback(store: SqliteStore, files: StateFiles) -> None:
    row = look(store, files)
    note(files, row["ledger_id"], row["last_token"] + 5, 3)
    store.execute("note_claims", token=row["last_token"] + 9)

    assert look(store, files)["held_at"] is None


@pytest.mark.parametrize("has_marks", [True, False])
def test_ids_of_a_ledger_that_was_made_anew_go_on_above_what_lies_there(
    store: SqliteStore, files: StateFiles, has_marks: bool
) -> None:
    if has_marks:
        note(files, OTHER, (9 << 32) + 1, 70)
    (files.runs / f"41-{(4 << 32) + 1}").mkdir()

    row = look(store, files)

    assert row["held_at"] is None
    assert store.fetch("last_run_id") == (70 if has_marks else 41)
    assert begin_epoch(store) == (10 if has_marks else 5)


def test_folders_that_are_no_attempts_tell_nothing(store: SqliteStore, files: StateFiles) -> None:
    row = look(store, files)
    note(files, row["ledger_id"], 1, 1)
    for name in (
        "notes",
        "7",
        "-",
        f"{1 << 62}-1",
        f"1-{1 << 62}",
        "1-2-3",
        "९-९",
        "1-" + "9" * 30,
    ):
        (files.runs / name).mkdir()

    assert look(store, files) == row


@contextmanager
def living(folder: Path) -> Iterator[None]:
    """Hold the lock of an attempt as its supervisor does."""
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        yield
    finally:
        os.close(descriptor)


def test_a_stray_is_an_attempt_that_lives_and_that_no_claim_is_of(files: StateFiles) -> None:
    for name in ("1-10", "2-20", "3-30", "4-40"):
        (files.runs / name).mkdir()
        (files.runs / name / "output").touch()
    (files.runs / "3-30" / "lock").touch()

    with living(files.runs / "1-10"), living(files.runs / "2-20"):
        strays = find_strays(files.runs, [[1, 10, None]])
    later = strays_beyond(files.runs, 20)

    assert [(s.run_id, s.token, s.is_alive) for s in strays] == [(2, 20, True)]
    assert [(s.run_id, s.is_alive) for s in later] == [(3, False), (4, False)]
    assert not (files.runs / "4-40" / "lock").exists(), "looking changes nothing"
