"""I2, I4, I5, I6, I7, I12, I13: what began, begin by begin, against what is recorded of it.

Responsible for: the keyed pass over the lines of the tasks. A begin needs a run, an attempt of it
with its number and token, a cause that lets it come after the one before, and its moment.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from tests.checker.evidence import Evidence, Violation
from tests.checker.history import LIVING, Attempt, Line, Run, Task

_RETRIED = ("lost", "failed", "timed_out")


def begins(evidence: Evidence) -> Iterator[Violation]:
    """Check every begin of every key."""
    for (task_id, key), lines in evidence.begins.items():
        runs = evidence.runs_by_key.get((task_id, key))
        task = evidence.tasks.get(task_id)
        if task is not None and runs:
            yield from _of_run(evidence, task, runs[0], lines)
            continue
        for line in lines:
            if not _is_forgotten(evidence, line):
                yield Violation("I2", f"{task_id} began for {key!r}, which is no run", line)
    yield from _claims(evidence)
    yield from _stale(evidence)


def losses(evidence: Evidence) -> Iterator[Violation]:
    """Check that each lost attempt lived when somebody killed what held it."""
    for task in evidence.tasks.values():
        targets = ("scheduler", "tree") if task.runs_in == "thread" else ("supervisor", "tree")
        kills = evidence.kills(*targets)
        for run in evidence.runs_of[task.task_id]:
            before = run.scheduled_at - evidence.limits.ahead
            for attempt in evidence.attempts_of.get(run.run_id, []):
                line = evidence.begin_of_token.get(attempt.token)
                first = before if line is None else line.at
                is_explained = any(first <= k.ended and k.began <= attempt.ended_at for k in kills)
                if attempt.outcome == "lost" and not is_explained:
                    text = f"attempt {attempt.attempt} is lost, and nothing that held it was killed"
                    yield evidence.of_run("I4", text, run, attempt)
                before = attempt.ended_at


def ends(evidence: Evidence) -> Iterator[Violation]:
    """Check that what the ledger calls an end was one."""
    for run in evidence.runs.values():
        task = evidence.tasks.get(run.task_id)
        for attempt in evidence.attempts_of.get(run.run_id, []) if task else ():
            assert task is not None
            begin = evidence.begin_of_token.get(attempt.token)
            end = evidence.end_of_token.get(attempt.token)
            if attempt.outcome == "succeeded" and task.has_witness and not (begin and end):
                text = f"attempt {attempt.attempt} is recorded as a success and never ended"
                yield evidence.of_run("I1", text, run, attempt)
            if attempt.outcome == "failed" and not task.may_fail:
                text = f"attempt {attempt.attempt} failed, which nothing in it does"
                yield evidence.of_run("I23", text, run, attempt)
            if end is not None and begin is None:
                text = f"attempt {attempt.attempt} ended and never began"
                yield evidence.of_run("I2", text, run, end)


def _of_run(evidence: Evidence, task: Task, run: Run, lines: Sequence[Line]) -> Iterator[Violation]:
    attempts = {(a.attempt, a.token): a for a in evidence.attempts_of.get(run.run_id, [])}
    for line in lines:
        if line.at < run.scheduled_at - evidence.limits.skew:
            text = f"it began {run.scheduled_at - line.at} us before its instant"
            yield evidence.of_run("I6", text, run, line)
        is_in_hand = run.state in LIVING and run.token == line.token
        if (line.attempt, line.token) not in attempts and not is_in_hand:
            text = f"attempt {line.attempt} under the token {line.token} began and is not recorded"
            yield evidence.of_run("I4", text, run, line)
    if run.state == "skipped":
        yield evidence.of_run("I4", "it is skipped and began", run, lines[0])
    yield from _again(evidence, task, run, lines)
    yield from _punctual(evidence, task, run, lines[0])


def _again(evidence: Evidence, task: Task, run: Run, lines: Sequence[Line]) -> Iterator[Violation]:
    """Check the begins after the first: each needs an attempt before it that lets it come."""
    outcomes = {a.token: a for a in evidence.attempts_of.get(run.run_id, [])}
    successes = [a for a in outcomes.values() if a.outcome == "succeeded"]
    for before, line in pairwise(sorted(lines, key=lambda line: (line.token, line.at))):
        if line.token == before.token or line.attempt == before.attempt:
            yield evidence.of_run("I4", f"attempt {line.attempt} began twice", run, line)
            continue
        if any(success.token < line.token for success in successes):
            yield evidence.of_run("I5", "it began again after its success", run, line)
            continue
        last = outcomes.get(before.token)
        if last is None or last.outcome not in _RETRIED:
            outcome = "recorded nowhere" if last is None else last.outcome
            text = f"it began again after an attempt that is {outcome}"
            yield evidence.of_run("I4", text, run, line)
        elif last.outcome == "lost" and task.policies.on_lost == "at_most_once":
            yield evidence.of_run("I4", "it began again in spite of at_most_once", run, line)
        if last is not None and _is_beside(evidence, before, last, line):
            yield evidence.of_run("I13", "two of its attempts lived at once", run, line)


def _is_beside(evidence: Evidence, before: Line, last: Attempt, line: Line) -> bool:
    """Whether an attempt began while the one before it lived."""
    end = evidence.end_of_token.get(before.token)
    return line.at < (last.ended_at if end is None else end.at) - evidence.limits.skew


def _punctual(evidence: Evidence, task: Task, run: Run, line: Line) -> Iterator[Violation]:
    """Check that it began in time, where nothing but the scheduler can have kept it."""
    policies, late = task.policies, line.at - run.scheduled_at
    comes_by_itself = (
        run.origin == "schedule"
        and policies.overlap in ("skip", "allow")
        and policies.misfire != "run_all"
        and not _is_paused_around(evidence, run, line)
    )
    # What keeps it must have come before it was late already.
    latest = run.scheduled_at + evidence.limits.late
    is_excused = evidence.is_excused(run.scheduled_at, min(line.at, latest))
    if comes_by_itself and late > evidence.limits.late and not is_excused:
        yield evidence.of_run("I7", f"it began {late} us late", run, line)
    grace = policies.misfire_grace
    # The grace is kept when the attempt is handed out; the line comes when the program runs.
    is_beyond = late > grace + evidence.limits.settle and not is_excused
    if policies.misfire == "skip" and line.attempt == 1 and comes_by_itself and is_beyond:
        yield evidence.of_run("I8", f"it began {late} us late, its grace is {grace}", run, line)


def _is_paused_around(evidence: Evidence, run: Run, line: Line) -> bool:
    return any(
        operation.asked <= line.at and operation.kind in ("pause", "release", "resume")
        for operation in evidence.operations_of[run.task_id]
    )


def _is_forgotten(evidence: Evidence, line: Line) -> bool:
    """Whether it began after the backup that was restored: the ledger cannot know of it."""
    return any(restore.began <= line.at <= restore.ended for restore in evidence.restores)


def _claims(evidence: Evidence) -> Iterator[Violation]:
    """Check that no token was handed out twice, and every one by a process that held the ledger."""
    epochs = {epoch.epoch: epoch for epoch in evidence.epochs}
    seen: dict[int, Attempt] = {}
    for attempts in evidence.attempts_of.values():
        for attempt in attempts:
            run = evidence.runs.get(attempt.run_id)
            if run is None:
                text = f"an attempt of run {attempt.run_id}, which is not there"
                yield Violation("I2", text, attempt)
                continue
            if attempt.token in seen:
                text = f"its token {attempt.token} is that of {seen[attempt.token]} too"
                yield evidence.of_run("I12", text, run, attempt)
            seen[attempt.token] = attempt
            if epochs and attempt.token >> 32 not in epochs:
                text = f"its token {attempt.token} is of no process that held the ledger"
                yield evidence.of_run("I12", text, run, attempt)
    for before, after in pairwise(evidence.epochs):
        is_set_back = any(fault.kind == "clock" for fault in evidence.history.faults)
        if after.started_at < before.started_at and not is_set_back:
            yield Violation("I12", "an epoch began before the one before it", after, (before,))


def _stale(evidence: Evidence) -> Iterator[Violation]:
    """Check that no function began for a process that did not hold the ledger any more."""
    successors = {before.epoch: after for before, after in pairwise(evidence.epochs)}
    first = {epoch.epoch: epoch.started_at for epoch in evidence.epochs}
    for line in evidence.begin_of_token.values():
        task = evidence.tasks.get(line.task_id)
        epoch = line.token >> 32
        if task is None or epoch not in first:
            continue
        after = successors.get(epoch)
        slack = evidence.limits.skew
        if line.at < first[epoch] - slack:
            text = f"{task.task_id} began under a token of an epoch that had not begun"
            yield Violation("I12", text, line)
        if task.runs_in == "thread" and after and line.at > after.started_at + slack:
            text = f"{task.task_id} began for a process that another one had succeeded"
            yield Violation("I12", text, line, (after,))
