"""I14, I16, I22: what was acknowledged to a client holds, and what was refused had no effect.

Responsible for: every call of the client log against the last state of the ledger and against what
began afterwards; and a restored ledger, which starts nothing again that ran after its backup.
"""

from __future__ import annotations

from collections.abc import Iterator

from tests.checker.evidence import Evidence, Violation
from tests.checker.history import LIVING, Line, Operation, Task
from tests.checker.oracle import instants
from tests.checker.targets import Owed, pauses_of


def operations(evidence: Evidence, task: Task, owed: Owed) -> Iterator[Violation]:
    """Check every call about one task."""
    yield from _stored(evidence, task)
    for operation in evidence.operations_of[task.task_id]:
        if operation.kind == "run":
            yield from _requested(evidence, task, operation)
        elif operation.kind == "cancel" and operation.outcome == "ok":
            yield from _cancelled(evidence, operation)
        elif operation.kind == "remove" and operation.outcome == "ok":
            yield from _quiet(evidence, task, operation.acked, None, "its removal")
    for pause, resume in pauses_of(evidence, task.task_id):
        if pause.outcome != "ok":
            continue
        until = None if resume is None else resume.asked
        yield from _quiet(evidence, task, pause.acked, until, "its pause")
        yield from _paused_runs(evidence, task, pause, resume)
    yield from _changed(evidence, task, owed)
    for restore in evidence.restores:
        yield from _restored(evidence, task, restore.began, restore.ended)


def _stored(evidence: Evidence, task: Task) -> Iterator[Violation]:
    """Check that the entry is there or not, paused or not, as the last answers said."""
    if evidence.history.ledger.entries is None:
        return
    found = evidence.entries.get(task.task_id)
    calls = evidence.operations_of[task.task_id]
    removals = [operation for operation in calls if operation.kind == "remove"]
    is_added = any(revision.outcome == "ok" for revision in task.revisions)
    is_refused = all(revision.outcome == "fail" for revision in task.revisions)
    if any(operation.outcome == "ok" for operation in removals):
        if found is not None:
            text = f"{task.task_id} was removed, which was acknowledged, and is there"
            yield Violation("I14", text, found, tuple(removals))
        return
    if found is None and is_added and all(x.outcome == "fail" for x in removals):
        text = f"{task.task_id} was added, which was acknowledged, and is not there"
        yield Violation("I14", text, task.revisions[0], tuple(calls))
    if found is not None and is_refused:
        text = f"{task.task_id} was refused and is there"
        yield Violation("I14", text, found, tuple(task.revisions))
    pauses = pauses_of(evidence, task.task_id)
    if found is None or any(
        operation.outcome == "indeterminate" and operation.kind in ("pause", "resume")
        for operation in calls
    ):
        return
    is_paused = bool(pauses) and pauses[-1][1] is None
    if is_paused != (found.paused_at is not None):
        text = f"{task.task_id} was {'paused' if is_paused else 'resumed or never paused'}"
        yield Violation("I14", f"{text}, and the ledger says otherwise", found, tuple(calls))


def _requested(evidence: Evidence, task: Task, operation: Operation) -> Iterator[Violation]:
    runs = evidence.runs_by_key.get((task.task_id, operation.key or ""), [])
    if operation.outcome == "ok" and not runs:
        text = f"{task.task_id}: the run {operation.key!r} was acknowledged and is not there"
        yield Violation("I14", text, operation)
    if operation.outcome == "fail" and runs:
        yield evidence.of_run("I14", "it was refused and is there", runs[0], operation)
    if operation.outcome == "indeterminate" and runs:
        run = runs[0]
        over = evidence.history.ended_at - evidence.limits.over
        if run.state in LIVING and operation.acked < over:
            yield evidence.of_run("I14", "it was applied by half: it never ran", run, operation)


def _cancelled(evidence: Evidence, operation: Operation) -> Iterator[Violation]:
    for run in evidence.runs_by_key.get((operation.task_id, operation.key or ""), []):
        late = operation.acked + evidence.limits.settle
        if run.state in LIVING and evidence.history.ended_at > late + evidence.limits.over:
            yield evidence.of_run("I14", f"it was cancelled and is {run.state}", run, operation)
        for line in evidence.begins.get((run.task_id, run.key), []):
            if line.at > late:
                yield evidence.of_run("I16", "it began after its cancel", run, line)


def _quiet(
    evidence: Evidence, task: Task, acked: int, until: int | None, what: str
) -> Iterator[Violation]:
    """Check that nothing of the schedule begins between an answer and the next request."""
    # The answer waits for what was handed out; the line comes when the program runs.
    first = acked + (evidence.limits.settle if task.runs_in == "process" else 0)
    for line in evidence.begins_of[task.task_id]:
        runs = evidence.runs_by_key.get((line.task_id, line.key), [])
        is_planned = not runs or runs[0].origin == "schedule" or what == "its removal"
        if is_planned and line.at > first and (until is None or line.at < until):
            text = f"{task.task_id} began for {line.key} after {what} was acknowledged at {acked}"
            yield Violation("I16", text, line, tuple(evidence.operations_of[task.task_id]))


def _paused_runs(
    evidence: Evidence, task: Task, pause: Operation, resume: Operation | None
) -> Iterator[Violation]:
    """Check that what fell into a pause was skipped: a resume fires nothing back."""
    until = evidence.history.ended_at if resume is None else resume.asked
    if resume is not None and resume.point is not None:
        until = min(until, resume.point)
    first = pause.acked + evidence.limits.ahead
    for run in evidence.runs_of[task.task_id]:
        is_inside = first < run.scheduled_at < until and run.origin == "schedule"
        if is_inside and run.state != "skipped":
            yield evidence.of_run("I16", "its instant fell into a pause, and it is a run", run)


def _changed(evidence: Evidence, task: Task, owed: Owed) -> Iterator[Violation]:
    """Check that nothing starts by rules that were changed before, not even what was at hand."""
    for number, revision in enumerate(owed.revisions[1:]):
        before = owed.revisions[number]
        until = revision.acked + evidence.limits.ahead
        for following in owed.revisions[number + 2 : number + 3]:
            # From its asking on the instants are those of the next change.
            until = min(until, following.asked)
        for run in evidence.runs_of[task.task_id]:
            at = run.scheduled_at
            if not revision.acked < at <= until:
                continue
            is_old = instants(before.rules, at - 1, at) and not instants(revision.rules, at - 1, at)
            if is_old and run.origin == "schedule" and run.state != "skipped":
                yield evidence.of_run("I16", "it is due by rules that were changed before", run)


def _restored(evidence: Evidence, task: Task, backup: int, restored: int) -> Iterator[Violation]:
    """Check that a restored ledger waits for the operator, and starts nothing that ran already."""
    releases = [
        operation
        for operation in evidence.history.operations
        if operation.kind == "release" and operation.asked >= restored
    ]
    released = releases[0].asked if releases else None
    done: dict[str, Line] = {}
    for line in evidence.begins_of[task.task_id]:
        if line.at <= restored:
            if line.token in evidence.end_of_token:
                done[line.key] = line
        elif released is None or line.at < released:
            text = f"{task.task_id} began for {line.key} while the restored ledger was held"
            yield Violation("I22", text, line, (backup, restored, *releases))
        elif line.key in done:
            text = f"{task.task_id} began for {line.key}, which had run before the restore"
            yield Violation("I22", text, line, (done[line.key], *releases))
