"""What the live view knows: read from the ledger and its holder, a little at a time.

Responsible for: one reading after the other, in a thread of its own; all tasks as often as that
costs little, those on the screen each time. What is shown is decided by the widgets.
"""

from __future__ import annotations

import heapq
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from task_scheduler.cli.backup_text import hold_problems
from task_scheduler.cli.failures import CliError
from task_scheduler.cli.holders import holder_of, started_at
from task_scheduler.cli.run_output import output_files
from task_scheduler.cli.standing import problem_of as problem_of_task
from task_scheduler.cli.verdict import verdict_of, verdict_sentence
from task_scheduler.core.model import SECOND
from task_scheduler.errors import RunNotFoundError, TaskSchedulerError
from task_scheduler.fault_board import problem_at, problem_of
from task_scheduler.ledger_view import iso

if TYPE_CHECKING:
    from task_scheduler.cli.session import Session

__all__ = ["Reader", "Reading", "Wish"]

_PAUSE = 10
"""Times as long as all tasks took to be read are they not read again."""
_MOST_RUNNING = 200
_MOST_WAITING = 1_000
_COMING = 12
_GRACE = 5 * SECOND
"""What is due begins within this, or it is late."""
_RECENT = 5


@dataclass(frozen=True, slots=True)
class Wish:
    """What the next reading is to look at besides."""

    visible: Sequence[str] = ()
    """The tasks on the screen."""
    task_id: str | None = None
    """The one whose output is followed."""
    is_whole: bool = False
    """Whether all tasks are wanted at once: something was just changed."""


@dataclass(frozen=True, slots=True)
class Reading:
    """How everything stood at one moment."""

    now: int
    late_before: str
    word: str
    """The verdict."""
    sentence: str
    holder: Mapping[str, Any] | None
    faults: Sequence[Mapping[str, Any]] = ()
    is_read: bool = True
    """Whether the ledger could be read."""
    counts: Mapping[str, int] = field(default_factory=dict)
    """``total_tasks``, ``running_tasks``, ``waiting`` and ``retrying``."""
    running: Sequence[Mapping[str, Any]] = ()
    usual: Mapping[str, float] = field(default_factory=dict)
    coming: Sequence[Mapping[str, Any]] = ()
    """The tasks that are due next."""
    causes: Sequence[tuple[str, Sequence[str]]] = ()
    """What is wrong with tasks, each with their ids: of one cause together."""
    tasks: Sequence[Mapping[str, Any]] = ()
    last_of: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    is_whole: bool = False
    """Whether these are all tasks, or only some that were read anew."""
    run: Mapping[str, Any] | None = None
    """The run whose output is followed."""
    files: Mapping[int, Path] = field(default_factory=dict)
    """Its files, by attempt."""


class Reader:
    """Reads; called by one thread at a time."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._clock = session.clock
        self._whole_at = 0
        self._problems: dict[str, str] = {}
        self._coming: list[str] = []
        self._tasks: dict[str, Mapping[str, Any]] = {}

    def read(self, wish: Wish) -> Reading:
        """Return how everything stands now; never raises what a ledger or a holder may do."""
        now = self._clock.now()
        holder, faults = self._holder()
        try:
            faults = [*faults, *hold_problems(self._session)]
            return self._read(wish, now, holder, faults)
        except TaskSchedulerError as error:
            found = [*faults, problem_at(error, now)]
            word = "unreadable" if holder is None else verdict_of(holder, None, 0, found)[0]
            sentence = verdict_sentence(word, holder, None, 0, found)
            late = str(iso(now - _GRACE))
            return Reading(now, late, word, sentence, holder, found, is_read=False)

    def _holder(self) -> tuple[dict[str, Any] | None, list[dict[str, Any]]]:
        """Return who runs the ledger; that this process holds it to write is nobody's business."""
        try:
            holder = holder_of(self._session)
        except CliError:
            return None, []
        if holder is None or holder["pid"] == os.getpid():
            return None, []
        return holder, [problem_of(plain) for plain in holder["problems"]]

    def _read(
        self,
        wish: Wish,
        now: int,
        holder: dict[str, Any] | None,
        faults: list[dict[str, Any]],
    ) -> Reading:
        view = self._session.view
        is_whole = wish.is_whole or self._clock.boottime() >= self._whole_at
        tasks, last_of = self._tasks_of(wish, is_whole=is_whole)
        if holder is not None:
            holder = {**holder, "started_at": started_at(self._session, holder)}
        running = view.runs(state="running", limit=_MOST_RUNNING)
        waiting = view.runs(state="waiting", limit=_MOST_WAITING)
        retrying = sum(run["waiting_for"] == "retry" for run in waiting)
        usual = view.usual_seconds(sorted({run["task_id"] for run in running})) if running else {}
        counts = {
            **view.counts(now),
            "waiting": len(waiting) - retrying,
            "retrying": retrying,
        }
        word, _ = verdict_of(holder, counts["total_tasks"], len(self._problems), faults)
        problems = len(self._problems)
        run, files = self._followed(wish.task_id)
        return Reading(
            now,
            str(iso(now - _GRACE)),
            word,
            verdict_sentence(word, holder, counts["total_tasks"], problems, faults),
            holder,
            faults,
            counts=counts,
            running=sorted(running, key=lambda run: run["run_id"]),
            usual=usual,
            coming=[self._tasks[task_id] for task_id in self._coming if task_id in self._tasks],
            causes=self._causes(),
            tasks=tasks,
            last_of=last_of,
            is_whole=is_whole,
            run=run,
            files=files,
        )

    def _tasks_of(
        self, wish: Wish, *, is_whole: bool
    ) -> tuple[list[dict[str, Any]], dict[str, dict[str, Any]]]:
        """Return all tasks, or those that may have changed on the screen, with their last runs."""
        view, began = self._session.view, self._clock.boottime()
        wanted = None if is_whole else sorted({*wish.visible, *self._coming})
        tasks = view.tasks(wanted, with_quantiles=False)
        last_of = view.last_runs([task["task_id"] for task in tasks])
        if is_whole:
            self._tasks, self._problems = {}, {}
        for task in tasks:
            task_id = task["task_id"]
            self._tasks[task_id] = task
            problem = problem_of_task(task, last_of.get(task_id))
            self._problems.pop(task_id, None)
            if problem:
                self._problems[task_id] = problem
        if is_whole:
            due = [
                (task["next_run_time"], task["task_id"])
                for task in tasks
                if task["next_run_time"] is not None and task["status"] in ("idle", "running")
            ]
            # Text of one zone: its order is that of the moments.
            self._coming = [task_id for _, task_id in heapq.nsmallest(_COMING, due)]
            took = self._clock.boottime() - began
            self._whole_at = self._clock.boottime() + took * _PAUSE
        return tasks, last_of

    def _causes(self) -> list[tuple[str, list[str]]]:
        """Return what is wrong with tasks: those of one cause together, the most first."""
        causes: dict[str, list[str]] = {}
        for task_id in sorted(self._problems):
            causes.setdefault(self._problems[task_id].strip().rpartition("\n")[2], []).append(
                task_id
            )
        return sorted(causes.items(), key=lambda cause: -len(cause[1]))

    def _followed(self, task_id: str | None) -> tuple[dict[str, Any] | None, dict[int, Path]]:
        """Return the newest run of a task that began, and the files of its output."""
        if task_id is None:
            return None, {}
        runs = self._session.view.runs(task_id, limit=_RECENT)
        begun = next((run for run in runs if run["attempt"] or run["started_at"]), None)
        if begun is None:
            return None, {}
        try:
            run = self._session.view.run(begun["run_id"])
        except RunNotFoundError:  # retention took it in this moment
            return None, {}
        return run, output_files(run, self._session.scheduler.files.runs)
