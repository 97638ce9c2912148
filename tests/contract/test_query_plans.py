"""The statements of a tick never read more of a large table than what they ask for."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from task_scheduler.stores.sqlite import MEMORY, SqliteStore
from task_scheduler.stores.statements import statement

ON_THE_TICK = [
    "settle_attempts",
    "settle_runs",
    "settle_progress",
    "held_runs",
    "mark_running",
    "end_of_thread",
    "hand_back",
    "release_queued",
    "due_entries",
    "insert_runs",
    "present_runs",
    "move_cursors",
    "open_skips",
    "insert_skips",
    "count_skips",
    "claimable_runs",
    "claim_runs",
    "wake_at",
    "skip_runs",
    "load_entries",
    "known_entries",
    "succeed_attempts",
    "succeed_runs",
    "succeed_progress",
    "promise_cancel",
    "waiting_runs",
    "planned_ahead",
    "cancel_waiting",
    "run_by_id",
    "run_by_key",
    "seats_of",
    "hold_runs",
    "free_runs",
    "forget_runs",
    "clock_seen",
    "unarmed_delays",
    "arm_delays",
    "shift_returned",
    "forget_returned",
    "put_pools",
    "parked_pools",
    "park_runs",
    "release_parked",
    "free_limited",
    "recent_starts",
    "note_starts",
    "forget_starts",
    "prune_starts",
    "delay_runs",
]
AT_A_START = [
    "plan_boot_runs",
    "boot_of_epochs",
    "claimed_runs",
    "unbind_all",
    "hold_unresolved",
    "free_resolved",
    "forget_threads",
    "function_references",
    "resolve_functions",
    "resolve_again",
    "delayed_tasks",
    "queued_tasks",
    "ids_from",
    "kinds_of",
]
ON_A_PAGE = [
    "find_runs",
    "find_runs_of_task",
    "find_unusual_runs",
    "find_unusual_runs_of_task",
    "find_unfinished_runs",
    "list_runs",
    "find_tasks",
    "task_status",
    "last_runs",
    "list_skips",
    "list_skips_of_task",
    "list_audit_of_task",
    "activity",
    "count_runs",
    "pass_uncounted",
    "prune_rollups",
    "rollup_page",
]
TABLES = ("entries", "progress", "runs", "attempts", "skips", "starts")


@pytest.fixture(scope="module")
def store() -> Iterator[SqliteStore]:
    opened = SqliteStore(MEMORY)
    yield opened
    opened.close()


@pytest.mark.parametrize("name", ON_THE_TICK)
def test_a_statement_of_the_tick_searches_and_does_not_scan(store: SqliteStore, name: str) -> None:
    text = statement(name)
    aliases = dict(re.findall(r"\b(?:FROM|JOIN|UPDATE|INTO) (\w+)(?: AS (\w+))?", text))
    tables = {alias or table for table, alias in aliases.items() if table in TABLES} | set(TABLES)
    parameters = dict.fromkeys(re.findall(r":([a-z_]+)", text), "[]")

    plan = [row[3] for row in store._connection.execute(f"EXPLAIN QUERY PLAN {text}", parameters)]

    scans = [
        line for line in plan if (found := re.match(r"SCAN (\w+)", line)) and found[1] in tables
    ]
    assert not scans, "\n".join(plan)


@pytest.mark.parametrize("name", [*AT_A_START, *ON_A_PAGE])
def test_a_statement_of_a_start_or_a_page_reads_no_table_whole(
    store: SqliteStore, name: str
) -> None:
    """There may be a million entries: only an index of the few that are meant is walked along."""
    text = statement(name)
    parameters = dict.fromkeys(re.findall(r":([a-z_]+)", text), "[]")
    partial = {
        row[0]
        for row in store._connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'index' AND sql LIKE '% WHERE %'"
        )
    }
    names = set(re.findall(r"\b(?:FROM|JOIN|UPDATE) \w+ AS (\w+)", text))

    plan = [row[3] for row in store._connection.execute(f"EXPLAIN QUERY PLAN {text}", parameters)]

    for line in plan:
        found = re.match(r"SCAN (\w+)(?: USING (?:COVERING )?INDEX (\w+))?", line)
        if found and found[1] in {*TABLES, *names} - {"epochs", "rule", "t", "u", "one", "whose"}:
            assert found[2] in partial, "\n".join(plan)


def test_the_next_moments_are_read_off_the_ends_of_two_indexes(store: SqliteStore) -> None:
    plan = [
        row[3] for row in store._connection.execute(f"EXPLAIN QUERY PLAN {statement('wake_at')}")
    ]

    assert any("progress_plan_at" in line for line in plan)
    assert any("runs_next" in line for line in plan)


@pytest.mark.parametrize("kind", ["process", "overlap", "retry"])
def test_a_backlog_of_what_may_not_be_claimed_is_not_walked_through(
    store: SqliteStore, kind: str
) -> None:
    """Count what the virtual machine of SQLite does: it is exact where times are not."""
    backlog = SqliteStore(MEMORY)
    steps: list[int] = []

    def cost(rows: int) -> int:
        waiting_for = {"process": None}.get(kind, kind)
        executor = "process" if kind == "process" else "thread"
        due_at = 10**15 if kind == "retry" else 5
        first = backlog.fetch("last_run_id") + 1
        backlog.execute("put_progress", rows=[["pump", 1, 5, None, None, None]])
        backlog.execute(
            "insert_runs",
            rows=[
                [n, "pump", str(n), "schedule", "waiting", 5, due_at, waiting_for, 5, executor]
                + [None] * 3
                for n in range(first, first + rows)
            ],
        )
        steps.clear()
        backlog._connection.set_progress_handler(lambda: steps.append(1) or 0, 10)
        backlog.fetch(
            "claimable_runs", horizon=9, limit=9, thread_room=9, process_room=0, occupied=[]
        )
        backlog.fetch("wake_at")
        backlog._connection.set_progress_handler(None, 0)
        return len(steps)

    few, many = cost(100), cost(5_000)
    backlog.close()

    # Retries that are not due yet stand in the index of what is claimable: they are passed by.
    assert many <= few + 20 + (5_000 if kind == "retry" else 0)
