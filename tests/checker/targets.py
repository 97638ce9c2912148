"""What a task owes: its instants, cut by every acknowledged edit, pause and removal.

Responsible for: the instants that must have a disposition and those that may have one. Between the
asking of a client and its answer either is right; of an operation whose outcome nobody knows, all
of it or nothing, which gives several sets of instants of which one must fit.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise, product

from tests.checker.evidence import Evidence
from tests.checker.history import Every, Once, Operation, Revision, Task
from tests.checker.oracle import instants

_MOST_UNDECIDED = 6


@dataclass(frozen=True)
class Owed:
    """The instants of one task under one reading of what was applied."""

    needed: frozenset[int]
    allowed: Sequence[int]
    """In order; `needed` is in it."""
    revisions: tuple[Revision, ...]

    def between(self, first: int, last: int) -> Sequence[int]:
        """Return the allowed instants from `first` to `last`."""
        return self.allowed[bisect_left(self.allowed, first) : bisect_right(self.allowed, last)]

    def holds(self, at: int) -> bool:
        """Whether an instant is allowed."""
        index = bisect_left(self.allowed, at)
        return index < len(self.allowed) and self.allowed[index] == at

    def following(self, at: int) -> int | None:
        """Return the next instant."""
        index = bisect_right(self.allowed, at)
        return self.allowed[index] if index < len(self.allowed) else None


def readings(evidence: Evidence, task: Task) -> Iterator[Owed]:
    """Give every reading: with and without each revision whose outcome nobody knows."""
    undecided = [r for r in task.revisions if r.outcome == "indeterminate"]
    if len(undecided) > _MOST_UNDECIDED:
        raise ValueError(f"{task.task_id} has {len(undecided)} undecided revisions")
    for applied in product((True, False), repeat=len(undecided)):
        ignored = [r for r, is_applied in zip(undecided, applied, strict=True) if not is_applied]
        revisions = tuple(
            r for r in task.revisions if r.outcome != "fail" and not any(r is x for x in ignored)
        )
        yield _owed(evidence, task, revisions)


def is_on_grid(revisions: Sequence[Revision], at: int) -> bool:
    """Whether a moment is an instant of rules that are all intervals; True where they are not."""
    rules = [rule for revision in revisions for rule in revision.rules]
    return any(
        not isinstance(rule, Every) or (at >= rule.anchor and (at - rule.anchor) % rule.period == 0)
        for rule in rules
        if not isinstance(rule, Once)
    ) or any(isinstance(rule, Once) and rule.at == at for rule in rules)


def pauses_of(evidence: Evidence, task_id: str) -> list[tuple[Operation, Operation | None]]:
    """Return each acknowledged pause with the resume that ended it."""
    found: list[tuple[Operation, Operation | None]] = []
    for operation in evidence.operations_of[task_id]:
        if operation.outcome == "fail":
            continue
        if operation.kind == "pause" and (not found or found[-1][1] is not None):
            found.append((operation, None))
        elif operation.kind == "resume" and found and found[-1][1] is None:
            found[-1] = (found[-1][0], operation)
    return found


def _owed(evidence: Evidence, task: Task, revisions: tuple[Revision, ...]) -> Owed:
    limits, history = evidence.limits, evidence.history
    need_until, may_until = history.ended_at - limits.lag, history.ended_at + limits.ahead
    for operation in evidence.operations_of[task.task_id]:
        if operation.kind == "remove" and operation.outcome != "fail":
            need_until = min(need_until, operation.asked)
            if operation.outcome == "ok":
                may_until = min(may_until, operation.acked + limits.ahead)
    for _, resume in pauses_of(evidence, task.task_id)[-1:]:
        if resume is None:
            pause = pauses_of(evidence, task.task_id)[-1][0]
            need_until = min(need_until, pause.asked)
    for restore in evidence.restores:
        if not any(op.kind == "release" and op.asked >= restore.ended for op in history.operations):
            need_until = min(need_until, restore.began)
    needed: set[int] = set()
    allowed: set[int] = set()
    for revision, following in pairwise((*revisions, None)):
        assert revision is not None
        until = need_until if following is None else min(need_until, following.asked)
        needed |= instants(revision.rules, revision.acked, until)
        latest = may_until
        if following is not None:
            latest = min(latest, following.acked + limits.ahead)
        allowed |= instants(revision.rules, revision.asked - 1, latest)
    return Owed(frozenset(needed), sorted(allowed | needed), revisions)
