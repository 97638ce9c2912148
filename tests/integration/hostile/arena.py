"""One scheduler with its witnesses, alone or beside a hostile task, and what came of each of them.

Responsible for: the folder, the program and its end, and the account of every witness, read from
the ledger and from the files alone, by code that the scheduler has no part in.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import pwd
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.integration.hostile.witnesses import PRINTED_LINES, WITNESSES, Witness

ROOT = Path(__file__).parents[3]
SPAN_SECONDS = 1.0
PATIENCE_SECONDS = 60.0
"""Far above what anything here takes: a deadline for what never comes."""
_RUNNING = re.compile(r"^running ([0-9]+)$", re.MULTILINE)
_IN_MEMORY = frozenset({"function"})
"""Kinds that print into the scheduler's log instead of an output of their own."""


@dataclass(frozen=True, slots=True)
class Hostile:
    """A hostile task, and by what it is known that it really did what it is there for."""

    attack: str
    options: Mapping[str, Any] = field(default_factory=dict)
    outcome: str = "succeeded"
    """Of each of its attempts that ended within the test."""
    shows: str = ""
    """What one of its attempts printed, or its error says."""
    args: Sequence[str] = ()
    is_disk_own: bool = False
    """Whether its working folder is a small disk."""
    has_doors: bool = False
    """Whether everybody can reach the control socket."""


@dataclass(frozen=True, slots=True)
class Account:
    """What came of one witness."""

    moments: list[int]
    """The moments that have a run, in microseconds since the begin."""
    states: list[str]
    attempts: list[list[str]]
    """The outcomes of the attempts of each run."""
    skip_count: int
    is_each_line_there_once: bool
    are_outputs_whole: bool


def idle_accounts() -> tuple[int, int]:
    """Return two users of this machine, and no ordinary ones, that have no process.

    What is done to all processes of such a user meets those of the test alone.
    """
    busy = set()
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError):
                busy.add(folder.stat().st_uid)
    idle = [user.pw_uid for user in pwd.getpwall() if 0 < user.pw_uid < 1_000]
    first, second, *_ = [uid for uid in idle if uid not in busy]
    return first, second


@functools.cache
def python_of_everybody() -> str:
    """Return a Python that others may start too: the one that runs the tests can be in a home."""
    for path in (sys.executable, "/usr/bin/python3", "/usr/local/bin/python3"):
        with contextlib.suppress(OSError):
            if subprocess.run([path, "-c", ""], user="nobody", check=False).returncode == 0:
                return path
    raise AssertionError("no Python here that every user may start: install python3")


def expected(witness: Witness) -> Account:
    """Return what arithmetic says of a witness that nobody disturbs."""
    moments = witness.moments(SPAN_SECONDS)
    count = len(moments)
    return Account(moments, ["succeeded"] * count, [["succeeded"]] * count, 0, True, True)


class Arena:
    """A folder that every user may enter, so that nothing but our own modes keeps anybody out."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="task-scheduler-hostile-"))
        self.folder.chmod(0o755)
        self.state = self.folder / "state"
        self.junk = self.folder / "junk"
        self.junk.mkdir()
        self.junk.chmod(0o1777)
        (self.folder / "witness").mkdir()
        self._mounted: Path | None = None
        self._start_at = 0
        self._process: subprocess.Popen[str] | None = None

    def mount_small_disk(self) -> None:
        """Make the folder for junk a disk of its own."""
        self._mount(self.junk, "size=1m,mode=1777")

    def share_small_disk(self) -> None:
        """Make one small disk of the ledger's folder and the hostile task's."""
        self.state.mkdir(mode=0o700)
        self._mount(self.state, "size=4m,mode=700")
        self.junk = self.state / "junk"
        self.junk.mkdir()

    def open_doors(self) -> None:
        """Let everybody reach the control socket, as its file modes do not."""
        self.state.chmod(0o711)
        (self.state / "scheduler.sock").chmod(0o666)

    def begin(self, hostile: Hostile | None) -> None:
        """Start the scheduler; the first moment is soon."""
        order: dict[str, Any] = {"span": SPAN_SECONDS, "hostile": None, "is_restart": False}
        if hostile is not None:
            options = {
                # One that ends by itself may take as long as a busy machine makes it.
                "timeout": 1.0 if hostile.outcome == "timed_out" else PATIENCE_SECONDS / 2,
                "kill_grace_seconds": 0.1,
                "working_dir": str(self.junk),
                **hostile.options,
            }
            if "user" in options:
                options["interpreter"] = python_of_everybody()
            args = [hostile.attack, str(self.state), *hostile.args]
            order["hostile"] = {"args": args, "options": options}
        self._start(order)
        self.until("the scheduler runs", lambda: _RUNNING.search(self.said()))
        found = _RUNNING.search(self.said())
        assert found is not None
        self._start_at = int(found[1])

    def begin_again(self) -> None:
        """Start another scheduler on the same ledger, without the hostile task."""
        self._start({"is_restart": True})
        self.until("the next scheduler runs", lambda: "running again" in self.said())

    def said(self) -> str:
        """Return what the program printed so far."""
        return (self.folder / "program.out").read_text()

    def until(self, what: str, condition: Callable[[], Any]) -> None:
        """Wait until a condition holds; fails where the program ends, or it never comes."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not condition():
            assert self.is_running(), f"the scheduler ended before {what}:\n{self.said()}"
            assert time.monotonic() < deadline, f"{what}: not within {PATIENCE_SECONDS:g} s"
            time.sleep(0.02)

    def log(self) -> str:
        """Return what the scheduler logged."""
        return (self.folder / "logs" / "scheduler.log").read_text()

    def is_running(self) -> bool:
        """Whether the scheduler lives."""
        return self._process is not None and self._process.poll() is None

    def await_witnesses(self) -> None:
        """Wait until each run that arithmetic promises has ended."""
        count = sum(len(witness.moments(SPAN_SECONDS)) for witness in WITNESSES)
        query = (
            "SELECT count(*) FROM runs WHERE task_id <> 'hostile'"
            " AND state NOT IN ('waiting', 'running')"
        )
        last = self._start_at + round(SPAN_SECONDS * 1_000_000)
        self.until(
            "every witness has run",
            lambda: time.time_ns() // 1_000 > last and self._rows(query)[0][0] >= count,
        )

    def await_attack(self) -> None:
        """Wait until an attempt of the hostile task has ended."""
        query = "SELECT count(*) FROM attempts JOIN runs USING (run_id) WHERE task_id = 'hostile'"
        self.until("the attack has ended", lambda: self._rows(query)[0][0])

    def end(self) -> None:
        """Stop the scheduler in order."""
        process = self._process
        assert process is not None
        if process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                process.stdin.close()
        code = process.wait(PATIENCE_SECONDS)
        assert code == 0, self.said()

    def died(self) -> int:
        """Wait until somebody has killed the scheduler; return how it ended."""
        assert self._process is not None
        code = self._process.wait(PATIENCE_SECONDS)
        assert self._process.stdin is not None
        self._process.stdin.close()
        return code

    def accounts(self) -> dict[str, Account]:
        """Return what came of every witness."""
        return {witness.task_id: self._account(witness) for witness in WITNESSES}

    def attacks(self) -> list[tuple[str, str]]:
        """Return outcome, and error and output, of each attempt of the hostile task."""
        rows = self._rows(
            "SELECT a.outcome, a.error, a.output_path FROM attempts a JOIN runs USING (run_id)"
            " WHERE task_id = 'hostile' ORDER BY run_id, a.attempt"
        )
        return [(outcome, f"{error}\n{_content(path)[:10_000]}") for outcome, error, path in rows]

    def errors(self) -> list[str]:
        """Return why witnesses did not succeed."""
        query = "SELECT error FROM runs WHERE task_id <> 'hostile' AND state <> 'succeeded'"
        return [str(error) for (error,) in self._rows(query)]

    def double_lines(self, task_id: str) -> list[str]:
        """Return the runs of a witness that left more than one line."""
        keys = Counter(line.split()[0] for line in self._lines(task_id))
        return [key for key, count in keys.items() if count > 1]

    def close(self) -> None:
        """End what is left and remove the folder."""
        process = self._process
        if process is not None and process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        if process is not None and process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                process.stdin.close()
        for pid in self._left():
            # A launcher that was stopped before its scheduler was killed: nobody wakes it.
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if self._mounted is not None:
            subprocess.run(["umount", "--lazy", str(self._mounted)], check=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _left(self) -> list[int]:
        """Return the processes whose command names this arena's folder."""
        name = os.fsencode(self.folder)
        return [
            int(path.parent.name)
            for path in Path("/proc").glob("[0-9]*/cmdline")
            if name in _command(path)
        ]

    def _mount(self, folder: Path, options: str) -> None:
        command = ["mount", "-t", "tmpfs", "-o", options, "none", str(folder)]
        subprocess.run(command, check=True)
        self._mounted = folder

    def _start(self, order: Mapping[str, Any]) -> None:
        # To a file: a pipe that nobody empties would be one more thing to go wrong.
        with (self.folder / "program.out").open("ab") as output:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "tests.integration.hostile.program"),
                    *(str(self.folder), json.dumps(order)),
                ],
                cwd=ROOT,
                env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"},
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                text=True,
                start_new_session=True,
            )

    def _account(self, witness: Witness) -> Account:
        runs = self._rows(
            "SELECT run_id, key, state, scheduled_at FROM runs WHERE task_id = ?"
            " ORDER BY scheduled_at",
            witness.task_id,
        )
        skips = self._rows("SELECT count(*) FROM skips WHERE task_id = ?", witness.task_id)
        query = "SELECT outcome, output_path FROM attempts WHERE run_id = ? ORDER BY attempt, token"
        attempts = [self._rows(query, run_id) for run_id, *_ in runs]
        lines = self._lines(witness.task_id)
        return Account(
            moments=[at - self._start_at for *_, at in runs],
            states=[state for _, _, state, _ in runs],
            attempts=[[outcome for outcome, _ in rows] for rows in attempts],
            skip_count=skips[0][0],
            is_each_line_there_once=sorted(lines) == sorted(f"{key} 1" for _, key, *_ in runs),
            are_outputs_whole=witness.kind in _IN_MEMORY
            or all(
                _content(output) == f"{key}\n" * PRINTED_LINES
                for (_, key, *_), rows in zip(runs, attempts, strict=True)
                for _, output in rows
            ),
        )

    def _lines(self, task_id: str) -> list[str]:
        path = self.folder / "witness" / task_id
        return path.read_text().splitlines() if path.exists() else []

    def _rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        path = self.state / "scheduler.db"
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as ledger:
            return ledger.execute(query, values).fetchall()


def _content(path: str | None) -> str:
    if path is None or not Path(path).exists():
        return ""
    return Path(path).read_text(errors="replace")


def _command(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        # It ended meanwhile.
        return b""
