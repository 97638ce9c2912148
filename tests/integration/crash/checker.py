"""The outside checker: what the tasks wrote, the ledger's dispositions, and plain arithmetic.

Responsible for: naming every place where these three do not agree. It knows the workload and the
instant at which everything began, shares no code with the scheduler, and believes the ledger only
where what the tasks wrote does not speak against it.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from tests.integration.crash.ledger import Attempt, Ledger, Run
from tests.integration.crash.witness import Line
from tests.integration.crash.workload import Planned

_LAG = 1_500_000
"""An instant that came so long before the last stop needs a disposition; microseconds."""
_SLACK = 4_000_000
"""A run that was due so long before the last stop must be over."""
_AHEAD = 300_000
"""How long after the last stop an instant may lie and yet have been planned."""
_LIVING = ("waiting", "running")
_REASONS = {
    "run_once": {"coalesced", "overlap"},
    "run_all": {"catch_up_limit", "overlap"},
    "skip": {"misfire", "overlap"},
}
"""Why an occurrence of an entry with this misfire policy may be skipped; see docs/policies.md."""


@dataclass(frozen=True, slots=True)
class History:
    """All the evidence of one campaign; moments in microseconds."""

    workload: Sequence[Planned]
    lines: Sequence[Line]
    ledger: Ledger
    start_at: int
    stopped_at: int
    may_lose_processes: bool = False
    """Whether supervisors were killed too, so that attempts of programs may be lost."""

    def attempts_of(self) -> dict[int, list[Attempt]]:
        """Return the attempts of each run, oldest first."""
        found: dict[int, list[Attempt]] = defaultdict(list)
        for attempt in sorted(self.ledger.attempts, key=lambda a: a.token):
            found[attempt.run_id].append(attempt)
        return found


def violations(history: History) -> list[str]:
    """Name everything that is wrong."""
    return [
        *_accounting(history),
        *witnessed(history),
        *outcomes(history),
        *_overlaps(history),
    ]


def occurrences(history: History) -> int:
    """Return how many instants had to be accounted for."""
    return sum(_last_needed(history, planned) + 1 for planned in history.workload)


def _last_needed(history: History, planned: Planned) -> int:
    return (history.stopped_at - _LAG - history.start_at) // planned.period_us


# -- every occurrence exactly once ----------------------------------------------------------------


def _accounting(history: History) -> Iterator[str]:
    """Compare runs and skips with the instants ``start_at + n * period``."""
    for planned in history.workload:
        covered: dict[int, str] = {}
        for number, what in _dispositions(history, planned):
            if number is None:
                yield f"{planned.task_id}: {what} is at no instant of its rule"
            elif number in covered:
                yield f"{planned.task_id}: instant {number} is both {covered[number]} and {what}"
            else:
                covered[number] = what
        highest = max([*covered, _last_needed(history, planned)])
        for number in range(highest + 1):
            if number not in covered:
                yield f"{planned.task_id}: nothing tells of instant {number} of {highest}"
        if history.start_at + highest * planned.period_us > history.stopped_at + _AHEAD:
            yield f"{planned.task_id}: instant {highest} had not come when everything stopped"
    known = {planned.task_id for planned in history.workload}
    for run in history.ledger.runs:
        if run.task_id not in known:
            yield f"run {run.run_id} is of the unknown task {run.task_id!r}"


def _dispositions(history: History, planned: Planned) -> Iterator[tuple[int | None, str]]:
    """Give the number of each instant that a run or a range of skips tells of; None: not one."""
    for run in history.ledger.runs:
        if run.task_id == planned.task_id:
            what = f"run {run.run_id} ({run.state})"
            yield _number(history, planned, int(run.key)), what
            if int(run.key) != run.scheduled_at:
                yield None, f"{what}: its key is not its instant"
    misfire = planned.policy("misfire", "run_once")
    for skip in history.ledger.skips:
        if skip.task_id != planned.task_id:
            continue
        what = f"skip ({skip.reason}, {skip.first_at} to {skip.last_at})"
        first = _number(history, planned, skip.first_at)
        last = _number(history, planned, skip.last_at)
        if first is None or last is None or skip.count != last - first + 1:
            yield None, f"{what} of {skip.count}"
            continue
        if skip.reason not in _REASONS[misfire]:
            yield None, f"{what}, which {misfire!r} does not know,"
        for number in range(first, last + 1):
            yield number, what


def _number(history: History, planned: Planned, moment: int) -> int | None:
    number, rest = divmod(moment - history.start_at, planned.period_us)
    return None if rest or number < 0 else number


# -- what the tasks wrote -------------------------------------------------------------------------


def witnessed(history: History) -> Iterator[str]:
    """Compare what began with what the ledger says of it, begin by begin."""
    plans = {planned.task_id: planned for planned in history.workload}
    runs = {(run.task_id, run.key): run for run in history.ledger.runs}
    attempts_of = history.attempts_of()
    begins: dict[tuple[str, str], list[Line]] = defaultdict(list)
    for line in history.lines:
        if line.event == "begin":
            begins[line.task_id, line.key].append(line)
    for identity, lines in begins.items():
        run = runs.get(identity)
        if run is None:
            yield f"{identity} began and is no run"
            continue
        attempts = attempts_of.get(run.run_id, [])
        yield from _starts(plans[run.task_id], run, lines, attempts)


def _starts(
    planned: Planned, run: Run, begins: Sequence[Line], attempts: Sequence[Attempt]
) -> Iterator[str]:
    """Check the begins of one run against its attempts."""
    name = f"{run.task_id}, run {run.run_id} ({run.key})"
    outcome_of = {(a.attempt, a.token): a.outcome for a in attempts}
    ordered = sorted(begins, key=lambda line: line.token)
    for line in ordered:
        if line.at < run.scheduled_at:
            yield f"{name} began {run.scheduled_at - line.at} us before its instant"
        outcome = outcome_of.get((line.attempt, line.token))
        is_living = run.state in _LIVING and run.token == line.token
        if outcome is None and not is_living:
            yield f"{name}: attempt {line.attempt} began and is not in the ledger"
    if len({line.token for line in ordered}) != len(ordered):
        yield f"{name}: one claim began twice: {ordered}"
    if len({line.attempt for line in ordered}) != len(ordered):
        yield f"{name}: one attempt began twice: {ordered}"
    for line in ordered[:-1]:
        outcome = outcome_of.get((line.attempt, line.token))
        if outcome not in ("lost", "failed"):
            yield f"{name} began again after an attempt that is {outcome!r}: {ordered}"
    if planned.policy("on_lost", "at_least_once") == "at_most_once" and len(ordered) > 1:
        yield f"{name} began {len(ordered)} times in spite of at_most_once: {ordered}"


def outcomes(history: History) -> Iterator[str]:
    """Check that what the ledger calls an end was one, and that nothing ended twice."""
    plans = {planned.task_id: planned for planned in history.workload}
    said = {(line.event, line.token) for line in history.lines}
    attempts_of = history.attempts_of()
    for run in history.ledger.runs:
        planned = plans.get(run.task_id)
        if planned is None:
            continue
        name = f"{run.task_id}, run {run.run_id} ({run.key})"
        attempts = attempts_of.get(run.run_id, [])
        if [a.attempt for a in attempts] != list(range(1, len(attempts) + 1)):
            yield f"{name}: its attempts are not numbered from 1 on: {attempts}"
        if any(a.outcome == "succeeded" for a in attempts[:-1]):
            yield f"{name} went on after its success: {attempts}"
        if run.state == "running" or run.token is not None:
            yield f"{name} is still in somebody's hands after an orderly stop"
        elif run.state == "waiting" and run.scheduled_at < history.stopped_at - _SLACK:
            yield f"{name} still waits"
        if run.state not in (*_LIVING, "skipped") and not attempts:
            yield f"{name} is {run.state} without an attempt"
        if run.state == "skipped" and attempts:
            yield f"{name} is skipped and has attempts: {attempts}"
        for attempt in attempts:
            is_over = attempt.outcome in ("succeeded", "failed") and planned.has_witness
            if is_over and not {("begin", attempt.token), ("end", attempt.token)} <= said:
                yield f"{name}: attempt {attempt.attempt} is {attempt.outcome} and never ended"
            if attempt.outcome == "failed" and not planned.fails_first:
                yield f"{name}: attempt {attempt.attempt} failed, which nothing in it does"
            is_lost = attempt.outcome == "lost" and not planned.is_in_thread
            if is_lost and not history.may_lose_processes:
                yield f"{name}: attempt {attempt.attempt} is lost, and its supervisor lived"


def _overlaps(history: History) -> Iterator[str]:
    """Check that no two attempts ran at once where the policy forbids it."""
    ends = {line.token: line.at for line in history.lines if line.event == "end"}
    by_task: dict[str, list[Line]] = defaultdict(list)
    for line in history.lines:
        if line.event == "begin":
            by_task[line.task_id].append(line)
    for planned in history.workload:
        if planned.policy("overlap", "skip") == "allow":
            continue
        for before, after in _pairs(sorted(by_task[planned.task_id], key=lambda line: line.at)):
            end = ends.get(before.token)
            if end is not None and end > after.at:
                yield f"{planned.task_id}: {before} had not ended when {after.key} began"


def _pairs(lines: Sequence[Line]) -> Iterable[tuple[Line, Line]]:
    return itertools.pairwise(lines)
