"""What the keys of the live view ask for: run, pause, resume, retry, kill.

Responsible for: the question before, doing it to each of the tasks, and one sentence of what became
of it. Works through the facade, as the commands of the same names do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from task_scheduler.cli.failures import CliError
from task_scheduler.cli.holders import refuse_mute
from task_scheduler.cli.standing import is_failing
from task_scheduler.errors import TaskSchedulerError
from task_scheduler.i18n import translate

if TYPE_CHECKING:
    from task_scheduler.cli.session import Session

__all__ = ["Actions", "Deed", "Done"]

_Task = Mapping[str, Any]
_NAMED = 3


class Done(NamedTuple):
    """What became of a deed."""

    is_well: bool
    text: str


class Deed(NamedTuple):
    """Something that is done after it was asked for."""

    question: str
    do: Callable[[], Done]


class Actions:
    """Turn keys into deeds."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def planned(
        self, what: str, tasks: Sequence[_Task], last_of: Mapping[str, _Task]
    ) -> Deed | None:
        """Return the deed of a key for the tasks that are meant; None: there is nothing to do."""
        scheduler, deed = self._session.scheduler, _named_deed(what, tasks)
        calls: Mapping[str, Callable[[_Task], object]] = {
            "run": lambda task: scheduler.run_task(task["task_id"]),
            "pause": lambda task: scheduler.pause_task(task["task_id"]),
            "resume": lambda task: scheduler.resume_task(task["task_id"]),
            "retry": lambda task: scheduler.retry_run(last_of[task["task_id"]]["run_id"]),
            "kill": self._kill,
        }
        wanted = [task for task in tasks if _is_meant(deed, task, last_of.get(task["task_id"]))]
        if not wanted:
            return None
        question = translate(f"top.ask_{deed}", names=_names(wanted))
        return Deed(question, lambda: self._done(deed, wanted, calls[deed]))

    def _done(self, deed: str, tasks: Sequence[_Task], do: Callable[[_Task], object]) -> Done:
        """Do it to each task; one that refuses stops none of the others."""
        failures = []
        try:
            refuse_mute(self._session)
        except CliError as error:
            return Done(False, str(error))
        for task in tasks:
            try:
                do(task)
            except TaskSchedulerError as error:
                failures.append(f"{task['task_id']}: {error}")
        if failures:
            return Done(False, "\n".join(failures[:_NAMED]))
        return Done(True, translate(f"top.did_{deed}", names=_names(tasks)))

    def _kill(self, task: _Task) -> None:
        """End all living runs of a task."""
        view = self._session.view
        for run in view.runs(task["task_id"], state="running", limit=100):
            reason = translate("top.kill_reason")
            self._session.scheduler.cancel_run(run["run_id"], reason=reason)


def _named_deed(what: str, tasks: Sequence[_Task]) -> str:
    """Return what a key means here: of several tasks the first says whether to pause or go on."""
    is_paused = bool(tasks) and tasks[0]["paused_at"] is not None
    return "resume" if what == "pause" and is_paused else what


def _is_meant(deed: str, task: _Task, last: _Task | None) -> bool:
    """Whether there is anything to do of this task."""
    match deed:
        case "pause":
            return task["paused_at"] is None
        case "resume":
            return task["paused_at"] is not None
        case "retry":
            return is_failing(last)
        case "kill":
            return bool(task["running_count"])
    return True


def _names(tasks: Sequence[_Task]) -> str:
    names = ", ".join(task["task_id"] for task in tasks[:_NAMED])
    if len(tasks) <= _NAMED:
        return names
    return translate("top.and_more", names=names, count=len(tasks) - _NAMED)
