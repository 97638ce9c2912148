"""The whole verdict over a history, and the figures that belong beside it.

Responsible for: asking every check, the most telling violations first; counting what was judged.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tests.checker.accounting import account, strangers
from tests.checker.blind import disagreements
from tests.checker.evidence import Evidence, Violation
from tests.checker.history import History
from tests.checker.misfires import misfires
from tests.checker.observations import observations
from tests.checker.operations import operations
from tests.checker.overlaps import overlaps
from tests.checker.retries import attempts
from tests.checker.starts import begins, ends, losses


@dataclass(frozen=True, slots=True)
class Figures:
    """What a history holds."""

    occurrences: int
    """Instants that had to have a disposition."""
    starts: int
    retries: int
    """Attempts after a recorded failure."""
    lost: int
    lost_processes: int
    again: int
    """Begins after a loss, of the same key: duplicates in the outer world."""
    adopted: int
    """Attempts of programs that lived when the scheduler alone was killed, and were settled as
    what they were: each is counted once, however many schedulers it outlived."""


def violations(history: History) -> list[Violation]:
    """Name everything that is wrong with a history; of a sound one there is nothing."""
    return list(_violations(Evidence(history)))


def figures(history: History) -> Figures:
    """Count what a history holds."""
    evidence = Evidence(history)
    kills = [kill.began for kill in evidence.kills("scheduler")]
    lost = lost_processes = retries = adopted = again = 0
    for run in evidence.runs.values():
        task = evidence.tasks.get(run.task_id)
        is_process = task is not None and task.runs_in == "process"
        is_after_loss = False
        for attempt in evidence.attempts_of.get(run.run_id, []):
            begin = evidence.begin_of_token.get(attempt.token)
            end = evidence.end_of_token.get(attempt.token)
            again += is_after_loss and begin is not None
            if attempt.outcome == "lost":
                lost += 1
                lost_processes += is_process
                is_after_loss = is_after_loss or begin is not None
            elif is_process and begin is not None and end is not None:
                adopted += any(begin.at < at < end.at for at in kills)
        outcomes = [attempt.outcome for attempt in evidence.attempts_of.get(run.run_id, [])]
        retries += sum(outcome in ("failed", "timed_out") for outcome in outcomes[:-1])
    return Figures(
        occurrences=sum(len(account(evidence, task)[0].needed) for task in evidence.tasks.values()),
        starts=sum(map(len, evidence.begins.values())),
        retries=retries,
        lost=lost,
        lost_processes=lost_processes,
        again=again,
        adopted=adopted,
    )


def _violations(evidence: Evidence) -> Iterator[Violation]:
    yield from strangers(evidence)
    owed_of = {}
    for task in evidence.tasks.values():
        owed, found = account(evidence, task)
        owed_of[task.task_id] = owed
        yield from found
    yield from begins(evidence)
    yield from ends(evidence)
    yield from losses(evidence)
    for task in evidence.tasks.values():
        owed = owed_of[task.task_id]
        yield from overlaps(evidence, task)
        yield from attempts(evidence, task)
        yield from misfires(evidence, task, owed)
        yield from operations(evidence, task, owed)
    yield from observations(evidence)
    for task in evidence.tasks.values():
        yield from disagreements(evidence, task, owed_of[task.task_id])
