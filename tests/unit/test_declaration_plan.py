"""What taking up a configuration would change, told apart from what was edited since."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from task_scheduler.core.audit import plain_of
from task_scheduler.core.entries import StoredEntry
from task_scheduler.core.model import Entry, Policies
from task_scheduler.core.policies import to_sparse
from task_scheduler.declaration_plan import (
    Base,
    ChangeKind,
    FieldChange,
    Plan,
    counts_of,
    first_runs,
    plan_of,
)
from task_scheduler.i18n import set_language
from task_scheduler.schedules.calendars.registry import BUILT_IN

NOW = 1_800_000_000_000_000
HOURLY = {"type": "interval", "seconds": 3600}
DAILY = {"type": "daily", "daily": "08:00", "timezone": "UTC"}


def entry(task_id: str = "pump", *rules: dict[str, Any], **options: Any) -> Entry:
    definition = options.pop("definition", {"command": ["true"], "env": {"A": "1"}})
    return Entry(
        task_id=task_id,
        name=options.pop("name", task_id),
        kind=options.pop("kind", "command"),
        executor="process",
        definition=definition,
        rules=rules or (HOURLY,),
        policies=Policies(**options),
        origin="config",
    )


def stored(of: Entry, *, cursor: int | None = NOW - 1, is_resolved: bool = True) -> StoredEntry:
    parts = json.loads(json.dumps([of.definition, of.rules, to_sparse(of.policies)]))
    head = [of.task_id, of.name, of.kind, of.executor, *parts, of.origin, False]
    return StoredEntry([*head, 1, NOW - 10, cursor, NOW + 5, None, is_resolved, None])


def base(of: Entry, **options: Any) -> Base:
    return Base(plain_of(of) or {}, NOW - 100, options.pop("archived_at", None), **options)


def plan(declared: list[Entry], live: list[Entry], bases: list[Entry] | dict[str, Base]) -> Plan:
    known = bases if isinstance(bases, dict) else {of.task_id: base(of) for of in bases}
    return plan_of(declared, {of.task_id: stored(of) for of in live}, known)


def test_what_is_as_it_was_declared_changes_nothing() -> None:
    found = plan([entry()], [entry()], [entry()])

    assert (found.changes, found.touched) == ((), frozenset())


def test_a_new_task_comes_and_one_that_is_not_declared_goes() -> None:
    found = plan([entry("new")], [entry("old")], [entry("old")])

    kinds = [(change.task_id, change.kind) for change in found.changes]
    assert kinds == [("new", ChangeKind.ADD), ("old", ChangeKind.ARCHIVE)]
    assert found.changes[0].rules == (HOURLY,)


def test_a_change_is_told_field_by_field() -> None:
    new = entry(
        "pump", DAILY, max_retries=5, definition={"command": ["true"], "env": {"A": "2", "B": "3"}}
    )

    (change,) = plan([new], [entry()], [entry()]).changes

    assert change.kind is ChangeKind.CHANGE
    assert {(f.key, str(f.before), str(f.after)) for f in change.fields} == {
        ("env.A", "1", "2"),
        ("env.B", "None", "3"),
        ("max_retries", "3", "5"),
        ("schedule", str([HOURLY]), str([DAILY])),
    }
    assert change.rules == (DAILY,)
    assert not change.is_edited


def test_an_edit_since_then_is_drift_and_stays() -> None:
    edited = replace(entry(max_retries=9), origin="cli")

    found = plan([entry()], [edited], [entry()])

    (change,) = found.changes
    assert change.kind is ChangeKind.DRIFT
    assert change.fields == (FieldChange("max_retries", 9, 3, is_edit=True),)
    assert found.taken(overwrite=False) == set()
    assert found.taken(overwrite=True) == {"pump"}
    assert counts_of(found, overwrite=False)["drifted"] == 1


def test_a_declaration_that_changed_wins_over_an_edit_and_tells_it() -> None:
    edited, new = entry(max_retries=9), entry("pump", DAILY)

    found = plan([new], [edited], [entry()])

    (change,) = found.changes
    assert change.kind is ChangeKind.CHANGE
    assert {f.key: f.is_edit for f in change.fields} == {"schedule": False, "max_retries": True}
    assert change.is_edited
    assert found.taken(overwrite=False) == {"pump"}


def test_an_edit_that_the_file_has_taken_over_is_written_and_shows_nothing() -> None:
    new = entry(max_retries=9)

    found = plan([new], [new], [entry()])

    assert (found.changes, found.touched) == ((), frozenset({"pump"}))


def test_a_task_of_another_type_is_another_one() -> None:
    (change,) = plan([entry(kind="script")], [entry()], [entry()]).changes

    assert change.kind is ChangeKind.REPLACE
    assert change.fields[0] == FieldChange("type", "command", "script")


def test_an_archived_task_comes_back_and_a_removed_one_is_told_as_edited() -> None:
    archived = base(entry(), archived_at=NOW - 50)
    removed = base(entry("valve"), archived_at=NOW - 50, is_removed=True)

    found = plan([entry(), entry("valve")], [], {"pump": archived, "valve": removed})

    assert found.ids(ChangeKind.RESTORE) == ["pump", "valve"]
    assert [change.is_edited for change in found.changes] == [False, True]


def test_what_a_program_added_is_its_own_unless_somebody_edited_what_was_declared() -> None:
    by_program = replace(entry("own"), origin="api")
    by_hand = replace(entry("edited"), origin="cli")

    found = plan([], [by_program, by_hand], [entry("edited")])

    assert [(c.task_id, c.kind) for c in found.changes] == [("edited", ChangeKind.ARCHIVE)]


def test_an_entry_whose_code_was_missing_is_looked_at_again() -> None:
    live = {"pump": stored(entry(), is_resolved=False)}

    found = plan_of([entry()], live, {"pump": base(entry())})

    assert found.touched == frozenset({"pump"})


def test_a_ledger_of_an_older_release_knows_no_declarations_and_no_drift() -> None:
    found = plan([entry(max_retries=4)], [entry()], [])

    assert [change.kind for change in found.changes] == [ChangeKind.CHANGE]
    assert not found.changes[0].is_edited


def test_each_new_rule_has_its_first_run() -> None:
    set_language("en")
    (change,) = plan([entry("pump", HOURLY, DAILY)], [entry()], [entry()]).changes

    (first,) = first_runs(change, stored(entry()), BUILT_IN, NOW)

    assert first["rule"] == "every day at 08:00 (UTC)"
    assert first["at"] is not None
