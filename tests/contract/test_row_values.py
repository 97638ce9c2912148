"""Rows that go in as values: as many as one likes, a few hundred a step."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from task_scheduler.stores.row_values import takes_values
from task_scheduler.stores.sqlite import MEMORY, SqliteStore


@pytest.fixture
def store() -> Iterator[SqliteStore]:
    opened = SqliteStore(MEMORY)
    yield opened
    opened.close()


@pytest.mark.parametrize("count", [0, 1, 4, 5, 49, 501, 1_557])
def test_all_rows_go_in_in_their_order_however_many_they_are(
    store: SqliteStore, count: int
) -> None:
    rows = [(f"task-{number}", 7, None, number) for number in range(count)]

    changed = store.execute("new_progress", rows=rows)

    found = store._connection.execute(
        "SELECT task_id, anchor, next_due_at, plan_at, revision FROM progress ORDER BY rowid"
    ).fetchall()
    assert changed == count
    assert found == [(*row, 1) for row in rows]


def test_many_rows_take_few_steps(store: SqliteStore) -> None:
    steps: list[str] = []
    store._connection.set_trace_callback(steps.append)

    store.execute("new_progress", rows=[(f"task-{n}", 7, None, n) for n in range(1_110)])

    assert len(steps) == 2 + 2 + 2


@pytest.mark.parametrize("count", [1, 255, 256, 257, 1_110])
def test_no_batch_has_sqlite_keep_a_program_for_a_thousand_rows(
    store: SqliteStore, count: int
) -> None:
    store.execute("new_progress", rows=[(f"task-{n}", 7, None, n) for n in range(count)])
    steps: list[str] = []
    store._connection.set_trace_callback(steps.append)

    moves = [(f"task-{n}", n, n + 1, n + 1, None) for n in range(count)]
    changed = store.execute("move_cursors", rows=moves)
    store._connection.set_trace_callback(None)

    found = store._connection.execute(
        "SELECT cursor, next_due_at FROM progress ORDER BY rowid"
    ).fetchall()
    assert changed == count
    assert found == [(n, n + 1) for n in range(count)]
    # The rest of a batch is parted, so that hardly any row is left empty.
    assert -(-count // 256) <= len(steps) <= count // 256 + 3


def test_a_row_in_conflict_takes_the_place_of_the_old_one(store: SqliteStore) -> None:
    def row(name: str) -> tuple[object, ...]:
        return ("pump", name, "custom", "thread", "{}", "[]", "{}", "api", 0, 5, 5, 0, None, None)

    store.execute("put_definitions", rows=[row("Pump")])
    store.execute("put_definitions", rows=[row("Big pump")])

    assert store._connection.execute("SELECT name FROM entries").fetchall() == [("Big pump",)]


def test_a_statement_with_parameters_of_its_own_is_run_as_it_is() -> None:
    assert takes_values("put_definitions")
    assert not takes_values("begin_epoch")
    assert not takes_values("put_entries")
