"""What is wrong after a trial: the ledger, what the tasks wrote, and what was acknowledged.

Responsible for: naming every place where these do not agree with what the scenario expects. Shares
no code with the scheduler, and reads files alone.
"""

from __future__ import annotations

import collections
import contextlib
import json
import shutil
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from tests.integration.crashpoints.scenarios import Expected, Scenario


class Run(NamedTuple):
    """One row of `runs`."""

    run_id: int
    task_id: str
    key: str
    state: str
    token: int | None
    scheduled_at: int


class Attempt(NamedTuple):
    """One row of `attempts`."""

    run_id: int
    number: int
    token: int
    outcome: str
    output_path: str | None


class Line(NamedTuple):
    """One thing that a task said of itself."""

    event: str
    task_id: str
    key: str
    attempt: str
    token: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that is left of a trial."""

    runs: Sequence[Run]
    attempts: Sequence[Attempt]
    skips: int
    lines: Sequence[Line]
    instants: dict[str, list[int]]
    """The instants of each entry's rule."""
    counts: dict[str, tuple[int, int]]
    """How many runs and successes each entry's row counts."""
    damage: str

    def attempts_of(self, run: Run) -> list[Attempt]:
        """Return the attempts of a run in their order."""
        return sorted(a for a in self.attempts if a.run_id == run.run_id)


def read(folder: Path) -> Evidence:
    """Read what a trial left."""
    with _opened(folder / "scheduler.db") as connection:

        def rows(query: str) -> list[tuple[Any, ...]]:
            return connection.execute(query).fetchall()

        return Evidence(
            runs=[
                Run(*row)
                for row in rows("SELECT run_id, task_id, key, state, token, scheduled_at FROM runs")
            ],
            attempts=[
                Attempt(*row)
                for row in rows("SELECT run_id, attempt, token, outcome, output_path FROM attempts")
            ],
            skips=len(rows("SELECT 1 FROM skips")),
            lines=witnessed(folder),
            instants={
                str(task_id): list(instants_of(json.loads(str(rules))))
                for task_id, rules in rows("SELECT task_id, rules FROM entries")
            },
            counts={
                str(task_id): (int(str(runs)), int(str(successes)))
                for task_id, runs, successes in rows(
                    "SELECT task_id, run_count, success_count FROM progress"
                )
            },
            damage=_damage(connection),
        )


def witnessed(folder: Path) -> list[Line]:
    """Return what the tasks said, in the order of saying it."""
    path = folder / "witness"
    return [Line(*text.split()) for text in path.read_text().splitlines()] if path.exists() else []


def instants_of(rules: list[dict[str, object]]) -> Iterator[int]:
    """Give the instants of interval rules with an end, in microseconds."""
    for rule in rules:
        start, end = (_microseconds(str(rule[name])) for name in ("start_at", "end_at"))
        yield from range(start, end + 1, round(float(str(rule["seconds"])) * 1_000_000))


def violations(scenario: Scenario, evidence: Evidence, *, lost: dict[str, int]) -> list[str]:
    """Name everything that is wrong; `lost` tells how many losses of each task are excused.

    The name ``*`` stands for any task whose attempts live in the scheduler's process.
    """
    return [
        *([f"the database is damaged: {evidence.damage}"] if evidence.damage != "ok" else []),
        *([f"{evidence.skips} ranges of occurrences were skipped"] if evidence.skips else []),
        *_accounting(scenario.expected, evidence),
        *_witness(evidence),
        *_losses(scenario.expected, evidence, lost),
        *_counts(evidence),
    ]


def broken_promises(scenario: Scenario, folder: Path) -> list[str]:
    """Name what was acknowledged and is not in the ledger, as it lies there after a death."""
    path = folder / "acks"
    acks = path.read_text().split() if path.exists() else []
    database = folder / "scheduler.db"
    if not database.exists():
        return [f"{acks} were acknowledged, and there is no ledger"] if acks else []
    # A copy: whoever opens the file itself recovers its log.
    copy = folder / "copy"
    copy.mkdir(exist_ok=True)
    for suffix in ("", "-wal", "-journal"):
        (copy / f"ledger.db{suffix}").unlink(missing_ok=True)
        if (source := folder / f"scheduler.db{suffix}").exists():
            shutil.copyfile(source, copy / f"ledger.db{suffix}")
    with _opened(copy / "ledger.db") as connection:
        found = [*_half_migrated(connection, scenario), *_forgotten(connection, scenario, acks)]
        damage = _damage(connection)
    return found if damage == "ok" else [*found, f"the database is damaged: {damage}"]


def _forgotten(
    connection: sqlite3.Connection, scenario: Scenario, acks: list[str]
) -> Iterator[str]:
    for fact in scenario.facts:
        if fact.step not in acks:
            continue
        if fact.until is not None and acks[-1] != fact.step:
            continue  # what may undo it has begun
        if connection.execute(fact.query).fetchone() != (1,):
            yield f"{fact.step!r} was acknowledged and is not in the ledger"


def _half_migrated(connection: sqlite3.Connection, scenario: Scenario) -> Iterator[str]:
    """Compare the version with the tables: both are of one release, or of none yet."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_schema")}
    has_first, has_later = "runs" in tables, bool({"clock", "chains", "starts"} & tables)
    if (has_first, has_later) != (version >= 1, version > 1):
        yield f"the schema says {version}, and the tables are {sorted(tables)}"
    if scenario.name == "migrate" and not version:
        yield "the ledger of an older release is gone"


def _accounting(expected: Sequence[Expected], evidence: Evidence) -> Iterator[str]:
    """Compare the runs with what is expected: all of them, each once, and no other."""
    left = {(run.task_id, run.key): run for run in evidence.runs}
    if len(left) != len(evidence.runs):
        yield f"a run is there twice: {evidence.runs}"
    instants = {w.task_id: iter(evidence.instants.get(w.task_id, ())) for w in expected}
    for wanted in expected:
        key = wanted.key or str(next(instants[wanted.task_id], "no instant"))
        run = left.pop((wanted.task_id, key), None)
        if run is None:
            yield f"{wanted.task_id}: there is no run {key}"
        else:
            yield from _end(wanted, run, evidence.attempts_of(run))
    for run in left.values():
        yield f"{run.task_id}: nobody planned the run {run.key}"


def _end(wanted: Expected, run: Run, attempts: list[Attempt]) -> Iterator[str]:
    """Compare one run with what is expected of it."""
    name = f"{run.task_id}, run {run.key}"
    found = tuple(a.outcome for a in attempts if a.outcome != "lost")
    lost = len(attempts) - len(found)
    if run.token is not None or run.state in ("waiting", "running"):
        yield f"{name} is still {run.state}"
    allowed = {wanted.outcomes}
    if lost:
        # A lost attempt may have done what the first one does.
        allowed.add(wanted.outcomes[1:] or wanted.outcomes)
    if wanted.at_most_once and lost:
        allowed = {()}
    # A cancel that was promised holds: nothing starts again, whatever became of the attempt.
    is_called_off = bool(lost) and wanted.outcomes == ("cancelled",) and run.state == "cancelled"
    if is_called_off:
        allowed.add(())
    if found not in allowed:
        yield f"{name} has the attempts {[a.outcome for a in attempts]}"
    last = attempts[-1].outcome if attempts else None
    if run.state != last and not is_called_off:
        yield f"{name} is {run.state} after an attempt that is {last}"
    if [a.number for a in attempts] != list(range(1, len(attempts) + 1)):
        yield f"{name}: its attempts are not numbered from 1 on: {attempts}"
    if wanted.output is None or not attempts:
        return
    path = attempts[-1].output_path
    output = Path(path).read_text() if path and Path(path).exists() else None
    if output != wanted.output:
        yield f"{name}: its output is {output!r}"


def _witness(evidence: Evidence) -> Iterator[str]:
    """Compare what the tasks said with the attempts: each began once, and none is unknown."""
    begins = collections.Counter(line[1:] for line in evidence.lines if line.event == "begin")
    ends = {line[1:] for line in evidence.lines if line.event == "end"}
    known = {}
    for run in evidence.runs:
        for attempt in evidence.attempts_of(run):
            identity = (run.task_id, run.key, str(attempt.number), str(attempt.token))
            known[identity] = attempt
            ended = attempt.outcome in ("succeeded", "failed")
            if ended and identity not in ends and attempt.output_path is not None:
                yield f"{identity} is {attempt.outcome} and never said that it ended"
    for identity, count in begins.items():
        if count > 1:
            yield f"{identity} began {count} times"
        if identity not in known:
            yield f"{identity} began and is no attempt of the ledger"


def _losses(
    expected: Sequence[Expected], evidence: Evidence, excused: dict[str, int]
) -> Iterator[str]:
    """Name every lost attempt that no death explains."""
    task_of = {run.run_id: run.task_id for run in evidence.runs}
    lost = collections.Counter(
        task_of.get(a.run_id, "?") for a in evidence.attempts if a.outcome == "lost"
    )
    in_thread = {wanted.task_id for wanted in expected if wanted.in_thread}
    certain = {wanted.task_id: wanted.lost for wanted in expected if wanted.lost}
    anyone = excused.get("*", 0)
    for task_id, count in lost.items():
        more = count - certain.get(task_id, 0) - excused.get(task_id, 0)
        if more > 0 and task_id in in_thread:
            more, anyone = more - anyone, anyone - more
        if more > 0:
            yield f"{task_id}: {count} attempts are lost"
    for task_id, count in certain.items():
        if lost[task_id] < count:
            yield f"{task_id}: {lost[task_id]} attempts are lost, not {count}"


def _counts(evidence: Evidence) -> Iterator[str]:
    """Compare what the entries' rows count with the runs."""
    begun = {attempt.run_id for attempt in evidence.attempts}
    for task_id, counted in evidence.counts.items():
        # One that was cancelled before it began is no run that counts.
        runs = [
            run
            for run in evidence.runs
            if run.task_id == task_id and (run.state != "cancelled" or run.run_id in begun)
        ]
        if counted != (len(runs), sum(run.state == "succeeded" for run in runs)):
            yield f"{task_id} counts {counted[0]} runs, {counted[1]} successes; there are {runs}"


def _damage(connection: sqlite3.Connection) -> str:
    return str(connection.execute("PRAGMA integrity_check").fetchone()[0])


def _opened(path: Path) -> contextlib.closing[sqlite3.Connection]:
    return contextlib.closing(sqlite3.connect(path))


def _microseconds(text: str) -> int:
    moment = datetime.fromisoformat(text)
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
