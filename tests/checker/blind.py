"""A/B: the same begins once by their keys and once by their moments alone must give one answer.

Responsible for: the blind pass, which knows no key and no token, and the comparison with the keyed
one. Where the passes differ, the checker or the stamping of keys is wrong.

A slot is an attempt that has to begin, or that may: one that succeeded has, one that was lost may
have died before its task said anything. Begins in the order of time go to the open slot whose
deadline comes first, which is optimal; those that have to begin choose first.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from tests.checker.evidence import Evidence, Violation
from tests.checker.history import LIVING, Line, Task
from tests.checker.targets import Owed

_NEVER = 1 << 62


@dataclass(order=True, slots=True)
class Slot:
    """One attempt that an instant owes, from its moment until a deadline."""

    opens: int
    deadline: int
    key: str = field(compare=False)
    is_certain: bool = field(compare=False)


@dataclass(slots=True)
class Answer:
    """What a pass found: slots without a begin, and begins without a slot."""

    missed: list[Slot]
    extra: list[Line]


def disagreements(evidence: Evidence, task: Task, owed: Owed) -> Iterator[Violation]:
    """Compare the two passes over one task."""
    if not task.has_witness or evidence.restores:
        return
    lines = evidence.begins_of[task.task_id]
    slots = _slots(evidence, task, owed)
    keyed, blind = _by_key(lines, slots), _by_moment(lines, slots)
    counts = [(len(answer.missed), len(answer.extra)) for answer in (keyed, blind)]
    if counts[0] != counts[1]:
        rows = [*keyed.missed, *keyed.extra, *blind.missed, *blind.extra]
        text = (
            f"{task.task_id}: by keys {counts[0][0]} are missed and {counts[0][1]} too many,"
            f" by moments {counts[1][0]} and {counts[1][1]}"
        )
        yield Violation("A/B", text, rows[0], tuple(rows[:20]))


def _slots(evidence: Evidence, task: Task, owed: Owed) -> list[Slot]:
    """Return what the oracle and the recorded attempts demand."""
    skipped: Counter[int] = Counter()
    for skip in evidence.skips_of[task.task_id]:
        skipped.update(owed.between(skip.first_at, skip.last_at))
    slots: list[Slot] = []
    told = set()
    for run in evidence.runs_of[task.task_id]:
        told.add(run.scheduled_at)
        deadline = _deadline(evidence, task, run.scheduled_at)
        attempts = evidence.attempts_of.get(run.run_id, [])
        for attempt in attempts:
            # A retry has its own moment, and blindly nobody knows which begin is the retry.
            latest = deadline if len(attempts) == 1 else _NEVER
            is_certain = attempt.outcome == "succeeded"
            slots.append(Slot(run.scheduled_at, latest, run.key, is_certain))
        if run.state in LIVING:
            slots.append(Slot(run.scheduled_at, _NEVER, run.key, is_certain=False))
    slots += [
        Slot(at, _deadline(evidence, task, at), str(at), is_certain=True)
        for at in owed.needed - told
        if not skipped[at]
    ]
    return sorted(slots)


def _deadline(evidence: Evidence, task: Task, at: int) -> int:
    policies = task.policies
    waits = policies.overlap in ("queue", "replace") or policies.misfire == "run_all"
    if waits or evidence.operations_of[task.task_id]:
        return _NEVER
    latest = at + evidence.limits.late
    return _NEVER if evidence.is_excused(at, latest) else latest


def _by_key(lines: Sequence[Line], slots: Sequence[Slot]) -> Answer:
    """Give each key's begins to the slots of that key, those that have to begin first."""
    begun = Counter(line.key for line in lines)
    missed = []
    for slot in sorted(slots, key=lambda slot: not slot.is_certain):
        if begun[slot.key]:
            begun[slot.key] -= 1
        elif slot.is_certain:
            missed.append(slot)
    extra = []
    for line in reversed(lines):
        if begun[line.key] > 0:
            begun[line.key] -= 1
            extra.append(line)
    return Answer(missed, extra)


def _by_moment(lines: Sequence[Line], slots: Sequence[Slot]) -> Answer:
    """Match without keys."""
    certain = [slot for slot in slots if slot.is_certain]
    missed, left = _match(lines, certain)
    _, extra = _match(left, [slot for slot in slots if not slot.is_certain])
    return Answer(missed, extra)


def _match(lines: Sequence[Line], slots: Sequence[Slot]) -> tuple[list[Slot], list[Line]]:
    """Match each begin to the open slot with the earliest deadline; return what is left."""
    waiting = iter(sorted(slots))
    coming = next(waiting, None)
    opened: list[tuple[int, int, Slot]] = []
    missed: list[Slot] = []
    extra: list[Line] = []
    for line in lines:
        while coming is not None and coming.opens <= line.at:
            heapq.heappush(opened, (coming.deadline, coming.opens, coming))
            coming = next(waiting, None)
        while opened and opened[0][0] < line.at:
            missed.append(heapq.heappop(opened)[2])
        if opened:
            heapq.heappop(opened)
        else:
            extra.append(line)
    missed += [slot for _, _, slot in opened]
    missed += [] if coming is None else [coming, *waiting]
    return missed, extra
