"""A restart costs the same after a million runs as after ten: nothing reads the history."""

from __future__ import annotations

from task_scheduler.core.recovery import take_over
from task_scheduler.stores.sqlite import MEMORY, SqliteStore

_STEPS = 20
"""Instructions of SQLite's machine between two looks."""


def _history(store: SqliteStore, *, runs: int, epochs: int) -> None:
    connection = store._connection
    connection.execute(
        "INSERT INTO entries (task_id, name, kind, executor, definition, rules, policies, origin,"
        " is_code_bound, added_at, updated_at)"
        " VALUES ('job', 'job', 'custom', 'thread', '{}', '[]', '{}', 'api', 0, 0, 0)"
    )
    connection.execute(
        "INSERT INTO progress (task_id, revision, is_resolved, anchor) VALUES ('job', 1, 1, 0)"
    )
    connection.executemany(
        "INSERT INTO runs (task_id, key, origin, state, scheduled_at, due_at, priority, executor)"
        " VALUES ('job', ?, 'schedule', 'succeeded', 0, 0, 0, 'thread')",
        [(str(number),) for number in range(runs)],
    )
    for number in range(epochs):
        store.execute("begin_epoch", boot_id="boot", pid=number, version="0", at=0)


def _cost_of_restart(*, runs: int, epochs: int) -> int:
    """Return how many looks SQLite's machine took for a restart after such a history."""
    store = SqliteStore(MEMORY)
    _history(store, runs=runs, epochs=epochs)
    looks = 0

    def look() -> int:
        nonlocal looks
        looks += 1
        return 0

    store._connection.set_progress_handler(look, _STEPS)
    take_over(
        store,
        boot_id="boot",
        pid=1,
        version="0",
        now=0,
        fresh=(),
        gone=(),
        inspect=lambda claim, is_same_boot: ("lost", None),
        mark_of=lambda slot: None,
        lost_text="lost",
    )
    store._connection.set_progress_handler(None, _STEPS)
    return looks


def test_a_restart_reads_neither_old_runs_nor_old_epochs() -> None:
    young = _cost_of_restart(runs=10, epochs=3)

    old = _cost_of_restart(runs=5_000, epochs=500)

    assert old <= young * 1.5
