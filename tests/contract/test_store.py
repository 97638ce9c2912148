"""Transactions of the ledger on SQLite, in a file and in memory."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from task_scheduler.errors import (
    StoreUnavailableError,
)
from task_scheduler.stores.sqlite import MEMORY, SqliteReader, SqliteStore
from task_scheduler.stores.statements import statement
from tests.contract.ledgers import ROOT, ids, put


@pytest.fixture(params=["file", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SqliteStore]:
    opened = SqliteStore(MEMORY if request.param == "memory" else tmp_path / "scheduler.db")
    yield opened
    opened.close()


def test_what_was_committed_is_there_and_read_back_as_it_was(store: SqliteStore) -> None:
    with store.transaction():
        put(store, "pump")

    (row,) = store.fetch("load_entries", ids=["pump"])
    assert row[:5] == ["pump", "PUMP", "script", "process", {"a": [1, "é"]}]


def test_an_error_inside_a_transaction_takes_everything_back(store: SqliteStore) -> None:
    def fail() -> None:
        with store.transaction():
            put(store, "pump")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()

    assert ids(store) == []
    with store.transaction():
        put(store, "lamp")
    assert ids(store) == ["lamp"]


def test_a_statement_that_fails_takes_the_transaction_back_as_our_error(store: SqliteStore) -> None:
    def write() -> None:
        with store.transaction():
            put(store, "pump")
            store.execute("put_progress", rows=[["lamp", None, None, None, None, None]])

    with pytest.raises(StoreUnavailableError):
        write()

    assert ids(store) == []


def test_a_statement_tells_how_many_rows_it_changed(store: SqliteStore) -> None:
    with store.transaction():
        put(store, "pump")
        put(store, "lamp")

        assert store.execute("remove_entries", ids=["pump", "lamp", "nobody"]) == 2


def test_a_query_that_finds_nothing_answers_none(store: SqliteStore) -> None:
    assert store.fetch("run_by_key", task_id="pump", key="1") is None
    assert store.fetch("last_epoch") is None


def test_a_name_that_no_file_has_is_a_mistake(store: SqliteStore) -> None:
    with pytest.raises(KeyError):
        store.fetch("no_such_statement")


def test_every_statement_compiles(store: SqliteStore) -> None:
    names = _names()
    assert names
    for name in names:
        text = statement(name)
        parameters = dict.fromkeys(_parameters(text), "[]")
        store._connection.execute(f"EXPLAIN {text}", parameters)


def test_a_sync_stands_behind_every_commit(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "scheduler.db")

    (journal,) = store._connection.execute("PRAGMA journal_mode").fetchone()
    (synchronous,) = store._connection.execute("PRAGMA synchronous").fetchone()
    store.close()

    assert (journal, synchronous) == ("wal", 2)


def test_two_threads_take_turns_on_a_ledger_in_memory() -> None:
    store = SqliteStore(MEMORY)
    reader = SqliteReader(MEMORY, store)
    is_inside, may_leave, seen = threading.Event(), threading.Event(), []

    def write() -> None:
        with store.transaction():
            put(store, "pump")
            is_inside.set()
            may_leave.wait(10)

    writer = threading.Thread(target=write)
    writer.start()
    is_inside.wait(10)
    looking = threading.Thread(target=lambda: seen.append(ids(reader)))
    looking.start()
    may_leave.set()
    for thread in (writer, looking):
        thread.join(10)

    assert seen == [["pump"]]
    store.close()


def _names() -> list[str]:
    folder = ROOT / "task_scheduler" / "stores" / "sql"
    texts = [file.read_text(encoding="utf-8") for file in sorted(folder.glob("*.sql"))]
    return [block.split("\n", 1)[0] for text in texts for block in text.split("-- name: ")[1:]]


def _parameters(text: str) -> set[str]:
    return {
        word.strip("(),;")[1:]
        for word in text.replace("(", " ").replace(",", " ").replace(")", " ").split()
        if word.startswith(":")
    }
