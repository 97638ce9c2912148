"""Pages of the ledger: each row once, whatever is asked for, and nothing read that is not shown."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from task_scheduler.ledger_view import LedgerView
from task_scheduler.stores.sqlite import MEMORY, SqliteStore

STATES = ("waiting", "running", "succeeded", "failed", "timed_out", "cancelled", "lost", "skipped")
TASKS = ("lamp", "pump", "pump-2", "Teich")


@pytest.fixture(scope="module")
def store() -> Iterator[SqliteStore]:
    opened = SqliteStore(MEMORY)
    rng = random.Random(5)
    for task_id in TASKS:
        row = [task_id, f"{task_id} of the Farm", "custom", "thread", {}, [], {}, "api", 0, 5]
        opened.execute("put_entries", rows=[row])
        opened.execute("put_progress", rows=[[task_id, 1, 5, None, 7, 7]])
    opened._connection.executemany(
        "INSERT INTO runs (task_id, key, origin, state, scheduled_at, due_at, priority, executor)"
        " VALUES (?, ?, 'schedule', ?, 5, 5, 0, 'thread')",
        [(rng.choice(TASKS), str(n), rng.choice(STATES)) for n in range(1_000)],
    )
    opened._connection.executemany(
        "INSERT INTO skips (task_id, reason, first_at, last_at, count, at)"
        " VALUES (?, 'paused', ?, ?, 1, 5)",
        [(rng.choice(TASKS), n, n) for n in range(300)],
    )
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def view(store: SqliteStore) -> LedgerView:
    return LedgerView(store.fetch)


def all_pages(ask: Callable[..., list[dict[str, Any]]], key: str, **given: Any) -> list[Any]:
    """Return the keys of all rows, a page at a time."""
    found: list[Any] = []
    while page := ask(**given, before=found[-1] if found else None, limit=7):
        found += [row[key] for row in page]
    return found


@pytest.mark.parametrize("state", [None, *STATES])
@pytest.mark.parametrize("task_id", [None, "pump"])
def test_pages_of_runs_show_each_run_that_fits_once_the_newest_first(
    store: SqliteStore, view: LedgerView, task_id: str | None, state: str | None
) -> None:
    expected = store._connection.execute(
        "SELECT run_id FROM runs WHERE ? IN (task_id, '') AND ? IN (state, '')"
        " ORDER BY run_id DESC",
        (task_id or "", state or ""),
    ).fetchall()

    found = all_pages(view.runs, "run_id", task_id=task_id, state=state)

    assert found == [run_id for (run_id,) in expected]
    assert found


@pytest.mark.parametrize("task_id", [None, "pump"])
def test_pages_of_skips_show_each_once(
    store: SqliteStore, view: LedgerView, task_id: str | None
) -> None:
    expected = store._connection.execute(
        "SELECT skip_id FROM skips WHERE ? IN (task_id, '') ORDER BY skip_id DESC", (task_id or "",)
    ).fetchall()

    assert all_pages(view.skips, "skip_id", task_id=task_id) == [row[0] for row in expected]


def ids(tasks: list[dict[str, Any]]) -> list[str]:
    return [task["task_id"] for task in tasks]


def test_pages_of_tasks_follow_each_other(view: LedgerView) -> None:
    first = view.tasks(limit=3)
    second = view.tasks(after=first[-1]["task_id"], limit=3)

    assert ids(first) + ids(second) == sorted(TASKS)
    assert view.tasks(after="zzz") == []


@pytest.mark.parametrize(
    ("search", "expected"),
    [("PUMP", ["pump", "pump-2"]), ("teich of", ["Teich"]), ("%", []), ("farm", sorted(TASKS))],
)
def test_a_text_is_looked_for_in_id_and_name(
    view: LedgerView, search: str, expected: list[str]
) -> None:
    assert ids(view.tasks(search=search)) == expected


def test_named_tasks_are_read_alone(store: SqliteStore, view: LedgerView) -> None:
    assert ids(view.tasks(["pump", "no such"])) == ["pump"]


class Looks:
    """Counts how often SQLite asks whether it may go on."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> int:
        self.count += 1
        return 0


def test_a_page_costs_as_much_however_long_the_history_is(store: SqliteStore) -> None:
    """Count what the virtual machine of SQLite does: it is exact where times are not."""

    def cost(count: int) -> list[int]:
        made = SqliteStore(MEMORY)
        made._connection.execute(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)"
            " INSERT INTO runs (task_id, key, origin, state, scheduled_at, due_at, priority,"
            " executor) SELECT iif(i % 100, 'busy', 'rare'), i, 'schedule',"
            " iif(i % 97, 'succeeded', 'failed'), 5, 5, 0, 'thread' FROM n",
            (count,),
        )
        view = LedgerView(made.fetch)
        costs = []
        for task_id in (None, "busy", "rare"):
            for state in (None, "succeeded", "failed", "lost", "waiting"):
                looks = Looks()
                made._connection.set_progress_handler(looks, 10)
                view.runs(task_id, state=state, limit=20)
                made._connection.set_progress_handler(None, 0)
                costs.append(looks.count)
        made.close()
        return costs

    few, many = cost(4_000), cost(40_000)

    assert max(many) <= max(few) + 60, (few, many)
