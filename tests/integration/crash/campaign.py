"""One campaign: the workload on one ledger, its processes killed again and again.

Responsible for: lives and deaths of the scheduler's process at instants that a seed determines, the
calm at the end, and the evidence. What is wrong in it is the checker's to say.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import time
import uuid
from collections import Counter
from dataclasses import dataclass, field, fields
from pathlib import Path

from tests import checker
from tests.checker.ledgers import unfinished_before
from tests.integration.crash import census, witness
from tests.integration.crash.expected import task_of
from tests.integration.crash.lives import PATIENCE_SECONDS, Life
from tests.integration.crash.moments import Death, Looks, windows
from tests.integration.crash.template import ForkedLife, Template
from tests.integration.crash.workload import WORKLOAD

_CALM_SECONDS = 3.5
_BACKLOG_SECONDS = 600.0
"""What `run_all` has piled up on a busy machine is worked off by then."""
_FORKED_SHARE = 0.75
"""Of the lives that are killed; the others pay for their `exec`, and are measured."""
_OVERDUE_US = 3_000_000
"""A run that was due so long ago is over in a calm campaign: nothing takes more than 2 s."""
_STOP_SECONDS = 15.0
"""An orderly stop waits for attempts of at most 2 s."""
_OLD_SECONDS = 2 * 86_400
_LEADS = (2, 5, 15, 60)
"""Seconds from a ledger's making to the first instant, one try after the other."""
_LIMITS = checker.Limits(lag=_OVERDUE_US, late=60 * checker.SECOND, heal=60 * checker.SECOND)
"""How punctual it is depends on what else the machine does, and is measured by the benchmarks:
here a minute late is wrong."""
_VICTIMS = {"launcher": "tsk-launcher", "supervisor": "tsk-supervisor"}


@dataclass(slots=True)
class Report:
    """What came of one campaign or of several together."""

    kills: int = 0
    occurrences: int = 0
    starts: int = 0
    retries: int = 0
    lost: int = 0
    lost_processes: int = 0
    again: int = 0
    """Begins of an occurrence of which an attempt was lost before: the loss is recorded."""
    adopted: int = 0
    """Attempts of programs that outlived the scheduler and were settled as what they were."""
    recoveries: list[float] = field(default_factory=list)
    """Seconds from the `exec` of a process to its first tick as the scheduler."""
    forked: list[float] = field(default_factory=list)
    """The same of those that were forked from a process with everything imported."""
    moments: Counter[str] = field(default_factory=Counter)
    """How many kills fell into which part of a life."""
    windows: Counter[str] = field(default_factory=Counter)
    """How many of the kills after which somebody looked left an attempt in which step."""
    violations: list[str] = field(default_factory=list)

    def add(self, other: Report) -> None:
        """Take another campaign's figures in."""
        for one in fields(Report):
            setattr(self, one.name, getattr(self, one.name) + getattr(other, one.name))


class Campaign:
    """`kills` deaths on one ledger; the same seed draws the same instants."""

    def __init__(self, folder: Path, seed: str, kills: int) -> None:
        self.folder, self.seed, self.kills = folder, seed, kills
        self.report = Report()
        self._mark = uuid.uuid4().hex
        self._faults: list[checker.Fault] = []
        self._deaths: list[Death] = []
        self._looks = Looks()
        self._added_at = 0
        self._down_since: int | None = None
        self._starting_since: int | None = None
        self._witness = folder / "witness"
        self._start_at = 0
        self._template: Template | None = None
        self._life_now: Life | ForkedLife | None = None

    def run(self, victims: tuple[str, ...] = ("scheduler",)) -> Report:
        """Kill, come to rest, and check; `victims`: scheduler, launcher, supervisor, tree."""
        try:
            return self._run(victims)
        finally:
            self._clear_up()

    def _run(self, victims: tuple[str, ...]) -> Report:
        self._witness.mkdir(parents=True)
        (self.folder / "old").mkdir()
        self._add_workload()
        self._template = Template(self._witness)
        life = None
        for number in range(self.kills):
            rng = random.Random(f"{self.seed}/{number}")
            victim = victims[number % len(victims)]
            if victim in ("scheduler", "tree"):
                if life is not None:
                    self._end(life, "scheduler")
                self._live(rng, victim)
                life = None
            else:
                life = life or self._started_life(rng)
                self._kill_one(victim, rng)
            self.report.kills += 1
        self._check(self._come_to_rest(life))
        return self.report

    # -- lives ----------------------------------------------------------------------------------

    def _clear_up(self) -> None:
        """End all that was started, however it came to this."""
        if self._template is not None:
            self._template.end()
        if isinstance(self._life_now, ForkedLife) and census.is_alive(self._life_now.pid):
            self._life_now.end()
        census.end_all(self._mark)

    def _life(self, when: str, *, is_forked: bool = False) -> Life | ForkedLife:
        arguments = [str(self.folder), str(self._start_at), when]
        if self._down_since is not None:
            down = checker.Fault("down", "scheduler", self._down_since, _now())
            self._faults.append(down)
            self._down_since = None
        self._starting_since = _now()
        if is_forked:
            assert self._template is not None
            self._life_now = self._template.life(arguments, self._mark)
        else:
            self._life_now = Life(
                "program", arguments, witness_folder=self._witness, mark=self._mark
            )
        return self._life_now

    def _add_workload(self) -> None:
        """Make the ledger before the first instant comes; on a busy machine that takes its time."""
        for lead in _LEADS:
            self._start_at = (time.time_ns() // 1_000_000_000 + lead) * 1_000_000
            life = self._life("only")
            assert isinstance(life, Life)
            _, errors = life.process.communicate(timeout=PATIENCE_SECONDS)
            if life.process.returncode:
                raise RuntimeError(f"the workload was not added: {errors.decode()}")
            self._added_at = _now()
            if self._added_at < self._start_at:
                # A death before the first instant would show nothing.
                time.sleep((self._start_at - _now()) / checker.SECOND)
                return
            for path in self.folder.glob("scheduler.*"):
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        raise RuntimeError(f"the workload was not added within {lead} s")

    def _started_life(self, rng: random.Random, *, is_forked: bool = False) -> Life | ForkedLife:
        life = self._life(rng.choice(("before", "after")), is_forked=is_forked)
        if life.wait_running(PATIENCE_SECONDS):
            self._note_start()
            recoveries = self.report.forked if is_forked else self.report.recoveries
            recoveries.append(time.monotonic() - life.began)
        else:
            self._say(f"a life did not run within {PATIENCE_SECONDS:g} s: {life.end()}")
        return life

    def _live(self, rng: random.Random, victim: str) -> None:
        """Start the program, and kill it at an instant of its start, its recovery or its work."""
        self._age_a_file()
        moment = rng.choices(("start", "recovery", "work"), (25, 25, 50))[0]
        self.report.moments[moment] += 1
        is_forked = rng.random() < _FORKED_SHARE
        if moment == "start":
            life = self._life(rng.choice(("before", "after")), is_forked=is_forked)
            life.wait_running(rng.uniform(0.0, 0.2 if is_forked else 0.5))
        else:
            life = self._started_life(rng, is_forked=is_forked)
            time.sleep(rng.uniform(0.0, 0.15) if moment == "recovery" else rng.uniform(0.15, 0.8))
        has_ended = life.has_ended()
        errors = self._end(life, victim)
        # Every second look at most: a reader opens the log that the next life would find untouched.
        is_looked_at = rng.random() < 0.5
        path = self.folder / "scheduler.db"
        died_at = self._faults[-1].began
        tokens = self._looks.look(path, _now()) if is_looked_at else None
        self._deaths.append(Death(died_at, moment, tokens))
        if has_ended:
            self._say(f"a life ended by itself: {errors}")

    def _end(self, life: Life | ForkedLife, victim: str) -> str:
        """Kill the scheduler, or with it all that it started, and note when."""
        began = _now()
        self._note_start()
        if victim == "tree":
            census.end_at_once(self._mark, life.pid)
        errors = life.end()
        if victim == "tree":
            left = census.wait_until_gone(self._mark, PATIENCE_SECONDS)
            if left:
                self._say(f"of a tree that was killed at once there lives on: {left}")
        self._down_since = _now()
        self._faults.append(checker.Fault("kill", victim, began, self._down_since))
        return errors

    def _note_start(self) -> None:
        """Note that a life has come to run, or died on the way there."""
        if self._starting_since is not None:
            since, self._starting_since = self._starting_since, None
            self._faults.append(checker.Fault("starting", "scheduler", since, _now()))

    def _kill_one(self, victim: str, rng: random.Random) -> None:
        """Kill the launcher or a supervisor; the tree of a supervisor must go soon after it."""
        self.report.moments[victim] += 1
        pids: list[int] = []
        census.wait_for(
            lambda: pids.extend(census.pids_of(self._mark, _VICTIMS[victim])) or pids,
            PATIENCE_SECONDS,
        )
        if not pids:
            self._say(f"there is no {victim} after {PATIENCE_SECONDS:g} s")
            return
        pid = rng.choice(pids)
        tree = census.tree_of(pid) if victim == "supervisor" else [pid]
        began = _now()
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            return
        if not census.wait_for(lambda: not any(map(census.is_alive, tree)), PATIENCE_SECONDS):
            self._say(f"of the tree of the killed {victim} {pid} there lives on: {tree}")
        self._faults.append(checker.Fault("kill", victim, began, _now()))
        time.sleep(rng.uniform(0.0, 0.5))

    def _age_a_file(self) -> None:
        """Give the cleanup something to do: a log file that is old enough."""
        path = self.folder / "old" / f"{self.report.kills}.log"
        path.touch()
        moment = time.time() - _OLD_SECONDS
        os.utime(path, (moment, moment))

    # -- the end --------------------------------------------------------------------------------

    def _come_to_rest(self, life: Life | ForkedLife | None) -> int:
        """Let a last life catch up, end it as a user would, and return when it was told to."""
        self._age_a_file()
        life = life or self._started_life(random.Random(self.seed))
        unfinished: list[tuple[str, str, str]] = []
        calm_from = time.monotonic() + _CALM_SECONDS

        def is_calm() -> bool:
            path = self.folder / "scheduler.db"
            unfinished[:] = unfinished_before(path, _now() - _OVERDUE_US)
            is_clean = not any((self.folder / "old").iterdir())
            return not unfinished and is_clean and time.monotonic() >= calm_from

        if not census.wait_for(is_calm, _BACKLOG_SECONDS):
            self._say(f"stuck, or not cleaned, after {_BACKLOG_SECONDS:g} s: {unfinished[:20]}")
        stopped_at = _now()
        try:
            errors = life.end(signal.SIGTERM, _STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._say(f"it did not stop within {_STOP_SECONDS:g} s")
        else:
            if errors:
                self._say(f"the last life wrote errors: {errors}")
        left = census.wait_until_gone(self._mark, PATIENCE_SECONDS)
        if left:
            self._say(f"processes that outlived everything: {left}")
        return stopped_at

    def _check(self, stopped_at: int) -> None:
        history = checker.History(
            tasks=[task_of(planned, self._start_at, self._added_at) for planned in WORKLOAD],
            ended_at=stopped_at,
            ledger=checker.read_ledger(self.folder / "scheduler.db"),
            lines=[checker.Line(**line) for line in witness.read(self._witness)],
            faults=self._faults,
            sightings=self._looks.sightings,
            counts=self._looks.counts,
            limits=_LIMITS,
        )
        (self.folder / "history.json").write_text(json.dumps(checker.to_plain(history)))
        found, report = checker.figures(history), self.report
        for one in fields(checker.Figures):
            setattr(report, one.name, getattr(found, one.name))
        report.windows = windows(self._deaths, history.lines)
        for violation in checker.violations(history):
            self._say(violation.show())

    def _say(self, problem: str) -> None:
        self.report.violations.append(f"seed {self.seed}: {problem}")


def _now() -> int:
    return time.time_ns() // 1_000
