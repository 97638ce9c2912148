"""I9: what may not live at once did not, and what was kept out was kept out by something alive.

Responsible for: the sweep over the lives of attempts as the tasks told them, across restarts too,
the order of those that wait for each other, and the blockers of skipped occurrences.
"""

from __future__ import annotations

from collections.abc import Iterator

from tests.checker.evidence import Evidence, Violation
from tests.checker.history import Line, Skip, Task


def overlaps(evidence: Evidence, task: Task) -> Iterator[Violation]:
    """Check lives, order and blockers of one task."""
    policies = task.policies
    limit = policies.overlap_limit if policies.overlap == "allow" else 1
    if limit:
        yield from _crowds(evidence, task, limit)
    if policies.overlap != "allow":
        yield from _order(evidence, task)
    for skip in evidence.skips_of[task.task_id]:
        if skip.reason == "overlap":
            yield from _blocker(evidence, task, skip)


def _crowds(evidence: Evidence, task: Task, limit: int) -> Iterator[Violation]:
    living: list[tuple[int, Line]] = []
    for line in evidence.begins_of[task.task_id]:
        living = [(end, other) for end, other in living if end > line.at]
        if len(living) >= limit:
            others = ", ".join(other.key for _, other in living)
            text = f"{task.task_id} began for {line.key} beside {others}; {limit} may live"
            yield Violation("I9", text, line, tuple(other for _, other in living))
        end = _end_of(evidence, line)
        if end is not None:
            living.append((end, line))


def _end_of(evidence: Evidence, line: Line) -> int | None:
    """Return when an attempt that began was surely alive last; None where nobody knows."""
    end = evidence.end_of_token.get(line.token)
    return None if end is None else end.at


def _order(evidence: Evidence, task: Task) -> Iterator[Violation]:
    """Check that those which come one after another come in the order of their instants."""
    latest: Line | None = None
    for line in evidence.begins_of[task.task_id]:
        runs = evidence.runs_by_key.get((line.task_id, line.key), [])
        if line.attempt != 1 or not runs or runs[0].origin != "schedule":
            continue
        at = runs[0].scheduled_at
        if latest is not None and at < int(latest.key.partition(".")[0]):
            yield evidence.of_run("I9", f"it began after the later {latest.key}", runs[0], line)
        latest = line


def _blocker(evidence: Evidence, task: Task, skip: Skip) -> Iterator[Violation]:
    policies, at = task.policies, skip.first_at

    def wrong(text: str) -> Violation:
        return evidence.of_instant("I9", f"{at} was kept out {text}", skip.task_id, at, skip)

    if policies.overlap == "allow" and not policies.overlap_limit:
        yield wrong("of a task that may overlap itself")
    if skip.blocker_run_id is None:
        return
    blocker = evidence.runs.get(skip.blocker_run_id)
    if blocker is None or blocker.task_id != skip.task_id:
        yield wrong(f"by run {skip.blocker_run_id}, which is no run of this task")
        return
    if blocker.scheduled_at >= at and blocker.origin == "schedule":
        yield wrong(f"by run {blocker.run_id}, which came later")
    ended = blocker.ended_at
    if ended is None:
        return
    # It is known to have ended when that is settled: late where no scheduler ran meanwhile.
    last = min(skip.last_at, skip.at) if skip.first_at == skip.last_at else skip.last_at
    if ended + evidence.limits.settle < last and not evidence.is_excused(ended, last):
        yield wrong(f"by run {blocker.run_id}, which had ended at {ended}")
