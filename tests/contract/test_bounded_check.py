"""A look at the ledger ends in time, and tells damage from a lack of time."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from task_scheduler.stores.bounded_check import BoundedCheck, check_until
from task_scheduler.stores.sqlite import SqliteStore, read_only
from tests.contract.ledgers import put_many


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """Return a sound ledger of many pages."""
    path = tmp_path / "scheduler.db"
    store = SqliteStore(path)
    put_many(store, 500)
    store.close()
    return path


def look(path: Path, is_over: Callable[[], bool] = lambda: False) -> BoundedCheck:
    return check_until(lambda: read_only(str(path)), is_over)


def test_a_sound_ledger_is_looked_at_as_a_whole(database: Path) -> None:
    found = look(database)

    assert found.damage == ""
    assert found.checked == found.tables > 5


def test_damage_is_told(database: Path) -> None:
    size = database.stat().st_size // 4096
    with database.open("r+b") as file:
        file.seek(size // 2 * 4096)
        file.write(os.urandom(8 * 4096))

    assert look(database).damage


def test_a_file_of_another_kind_is_damage(tmp_path: Path) -> None:
    path = tmp_path / "scheduler.db"
    path.write_bytes(b"not a database at all" * 500)

    assert look(path).damage


def test_without_time_nothing_is_claimed(database: Path) -> None:
    found = look(database, lambda: True)

    assert (found.damage, found.checked) == ("", 0)
    assert found.tables > 5


def test_time_may_run_out_in_the_middle_of_a_table(database: Path) -> None:
    store = SqliteStore(database)
    put_many(store, 3_000)
    store.close()
    answers = iter([False])

    found = look(database, lambda: next(answers, True))

    assert found.damage == ""
    assert found.checked < found.tables


def test_a_ledger_that_is_not_there_raises(tmp_path: Path) -> None:
    with pytest.raises(sqlite3.OperationalError):
        look(tmp_path / "scheduler.db")
