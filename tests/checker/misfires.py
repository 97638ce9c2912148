"""I8: after an outage exactly that runs which the misfire policy names, the rest with its reason.

Responsible for: recomputing each late decision from the instants and the moment at which it was
made; and the outages themselves, in which nothing can have been decided in time.
"""

from __future__ import annotations

from collections.abc import Iterator

from tests.checker.evidence import Evidence, Violation
from tests.checker.history import Operation, Skip, Task
from tests.checker.targets import Owed, pauses_of

_REASON = {"run_once": "coalesced", "run_all": "catch_up_limit", "skip": "misfire"}


def misfires(evidence: Evidence, task: Task, owed: Owed) -> Iterator[Violation]:
    """Check the reasons of skips and what each outage left."""
    for skip in evidence.skips_of[task.task_id]:
        yield from _skip(evidence, task, owed, skip)
    for fault in evidence.history.faults:
        if fault.kind == "down":
            yield from _outage(evidence, task, owed, (fault.began, fault.ended))


def _skip(evidence: Evidence, task: Task, owed: Owed, skip: Skip) -> Iterator[Violation]:
    policies, reason = task.policies, skip.reason

    def wrong(invariant: str, text: str) -> Violation:
        text = f"skipped as {reason} from {skip.first_at} to {skip.last_at}: {text}"
        return evidence.of_instant(invariant, text, task.task_id, skip.first_at, skip)

    if reason == "overlap":
        return
    if reason == "paused":
        if not _is_in_pause(evidence, task, skip):
            yield wrong("I16", "no pause was asked for then")
        return
    if reason in ("removed", "restored", "superseded"):
        if not _is_asked_for(evidence, owed, skip):
            yield wrong("I1", "nobody did what this reason says")
        return
    if reason != _REASON[policies.misfire]:
        yield wrong("I8", f"{policies.misfire!r} has no such reason")
        return
    yield from (wrong("I8", text) for text in _decision(evidence, task, owed, skip))
    first_late = skip.at - skip.first_at
    is_slow = first_late > evidence.limits.late
    if is_slow and not evidence.is_excused(skip.first_at, skip.at):
        yield wrong("I8", f"decided {first_late} us late, and nothing was done to the scheduler")


def _decision(evidence: Evidence, task: Task, owed: Owed, skip: Skip) -> Iterator[str]:
    """Recompute a late decision: what was kept, at the moment `skip.at`."""
    policies, at = task.policies, skip.at
    if skip.last_at > at:
        yield "it reaches into the future of the moment at which it was decided"
        return
    inside = owed.between(skip.last_at + 1, at)
    # Beside an edit, or at the very end, some of them may or may not have been owed.
    least, most = sum(x in owed.needed for x in inside), len(inside)
    dropped_only = [run.scheduled_at for run in evidence.runs_of[task.task_id]]
    if policies.misfire == "run_once":
        if not least <= 1 <= most:
            yield f"the latest missed one was to run alone, {most} came after the range"
    elif policies.misfire == "run_all":
        is_full = most >= policies.catch_up_limit
        is_old = skip.last_at < at - policies.catch_up_window
        if not is_full and not is_old:
            yield f"only {most} were to be made up for, of {policies.catch_up_limit}"
        if least > policies.catch_up_limit:
            yield f"{least} were kept, of {policies.catch_up_limit}"
    elif at - skip.last_at <= policies.misfire_grace:
        yield f"its last one was {at - skip.last_at} us late, the grace is {policies.misfire_grace}"
    if any(skip.first_at <= x <= skip.last_at for x in dropped_only):
        yield "one of them has a run"


def _outage(
    evidence: Evidence, task: Task, owed: Owed, outage: tuple[int, int]
) -> Iterator[Violation]:
    policies = task.policies
    # What was claimed ahead of the outage is a run already; what begins it is decided by another.
    began, ended = outage[0] + evidence.limits.ahead, outage[1]
    missed = [at for at in owed.between(began + 1, ended) if at in owed.needed]
    runs = {run.scheduled_at: run for run in evidence.runs_of[task.task_id]}
    ran = [runs[at] for at in missed if at in runs and runs[at].state != "skipped"]
    if policies.misfire == "run_once" and len(ran) > 1:
        text = f"{len(ran)} runs of one outage, {outage[0]} to {ended}: run_once"
        yield evidence.of_run("I8", text, ran[0])
    if policies.misfire == "skip":
        for run in ran:
            if ended - run.scheduled_at > policies.misfire_grace:
                text = f"it was missed by {ended - run.scheduled_at} us and ran: skip"
                yield evidence.of_run("I8", text, run)


def _is_in_pause(evidence: Evidence, task: Task, skip: Skip) -> bool:
    for pause, resume in pauses_of(evidence, task.task_id):
        until = evidence.history.ended_at if resume is None else resume.acked
        if pause.asked <= skip.last_at and skip.first_at <= until:
            # What is late for other reasons when the pause begins is skipped with it.
            return skip.first_at >= pause.asked or evidence.is_excused(skip.first_at, pause.acked)
    return False


def _is_asked_for(evidence: Evidence, owed: Owed, skip: Skip) -> bool:
    """Whether somebody removed, changed or restored what a skip says so of."""
    wanted: list[Operation] = evidence.operations_of[skip.task_id]
    if skip.reason == "removed":
        return any(operation.kind == "remove" for operation in wanted)
    if skip.reason == "superseded":
        return len(owed.revisions) > 1
    return bool(evidence.restores)
