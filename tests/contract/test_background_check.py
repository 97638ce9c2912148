"""A ledger too large to be checked before a start is checked beside the work, and condemned."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from task_scheduler.errors import StoreDamagedError
from task_scheduler.stores import background_check, sqlite
from task_scheduler.stores.background_check import BackgroundCheck
from task_scheduler.stores.sqlite import SqliteStore, read_only
from tests.contract.ledgers import ids, put, put_many


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """Return a sound ledger of many pages."""
    path = tmp_path / "scheduler.db"
    store = SqliteStore(path)
    put_many(store, 500)
    store.close()
    return path


def damage(path: Path) -> None:
    """Spoil pages in the middle, where the rows of entries lie."""
    size = path.stat().st_size // 4096
    with path.open("r+b") as file:
        file.seek(size * 3 // 4 * 4096)  # beyond the tables that tell of the others
        file.write(os.urandom(8 * 4096))


def check_of(path: Path) -> BackgroundCheck:
    return BackgroundCheck(lambda: read_only(str(path)), lambda _: None)


def test_a_sound_ledger_passes(database: Path) -> None:
    assert check_of(database).look() == ""


def test_a_damaged_page_is_found(database: Path) -> None:
    damage(database)

    assert check_of(database).look()


def test_a_closed_check_looks_no_further(database: Path) -> None:
    damage(database)
    check = check_of(database)

    check.close()

    assert check.look() == ""


def test_what_was_found_is_told_once(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background_check, "_MOMENT_SECONDS", 0.0)
    damage(database)
    told: list[str] = []
    is_told = threading.Event()

    def condemn(reason: str) -> None:
        told.append(reason)
        is_told.set()

    BackgroundCheck(lambda: read_only(str(database)), condemn).start(is_urgent=True)

    assert is_told.wait(10)
    assert len(told) == 1


def test_a_large_ledger_is_opened_without_the_whole_check(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "_CHECKED_BYTES", 1000)

    store = SqliteStore(database)

    assert store.is_large
    store.close()


def test_a_condemned_ledger_takes_no_change_any_more_and_can_still_be_read(database: Path) -> None:
    store = SqliteStore(database)
    before = len(ids(store))

    store.condemn("page 7 is nonsense")

    with pytest.raises(StoreDamagedError, match="page 7 is nonsense"), store.transaction():
        put(store, "more")
    with pytest.raises(StoreDamagedError):
        store.write_back()
    assert not store.is_in_place()
    assert len(ids(store)) == before
    store.close()
