"""Readers of a ledger: beside the writer, after it, after its crash, and in a forked child."""

from __future__ import annotations

import shutil
import signal
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from task_scheduler.errors import SchemaTooNewError, StoreUnavailableError
from task_scheduler.stores import sqlite
from task_scheduler.stores.sqlite import SqliteReader, SqliteStore
from tests.contract.ledgers import bytes_of, child, ids, put, put_many


def test_a_reader_sees_what_was_committed_while_the_writer_writes(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "scheduler.db")
    reader = SqliteReader(tmp_path / "scheduler.db", store)
    with store.transaction():
        put(store, "pump")

    with store.transaction():
        put(store, "lamp")
        assert ids(reader) == ["pump"]

    assert ids(reader) == ["lamp", "pump"]
    reader.close()
    store.close()


def test_a_ledger_whose_maker_died_before_its_first_commit_is_an_empty_one(tmp_path: Path) -> None:
    path = tmp_path / "making.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as maker:
        maker.execute("PRAGMA cache_size=1")
        maker.execute("BEGIN")
        maker.execute("CREATE TABLE one (text)")
        maker.executemany("INSERT INTO one VALUES (?)", [("x" * 1000,)] * 100)
        # What a death leaves now: pages in the file, and a journal to take them back.
        shutil.copy(path, tmp_path / "scheduler.db")
        shutil.copy(f"{path}-journal", tmp_path / "scheduler.db-journal")
    reader = SqliteReader(tmp_path / "scheduler.db")

    assert ids(reader) == []
    SqliteStore(tmp_path / "scheduler.db").close()
    assert ids(reader) == []


def test_a_reader_cannot_write(tmp_path: Path) -> None:
    SqliteStore(tmp_path / "scheduler.db").close()
    connection = sqlite.read_only(str(tmp_path / "scheduler.db"))

    with pytest.raises(sqlite3.OperationalError):
        connection.execute("DELETE FROM entries")

    connection.close()


def test_a_reader_of_a_ledger_that_nobody_holds(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "scheduler.db")
    with store.transaction():
        put(store, "pump")
    store.close()
    before = bytes_of(tmp_path / "scheduler.db")
    reader = SqliteReader(tmp_path / "scheduler.db")

    assert ids(reader) == ["pump"]

    reader.close()
    assert bytes_of(tmp_path / "scheduler.db") == before


def test_a_reader_of_no_ledger_finds_it_empty_and_makes_none(tmp_path: Path) -> None:
    reader = SqliteReader(tmp_path / "scheduler.db")

    assert ids(reader) == []
    assert not list(tmp_path.iterdir())


def test_a_reader_of_a_ledger_that_is_just_being_made_finds_it_empty(tmp_path: Path) -> None:
    path = tmp_path / "scheduler.db"
    path.touch()
    reader = SqliteReader(path)
    assert ids(reader) == []

    store = SqliteStore(path)
    with store.transaction():
        put(store, "pump")

    assert ids(reader) == ["pump"]
    reader.close()
    store.close()


def test_a_reader_reads_the_ledger_that_lies_there_now(tmp_path: Path) -> None:
    path = tmp_path / "scheduler.db"
    for name in ("pump", "feeder"):
        store = SqliteStore(tmp_path / name)
        with store.transaction():
            put(store, name)
        store.close()
    (tmp_path / "pump").rename(path)
    reader = SqliteReader(path)
    assert ids(reader) == ["pump"]

    path.unlink()
    assert ids(reader) == []
    (tmp_path / "feeder").rename(path)

    assert ids(reader) == ["feeder"]
    reader.close()


WRITER = """
    import sys
    from task_scheduler.stores.sqlite import SqliteStore
    store = SqliteStore(sys.argv[1])
    for number in range(300):
        with store.transaction():
            row = [f"task-{number:03}", "x" * 200, "script", "process", {}, [], {}, "api", 0, 5]
            store.execute("put_entries", rows=[row])
            store.execute("put_progress", rows=[[row[0], 1, 5, None, 7, 7]])
    print("written", flush=True)
    sys.stdin.read()
"""


def test_after_a_crash_a_reader_sees_all_and_checkpoints_nothing(tmp_path: Path) -> None:
    path = tmp_path / "scheduler.db"
    writer = child(WRITER, path)
    assert writer.stdout is not None
    assert writer.stdout.readline() == "written\n"
    writer.send_signal(signal.SIGKILL)
    writer.communicate()
    log = tmp_path / "scheduler.db-wal"
    before = bytes_of(path), bytes_of(log)
    reader = SqliteReader(path)

    assert len(reader.fetch("all_task_ids", limit=999)) == 300

    reader.close()
    assert (bytes_of(path), bytes_of(log)) == before


def test_after_a_crash_the_next_holder_finds_all_that_was_committed(tmp_path: Path) -> None:
    path = tmp_path / "scheduler.db"
    writer = child(WRITER, path)
    assert writer.stdout is not None
    assert writer.stdout.readline() == "written\n"
    writer.send_signal(signal.SIGKILL)
    writer.communicate()

    store = SqliteStore(path)

    assert len(store.fetch("all_task_ids", limit=999)) == 300
    store.close()


def test_the_log_is_moved_into_the_database_when_enough_was_written(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "scheduler.db")
    put_many(store, 3_000)
    size = (tmp_path / "scheduler.db").stat().st_size

    store.checkpoint()

    assert (tmp_path / "scheduler.db").stat().st_size > size
    store.close()


FORKED = """
    import os, sys
    from task_scheduler.errors import ForkedError
    from task_scheduler.stores.sqlite import SqliteReader, SqliteStore
    store = SqliteStore(sys.argv[1])
    reader = SqliteReader(sys.argv[1])
    assert reader.fetch("count_entries") == 0
    child = os.fork()
    if child == 0:
        told = 0
        for use in (lambda: store.fetch("count_entries"), lambda: store.transaction().__enter__()):
            try:
                use()
            except ForkedError as error:
                told += "fork" in str(error).lower()
        told += reader.fetch("count_entries") == 0
        store.close()
        reader.close()
        os._exit(told)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 3, status
    with store.transaction():
        store.execute("begin_epoch", boot_id="b", pid=1, version="0", at=1)
    assert store.fetch("last_epoch")[0] == 1
    print("kept", flush=True)
"""


def test_a_forked_child_is_refused_the_store_and_may_read(tmp_path: Path) -> None:
    program = child(FORKED, tmp_path / "scheduler.db")

    output, _ = program.communicate()

    assert (output, program.returncode) == ("kept\n", 0)


def test_a_ledger_of_an_older_release_is_named_and_not_misread(tmp_path: Path) -> None:
    path = tmp_path / "scheduler.db"
    SqliteStore(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 1")
    connection.close()

    with pytest.raises(StoreUnavailableError, match="older release"):
        SqliteReader(path).fetch("count_entries")


def test_a_reader_refuses_the_schema_of_a_newer_release(tmp_path: Path) -> None:
    path = tmp_path / "scheduler.db"
    SqliteStore(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()

    with pytest.raises(SchemaTooNewError):
        SqliteReader(path).fetch("count_entries")
