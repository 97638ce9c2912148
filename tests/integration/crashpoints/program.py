"""One life of a scheduler under test: the steps of a user's program, each acknowledged.

Responsible for: doing what an earlier life did not get acknowledged, and waiting for ends. A
program that is killed anywhere and started again must come to the same end.
"""

from __future__ import annotations

import collections
import contextlib
import importlib
import itertools
import os
import signal
import sqlite3
import threading
import time
import types
from collections.abc import Callable
from pathlib import Path

from task_scheduler import TaskScheduler
from task_scheduler.config import Config
from task_scheduler.core.events import AttemptStarted, Event, RunSettled
from task_scheduler.supervision import launcher_client
from tests.integration.crashpoints import census, launcher_program
from tests.integration.crashpoints.meeting import meet

PATIENCE_SECONDS = 20.0
"""Far above what anything here takes: a deadline for what never comes."""
FINAL = ("succeeded", "failed", "timed_out", "cancelled", "lost", "skipped")
_TOO_LATE = 75
_LOADED_LATE = (
    "ctypes",
    "encodings.ascii",
    "task_scheduler.foreground",
    "task_scheduler.monitoring",
    "task_scheduler.observe.metrics",
    "task_scheduler.observe.resources",
    "tests.integration.crashpoints.functions",
)


class TooLateError(Exception):
    """The machine was so slow that an instant had passed before its entry was added."""


class Program:
    """A scheduler on the ledger in `folder`, and what its earlier lives left."""

    def __init__(self, folder: Path, *, workers: int) -> None:
        self.folder = folder
        self._acks = folder / "acks"
        self._done = set(self._acks.read_text().split()) if self._acks.exists() else set()
        self._news = threading.Condition()
        self._settled = collections.Counter(_settled(folder / "scheduler.db"))
        self._launched: set[str] = set()
        _watch_every_thread()
        meet("scheduler.main")
        self._workers = workers
        self.scheduler = self.scheduler_on_it()
        self.scheduler.add_listener(self._hear)

    def scheduler_on_it(self) -> TaskScheduler:
        """Return a scheduler object on the ledger: another one is a client of the first."""
        return TaskScheduler(
            {},
            storage={"path": str(self.folder / "scheduler.db"), "retention_runs": 0},
            logging={"log_dir": str(self.folder / "logs"), "console": False},
            tasks={"max_retries": 0, "timeout": 60},
            max_workers=self._workers,
            log_level="WARNING",
        )

    def is_acknowledged(self, name: str) -> bool:
        """Whether an earlier life got a step acknowledged."""
        return name in self._done

    def step(self, name: str, call: Callable[[], object]) -> None:
        """Do what was not acknowledged yet, and write down that it is."""
        if name in self._done:
            return
        call()
        descriptor = os.open(self._acks, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.write(descriptor, f"{name}\n".encode())
        os.close(descriptor)

    def request(
        self, task_id: str, request_id: str, *, through: TaskScheduler | None = None
    ) -> int:
        """Have a task run, once however often this is asked for; return the run's id."""
        run_id = (through or self.scheduler).run_task(task_id, request_id=request_id)
        self.step(f"request:{request_id}", lambda: None)
        return run_id

    def wait(self, **counts: int) -> None:
        """Wait until so many runs of each task are over."""
        with self._news:
            is_over = self._news.wait_for(
                lambda: all(self._settled[task_id] >= count for task_id, count in counts.items()),
                PATIENCE_SECONDS,
            )
        if not is_over:
            raise TimeoutError(f"waited for {counts}, and there are {dict(self._settled)}")

    def wait_for_begin(self, task_id: str) -> None:
        """Wait until a task said that it began."""
        witness = self.folder / "witness"
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not (witness.exists() and f"begin {task_id} " in witness.read_text()):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{task_id} did not begin")
            time.sleep(0.005)

    def wait_launched(self, task_id: str) -> None:
        """Wait until the order of an attempt of a task was sent, at the least almost."""
        with self._news:
            if not self._news.wait_for(lambda: task_id in self._launched, PATIENCE_SECONDS):
                raise TimeoutError(f"{task_id} was not launched")

    def stop_launcher(self) -> None:
        """Have the launcher take no order any more."""
        for pid, name in census.living(self.folder).items():
            if name == "tsk-launcher":
                os.kill(pid, signal.SIGSTOP)

    def _hear(self, event: Event) -> None:
        with self._news:
            if isinstance(event, RunSettled):
                self._settled[event.task_id] += 1
            elif isinstance(event, AttemptStarted):
                self._launched.add(event.task_id)
            self._news.notify_all()


def preload() -> None:
    """Load what a life loads late: every life is forked, and need not do that again."""
    for name in _LOADED_LATE:
        importlib.import_module(name)
    Config.load({}, options={})


def live(tell: Callable[[Program], None], folder: Path, workers: int) -> int:
    """Be the process of one life; return its exit status."""
    # The launcher that waits for the harness is the real one in all else.
    stand_in = types.SimpleNamespace(__file__=launcher_program.__file__)
    launcher_client.program = stand_in  # type: ignore[attr-defined, assignment]
    try:
        tell(Program(folder, workers=workers))
    except TooLateError:
        return _TOO_LATE
    return 0


def stored(database: Path, query: str) -> list[tuple[object, ...]]:
    """Return the rows of a ledger, read without the scheduler's code; none where there is none."""
    if not database.exists():
        return []
    with contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        try:
            return connection.execute(query).fetchall()
        except sqlite3.OperationalError as error:
            # A death in the middle of its making: nothing is in it, and only a writer may tidy up.
            if "no such table" in str(error) or "readonly" in str(error):
                return []
            raise


def _settled(database: Path) -> dict[str, int]:
    states = ", ".join(f"'{state}'" for state in FINAL)
    query = f"SELECT task_id, count(*) FROM runs WHERE state IN ({states}) GROUP BY task_id"
    return {str(task_id): int(str(count)) for task_id, count in stored(database, query)}


def _watch_every_thread() -> None:
    """Have each thread of the scheduler wait, at its start, until it is traced."""
    run = threading.Thread.run
    numbers: dict[str, itertools.count[int]] = collections.defaultdict(lambda: itertools.count(1))

    def watched(thread: threading.Thread) -> None:
        name = thread.name.removeprefix("task-scheduler-")
        number = next(numbers[name])
        meet(f"scheduler.{name}" if number == 1 else f"scheduler.{name}-{number}")
        run(thread)

    threading.Thread.run = watched  # type: ignore[method-assign, assignment]
