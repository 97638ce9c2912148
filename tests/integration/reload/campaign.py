"""One round: `tsk up` under load, whose configuration is edited again and again.

Responsible for: the edits and the ways by which they reach the scheduler (a file that is watched,
SIGHUP, a command), what was acknowledged when, the rest at the end, and the evidence for the
checker outside. A wrong file must change nothing and be told; a right one must change all of it.
"""

from __future__ import annotations

import contextlib
import json
import random
import signal
import sqlite3
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from task_scheduler.control import ask
from task_scheduler.errors import TaskSchedulerError
from tests import checker
from tests.checker.ledgers import unfinished_before
from tests.integration.crash import census, witness
from tests.integration.reload.edits import MARKER, Document, Job, edit, first_jobs, spoilt, text_of
from tests.integration.stops.lives import PATIENCE_SECONDS, Life

_LIMITS = checker.Limits(late=60 * checker.SECOND, heal=60 * checker.SECOND)
"""How punctual it is on a busy machine is for the benchmarks; here a minute late is wrong."""
_LEAD_SECONDS = 2
_CALM_SECONDS = 2.5
_OVERDUE_US = 2_000_000
_POLL_SECONDS = 0.01
_Row = TypeVar("_Row", checker.Run, checker.Skip)
_WAYS = ("command", "command", "signal", "watch")


@dataclass(slots=True)
class Report:
    """What came of one round or of several together."""

    edits: int = 0
    refused: int = 0
    occurrences: int = 0
    ways: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    """From the writing of a file that is right to its being in force."""
    violations: list[str] = field(default_factory=list)

    def add(self, other: Report) -> None:
        """Take another round's figures in."""
        self.edits += other.edits
        self.refused += other.refused
        self.occurrences += other.occurrences
        self.ways += other.ways
        self.seconds += other.seconds
        self.violations += other.violations


class Round:
    """`edits` edits of one file of a kind (``json``, ``toml``, ``yaml``); a seed draws them."""

    def __init__(self, folder: Path, seed: str, edits: int, *, kind: str) -> None:
        self.folder, self.seed, self.edits, self.kind = folder, seed, edits, kind
        self.report = Report()
        self._config = folder / f"scheduler_config.{kind}"
        self._socket = folder / "scheduler.sock"
        self._database = folder / "scheduler.db"
        start = time.time_ns() // 1_000_000_000 + _LEAD_SECONDS
        self._anchor = start * checker.SECOND
        moment = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(start))
        self._document = Document(first_jobs(), moment, sections=_sections())
        self._revisions: dict[str, list[checker.Revision]] = {}
        self._is_refused = False
        """Whether the last file was one that must not be taken."""

    def run(self) -> Report:
        """Edit it again and again, come to rest, and check."""
        (self.folder / "witness").mkdir(parents=True)
        asked = _now()
        self._write(text_of(self._document.values(), self.kind))
        arguments = ["task_scheduler", "-c", str(self._config), "up"]
        life = Life(self.folder, arguments)
        try:
            if not life.wait_running(PATIENCE_SECONDS):
                raise RuntimeError(f"it did not run: {life.errors[-2000:]}")
            self._wait_in_force(life)
            for job in self._document.jobs.values():
                self._revise(job, asked, _now())
            rng = random.Random(self.seed)
            for _ in range(self.edits):
                self._edit(life, rng)
            stopped_at = self._come_to_rest(life)
            self._check(stopped_at)
        finally:
            life.close()
        return self.report

    # -- edits ----------------------------------------------------------------------------------

    def _edit(self, life: Life, rng: random.Random) -> None:
        way = rng.choice(_WAYS)
        is_right = rng.random() < 0.7
        self.report.edits += 1
        self.report.ways[f"{way}, {'right' if is_right else 'wrong'}"] += 1
        if is_right:
            self._edit_right(life, way, rng)
        else:
            self._edit_wrong(life, way, rng)
        time.sleep(rng.choice((0.0, 0.0, 0.02, 0.1)))

    def _edit_right(self, life: Life, way: str, rng: random.Random) -> None:
        touched = edit(self._document, rng)
        asked, began = _now(), time.monotonic()
        self._write(text_of(self._document.values(), self.kind), is_atomic=rng.random() < 0.7)
        try:
            self._tell(life, way)
        except TaskSchedulerError as error:
            self._say(f"edit {self._document.number} was refused: {error}")
            return
        self._wait_in_force(life)
        self.report.seconds.append(round(time.monotonic() - began, 3))
        acked = _now()
        for task_id in touched:
            self._revise(self._document.jobs[task_id], asked, acked)
        self._is_refused = False

    def _edit_wrong(self, life: Life, way: str, rng: random.Random) -> None:
        self._write(spoilt(self._document, self.kind, rng), is_atomic=rng.random() < 0.7)
        self.report.refused += 1
        with contextlib.suppress(TaskSchedulerError):
            self._tell(life, way)
            if way == "command":
                self._say(f"after edit {self._document.number} a wrong file was taken")
        if not self._is_refused and not census.wait_for(self._is_told, PATIENCE_SECONDS):
            self._say(f"after edit {self._document.number} a wrong file was not told")
        self._is_refused = True

    def _tell(self, life: Life, way: str) -> None:
        if way == "command":
            ask(self._socket, "reload")
        elif way == "signal":
            life.send(signal.SIGHUP)

    def _is_told(self) -> bool:
        return ask(self._socket, "config")["error"] is not None

    def _write(self, text: str, *, is_atomic: bool = True) -> None:
        """Put a text in the file's place, or into the file itself, as editors do either."""
        if not is_atomic:
            self._config.write_text(text)
            return
        new = self._config.with_name(".new")
        new.write_text(text)
        new.replace(self._config)

    def _wait_in_force(self, life: Life) -> None:
        """Wait until the ledger has seen the last edit."""
        wanted = f"edit {self._document.number}"
        if not census.wait_for(lambda: self._seen() == wanted, PATIENCE_SECONDS):
            self._say(f"{wanted} did not come into force: {life.errors[-2000:]}")

    def _seen(self) -> str | None:
        query = "SELECT definition ->> 'description' FROM entries WHERE task_id = ?"
        with (
            contextlib.suppress(sqlite3.OperationalError),
            contextlib.closing(
                sqlite3.connect(f"file:{self._database}?mode=ro", uri=True)
            ) as ledger,
        ):
            row = ledger.execute(query, (MARKER,)).fetchone()
            return None if row is None else str(row[0])
        return None

    def _revise(self, job: Job, asked: int, acked: int) -> None:
        policies = checker.Policies(overlap=job.overlap, timeout=60 * checker.SECOND)
        revision = checker.Revision(job.rules(self._anchor), policies, asked, acked)
        self._revisions.setdefault(job.task_id, []).append(revision)

    # -- the end --------------------------------------------------------------------------------

    def _come_to_rest(self, life: Life) -> int:
        """Put a right file in place, let what is due be over, and end it; return when."""
        self._document.number += 1
        self._write(text_of(self._document.values(), self.kind))
        self._tell(life, "command")
        self._wait_in_force(life)
        unfinished: list[tuple[str, str, str]] = []
        calm_from = time.monotonic() + _CALM_SECONDS

        def is_calm() -> bool:
            unfinished[:] = unfinished_before(self._database, _now() - _OVERDUE_US)
            return not unfinished and time.monotonic() >= calm_from

        if not census.wait_for(is_calm, PATIENCE_SECONDS):
            self._say(f"stuck after {PATIENCE_SECONDS:g} s: {unfinished}")
        if self._is_told():
            self._say("a right file is in force, and the last wrong one is still told of")
        stopped_at = _now()
        life.send(signal.SIGTERM)
        if life.wait(PATIENCE_SECONDS) != 0 or "Traceback" in life.errors:
            self._say(f"it ended with {life.process.returncode}: {life.errors[-3000:]}")
        return stopped_at

    def _check(self, stopped_at: int) -> None:
        """Let the checker compare everything."""
        jobs = self._document.jobs
        whole = checker.read_ledger(self._database)
        declared = {task_id for task_id, job in jobs.items() if job.is_declared}
        stored = {entry.task_id for entry in whole.entries or ()} - {MARKER}
        if stored != declared:
            self._say(f"the ledger has {sorted(stored)}, the file {sorted(declared)}")
        history = checker.History(
            tasks=[
                checker.Task(task_id, job.runs_in, tuple(self._revisions[task_id]))
                for task_id, job in jobs.items()
            ],
            ended_at=stopped_at,
            # An archived task has no entry, and whoever is back has all of its counts: see below.
            ledger=checker.Ledger(
                [_as_edited(run) for run in whole.runs],
                whole.attempts,
                [_as_edited(skip) for skip in whole.skips],
                whole.epochs,
            ),
            lines=[checker.Line(**line) for line in witness.read(self.folder / "witness")],
            limits=_LIMITS,
        )
        (self.folder / "history.json").write_text(json.dumps(checker.to_plain(history)))
        self.report.occurrences = checker.figures(history).occurrences
        for violation in checker.violations(history):
            self._say(violation.show())
        ended = Counter(run.task_id for run in whole.runs if run.state in _COUNTED)
        for entry in whole.entries or ():
            if entry.task_id != MARKER and entry.run_count != ended[entry.task_id]:
                runs = ended[entry.task_id]
                self._say(f"{entry.task_id} counts {entry.run_count} runs, and {runs} are there")

    def _say(self, problem: str) -> None:
        self.report.violations.append(f"seed {self.seed}: {problem}")


def _as_edited(row: _Row) -> _Row:
    """Return a row in the checker's words: it knows no removal but one that is for ever."""
    return replace(row, reason="superseded") if row.reason == "removed" else row


_COUNTED = frozenset({"succeeded", "failed", "timed_out", "cancelled", "lost"})


def _sections() -> dict[str, dict[str, object]]:
    return {
        "scheduler": {"stop_timeout_seconds": 20, "language": "en"},
        "storage": {"path": "scheduler.db", "retention_runs": 0},
        "logging": {"log_dir": "logs", "console": False},
        "tasks": {"timeout": 60},
    }


def _now() -> int:
    return time.time_ns() // 1_000
