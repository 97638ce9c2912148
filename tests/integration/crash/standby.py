"""Several equal processes on one ledger, the holder killed again and again.

Responsible for: who holds, how long the next one takes to take over, and that each of many one-off
functions runs once.
"""

from __future__ import annotations

import random
import time
import uuid
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from task_scheduler.control import HolderGoneError, ask
from tests import checker
from tests.checker.ledgers import unfinished_before
from tests.integration.crash import census, witness
from tests.integration.crash.lives import PATIENCE_SECONDS, Life

_PROCESSES = 4


@dataclass(slots=True)
class StandbyReport:
    """What came of it."""

    runs: int = 0
    starts: int = 0
    lost: int = 0
    kills_at_work: int = 0
    """Deaths of a holder that had functions to run still."""
    take_overs: list[float] = field(default_factory=list)
    """Seconds from the kill of a holder until another process says that it is the scheduler."""
    refusal: str = ""
    """What a process was told that offers a function which the holder lacks."""
    workers: int = 0
    """Processes in which functions ran."""
    violations: list[str] = field(default_factory=list)


class Standbys:
    """Four processes that add the same `count` functions, and `kills` deaths of the holder.

    The functions are due `apart` seconds after each other: while a process starts anew, others must
    still be to run.
    """

    def __init__(
        self, folder: Path, seed: str, *, count: int, kills: int, apart: float = 0.004
    ) -> None:
        self.folder, self.seed, self.count, self.kills = folder, seed, count, kills
        self._apart = apart
        self.report = StandbyReport()
        self._rng = random.Random(seed)
        self._mark = uuid.uuid4().hex
        self._witness = folder / "witness"
        self._socket = folder / "scheduler.sock"
        self._lives: dict[int, Life] = {}
        self._start_at = 0.0
        self._faults: list[checker.Fault] = []

    def run(self) -> StandbyReport:
        """Start, kill, let it come to its end, and check."""
        try:
            return self._run()
        finally:
            census.end_all(self._mark)

    def _run(self) -> StandbyReport:
        self._witness.mkdir(parents=True)
        # Adding takes its time, four times over; what is due before that is only late.
        self._start_at = float(int(time.time()) + 2 + 4 * self.count // 2_000)
        for _ in range(_PROCESSES):
            self._start_one()
        self._wait_for_standbys()
        span = self.count * self._apart / (self.kills + 1)
        for number in range(self.kills):
            self._sleep_until(self._start_at + span * (number + self._rng.uniform(0.6, 1.4)))
            self._wait_for_standbys()
            self._kill_holder()
        self._wait_for_the_end()
        self._be_refused()
        for life in self._lives.values():
            life.end()
        left = census.wait_until_gone(self._mark, PATIENCE_SECONDS)
        if left:
            self._say(f"processes that outlived everything: {left}")
        self._check()
        return self.report

    def _start_one(self, *more: str) -> Life:
        numbers = (self.count, self._apart, self._start_at)
        arguments = [str(self.folder), *map(str, numbers), *more]
        life = Life("standby_program", arguments, witness_folder=self._witness, mark=self._mark)
        self._lives[life.process.pid] = life
        return life

    def _wait_for_standbys(self) -> None:
        """Wait until every process is the scheduler or its standby."""
        for life in self._lives.values():
            if not life.wait_running(PATIENCE_SECONDS):
                raise RuntimeError(f"a process did not start: {life.end()}")

    def _sleep_until(self, moment: float) -> None:
        time.sleep(max(0.0, moment - time.time()))

    def _running_pid(self) -> int | None:
        """Return the process that is the scheduler now; None while there is none."""
        try:
            answer = ask(self._socket, "hello", timeout_seconds=5)
        except HolderGoneError:
            return None
        return int(answer["pid"]) if answer["state"] == "running" else None

    def _kill_holder(self) -> None:
        """Kill the scheduler, measure until there is another, and start one process anew."""
        if not census.wait_for(self._running_pid, PATIENCE_SECONDS):
            self._say(f"there is no scheduler after {PATIENCE_SECONDS:g} s")
            return
        pid = self._running_pid()
        life = self._lives.pop(pid or 0, None)
        if life is None:
            self._say(f"the scheduler is process {pid}, which is none of ours")
            return
        killed, began = time.monotonic(), time.time_ns() // 1_000
        life.end()
        self._faults.append(checker.Fault("kill", "scheduler", began, time.time_ns() // 1_000))
        self.report.kills_at_work += time.time() < self._start_at + self.count * self._apart
        if census.wait_for(self._running_pid, PATIENCE_SECONDS):
            self.report.take_overs.append(time.monotonic() - killed)
        else:
            self._say(f"nobody took over within {PATIENCE_SECONDS:g} s")
        self._start_one()

    def _wait_for_the_end(self) -> None:
        path = self.folder / "scheduler.db"
        moment = round((self._start_at + self.count) * 1_000_000)
        self._sleep_until(self._start_at + self.count * self._apart)
        if not census.wait_for(lambda: not unfinished_before(path, moment), 120):
            left = unfinished_before(path, moment)
            self._say(f"{len(left)} runs were not over in time, the first: {left[:3]}")

    def _be_refused(self) -> None:
        """Start a process with a function of its own, and keep what it is told."""
        life = self._start_one("extra")
        del self._lives[life.process.pid]
        _, errors = life.process.communicate(timeout=PATIENCE_SECONDS)
        self.report.refusal = f"{life.process.returncode}: {errors.decode()}"

    def _check(self) -> None:
        found = checker.read_ledger(self.folder / "scheduler.db")
        lines = [checker.Line(**line) for line in witness.read(self._witness)]
        names = [f"one-{number:05}" for number in range(self.count)]
        history = checker.History(
            tasks=[self._task(number, name) for number, name in enumerate(names)],
            ended_at=time.time_ns() // 1_000,
            ledger=found,
            lines=lines,
            faults=self._faults,
        )
        self.report.runs = len(found.runs)
        self.report.starts = sum(line.event == "begin" for line in lines)
        self.report.lost = sum(attempt.outcome == "lost" for attempt in found.attempts)
        self.report.workers = len({line.pid for line in lines})
        for violation in checker.violations(history):
            self._say(violation.show())
        counts = Counter(run.task_id for run in found.runs)
        for name in names:
            if counts[name] != 1:
                self._say(f"{name} has {counts[name]} runs")
        for run in found.runs:
            if run.state != "succeeded":
                self._say(f"{run.task_id} is {run.state}")
        if found.skips:
            self._say(f"{len(found.skips)} skips, the first {found.skips[0]}")

    def _task(self, number: int, name: str) -> checker.Task:
        at = round(self._start_at * checker.SECOND) + round(number * self._apart * checker.SECOND)
        before = round(self._start_at * checker.SECOND) - 1
        # How late they are beside three processes that start is told by nobody here.
        once = checker.Revision((checker.Once(at),), checker.Policies(), asked=before, acked=before)
        return checker.Task(name, "thread", (once,))

    def _say(self, problem: str) -> None:
        self.report.violations.append(f"seed {self.seed}: {problem}")
