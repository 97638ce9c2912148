"""I1, I2, I3, I21: every instant has exactly one disposition, and no other instant has one.

Responsible for: comparing runs and ranges of skips with what the oracle says was owed.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from tests.checker.evidence import Evidence, Violation
from tests.checker.history import Run, Skip, Task
from tests.checker.oracle import instants
from tests.checker.targets import Owed, is_on_grid, readings


def account(evidence: Evidence, task: Task) -> tuple[Owed, list[Violation]]:
    """Return what the task owed, in the reading that fits best, and what does not fit in it."""
    tried = ((owed, list(_account(evidence, task, owed))) for owed in readings(evidence, task))
    return min(tried, key=lambda pair: len(pair[1]))


def strangers(evidence: Evidence) -> Iterator[Violation]:
    """Name the rows of tasks that nobody added."""
    for task_id, runs in list(evidence.runs_of.items()):
        if runs and task_id not in evidence.tasks:
            yield evidence.of_run("I2", "is of a task that nobody added", runs[0])
    for task_id, skips in list(evidence.skips_of.items()):
        if skips and task_id not in evidence.tasks:
            text = "skips of a task that nobody added"
            yield evidence.of_instant("I2", text, task_id, skips[0].first_at, skips[0])


def _account(evidence: Evidence, task: Task, owed: Owed) -> Iterator[Violation]:
    covered: dict[int, Any] = {}
    for run in evidence.runs_of[task.task_id]:
        yield from _run(evidence, owed, run, covered)
    for skip in sorted(evidence.skips_of[task.task_id], key=lambda skip: skip.first_at):
        yield from _skip(evidence, owed, skip, covered)
    for at in sorted(owed.needed - covered.keys()):
        text = f"nothing tells of the instant {at}"
        yield evidence.of_instant("I1", text, task.task_id, at, at)
    for run in evidence.runs_of[task.task_id]:
        same = evidence.runs_by_key[task.task_id, run.key]
        if len(same) > 1 and run is same[1]:
            yield evidence.of_run("I3", f"{len(same)} runs have the key {run.key!r}", run)


def _run(evidence: Evidence, owed: Owed, run: Run, covered: dict[int, Any]) -> Iterator[Violation]:
    if run.origin != "schedule":
        asked = (o for o in evidence.operations_of[run.task_id] if o.kind == "run")
        if not any(o.key == run.key and o.outcome != "fail" for o in asked):
            yield evidence.of_run("I2", f"nobody asked for this run ({run.origin})", run)
        return
    at = run.scheduled_at
    # A clock that was set back shows the same moment again: its key then ends in the lap.
    if run.key.partition(".")[0] != str(at):
        yield evidence.of_run("I1", f"its key is not its instant {at}", run)
    if not owed.holds(at):
        yield _misplaced(evidence, owed, run)
    elif at in covered:
        invariant = "I3" if isinstance(covered[at], Run) else "I1"
        yield evidence.of_run(invariant, f"its instant is told of by {covered[at]} too", run)
    covered[at] = run


def _misplaced(evidence: Evidence, owed: Owed, run: Run) -> Violation:
    at = run.scheduled_at
    if not is_on_grid(owed.revisions, at):
        return evidence.of_run("I21", f"{at} is beside the instants of its interval", run)
    if at > evidence.history.ended_at:
        return evidence.of_run("I2", f"{at} had not come when everything stopped", run)
    for before, after in pairwise(owed.revisions):
        if at > after.acked and instants(before.rules, at - 1, at):
            return evidence.of_run("I16", f"{at} is due by rules that were changed before", run)
    return evidence.of_run("I2", f"{at} is no occurrence of its rules", run)


def _skip(
    evidence: Evidence, owed: Owed, skip: Skip, covered: dict[int, Any]
) -> Iterator[Violation]:
    first, last = skip.first_at, skip.last_at
    if first > last or not owed.holds(first) or not owed.holds(last):
        text = f"a range of skips from {first} to {last} begins or ends at no occurrence"
        yield evidence.of_instant("I1", text, skip.task_id, first, skip)
        return
    inside = owed.between(first, last)
    least = sum(at in owed.needed for at in inside)
    # The first and the last are named, whatever an edit left open in between.
    least = max(least, 1 if first == last else 2)
    if skip.count is not None and not least <= skip.count <= len(inside):
        text = f"a range of skips counts {skip.count} where {least} to {len(inside)} were owed"
        yield evidence.of_instant("I1", text, skip.task_id, first, skip)
    for at in inside:
        if at in covered:
            if at in owed.needed or at in (first, last):
                text = f"the instant {at} is skipped and told of by {covered[at]} too"
                yield evidence.of_instant("I1", text, skip.task_id, at, skip)
        else:
            covered[at] = skip
