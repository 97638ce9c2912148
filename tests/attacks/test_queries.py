"""SQL, patterns and wrong types in every field by which a ledger is asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from task_scheduler.errors import TaskNotFoundError
from task_scheduler.ledger_view import LedgerView
from task_scheduler.stores.sqlite import SqliteStore
from tests.attacks.payloads import SQL
from tests.unit.cli.made_ledger import MadeLedger

TASKS = ("plain", "pl_in", "100%", "O'Brien")


@pytest.fixture(scope="module")
def store() -> Iterator[SqliteStore]:
    made = SqliteStore(":memory:")
    for task_id in TASKS:
        row = [task_id, task_id, "command", "process", {"command": ["x"]}, [], {}, "api", 0, 5]
        made.execute("put_entries", rows=[row])
        made.execute("put_progress", rows=[[task_id, 1, 5, None, 7, 7]])
    yield made
    made.close()


@pytest.fixture
def view(store: SqliteStore) -> Iterator[LedgerView]:
    yield LedgerView(store.fetch)
    assert store.fetch("all_task_ids", limit=99) == sorted(TASKS)


FILTERS: dict[str, Callable[[LedgerView, str], Any]] = {
    "task": lambda view, text: view.tasks([text]),
    "after": lambda view, text: [
        row
        for row in view._fetch("task_status", ids=None, after=text, limit=99)
        if row["task_id"] not in TASKS
    ],
    "origin": lambda view, text: view.ids_from(text),
    "runs-of": lambda view, text: view.runs(text),
    "state": lambda view, text: view.runs(state=text),
    "skips-of": lambda view, text: view.skips(text),
    "audit-of": lambda view, text: view.audit(text),
    "parents-of": lambda view, text: view.parents(text),
    "last-runs-of": lambda view, text: list(view.last_runs([text])),
    "plans-of": lambda view, text: list(view.plans([text])),
}


@pytest.mark.parametrize("field", FILTERS)
@pytest.mark.parametrize("name", SQL)
def test_a_filter_is_a_value_and_nothing_else(name: str, field: str, view: LedgerView) -> None:
    assert FILTERS[field](view, SQL[name]) == []


@pytest.mark.parametrize("name", SQL)
def test_a_task_of_that_name_is_not_found(name: str, view: LedgerView) -> None:
    with pytest.raises(TaskNotFoundError):
        view.task(SQL[name])


@pytest.mark.parametrize("task_id", TASKS)
def test_wildcards_and_quotes_of_a_name_mean_that_task_alone(
    task_id: str, view: LedgerView
) -> None:
    assert [task["task_id"] for task in view.tasks([task_id])] == [task_id]


@pytest.mark.parametrize(
    ("before", "limit"), [(-1, 5), (0, 5), (5, 0), (1, -1), ((1 << 63) - 1, 5), (-(1 << 63), 5)]
)
def test_pages_beyond_every_end_are_empty(before: int, limit: int, view: LedgerView) -> None:
    assert view.runs(before=before, limit=limit) == []
    assert view.skips(before=before, limit=limit) == []
    assert view.audit(before=before, limit=limit) == []


@pytest.fixture
def farm(tmp_path: Any, capsys: pytest.CaptureFixture[str]) -> MadeLedger:
    made = MadeLedger(tmp_path, capsys)
    made.task("plain")
    return made


COMMANDS = {
    "show": ("show", "--", "{}"),
    "runs": ("runs", "--", "{}"),
    "why": ("why", "--", "{}"),
    "audit": ("audit", "--task", "{}"),
    "explain": ("explain", "--task", "{}"),
    "next": ("next", "--", "{}"),
    "pause": ("pause", "--", "{}"),
    "run": ("run", "--", "{}"),
    "logs": ("logs", "--", "{}"),
    "kill": ("kill", "--", "{}"),
    "rm": ("rm", "--yes", "--", "{}"),
}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("name", ["or", "drop", "union", "percent", "backslash", "json", "glob"])
def test_an_argument_of_the_command_line_finds_no_other_task(
    command: str, name: str, farm: MadeLedger
) -> None:
    answer = farm.tsk(*(word.format(SQL[name]) for word in COMMANDS[command]), "--no-input")

    shown = answer.out + answer.err
    assert answer.code != 0 or "plain" not in answer.out, shown
    assert "Traceback" not in shown
    assert "sqlite" not in shown.lower()
    assert '"task_id": "plain"' in farm.tsk("ls", "--json").out
