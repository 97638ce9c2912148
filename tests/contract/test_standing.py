"""How things stand, asked of the ledger at once: for a service manager, the doctor and a shell."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from task_scheduler.stores.sqlite import MEMORY, SqliteStore
from tests.contract.ledgers import put


@pytest.fixture
def store() -> Iterator[SqliteStore]:
    opened = SqliteStore(MEMORY)
    yield opened
    opened.close()


def ran(store: SqliteStore, task_id: str, *states: str) -> None:
    """Add runs of a task, the oldest first."""
    store._connection.executemany(
        "INSERT INTO runs (task_id, key, origin, state, scheduled_at, due_at, priority, executor)"
        " VALUES (?, ?, 'schedule', ?, 5, 5, 0, 'thread')",
        [(task_id, str(number), state) for number, state in enumerate(states)],
    )


def sent(store: SqliteStore, channel: str, state: str, attempts: int) -> None:
    """Add a message through a channel."""
    store._connection.execute(
        "INSERT INTO alert_deliveries (alert_id, channel, notice, state, created_at, not_before,"
        " attempts, tried_at, answer, message) VALUES (1, ?, 'opened', ?, 5, 5, ?, 7, ?, '{}')",
        (channel, state, attempts, f"said {state}"),
    )


@pytest.mark.parametrize(
    ("states", "needy"),
    [
        ((), 0),
        (("succeeded",), 0),
        (("failed",), 1),
        (("timed_out",), 1),
        (("lost",), 1),
        (("cancelled",), 0),
        (("failed", "succeeded"), 0),
        (("succeeded", "failed", "running"), 1),
        (("failed", "waiting", "skipped"), 1),
    ],
)
def test_a_task_needs_somebody_by_its_newest_run_that_has_ended(
    store: SqliteStore, states: tuple[str, ...], needy: int
) -> None:
    put(store, "pump")
    put(store, "lamp")
    ran(store, "lamp", "succeeded")
    ran(store, "pump", *states)

    assert store.fetch("count_needy") == [2, needy]


@pytest.mark.parametrize("change", ["rule_error = 'boom'", "is_resolved = 0"])
def test_a_task_that_cannot_fire_needs_somebody(store: SqliteStore, change: str) -> None:
    put(store, "pump")
    store._connection.execute(f"UPDATE progress SET {change}")

    assert store.fetch("count_needy") == [1, 1]


def test_an_empty_ledger_has_nobody_who_needs_anything(store: SqliteStore) -> None:
    assert store.fetch("count_needy") == [0, 0]


def test_of_each_channel_the_last_message_that_was_tried_is_told(store: SqliteStore) -> None:
    sent(store, "mail", "given_up", 3)
    sent(store, "mail", "delivered", 1)
    sent(store, "chat", "delivered", 1)
    sent(store, "chat", "waiting", 2)
    sent(store, "chat", "waiting", 0)

    found = store.fetch("last_tries")

    assert [(row["channel"], row["state"], row["answer"]) for row in found] == [
        ("chat", "waiting", "said waiting"),
        ("mail", "delivered", "said delivered"),
    ]


@pytest.mark.parametrize(
    ("prefix", "ids"),
    [
        ("", ["Pond", "pond_1", "pond%", "池"]),
        ("pond", ["pond_1", "pond%"]),
        ("pond_", ["pond_1"]),
        ("pond%", ["pond%"]),
        ("池", ["池"]),
        ("z", []),
    ],
)
def test_ids_are_found_by_how_they_begin_letter_by_letter(
    store: SqliteStore, prefix: str, ids: list[str]
) -> None:
    for task_id in ("pond_1", "Pond", "pond%", "池"):
        put(store, task_id)

    found = store.fetch("ids_beginning", prefix=prefix, limit=9)

    assert sorted(task_id for task_id, _ in found) == sorted(ids)
    assert len(store.fetch("ids_beginning", prefix=prefix, limit=1)) == min(1, len(ids))


def test_the_newest_runs_come_first(store: SqliteStore) -> None:
    put(store, "pump")
    ran(store, "pump", "succeeded", "failed", "running")

    assert store.fetch("newest_runs", limit=2) == [[3, "pump", "running"], [2, "pump", "failed"]]
