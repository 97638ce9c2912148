"""How a sound history is spoilt: rows found by what they are, and changed, dropped or added.

Responsible for: the hands of the corruptions. What is not there raises `AbsentError`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, TypeVar

from tests.checker.evidence import Evidence
from tests.checker.history import (
    SECOND,
    Attempt,
    Count,
    Entry,
    Epoch,
    Every,
    Fault,
    History,
    Leftover,
    Line,
    Operation,
    Output,
    Run,
    Sighting,
    Skip,
    Task,
    Usage,
)
from tests.checker.targets import Owed, readings

_IN_LEDGER: dict[type[Any], str] = {
    Run: "runs",
    Attempt: "attempts",
    Skip: "skips",
    Epoch: "epochs",
    Entry: "entries",
}
_BESIDE: dict[type[Any], str] = {
    Line: "lines",
    Operation: "operations",
    Fault: "faults",
    Sighting: "sightings",
    Count: "counts",
    Output: "outputs",
    Usage: "usages",
    Leftover: "leftovers",
    Task: "tasks",
}


Row = TypeVar("Row")


class AbsentError(LookupError):
    """The history has no such row."""


def count_of(skip: Skip) -> int:
    """Return how many occurrences a range counts."""
    assert skip.count is not None
    return skip.count


def is_range(skip: Skip) -> bool:
    """Whether a range has more than one occurrence."""
    return count_of(skip) > 1


class Spoiler:
    """One history and what is to be done to it."""

    def __init__(self, history: History) -> None:
        self.history = history
        self.evidence = Evidence(history)

    # -- changes ----------------------------------------------------------------------------------

    def drop(self, *rows: Any) -> None:
        """Take rows out."""
        for row in rows:
            self._set(type(row), [x for x in self._rows(type(row)) if x is not row])

    def add(self, *rows: Any) -> None:
        """Put rows in."""
        for row in rows:
            self._set(type(row), [*self._rows(type(row)), row])

    def change(self, row: Any, **changes: Any) -> Any:
        """Put a row with other values in the place of one, and return it."""
        new = replace(row, **changes)
        self._set(type(row), [new if x is row else x for x in self._rows(type(row))])
        return new

    def _rows(self, kind: type[Any]) -> list[Any]:
        if kind in _IN_LEDGER:
            return list(getattr(self.history.ledger, _IN_LEDGER[kind]) or ())
        return list(getattr(self.history, _BESIDE[kind]))

    def _set(self, kind: type[Any], rows: list[Any]) -> None:
        if kind in _IN_LEDGER:
            ledger = replace(self.history.ledger, **{_IN_LEDGER[kind]: rows})
            self.history = replace(self.history, ledger=ledger)
        else:
            changed: dict[str, Any] = {_BESIDE[kind]: rows}
            self.history = replace(self.history, **changed)

    # -- finding ----------------------------------------------------------------------------------

    def tasks(self, **traits: Any) -> Iterator[Task]:
        """Give the tasks that write lines and are as described: fields of task or policies."""
        for task in self.history.tasks:
            has = all(
                getattr(task if hasattr(task, name) else task.policies, name) == value
                for name, value in traits.items()
            )
            if has and task.has_witness:
                yield task

    def run(
        self,
        outcomes: tuple[str, ...] = ("succeeded",),
        where: Callable[[Run], bool] = lambda run: True,
        **traits: Any,
    ) -> Run:
        """Return a run of a schedule whose attempts came out so, from the middle of its task.

        Each attempt has said that it began, and the end is far enough to demand something of it.
        """
        last = self.history.ended_at - self.history.limits.over
        for task in self.tasks(**traits):
            found = [
                run
                for run in self.evidence.runs_of[task.task_id]
                if run.origin == "schedule"
                and run.scheduled_at < last
                and tuple(a.outcome for a in self.attempts(run)) == outcomes
                and all(a.token in self.evidence.begin_of_token for a in self.attempts(run))
                and where(run)
            ]
            if found:
                return found[len(found) // 2]
        raise AbsentError(f"a run with {outcomes} of {traits}")

    def attempts(self, run: Run) -> list[Attempt]:
        """Return the attempts of a run."""
        return self.evidence.attempts_of.get(run.run_id, [])

    def lines(self, run: Run) -> list[Line]:
        """Return all that a run wrote."""
        return [
            line
            for line in self.history.lines
            if (line.task_id, line.key) == (run.task_id, run.key)
        ]

    def begin(self, run: Run, number: int = 0) -> Line:
        """Return a begin of a run."""
        return self.evidence.begins[run.task_id, run.key][number]

    def end(self, run: Run) -> Line:
        """Return the last end of a run."""
        return [line for line in self.lines(run) if line.event == "end"][-1]

    def skip(
        self, reason: str, where: Callable[[Skip], bool] = lambda skip: True, **traits: Any
    ) -> Skip:
        """Return a range of skips."""
        ids = {task.task_id for task in self.tasks(**traits)}
        for skip in self.history.ledger.skips:
            if skip.reason == reason and skip.task_id in ids and where(skip):
                return skip
        raise AbsentError(f"a skip of {reason} of {traits}")

    def operation(self, kind: str, outcome: str = "ok") -> Operation:
        """Return a call of a client."""
        for operation in self.history.operations:
            if (operation.kind, operation.outcome) == (kind, outcome):
                return operation
        raise AbsentError(kind)

    def entry(self, task_id: str) -> Entry:
        """Return how a task stands at the end."""
        entries = self.history.ledger.entries or ()
        return self._first(entry for entry in entries if entry.task_id == task_id)

    def one(self, row_type: type[Any], /, **values: Any) -> Any:
        """Return a row of a kind with these values."""
        return self._first(
            row
            for row in self._rows(row_type)
            if all(getattr(row, name) == value for name, value in values.items())
        )

    def task(self, task_id: str) -> Task:
        """Return a task by its name."""
        return self._first(task for task in self.history.tasks if task.task_id == task_id)

    def owed(self, task_id: str) -> Owed:
        """Return what a task owes."""
        return next(readings(self.evidence, self.evidence.tasks[task_id]))

    def neighbours(self, run: Run) -> tuple[Run, Run]:
        """Return a run and the one that began after it, both of one attempt that succeeded."""
        begun = sorted(
            (
                other
                for other in self.evidence.runs_of[run.task_id]
                if [a.outcome for a in self.attempts(other)] == ["succeeded"]
                and other.origin == "schedule"
            ),
            key=lambda other: self.begin(other).at,
        )
        index = next(i for i, other in enumerate(begun) if other is run)
        if index + 1 >= len(begun):
            raise AbsentError("a run after it")
        return run, begun[index + 1]

    def period(self, task_id: str) -> int:
        """Return the period of a task that has an interval."""
        (rule,) = self.task(task_id).revisions[0].rules
        if not isinstance(rule, Every):
            raise AbsentError(f"an interval of {task_id}")
        return rule.period

    def is_in_outage(self, skip: Skip) -> bool:
        """Whether a range was due while no scheduler ran, none of it claimed ahead."""
        ahead = self.history.limits.ahead
        return any(
            fault.began + ahead < skip.first_at and skip.last_at <= fault.ended
            for fault in self.history.faults
            if fault.kind == "down"
        )

    def is_near_fault(self, run: Run) -> bool:
        """Whether a fault excuses what happens around a run."""
        at = run.scheduled_at
        return self.evidence.is_excused(at - 10 * SECOND, at + 12 * SECOND)

    # -- compounds --------------------------------------------------------------------------------

    def forget(self, run: Run) -> None:
        """Drop a run with all that tells of it."""
        self.drop(run, *self.attempts(run), *self.lines(run))

    def again(self, run: Run, *, after: int = 1_000, is_recorded: bool = True) -> Attempt:
        """Let a run begin and end once more after its last attempt."""
        last, number = self.attempts(run)[-1], len(self.attempts(run)) + 1
        token, at = last.token + (1 << 20), last.ended_at + after
        names = (run.task_id, run.key, number, token, 77)
        self.add(Line("begin", *names, at), Line("end", *names, at + 10))
        attempt = Attempt(run.run_id, number, token, "succeeded", at, at + 20)
        if is_recorded:
            self.add(attempt)
            self.change(run, attempt=number, ended_at=at + 20)
        return attempt

    def run_at(self, task_id: str, at: int, begin: int | None = None) -> Run:
        """Add a run with one good attempt at a moment."""
        run_id = max(run.run_id for run in self.history.ledger.runs) + 1
        token = max(attempt.token for attempt in self.history.ledger.attempts) + 1
        begin = at + 500 if begin is None else begin
        epochs = [epoch for epoch in self.evidence.epochs if epoch.started_at <= begin]
        token = (epochs[-1].epoch << 32) + (token & 0xFFFFFFFF) if epochs else token
        run = Run(run_id, task_id, str(at), "schedule", "succeeded", at, None, 1, 0, begin + 20)
        names = (task_id, str(at), 1, token, 78)
        self.add(run, Attempt(run_id, 1, token, "succeeded", begin, begin + 20))
        self.add(Line("begin", *names, begin), Line("end", *names, begin + 10))
        return run

    def move(self, run: Run, by: int) -> None:
        """Move all that a run of one attempt did in time; its instant stays."""
        for line in self.lines(run):
            self.change(line, at=line.at + by)
        attempt = self.attempts(run)[-1]
        self.change(attempt, ended_at=attempt.ended_at + by)
        self.change(run, ended_at=attempt.ended_at + by)

    @staticmethod
    def _first(rows: Iterator[Row]) -> Row:
        for row in rows:
            return row
        raise AbsentError
