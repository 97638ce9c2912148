"""Stories about what a configuration declares: it comes, goes, and comes back as it was."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from task_scheduler.core.events import EntryRemoved, EntryRestored
from task_scheduler.core.inbox import DeclareEntries, PauseEntry, RemoveEntries
from task_scheduler.core.model import SECOND, Entry
from task_scheduler.errors import DefinitionError
from tests.unit.core.engine_bench import T0, Bench, entry


@pytest.fixture
def bench() -> Bench:
    return Bench()


def declared(task_id: str = "pump", **options: Any) -> Entry:
    return replace(entry(task_id, **options), origin="config", kind="command")


def declare(bench: Bench, *entries: Entry, archived: tuple[str, ...] = ()) -> dict[str, list[str]]:
    found: dict[str, list[str]] = bench.command(DeclareEntries(entries=entries, archived=archived))
    return found


def standing(bench: Bench, task_id: str = "pump") -> tuple[int, ...]:
    query = "SELECT run_count, success_count, anchor, next_due_at FROM progress WHERE task_id = ?"
    (row,) = bench.rows(query, task_id)
    return tuple(row)


def test_a_task_that_is_declared_no_more_goes_and_its_runs_stay(bench: Bench) -> None:
    declare(bench, declared())
    bench.end(bench.start())
    bench.tick()

    answer = declare(bench, archived=("pump", "unknown"))

    assert answer == {"restored": [], "archived": ["pump"]}
    assert bench.rows("SELECT task_id FROM entries") == []
    assert bench.runs() == ["succeeded"]
    assert any(isinstance(event, EntryRemoved) for event in bench.events)


def test_declared_again_it_has_its_history_and_its_place_in_time(bench: Bench) -> None:
    declare(bench, declared())
    bench.end(bench.start())
    bench.tick()
    declare(bench, archived=("pump",))
    bench.tick(after=33)

    answer = declare(bench, declared())

    assert answer == {"restored": ["pump"], "archived": []}
    # Of the three instants in between none is made up for, and it is not due anew at once.
    assert standing(bench) == (1, 1, T0, T0 + 40 * SECOND)
    assert bench.runs() == ["succeeded"]
    assert bench.skips() == []
    assert any(isinstance(event, EntryRestored) for event in bench.events)


def test_it_may_come_back_with_other_times(bench: Bench) -> None:
    declare(bench, declared())
    bench.end(bench.start())
    bench.tick()
    declare(bench, archived=("pump",))
    bench.tick(after=33)

    declare(bench, declared(seconds=25))

    assert standing(bench) == (1, 1, T0, T0 + 50 * SECOND)
    (rules,) = bench.rows("SELECT rules FROM entries")
    assert '"seconds":25' in rules[0]


def test_a_task_that_never_ran_comes_back_as_a_new_one(bench: Bench) -> None:
    declare(bench, declared())
    bench.rows("UPDATE progress SET cursor = NULL")
    declare(bench, archived=("pump",))
    bench.tick(after=33)

    declare(bench, declared())

    # Due when it is added, as any new one: and planned with that.
    assert standing(bench)[2:] == (T0 + 33 * SECOND, T0 + 43 * SECOND)


def test_a_run_that_ends_while_its_task_is_archived_is_counted_when_it_comes_back(
    bench: Bench,
) -> None:
    declare(bench, declared())
    claim = bench.start()
    bench.tick()
    declare(bench, archived=("pump",))
    bench.end(claim)
    bench.tick()

    declare(bench, declared())

    assert standing(bench)[:2] == (1, 1)


def test_a_run_that_outlives_the_archive_is_counted_once(bench: Bench) -> None:
    declare(bench, declared())
    claim = bench.start()
    bench.tick()
    declare(bench, archived=("pump",))
    declare(bench, declared())

    bench.end(claim)
    bench.tick()

    assert standing(bench)[:2] == (1, 1)


def test_a_pause_outlives_the_archive(bench: Bench) -> None:
    declare(bench, declared())
    bench.end(bench.start())
    bench.command(PauseEntry(task_id="pump", reason="broken"))
    declare(bench, archived=("pump",))

    declare(bench, declared())
    bench.tick(after=60)

    assert bench.rows("SELECT pause_reason, plan_at FROM progress") == [("broken", None)]
    assert bench.runs() == ["succeeded"]


def test_a_task_of_another_type_takes_the_place_of_the_old_one(bench: Bench) -> None:
    declare(bench, declared())
    bench.end(bench.start())
    bench.tick()

    declare(bench, replace(declared(), kind="script"))

    assert bench.rows("SELECT kind FROM entries") == [("script",)]
    assert standing(bench) == (1, 1, T0, T0 + 10 * SECOND)


def test_a_program_keeps_the_id_of_its_task(bench: Bench) -> None:
    bench.add(entry())

    with pytest.raises(DefinitionError, match="kind"):
        declare(bench, declared("valve"), declared())

    assert bench.rows("SELECT task_id, kind FROM entries") == [("pump", "custom")]


def test_what_is_refused_changes_nothing(bench: Bench) -> None:
    declare(bench, declared(), declared("valve"))

    with pytest.raises(DefinitionError, match="pool"):
        declare(bench, declared(seconds=3), declared("new", pool="none"), archived=("valve",))

    assert bench.rows("SELECT task_id FROM entries ORDER BY 1") == [("pump",), ("valve",)]
    assert bench.rows("SELECT count(*) FROM declared WHERE archived_at IS NULL") == [(2,)]


def test_what_was_removed_by_hand_is_told_apart_from_what_the_file_removed(bench: Bench) -> None:
    declare(bench, declared(), declared("valve"))

    bench.command(RemoveEntries(task_ids=["pump"]))
    declare(bench, archived=("valve",))

    query = "SELECT task_id, is_removed FROM declared ORDER BY 1"
    assert bench.rows(query) == [("pump", 1), ("valve", 0)]


def test_what_a_program_added_is_not_archived(bench: Bench) -> None:
    bench.add(entry())

    bench.command(RemoveEntries(task_ids=["pump"]))

    assert bench.rows("SELECT count(*) FROM declared") == [(0,)]


def test_an_entry_whose_code_is_missing_is_there_and_does_not_fire(bench: Bench) -> None:
    lost = replace(declared(), kind="function", definition={"function": "gone:away"})

    bench.command(DeclareEntries(entries=(lost,), missing=("gone:away",)))
    bench.tick(after=30)

    assert bench.rows("SELECT is_resolved, plan_at FROM progress") == [(0, None)]
    assert bench.runs("state, waiting_for") in ([], [("waiting", "code")])


def test_the_audit_tells_that_a_task_came_back(bench: Bench) -> None:
    declare(bench, declared())
    declare(bench, archived=("pump",))

    declare(bench, declared())

    actions = [action for (action,) in bench.rows("SELECT action FROM audit ORDER BY number")]
    assert actions == ["add", "remove", "restore"]


def test_what_a_run_kept_out_before_an_edit_and_after_it_is_told_apart(bench: Bench) -> None:
    declare(bench, declared())
    bench.start()
    bench.tick(after=10)
    bench.clock.wall += 25 * SECOND

    declare(bench, declared(seconds=7))
    bench.tick(after=7)

    skips = bench.skips("first_at, reason, last_at, count")
    assert [(reason, count) for _, reason, _, count in skips] == [
        ("overlap", 1),
        ("superseded", 2),
        ("overlap", 1),
    ]
    assert all(before[2] < after[0] for before, after in pairwise(skips))


def test_the_same_holds_for_a_task_that_was_archived_in_between(bench: Bench) -> None:
    declare(bench, declared())
    bench.start()
    bench.tick(after=10)
    bench.clock.wall += 25 * SECOND
    declare(bench, archived=("pump",))

    declare(bench, declared())
    bench.tick(after=10)

    skips = bench.skips("first_at, reason, last_at, count")
    assert [(reason, count) for _, reason, _, count in skips] == [
        ("overlap", 1),
        ("removed", 2),
        ("overlap", 1),
    ]
