"""From tasks and rules to entries: what they share is worked out once, and each gets its own."""

from __future__ import annotations

import contextlib
import gc
import os
import threading
from typing import Any

import pytest

from task_scheduler import BaseTask, FunctionTask, ScheduleRule, ScheduleType, ScriptTask
from task_scheduler.core.model import Entry, Isolation, Policies
from task_scheduler.errors import DefinitionError, PolicyError, ScheduleError
from task_scheduler.launch_guard import LaunchGuard
from task_scheduler.registration import Registration, Wanted, without_collecting
from task_scheduler.schedules.calendars.registry import BUILT_IN
from task_scheduler.stores.sqlite import MEMORY, SqliteStore
from task_scheduler.tasks.registry import EntryMaker

HOURLY = ScheduleRule(ScheduleType.INTERVAL, hours=1)


def registered(*tasks: Any, rule: Any = HOURLY, defaults: Policies | None = None) -> Registration:
    maker = EntryMaker(defaults or Policies())
    wanted = Wanted.of((task, rule) for task in tasks)
    return Registration(wanted, maker=maker, guard=LaunchGuard(), calendars=BUILT_IN)


def entries_of(*tasks: Any, **given: Any) -> list[Entry]:
    return registered(*tasks, **given).entries


def counted(count: int, func: Any = threading.active_count, **given: Any) -> list[FunctionTask]:
    return [FunctionTask(f"task-{number}", None, func, **given) for number in range(count)]


def test_tasks_that_share_function_rule_and_policies_share_their_values() -> None:
    one, other = entries_of(*counted(2, max_retries=1))

    assert one.rules is other.rules
    assert one.policies is other.policies
    assert one.definition is other.definition
    assert (one.task_id, other.task_id) == ("task-0", "task-1")
    assert one.definition == {"function": "threading:active_count", "args": [], "kwargs": {}}


def test_tasks_with_arguments_or_a_description_have_their_own_definition() -> None:
    plain, called, told = entries_of(
        FunctionTask("a", None, threading.active_count),
        FunctionTask("b", None, os.getpgid, [7]),
        FunctionTask("c", None, threading.active_count, description="how many"),
    )

    assert "description" not in plain.definition
    assert called.definition["args"] == [7]
    assert told.definition["description"] == "how many"


def test_a_value_that_equals_another_of_a_different_type_is_not_taken_for_it() -> None:
    task, other = counted(2, max_retries=1)
    other.policy_options["max_retries"] = True

    with pytest.raises(PolicyError):
        registered(task, other)


def test_what_the_defaults_ask_for_holds_for_each_task() -> None:
    def closure() -> None:
        """Live here alone."""

    isolated = Policies(isolation=Isolation.PROCESS)

    (entry,) = entries_of(FunctionTask("a", None, os.getpgid, [0]), defaults=isolated)

    assert entry.executor == "process"
    with pytest.raises(DefinitionError):
        registered(FunctionTask("b", None, closure), defaults=isolated)


class Custom(BaseTask):
    def execute(self) -> bool:
        return True


class Forgetful(BaseTask):
    def __init__(self) -> None:
        """Forget super().__init__()."""


@pytest.mark.parametrize("wrong", [Custom, Forgetful(), "pump", None, threading.active_count])
def test_what_is_no_task_is_refused_after_any_number_of_tasks(wrong: Any) -> None:
    with pytest.raises(DefinitionError):
        registered(Custom("a"), Custom("b"), wrong)


@pytest.mark.parametrize("wrong", ["", "  ", "two\nlines", "x" * 201, None, 7])
def test_an_id_that_was_changed_to_none_at_all_is_refused(wrong: Any) -> None:
    task = Custom("a")
    task.task_id = wrong

    with pytest.raises(DefinitionError):
        registered(task)


@pytest.mark.parametrize("task_id", ["x" * 200, "Pömpe 水", "a\u200bb", "name with  spaces"])
def test_an_unusual_id_is_taken_as_before(task_id: str) -> None:
    assert entries_of(Custom(task_id))[0].task_id == task_id


def test_every_call_that_does_not_fit_is_warned_of() -> None:
    def feed(amount: int) -> None:
        """Feed."""

    tasks = [FunctionTask(f"t-{n}", None, feed, [1] * n) for n in range(3)]

    found = registered(*tasks)

    assert len(found.warnings) == 2
    assert "t-0" in found.warnings[0]
    assert "t-2" in found.warnings[1]


def test_a_script_that_is_not_there_is_warned_of(tmp_path: Any) -> None:
    found = registered(ScriptTask("s", None, str(tmp_path / "gone.py")))

    assert any("gone.py" in warning for warning in found.warnings)


def test_a_calendar_that_is_not_there_is_refused_here() -> None:
    rule = ScheduleRule(ScheduleType.DAILY, daily="08:00", exclude=["atlantis"])

    with pytest.raises(ScheduleError):
        registered(*counted(2), rule=rule)


@pytest.mark.parametrize("wrong", [("a",), "ab", 7, (1, 2, 3)])
def test_what_is_no_pair_is_refused(wrong: Any) -> None:
    with pytest.raises((DefinitionError, ScheduleError)):
        Wanted.of([wrong])


def test_a_rule_is_shared_by_its_identity_and_no_other() -> None:
    # The first rule is gone when the second is made, and may leave it its place in memory.
    wanted = Wanted.of((Custom(str(n)), ScheduleRule("interval", hours=n + 1)) for n in range(50))

    assert [rules[0].hours for rules in wanted.rules] == list(range(1, 51))


def parts(found: Registration, store: SqliteStore) -> list[list[Entry]]:
    return [found.entries[part] for part in found.parts(store.fetch, {})]


def test_few_are_one_commit_and_very_many_are_several() -> None:
    store = SqliteStore(MEMORY)
    found = registered(*counted(10_001))

    many, few = parts(found, store), parts(registered(*counted(10_000)), store)
    store.close()

    assert [len(part) for part in few] == [10_000]
    assert [len(part) for part in many] == [5_000, 5_000, 1]
    assert [entry for part in many for entry in part] == found.entries


def test_what_is_wrong_with_the_last_of_very_many_is_found_before_the_first_is_added() -> None:
    store = SqliteStore(MEMORY)
    row = ["task-10000", "x", "script", "process", {}, [], {}, "api", 0, 5]
    store.execute("put_entries", rows=[row])
    other_kind = registered(*counted(10_001))
    pooled = registered(*counted(10_001), *counted(1, pool="disk"))
    chained = registered(*counted(10_001), *counted(1, after="task-0"))

    for wrong in (other_kind, pooled, chained):
        with pytest.raises(DefinitionError):
            next(wrong.parts(store.fetch, {}))
    store.close()


def test_the_last_of_two_with_one_id_is_the_one_that_is_added() -> None:
    first, other, last = Custom("a", "First"), Custom("b"), Custom("a", "Last")

    found = registered(first, other, last)

    assert [entry.name for entry in found.entries] == ["Last", "b"]
    assert found.tasks == [last, other]
    assert len(found.rules) == 2


@pytest.mark.parametrize("is_on", [True, False])
def test_the_search_for_garbage_goes_on_as_it_was(is_on: bool) -> None:
    was_on = gc.isenabled()
    (gc.enable if is_on else gc.disable)()
    try:
        with contextlib.suppress(ZeroDivisionError), without_collecting(5_000):
            assert not gc.isenabled()
            raise ZeroDivisionError
        with without_collecting(5):
            assert gc.isenabled() is is_on
        assert gc.isenabled() is is_on
    finally:
        (gc.enable if was_on else gc.disable)()
