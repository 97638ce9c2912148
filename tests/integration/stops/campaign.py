"""One round: a workload on one ledger, stopped again and again, while a client goes on asking.

Responsible for: lives and their ends at instants that a seed determines, what must hold after each
of them, the calm at the end, and the evidence.
"""

from __future__ import annotations

import contextlib
import json
import random
import shutil
import signal
import sqlite3
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path

from tests import checker
from tests.checker.ledgers import unfinished_before
from tests.integration.crash import census, witness
from tests.integration.crash.expected import task_of
from tests.integration.crash.workload import WORKLOAD
from tests.integration.stops import acknowledged, declared
from tests.integration.stops.kinds import Moment, Stop, draw_moment, draw_stop
from tests.integration.stops.lives import PATIENCE_SECONDS, Life

STOP_SECONDS = 20.0
"""What `stop_timeout_seconds` says; no attempt takes longer than 2 s."""
DEADLINE_SECONDS = 15.0
"""A stop that takes longer hangs."""
_GONE_SECONDS = 10.0
"""After an end nothing of it lives longer: launchers end, programs take at most 2 s."""
_SILENT_SECONDS = 0.6
"""A life that worked so long has ended at least one run: three are due every 0.25 s."""
_LIMITS = checker.Limits(late=60 * checker.SECOND, heal=60 * checker.SECOND)
"""How punctual it is on a busy machine is for the benchmarks; here a minute late is wrong."""
_LEADS = (4, 15, 60)
_CALM_SECONDS = 3.5
_OVERDUE_US = 3_000_000


@dataclass(slots=True)
class Report:
    """What came of one round or of several together."""

    stops: int = 0
    occurrences: int = 0
    acknowledged: int = 0
    refused: int = 0
    durations: list[float] = field(default_factory=list)
    """Seconds from the last thing that was sent to the end of the process."""
    kinds: Counter[str] = field(default_factory=Counter)
    moments: Counter[str] = field(default_factory=Counter)
    codes: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)

    def add(self, other: Report) -> None:
        """Take another round's figures in."""
        self.stops += other.stops
        self.occurrences += other.occurrences
        self.acknowledged += other.acknowledged
        self.refused += other.refused
        self.durations += other.durations
        self.kinds += other.kinds
        self.moments += other.moments
        self.codes += other.codes
        self.violations += other.violations


class Round:
    """`stops` ends on one ledger; the same seed draws the same ways and instants.

    With `is_declared` the tasks stand in a configuration file and `tsk up` runs them; else a
    program adds them, and runs in the foreground or embeds the scheduler by turns.
    """

    def __init__(self, folder: Path, seed: str, stops: int, *, is_declared: bool) -> None:
        self.folder, self.seed, self.stops = folder, seed, stops
        self.report = Report()
        self._config = folder / "scheduler_config.json"
        self._database = folder / "scheduler.db"
        self._acks = folder / "acks"
        self._start_at = self._added_at = 0
        self._faults: list[checker.Fault] = []
        self._down_since: int | None = None
        self._reloads = 0
        self._lives: list[Life] = []
        self._is_declared = is_declared
        self._workload = [p for p in WORKLOAD if not is_declared or p.kind in declared.KINDS]

    def run(self) -> Report:
        """Stop it again and again, come to rest, and check."""
        # What a shell starts in the background ignores SIGINT, and so would all that we start.
        if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            self._prepare()
            client = self._client()
            for number in range(self.stops):
                self._live(random.Random(f"{self.seed}/{number}"))
            stopped_at = self._come_to_rest(client)
            self._check(stopped_at)
            return self.report
        finally:
            for life in self._lives:
                life.close()

    # -- lives ----------------------------------------------------------------------------------

    def _life(self, mode: str) -> Life:
        if mode == "tsk":
            arguments = ["task_scheduler", "-c", str(self._config), "up"]
        else:
            program = "tests.integration.stops.program"
            arguments = [program, str(self._config), str(self._start_at), mode]
        life = Life(self.folder, arguments, is_telling=mode == "embedded")
        self._lives.append(life)
        return life

    def _client(self) -> Life:
        program = "tests.integration.stops.client"
        arguments = [program, str(self._config), str(self._acks), self.seed]
        # Without a mark of the lives: it outlives them.
        life = Life(self.folder, arguments)
        self._lives.append(life)
        return life

    def _live(self, rng: random.Random) -> None:
        """Start a life, end it in the way and at the moment that was drawn, and look around."""
        mode = "tsk" if self._is_declared else rng.choice(("forever", "embedded"))
        moment = draw_moment(rng)
        stop = draw_stop(rng, mode, moment.name)
        self.report.stops += 1
        self.report.kinds[f"{mode} {stop.name}"] += 1
        self.report.moments[moment.name] += 1
        if self._down_since is not None:
            self._note("down", self._down_since)
        self._started_at = _now()
        name = f"stop {self.report.stops} ({mode}, {stop.name}, {moment.name} {moment.seconds:.3f})"
        life = self._life(mode)
        problems = [*self._end(life, stop, moment)]
        problems += self._look_around(life, stop, moment, mode)
        for problem in problems:
            self._say(f"{name}: {problem}")
        if not problems:
            life.errors_path.unlink()
        life.close()
        self._lives.remove(life)

    def _end(self, life: Life, stop: Stop, moment: Moment) -> list[str]:
        """Wait for the moment, send what is to be sent, and wait for the end."""
        problems = []
        if moment.name == "start":
            time.sleep(moment.seconds)
        else:
            if not life.wait_running(PATIENCE_SECONDS):
                return [f"it did not run within {PATIENCE_SECONDS:g} s: {life.errors[-2000:]}"]
            self._note("starting", self._started_at)
            before = self._done()
            time.sleep(moment.seconds)
            if moment.seconds >= _SILENT_SECONDS and self._done() <= before:
                problems.append(f"it ran and ended no run in {moment.seconds:.2f} s")
        stopping_since = _now()
        for step, apart in zip(stop.steps, [*stop.apart, 0.0], strict=False):
            self._send(life, step)
            time.sleep(apart)
        sent = time.monotonic()
        code = life.wait(DEADLINE_SECONDS)
        # Only where it was told not to wait, or nobody heard, may a function be left in the middle.
        is_death = code is None or stop.is_forced or moment.name == "start"
        self._note("kill" if is_death else "stopping", stopping_since)
        if moment.name == "start":
            self._note("starting", self._started_at)
        self._down_since = _now()
        if code is None:
            return [
                *problems,
                f"it did not end within {DEADLINE_SECONDS:g} s: {life.errors}",
            ]
        self.report.durations.append(round(time.monotonic() - sent, 3))
        self.report.codes[str(code)] += 1
        return problems + self._judge(life, stop, moment, code)

    def _send(self, life: Life, step: str) -> None:
        if step == "SIGHUP":
            self._change_config()
        if step.startswith("SIG"):
            life.send(signal.Signals[step])
        elif step == "down":
            down = Life(self.folder, ["task_scheduler", "-c", str(self._config), "down"])
            self._lives.append(down)
            code = down.wait(PATIENCE_SECONDS)
            if code != 0:
                self._say(f"stop {self.report.stops}: tsk down ended with {code}: {down.errors}")
            down.close()
            down.errors_path.unlink()
            self._lives.remove(down)
        else:
            life.tell(step)

    def _judge(self, life: Life, stop: Stop, moment: Moment, code: int) -> list[str]:
        """Compare an exit code, and what was said, with what the documents allow."""
        allowed = set(stop.codes)
        if moment.name == "start":
            # Before it listens, a signal ends it as it ends any process: nothing has begun yet.
            allowed |= {0, 130, *(-signal.Signals[step] for step in stop.steps)}
        problems = [] if code in allowed else [f"it ended with {code}, not with one of {allowed}"]
        if "Traceback" in life.errors and code not in (-signal.SIGINT, 130):
            problems.append(f"it wrote: {life.errors[-3000:]}")
        return problems

    # -- after each stop ------------------------------------------------------------------------

    def _look_around(self, life: Life, stop: Stop, moment: Moment, mode: str) -> list[str]:
        """Name what lives on, what was lost, and what is wrong with the ledger."""
        problems = []
        if left := census.wait_until_gone(life.mark, _GONE_SECONDS):
            problems.append(f"processes outlived it: {left}")
        if not self._database.exists():
            return problems
        acks = acknowledged.read(self._acks)
        found = list(acknowledged.lost(acks, self._database))
        # What the client has gone on with meanwhile is of another moment.
        moving = acknowledged.tasks_since(acknowledged.read(self._acks), len(acks))
        problems += [problem for task_id, problem in found if task_id not in moving]
        with contextlib.closing(
            sqlite3.connect(f"file:{self._database}?mode=ro", uri=True)
        ) as connection:
            (verdict,) = connection.execute("PRAGMA quick_check").fetchone()
            query = "SELECT run_id, task_id, state FROM runs WHERE token IS NOT NULL"
            held = connection.execute(query).fetchall()
        if verdict != "ok":
            problems.append(f"the ledger is damaged: {verdict}")
        if held and not stop.is_forced and moment.name != "start":
            problems.append(f"after an orderly stop these are in nobody's hands: {held}")
        return problems

    def _done(self) -> int:
        query = "SELECT coalesce(sum(run_count), 0) FROM progress"
        with contextlib.closing(
            sqlite3.connect(f"file:{self._database}?mode=ro", uri=True)
        ) as connection:
            (done,) = connection.execute(query).fetchone()
        return int(done)

    # -- the beginning and the end --------------------------------------------------------------

    def _prepare(self) -> None:
        """Make the ledger before the first instant comes; on a busy machine that takes its time."""
        for lead in _LEADS:
            shutil.rmtree(self.folder, ignore_errors=True)
            (self.folder / "witness").mkdir(parents=True)
            (self.folder / "old").mkdir()
            self._start_at = (time.time_ns() // 1_000_000_000 + lead) * 1_000_000
            self._write_config()
            # In both cases by the first life of all, which only adds.
            life = Life(self.folder, [*self._adding()])
            code = life.wait(PATIENCE_SECONDS)
            errors = life.errors
            life.close()
            life.errors_path.unlink()
            if code:
                raise RuntimeError(f"the workload was not added: {errors}")
            self._added_at = _now()
            if self._added_at < self._start_at:
                return
        raise RuntimeError(f"the workload was not added within {lead} s")

    def _adding(self) -> list[str]:
        program = "tests.integration.stops.program"
        if not self._is_declared:
            return [program, str(self._config), str(self._start_at), "only"]
        return ["tests.integration.stops.adding", str(self._config)]

    def _write_config(self) -> None:
        workload = self._workload if self._is_declared else ()
        text = declared.document(
            workload, self._start_at, reloads=self._reloads, stop_seconds=STOP_SECONDS
        )
        new = self._config.with_suffix(".new")
        new.write_text(text)
        new.replace(self._config)

    def _change_config(self) -> None:
        self._reloads = (self._reloads + 1) % 5
        self._write_config()

    def _come_to_rest(self, client: Life) -> int:
        """Let a last life catch up, end it as a user would, and return when it was told to."""
        if self._down_since is not None:
            self._note("down", self._down_since)
        self._started_at = _now()
        life = self._life("tsk" if self._is_declared else "forever")
        if not life.wait_running(PATIENCE_SECONDS):
            self._say(f"the last life did not run: {life.errors}")
        self._note("starting", self._started_at)
        unfinished: list[tuple[str, str, str]] = []
        calm_from = time.monotonic() + _CALM_SECONDS
        assert client.process.stdin is not None
        client.process.stdin.close()
        if client.wait(PATIENCE_SECONDS) != 0:
            self._say(f"the client ended with {client.process.returncode}: {client.errors}")

        def is_calm() -> bool:
            moment = _now() - _OVERDUE_US
            unfinished[:] = unfinished_before(self._database, moment)
            return not unfinished and time.monotonic() >= calm_from

        if not census.wait_for(is_calm, PATIENCE_SECONDS):
            self._say(f"stuck after {PATIENCE_SECONDS:g} s: {unfinished}")
        stopped_at = _now()
        life.send(signal.SIGTERM)
        if life.wait(DEADLINE_SECONDS) != 0:
            self._say(f"the last life ended with {life.process.returncode}: {life.errors}")
        return stopped_at

    def _check(self, stopped_at: int) -> None:
        """Let the checker compare everything, and count what was acknowledged."""
        whole = checker.read_ledger(self._database)
        known = {planned.task_id for planned in self._workload}
        history = checker.History(
            tasks=[task_of(planned, self._start_at, self._added_at) for planned in self._workload],
            ended_at=stopped_at,
            ledger=_of_tasks(whole, known),
            lines=[checker.Line(**line) for line in witness.read(self.folder / "witness")],
            faults=self._faults,
            limits=_LIMITS,
        )
        (self.folder / "history.json").write_text(json.dumps(checker.to_plain(history)))
        self.report.occurrences = checker.figures(history).occurrences
        for violation in checker.violations(history):
            self._say(violation.show())
        acks = acknowledged.read(self._acks)
        self.report.acknowledged = sum("refused" not in line for line in acks)
        self.report.refused = len(acks) - self.report.acknowledged
        for _, problem in acknowledged.lost(acks, self._database):
            self._say(problem)
        for problem in acknowledged.not_run(acks, {run.run_id: run.state for run in whole.runs}):
            self._say(problem)

    def _note(self, kind: str, began: int) -> None:
        """Tell the checker what was done to the scheduler, from then until now."""
        self._faults.append(checker.Fault(kind, "scheduler", began, _now()))

    def _say(self, problem: str) -> None:
        self.report.violations.append(f"seed {self.seed}: {problem}")


def _of_tasks(whole: checker.Ledger, known: set[str]) -> checker.Ledger:
    """Return what a ledger says of these tasks: guests and what is asked for have checks apart."""
    runs = [run for run in whole.runs if run.task_id in known]
    ids = {run.run_id for run in runs}
    return replace(
        whole,
        runs=runs,
        attempts=[attempt for attempt in whole.attempts if attempt.run_id in ids],
        skips=[skip for skip in whole.skips if skip.task_id in known],
        entries=[entry for entry in whole.entries or () if entry.task_id in known],
    )


def _now() -> int:
    return time.time_ns() // 1_000
