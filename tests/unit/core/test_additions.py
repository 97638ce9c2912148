"""Adding entries: very many cost little each, and nothing of what one gets is left out."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from task_scheduler.core.audit import AuditRow, check
from task_scheduler.core.events import EntriesAdded, EntryAdded
from task_scheduler.core.inbox import AddEntries, PauseEntry
from task_scheduler.core.model import SECOND, Entry, Policies
from task_scheduler.core.policies import from_plain, to_plain, to_sparse
from task_scheduler.errors import DefinitionError
from tests.unit.core.engine_bench import T0, Bench, entry, interval

MANY = 250


@pytest.fixture
def bench() -> Bench:
    return Bench()


def audit_of(bench: Bench) -> list[AuditRow]:
    return [AuditRow(*row) for row in bench.ledger.fetch("walk_audit", after=0, limit=1_000)]


def many(count: int = MANY, **given: Any) -> list[Entry]:
    """Return entries that have rules and policies in common, as one that adds them makes them."""
    pattern = entry(**given)
    return [
        dataclasses.replace(pattern, task_id=f"p-{n:04}", name=f"Pump {n}") for n in range(count)
    ]


def due_moments(bench: Bench) -> dict[str, tuple[int, int]]:
    rows = bench.rows("SELECT task_id, next_due_at, plan_at FROM progress ORDER BY task_id")
    return {task_id: (due_at, plan_at) for task_id, due_at, plan_at in rows}


def test_each_of_many_is_due_when_it_would_be_alone(bench: Bench) -> None:
    bench.add(entry("alone", seconds=60))

    bench.add(*many(seconds=60))

    moments = due_moments(bench)
    assert len(moments) == MANY + 1
    assert set(moments.values()) == {moments["alone"]}


def test_many_are_told_and_recorded_as_one_with_the_name_of_each(bench: Bench) -> None:
    bench.command(AddEntries(entries=many(), actor="root"))

    (event,) = [event for event in bench.events if isinstance(event, EntriesAdded)]
    (row,) = audit_of(bench)
    assert event.task_ids == tuple(f"p-{n:04}" for n in range(MANY))
    assert (row.action, row.actor, row.task_id, row.before) == ("add_many", "root", None, None)
    assert row.after["count"] == MANY
    assert row.after["task_ids"] == list(event.task_ids)
    assert not any(isinstance(event, EntryAdded) for event in bench.events)
    assert check([row]) == (1, row.hash, [])


def test_the_digest_tells_of_every_definition(bench: Bench) -> None:
    digests = set()
    for change in (
        {},
        {"name": "Big"},
        {"definition": {"x": 1}},
        {"policies": Policies(priority=1)},
    ):
        other = Bench()
        entries = many()
        entries[77] = dataclasses.replace(entries[77], **change)
        other.command(AddEntries(entries=entries))
        digests.add(audit_of(other)[0].after["digest"])

    assert len(digests) == 4


def test_what_of_many_was_there_already_is_recorded_as_the_change_that_it_is(bench: Bench) -> None:
    entries = many()
    bench.add(dataclasses.replace(entries[3], name="Old"), entries[4])

    bench.add(*entries)

    rows = audit_of(bench)
    assert [row.action for row in rows] == ["add", "add", "edit", "add_many"]
    assert rows[2].before["name"] == "Old"
    assert rows[3].after["count"] == MANY - 2
    assert check(rows)[2] == []


def test_a_change_keeps_history_and_place_in_time_among_many(bench: Bench) -> None:
    entries = many(seconds=60)
    bench.add(entries[0])
    bench.tick(after=65)
    bench.command(PauseEntry(task_id="p-0000", reason="repair"))

    bench.add(*entries)

    (row,) = bench.rows("SELECT anchor, cursor, paused_at FROM progress WHERE task_id = 'p-0000'")
    assert row == (T0, T0 + 60 * SECOND, T0 + 65 * SECOND)
    assert due_moments(bench)["p-0001"][0] == T0 + 125 * SECOND


def test_one_of_another_kind_refuses_all_of_them(bench: Bench) -> None:
    entries = many()
    bench.add(dataclasses.replace(entries[MANY - 1], kind="script", executor="process"))

    with pytest.raises(DefinitionError):
        bench.add(*entries)

    assert bench.rows("SELECT count(*) FROM entries") == [(1,)]


def test_a_rule_that_stands_for_each_tasks_own_moment_is_asked_for_each(bench: Bench) -> None:
    entries = many(rules=[{"type": "cron", "cron": "H H * * *", "timezone": "UTC"}])

    bench.add(*entries)

    assert len({due_at for due_at, _ in due_moments(bench).values()}) > MANY / 2


def test_rules_that_cannot_be_read_are_told_for_each_and_hold_up_none_of_the_others(
    bench: Bench,
) -> None:
    broken = many(count=2, rules=[{"type": "cron", "cron": "no"}])
    fine = many()[2:]

    bench.add(*broken, *fine)

    errors = bench.rows("SELECT task_id, plan_at FROM progress WHERE rule_error IS NOT NULL")
    assert [task_id for task_id, _ in errors] == ["p-0000", "p-0001"]
    assert all(plan_at > bench.clock.wall for _, plan_at in errors)
    assert len(due_moments(bench)) == MANY


def test_the_last_of_two_with_one_id_is_added(bench: Bench) -> None:
    bench.add(entry(seconds=5), entry(seconds=7))

    assert bench.rows("SELECT rules FROM entries") == [('[{"type":"interval","seconds":7}]',)]


def test_many_take_as_few_statements_as_one(bench: Bench) -> None:
    bench.add(entry("first"))
    few = len(bench.store.steps)

    bench.add(*many())

    assert len(bench.store.steps) <= few


def test_pool_and_function_stand_where_an_index_finds_them() -> None:
    bench = Bench(pools={"disk": 1})
    function = dataclasses.replace(
        entry("f", pool="disk"), kind="function", definition={"function": "farm:feed"}
    )
    bound = dataclasses.replace(function, task_id="g", is_code_bound=True)

    bench.add(function, bound)

    found = bench.rows("SELECT task_id, pool, function FROM entries ORDER BY task_id")
    assert found == [("f", "disk", "farm:feed"), ("g", "disk", None)]
    assert bench.ledger.fetch("function_references") == ["farm:feed"]


def test_policies_are_stored_as_far_as_they_are_not_the_usual_ones(bench: Bench) -> None:
    policies = Policies(max_retries=0, overlap_limit=3)

    bench.add(dataclasses.replace(entry(), policies=policies))

    assert bench.rows("SELECT policies FROM entries") == [('{"max_retries":0,"overlap_limit":3}',)]
    assert from_plain(to_sparse(policies)) == policies
    assert to_sparse(Policies()) == {}


def test_the_usual_policies_are_a_part_of_the_ledgers_format() -> None:
    """A ledger holds what differs from these: who changes one migrates the ledgers that are."""
    assert to_plain(Policies()) == {
        "timeout": 300.0,
        "max_retries": 3,
        "retry_delay": 5.0,
        "backoff": "constant",
        "retry_jitter": 0.0,
        "retry_max_delay_seconds": 3600.0,
        "misfire": "run_once",
        "misfire_grace_seconds": 60.0,
        "catch_up_window_seconds": 86_400.0,
        "catch_up_limit": 100,
        "overlap": "skip",
        "overlap_limit": 0,
        "on_lost": "at_least_once",
        "kill_grace_seconds": 10.0,
        "isolation": "thread",
        "priority": 0,
        "pool": None,
        "rate_limit": None,
        "after": None,
        "after_mode": "all",
    }


def test_an_interval_is_written_once_and_read_back_the_same(bench: Bench) -> None:
    bench.add(*many(rules=[interval(0.5)]))

    rows = bench.ledger.fetch("load_entries", ids=["p-0007"])

    assert rows[0][5] == [interval(0.5)]


# -- added again as they were, as by a program at each of its starts -------------------------------


def changes_of(bench: Bench, *entries: Entry) -> int:
    """Return how many rows change when entries are added."""
    before = bench.ledger._connection.total_changes
    bench.add(*entries)
    return bench.ledger._connection.total_changes - before


def test_what_is_as_it_was_is_left_alone(bench: Bench) -> None:
    once = entry("once", rules=[{"type": "once", "run_at": "2027-01-15T08:00:00+00:00"}])
    entries = [*many(3), once, dataclasses.replace(entry("manual"), rules=())]
    bench.add(*entries)
    bench.tick(after=65)
    (claim, *_) = bench.hands.gate.values()
    bench.events.clear()

    assert changes_of(bench, *entries) == 0
    assert bench.hands.gate[claim.run_id] is claim
    assert bench.events == []


def test_the_only_one_that_changed_is_written(bench: Bench) -> None:
    bench.add(*many(3))
    bench.clock.wall += SECOND

    bench.add(*many(2), dataclasses.replace(many(3)[2], name="Big"))

    rows = bench.rows("SELECT task_id, name, updated_at FROM entries ORDER BY task_id")
    assert rows == [
        ("p-0000", "Pump 0", T0),
        ("p-0001", "Pump 1", T0),
        ("p-0002", "Big", T0 + SECOND),
    ]


def test_code_is_bound_again_and_nothing_else_is_written(bench: Bench) -> None:
    bound = dataclasses.replace(entry(), is_code_bound=True)
    bench.add(bound)
    with bench.ledger.transaction():
        # A process that ends, and another one.
        bench.ledger.execute("unbind_all", bound=[])
        bench.ledger.execute("hold_unresolved")
    bench.clock.wall += SECOND

    bench.add(bound)

    assert bench.rows("SELECT is_resolved, revision, plan_at IS NOT NULL FROM progress") == [
        (1, 2, 1)
    ]
    assert bench.rows("SELECT updated_at FROM entries") == [(T0,)]
    assert "put_definitions" not in bench.store.steps


@pytest.mark.parametrize(
    "state", ["is_resolved = 0, plan_at = NULL", "rule_error = 'no zone', plan_at = 9e15"]
)
def test_what_does_not_go_on_by_itself_is_taken_up_again(bench: Bench, state: str) -> None:
    bench.add(entry())
    plan_at = bench.rows("SELECT plan_at FROM progress")
    with bench.ledger.transaction():
        bench.ledger._connection.execute(f"UPDATE progress SET {state}")

    bench.add(entry())

    assert bench.rows("SELECT plan_at FROM progress") == plan_at
    assert bench.rows("SELECT is_resolved, rule_error FROM progress") == [(1, None)]


def test_that_a_task_was_added_among_many_stands_in_its_own_audit(bench: Bench) -> None:
    entries = many()
    bench.add(*entries)
    bench.add(dataclasses.replace(entries[5], name="Other"))

    rows = bench.ledger.fetch("list_audit_of_task", task_id="p-0005", before=99, limit=9)

    assert [AuditRow(*row).action for row in rows] == ["edit", "add_many"]
    assert bench.ledger.fetch("list_audit_of_task", task_id="x", before=99, limit=9) == []
