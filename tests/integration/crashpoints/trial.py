"""One trial: a life that dies at one point, the lives after it, and what is wrong then.

Responsible for: processes, deadlines and evidence. The caller's process forks the lives, so it has
everything loaded and only one thread.
"""

from __future__ import annotations

import os
import select
import shutil
import signal
import socket
import sqlite3
import sys
import time
import traceback
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.integration.crashpoints import census, meeting, tracing, verdict
from tests.integration.crashpoints.points import Point
from tests.integration.crashpoints.program import PATIENCE_SECONDS, Program, live
from tests.integration.crashpoints.scenarios import LEAD_VARIABLE, Scenario
from tests.integration.crashpoints.tracing import HarnessError, Kill, Tracer

_DEADLINE_SECONDS = 2 * PATIENCE_SECONDS
_GONE_SECONDS = 10.0
_TOO_LATE = 75
_LEADS_MS = (300, 1_500, 6_000)
_NEXT_LEAD_MS = 2_500
"""A next life may wait a moment for an heir of the dead one before it adds anything."""
_TRIES = 12
_STAGE_WORKERS = 6


@dataclass(slots=True)
class Result:
    """What came of a trial."""

    is_covered: bool
    """Whether the death came at the point, on its side."""
    violations: list[str] = field(default_factory=list)
    seconds: float = 0.0


class Life:
    """A forked process that tells one scenario, and the tracers of its threads."""

    def __init__(
        self,
        tell: Callable[[Program], None],
        folder: Path,
        *,
        wanted: str | None,
        kill: Kill | None = None,
        workers: int = 1,
    ) -> None:
        self._folder = folder
        self._kill = kill
        self._wanted = wanted
        self._tracers: dict[str, Tracer] = {}
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        address = f"crashpoints-{uuid.uuid4().hex}"
        self._listener.bind("\0" + address)
        self._listener.listen(16)
        self.pid = os.fork()
        if self.pid == 0:
            self._listener.close()
            _become(lambda: live(tell, folder, workers), folder, wanted, address)

    def run(self) -> int | None:
        """Let it come to its end, and trace whom it wants traced; None where it never ends."""
        deadline = time.monotonic() + _DEADLINE_SECONDS
        status = None
        try:
            while status is None and time.monotonic() < deadline:
                if select.select([self._listener], [], [], 0.004)[0]:
                    self._meet()
                pid, waited = os.waitpid(self.pid, os.WNOHANG)
                if pid:
                    status = os.waitstatus_to_exitcode(waited)
        finally:
            if status is None:
                self.kill()
            self._listener.close()
            for tracer in self._tracers.values():
                tracer.end()
        return status

    def kill(self) -> None:
        """End it as a crash does."""
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        self._listener.close()

    def _meet(self) -> None:
        connection, _ = self._listener.accept()
        with connection:
            actor, _, thread = connection.recv(200).decode().strip().partition(" ")
            # Who comes again under the same name is another process, in the place of a dead one.
            if actor not in self._tracers:
                log = log_of(self._folder, actor)
                self._tracers[actor] = Tracer(int(thread), log, self._kill)
            connection.sendall(b"!")


def log_of(folder: Path, actor: str) -> Path:
    """Return where the calls of an actor are logged."""
    return folder / "traces" / f"{actor}.log"


def count(scenario: Scenario, folder: Path) -> dict[str, list[tracing.Call]]:
    """Trace every thread of an undisturbed life; return its calls. Raises where it goes wrong."""
    for lead in _LEADS_MS:
        _fresh(scenario, folder, lead)
        status = Life(scenario.tell, folder, wanted="*").run()
        if status != _TOO_LATE:
            break
    found = [] if status == 0 else [f"the life ended with {status}: {_errors(folder)}"]
    found += _at_the_end(scenario, folder, lost={})
    if found:
        raise HarnessError("an undisturbed life goes wrong: " + "\n".join(found))
    logs = {path.stem: tracing.calls(path) for path in (folder / "traces").glob("*.log")}
    return {actor: log for actor, log in logs.items() if scenario.is_traced(actor)}


def attempt(scenario: Scenario, folder: Path, point: Point) -> Result:
    """Try a point, again where the machine was too slow or the call did not come."""
    began = time.monotonic()
    leads = list(_LEADS_MS)
    result = Result(is_covered=False)
    for _ in range(_TRIES):
        try:
            _fresh(scenario, folder, leads[0])
            status = Life(scenario.tell, folder, wanted=point.actor, kill=point.kill).run()
        except HarnessError as error:
            result = Result(is_covered=False, violations=[str(error)])
            continue
        judged = None if status == _TOO_LATE else _judge(scenario, folder, point, status)
        if judged is None:
            leads = leads[1:] or leads
            continue
        result = judged
        if result.is_covered or result.violations:
            break
    result.seconds = time.monotonic() - began
    return result


def _judge(scenario: Scenario, folder: Path, point: Point, status: int | None) -> Result | None:
    """See that it died where it should, let the next life go on, and check everything.

    Returns None where the machine was too slow for that.
    """
    log = log_of(folder, point.actor)
    died_by = tracing.killed_by(log)
    is_covered = point.kill.is_witnessed(log)
    found: list[str] = []
    if died_by is not None:
        found += verdict.broken_promises(scenario, folder)
    if status != 0 and point.role != "scheduler":
        found.append(f"the scheduler did not outlive it: {status}, {_errors(folder)}")
    os.environ[LEAD_VARIABLE] = str(max(_NEXT_LEAD_MS, int(os.environ[LEAD_VARIABLE])))
    # Also where the scheduler lived on: what was lost while it stopped waits for the next life.
    status = Life(scenario.tell, folder, wanted=None).run()
    if status == _TOO_LATE and not found:
        return None
    if status != 0:
        found.append(f"the last life ended with {status}: {_errors(folder)}")
    found += _at_the_end(scenario, folder, lost=_excused(point) if died_by else {})
    return Result(is_covered, found)


def _excused(point: Point) -> dict[str, int]:
    """Return which losses the death of this process explains."""
    if point.role == "scheduler":
        return {"*": 1}
    if point.role == "supervisor":
        return {point.actor.split(".")[1]: 1}
    return {}


def _at_the_end(scenario: Scenario, folder: Path, *, lost: dict[str, int]) -> list[str]:
    left = census.wait_until_gone(folder, _GONE_SECONDS)
    found = [f"these processes outlived everything: {left}"] if left else []
    if not (folder / "scheduler.db").exists():
        return [*found, "there is no ledger"]
    try:
        evidence = verdict.read(folder)
    except sqlite3.Error as error:
        return [*found, f"the ledger cannot be read: {error}"]
    return [*found, *verdict.violations(scenario, evidence, lost=lost)]


def _fresh(scenario: Scenario, folder: Path, lead: int) -> None:
    """Make the folder of a trial as if there had been none before."""
    census.end_all(folder)
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "traces").mkdir(parents=True)
    os.environ[LEAD_VARIABLE] = str(lead)
    scenario.prepare(folder)
    if scenario.stage is None:
        return
    life = Life(scenario.stage, folder, wanted=None, workers=_STAGE_WORKERS)
    is_staged = census.wait_for((folder / "staged").exists, PATIENCE_SECONDS)
    life.kill()
    if not is_staged:
        raise HarnessError(f"what was to be recovered did not come about: {_errors(folder)}")
    scenario.bring_down(folder)


def _become(call: Callable[[], int], folder: Path, wanted: str | None, address: str) -> None:
    """Be the process of a life; never return."""
    status = 70
    try:
        with (folder / "life.log").open("ab", buffering=0) as log:
            os.dup2(log.fileno(), 1)
            os.dup2(log.fileno(), 2)
        os.environ["CRASHPOINTS_FOLDER"] = str(folder)
        os.environ[meeting.SOCKET_VARIABLE] = address
        os.environ.pop(meeting.WANTED_VARIABLE, None)
        if wanted is not None:
            os.environ[meeting.WANTED_VARIABLE] = wanted
        status = call()
    except BaseException:
        traceback.print_exc(file=sys.stderr)
        sys.stderr.flush()
        raise
    finally:
        # Nothing may ever return from here into a second harness.
        os._exit(status)


def _errors(folder: Path) -> str:
    path = folder / "life.log"
    return path.read_text()[-2_000:] if path.exists() else ""
