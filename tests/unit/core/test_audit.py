"""The audit: every change with its author, in a chain that shows where it was touched."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from task_scheduler.core.audit import GENESIS, AuditRow, AuditTrail, check
from task_scheduler.core.inbox import (
    AddEntries,
    PauseEntry,
    ReleaseLedger,
    RemoveEntries,
    RequestRun,
    ResumeEntry,
)
from tests.unit.core.engine_bench import Bench, entry

ME = "root, pid 1, tsk"


@pytest.fixture
def bench() -> Bench:
    return Bench()


def rows_of(bench: Bench) -> list[AuditRow]:
    return [AuditRow(*row) for row in bench.ledger.fetch("walk_audit", after=0, limit=1_000)]


def test_every_change_is_recorded_with_what_was_before_and_is_after(bench: Bench) -> None:
    bench.command(AddEntries(entries=[entry()], actor=ME))
    bench.command(AddEntries(entries=[dataclasses.replace(entry(), name="Big pump")], actor=ME))
    bench.command(PauseEntry(task_id="pump", reason="repair", actor=ME))
    bench.command(ResumeEntry(task_id="pump", actor=ME))
    bench.command(RequestRun(task_id="pump", request_id="r-1", actor=ME))
    bench.command(RemoveEntries(task_ids=["pump"], actor=ME))

    rows = rows_of(bench)

    assert [(r.number, r.actor, r.action, r.task_id) for r in rows] == [
        (number, ME, action, "pump")
        for number, action in enumerate(("add", "edit", "pause", "resume", "run", "remove"), 1)
    ]
    assert (rows[1].before["name"], rows[1].after["name"]) == ("Pump", "Big pump")
    assert rows[2].after == {"reason": "repair"}
    assert (rows[0].before, rows[5].after) == (None, None)
    assert check(rows) == (6, rows[5].hash, [])


def test_a_program_that_adds_what_is_there_changes_nothing(bench: Bench) -> None:
    bench.add(entry())
    bench.add(entry())

    assert len(rows_of(bench)) == 1


def test_a_command_that_was_refused_leaves_no_trace(bench: Bench) -> None:
    with pytest.raises(LookupError):
        bench.command(PauseEntry(task_id="pond", actor=ME))

    assert rows_of(bench) == []


@pytest.fixture
def rows(bench: Bench) -> list[AuditRow]:
    for number in range(5):
        bench.command(
            AddEntries(
                entries=[dataclasses.replace(entry(f"p-{number}"), name="Pömpe 水")], actor=ME
            )
        )
    return rows_of(bench)


@pytest.mark.parametrize("column", ["at", "actor", "action", "task_id", "before", "after", "hash"])
def test_a_row_that_was_changed_is_found(rows: list[AuditRow], column: str) -> None:
    other: Any = {"at": 7, "before": {"x": 1}, "after": {"x": 2}}.get(column, "other")
    rows[2] = rows[2]._replace(**{column: other})

    findings = check(rows)[2]

    assert findings[0].what == "changed"
    assert findings[0].number == 3


def test_a_row_that_was_taken_out_is_found(rows: list[AuditRow]) -> None:
    del rows[1]

    assert next((f.number, f.what) for f in check(rows)[2]) == (2, "missing")


def test_rows_that_changed_places_are_found(rows: list[AuditRow]) -> None:
    rows[1], rows[2] = rows[2], rows[1]

    assert check(rows)[2]


def test_a_chain_that_was_cut_or_made_anew_is_found_by_a_hash_that_was_kept(
    rows: list[AuditRow],
) -> None:
    head = rows[4].hash

    assert check(rows, head)[2] == []
    assert check(rows, rows[1].hash)[2] == []
    assert [f.what for f in check(rows[:3], head)[2]] == ["unknown_head"]
    assert check([], GENESIS)[2] == []


def test_the_table_itself_takes_nothing_back(bench: Bench, rows: list[AuditRow]) -> None:
    assert rows
    for statement in ("DELETE FROM audit", "UPDATE audit SET actor = 'x'"):
        with pytest.raises(Exception, match="append-only"):
            bench.ledger._connection.execute(statement)


def test_from_where_a_held_ledger_goes_on_is_told(bench: Bench) -> None:
    trail = AuditTrail(bench.ledger)

    trail.note(ReleaseLedger(since=1_000_000, actor=ME))
    trail.write(2_000_000)

    assert rows_of(bench)[-1].after == {"since": 1_000_000, "keep_waiting": False}
