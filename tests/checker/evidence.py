"""One history, laid out so that every check finds its rows; and what a check says.

Responsible for: the indexes, the stretches in which faults excuse lateness, and the violations with
the part of the history that shows them.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from tests.checker.history import (
    Attempt,
    Epoch,
    Fault,
    History,
    Line,
    Operation,
    Run,
    Skip,
    Task,
)

MOST_ROWS = 40
"""Of the rows that show one violation."""


@dataclass(frozen=True, slots=True)
class Violation:
    """One broken invariant, the first row that breaks it, and the rows that show it."""

    invariant: str
    """``I1`` to ``I24`` of the reliability invariants, or ``A/B``: the two passes disagree."""
    text: str
    row: Any
    excerpt: tuple[Any, ...] = ()

    def __str__(self) -> str:
        return f"{self.invariant} {self.text} [first: {self.row}]"

    def show(self) -> str:
        """Return the violation with its rows, one a line."""
        return "\n    ".join([str(self), *map(str, self.excerpt)])


class Evidence:
    """A history with its indexes."""

    def __init__(self, history: History) -> None:
        self.history = history
        self.limits = history.limits
        self.tasks: dict[str, Task] = {task.task_id: task for task in history.tasks}
        self.runs: dict[int, Run] = {}
        self.runs_of: dict[str, list[Run]] = defaultdict(list)
        self.runs_by_key: dict[tuple[str, str], list[Run]] = defaultdict(list)
        for run in sorted(history.ledger.runs, key=lambda run: run.run_id):
            self.runs[run.run_id] = run
            self.runs_of[run.task_id].append(run)
            self.runs_by_key[run.task_id, run.key].append(run)
        self.attempts_of: dict[int, list[Attempt]] = defaultdict(list)
        for attempt in sorted(history.ledger.attempts, key=lambda attempt: attempt.token):
            self.attempts_of[attempt.run_id].append(attempt)
        self.skips_of: dict[str, list[Skip]] = defaultdict(list)
        for skip in history.ledger.skips:
            self.skips_of[skip.task_id].append(skip)
        self.begins: dict[tuple[str, str], list[Line]] = defaultdict(list)
        self.begins_of: dict[str, list[Line]] = defaultdict(list)
        self.begin_of_token: dict[int, Line] = {}
        self.end_of_token: dict[int, Line] = {}
        for line in sorted(history.lines, key=lambda line: line.at):
            if line.event == "begin":
                self.begins[line.task_id, line.key].append(line)
                self.begins_of[line.task_id].append(line)
                self.begin_of_token.setdefault(line.token, line)
            else:
                self.end_of_token.setdefault(line.token, line)
        self.operations_of: dict[str, list[Operation]] = defaultdict(list)
        for operation in sorted(history.operations, key=lambda operation: operation.asked):
            self.operations_of[operation.task_id].append(operation)
        self.entries = {entry.task_id: entry for entry in history.ledger.entries or ()}
        self.epochs: list[Epoch] = sorted(history.ledger.epochs, key=lambda epoch: epoch.epoch)
        self.restores = [fault for fault in history.faults if fault.kind == "restore"]
        self._excused = _merged(
            (fault.began, fault.ended + self.limits.heal) for fault in history.faults
        )
        self._excused_from = [began for began, _ in self._excused]

    # -- faults ---------------------------------------------------------------------------------

    def is_excused(self, first: int, last: int) -> bool:
        """Whether a fault, or its healing, falls between two moments."""
        index = bisect_right(self._excused_from, last) - 1
        return index >= 0 and self._excused[index][1] >= first

    def kills(self, *targets: str) -> list[Fault]:
        """Return the kills of these targets, oldest first."""
        found = [f for f in self.history.faults if f.kind == "kill" and f.target in targets]
        return sorted(found, key=lambda fault: fault.began)

    # -- what a check says ------------------------------------------------------------------------

    def of_run(self, invariant: str, text: str, run: Run, row: Any = None) -> Violation:
        """Say that something about a run is wrong."""
        name = f"{run.task_id}, run {run.run_id} ({run.key}): {text}"
        rows = [
            *self.runs_by_key[run.task_id, run.key],
            *self.attempts_of.get(run.run_id, []),
            *(x for x in self.history.lines if (x.task_id, x.key) == (run.task_id, run.key)),
            *(s for s in self.skips_of[run.task_id] if run.run_id == s.blocker_run_id),
            *(o for o in self.operations_of[run.task_id] if o.key in (None, run.key)),
            *self._faults_around(run),
        ]
        return Violation(invariant, name, run if row is None else row, tuple(rows[:MOST_ROWS]))

    def of_instant(self, invariant: str, text: str, task_id: str, at: int, row: Any) -> Violation:
        """Say that something about one instant of a task is wrong."""
        rows: list[Any] = [run for run in self.runs_of[task_id] if run.scheduled_at == at]
        rows += [skip for skip in self.skips_of[task_id] if skip.first_at <= at <= skip.last_at]
        before = [run for run in self.runs_of[task_id] if run.scheduled_at < at]
        after = [run for run in self.runs_of[task_id] if run.scheduled_at > at]
        rows += [max(before, key=_by_moment)] if before else []
        rows += [min(after, key=_by_moment)] if after else []
        rows += self.operations_of[task_id]
        return Violation(invariant, f"{task_id}: {text}", row, tuple(rows[:MOST_ROWS]))

    def _faults_around(self, run: Run) -> Iterable[Fault]:
        attempts = self.attempts_of.get(run.run_id, [])
        last = max([run.scheduled_at, *(attempt.ended_at for attempt in attempts)])
        return (
            fault
            for fault in self.history.faults
            if fault.began <= last and fault.ended >= run.scheduled_at
        )


def _by_moment(run: Run) -> int:
    return run.scheduled_at


def _merged(stretches: Iterable[tuple[int, int]]) -> Sequence[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    for began, ended in sorted(stretches):
        if found and began <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], ended))
        else:
            found.append((began, ended))
    return found
