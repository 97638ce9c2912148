"""I10, I11, I18: attempts follow each other as the policies say, and runs end as their attempts do.

Responsible for: numbers, budgets, delays and timeouts of attempts, and the last state of every run.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from tests.checker.evidence import Evidence, Violation
from tests.checker.history import TERMINAL, Attempt, Line, Run, Task

_FAILURES = ("failed", "timed_out")
_SKIP_REASONS = {"overlap", "paused", "superseded", "removed", "expired", "restored", "misfire"}


def attempts(evidence: Evidence, task: Task) -> Iterator[Violation]:
    """Check the attempts and the state of each run of one task."""
    for run in evidence.runs_of[task.task_id]:
        found = evidence.attempts_of.get(run.run_id, [])
        yield from _numbers(evidence, task, run, found)
        yield from _state(evidence, run, found)
        if run.state in TERMINAL and found:
            yield from _is_over_too_early(evidence, task, run, found)
        for before, after in pairwise(found):
            yield from _delay(evidence, task, run, (before, after))
        for attempt in found:
            yield from _timeout(evidence, task, run, attempt)


def _numbers(
    evidence: Evidence, task: Task, run: Run, found: Sequence[Attempt]
) -> Iterator[Violation]:
    policies = task.policies
    if [attempt.attempt for attempt in found] != list(range(1, len(found) + 1)):
        yield evidence.of_run("I10", "its attempts are not numbered from 1 on", run, found[0])
    failures = sum(attempt.outcome in _FAILURES for attempt in found)
    if failures > 1 + policies.max_retries:
        text = f"{failures} attempts failed, {policies.max_retries} retries were granted"
        yield evidence.of_run("I10", text, run, found[-1])
    losses = sum(attempt.outcome == "lost" for attempt in found)
    if losses > 1 + policies.max_recoveries:
        text = f"{losses} attempts are lost, {policies.max_recoveries} recoveries were granted"
        yield evidence.of_run("I10", text, run, found[-1])
    for attempt, after in pairwise(found):
        if attempt.outcome in ("succeeded", "cancelled"):
            text = f"attempt {after.attempt} follows one that {attempt.outcome}"
            invariant = "I5" if attempt.outcome == "succeeded" else "I10"
            yield evidence.of_run(invariant, text, run, after)
    if task.policies.on_lost == "at_most_once":
        lost = [attempt for attempt in found[:-1] if attempt.outcome == "lost"]
        if lost:
            yield evidence.of_run("I4", "it went on after a loss: at_most_once", run, lost[0])


def _state(evidence: Evidence, run: Run, found: Sequence[Attempt]) -> Iterator[Violation]:
    if run.state not in TERMINAL:
        if run.ended_at is not None:
            yield evidence.of_run("I11", f"it is {run.state} and has an end", run)
        return
    if run.token is not None:
        yield evidence.of_run("I11", f"it is {run.state} and in somebody's hands", run)
    if run.state == "skipped":
        if found:
            yield evidence.of_run("I11", "it is skipped and has attempts", run, found[0])
        if run.reason not in _SKIP_REASONS:
            yield evidence.of_run("I1", f"it is skipped for {run.reason!r}: no reason", run)
        return
    if not found:
        if run.state != "cancelled":
            yield evidence.of_run("I11", f"it is {run.state} without an attempt", run)
        return
    last = found[-1]
    # While it waits for its next attempt a run can be cancelled, whatever the last one was.
    fits_exactly = last.outcome == run.state
    if not fits_exactly and (run.state != "cancelled" or last.outcome == "succeeded"):
        text = f"it is {run.state}, its last attempt {last.outcome}"
        yield evidence.of_run("I11", text, run, last)
    if run.ended_at is None:
        yield evidence.of_run("I11", f"it is {run.state} and has no end", run)
    elif run.ended_at < last.ended_at or (run.ended_at > last.ended_at and fits_exactly):
        text = f"it ended at {run.ended_at}, its last attempt at {last.ended_at}"
        yield evidence.of_run("I11", text, run, last)
    if run.attempt != len(found):
        text = f"it counts {run.attempt} attempts, {len(found)} are recorded"
        yield evidence.of_run("I11", text, run)


def _is_over_too_early(
    evidence: Evidence, task: Task, run: Run, found: Sequence[Attempt]
) -> Iterator[Violation]:
    """Check that no run was given up while it had attempts left."""
    if run.state not in (*_FAILURES, "lost"):
        return
    policies = task.policies
    is_removed = any(op.kind == "remove" for op in evidence.operations_of[task.task_id])
    if is_removed:
        return
    count = sum(attempt.outcome in _FAILURES for attempt in found)
    if run.state in _FAILURES and count < 1 + policies.max_retries:
        text = f"it was given up after {count} failures, {policies.max_retries} retries are granted"
        yield evidence.of_run("I10", text, run, found[-1])
    lost = sum(attempt.outcome == "lost" for attempt in found)
    is_granted = policies.on_lost == "at_least_once" and lost < 1 + policies.max_recoveries
    if run.state == "lost" and is_granted:
        text = f"it was given up after {lost} losses in spite of at_least_once"
        yield evidence.of_run("I1", text, run, found[-1])


def _delay(
    evidence: Evidence, task: Task, run: Run, pair: tuple[Attempt, Attempt]
) -> Iterator[Violation]:
    """Check the time between an attempt and the next, by what the task said where it did."""
    before, after = pair
    begin = _begin(evidence, after)
    if begin is None:
        return
    if begin < before.ended_at - evidence.limits.skew:
        yield evidence.of_run("I13", f"attempt {after.attempt} began before the end", run, after)
    if before.outcome not in _FAILURES:
        return
    policies, found = task.policies, evidence.attempts_of[run.run_id]
    number = sum(a.outcome in _FAILURES for a in found[: found.index(after)])
    delay = min(
        policies.retry_delay * policies.retry_growth ** (number - 1), policies.retry_max_delay
    )
    gap = begin - before.ended_at
    least, most = delay * (1 - policies.retry_jitter), delay * (1 + policies.retry_jitter)
    if gap < least - evidence.limits.skew:
        text = f"attempt {after.attempt} began {gap} us after a failure, {least:.0f} were to pass"
        yield evidence.of_run("I10", text, run, after)
    is_late = gap > most + evidence.limits.late
    is_held = bool(evidence.operations_of[task.task_id])
    if is_late and not is_held and not evidence.is_excused(before.ended_at, begin):
        text = f"attempt {after.attempt} began {gap} us after a failure, {most:.0f} at most"
        yield evidence.of_run("I10", text, run, after)


def _timeout(evidence: Evidence, task: Task, run: Run, attempt: Attempt) -> Iterator[Violation]:
    """Check that a timeout ends what it has to, and nothing lives on after its end."""
    policies, settle = task.policies, evidence.limits.settle
    begin, end = (
        _line_at(evidence.begin_of_token, attempt),
        _line_at(evidence.end_of_token, attempt),
    )
    if task.runs_in == "process" and end is not None and end > attempt.ended_at + settle // 4:
        text = f"attempt {attempt.attempt} lived at {end}, recorded as ended at {attempt.ended_at}"
        yield evidence.of_run("I18", text, run, attempt)
    if begin is None or policies.timeout is None:
        return
    took = attempt.ended_at - begin
    most = policies.timeout + policies.kill_grace + settle
    is_ours = task.runs_in == "process" and attempt.outcome != "lost"
    if is_ours and took > most:
        text = f"attempt {attempt.attempt} took {took} us, its timeout and grace are {most}"
        yield evidence.of_run("I18", text, run, attempt)
    started = attempt.started_at if attempt.started_at is not None else begin
    if attempt.outcome == "timed_out" and attempt.ended_at - started < policies.timeout:
        text = f"attempt {attempt.attempt} is timed out after {attempt.ended_at - started} us"
        yield evidence.of_run("I18", text, run, attempt)


def _begin(evidence: Evidence, attempt: Attempt) -> int | None:
    line = evidence.begin_of_token.get(attempt.token)
    return attempt.started_at if line is None else line.at


def _line_at(lines: dict[int, Line], attempt: Attempt) -> int | None:
    line = lines.get(attempt.token)
    return None if line is None else line.at
