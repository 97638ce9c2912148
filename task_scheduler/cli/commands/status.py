"""`tsk status`: is all well? One sentence first, then the figures behind it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from task_scheduler.cli.backup_text import hold_problems
from task_scheduler.cli.command import command as cli_command
from task_scheduler.cli.display_width import showable
from task_scheduler.cli.exit_codes import ExitCode, code_of
from task_scheduler.cli.holders import holder_of, say_declared, started_at
from task_scheduler.cli.moments import NOTHING, Moments, duration_text
from task_scheduler.cli.run_output import has_output
from task_scheduler.cli.session import Session
from task_scheduler.cli.standing import mark_of
from task_scheduler.cli.standing import problem_of as problem_of_task
from task_scheduler.cli.tables import Cell, Column, Row
from task_scheduler.cli.verdict import soonest, verdict_of, verdict_sentence
from task_scheduler.errors import StoreError
from task_scheduler.fault_board import problem_at, problem_of
from task_scheduler.i18n import translate

_SHOWN = 20
_COUNTED = 100_000
"""So many waiting runs are counted; nobody needs to know beyond."""


@cli_command("status", examples=("tsk status", "tsk status --json"))
def command(session: Session) -> ExitCode:
    """Print the verdict; the exit code is the verdict too."""
    moments = session.moments()
    holder = holder_of(session)
    faults = [problem_of(plain) for plain in (holder or {}).get("problems", ())]
    try:
        read = _read(session, moments.now, holder)
        faults = [*faults, *hold_problems(session)]
    except StoreError as error:
        # What is wrong is told all the same.
        faults = faults or [problem_at(error, moments.now)]
        read = _Reading(dict.fromkeys(("total_tasks", "running_tasks", "backlog")), holder)
        if holder is None:
            return _report(session, read, faults, verdict=("unreadable", code_of(error)))
    verdict = verdict_of(read.holder, read.counts["total_tasks"], len(read.problems), faults)
    code = _report(session, read, faults, verdict=verdict)
    if not session.is_json and code is ExitCode.UNREACHABLE and holder is None:
        session.hint(translate("cli.next_start"), "tsk up")
    return code


@dataclass(slots=True)
class _Reading:
    """What the ledger says; nothing of it where it cannot be read."""

    counts: dict[str, Any]
    holder: dict[str, Any] | None
    tasks: dict[str, dict[str, Any]] = field(default_factory=dict)
    last_of: dict[str, dict[str, Any]] = field(default_factory=dict)
    problems: list[dict[str, Any]] = field(default_factory=list)
    """The tasks that need somebody."""
    is_read: bool = False


def _read(session: Session, now: int, holder: dict[str, Any] | None) -> _Reading:
    if holder is not None:
        holder = {**holder, "started_at": started_at(session, holder)}
    counts = session.view.counts(now)
    tasks = {task["task_id"]: task for task in session.view.tasks(with_quantiles=False)}
    last_of = session.view.last_runs(list(tasks))
    problems = [
        _task_problem(task_id, problem, last_of.get(task_id))
        for task_id, task in tasks.items()
        if (problem := problem_of_task(task, last_of.get(task_id)))
    ]
    return _Reading(counts, holder, tasks, last_of, problems, is_read=True)


def _task_problem(task_id: str, problem: str, last: Mapping[str, Any] | None) -> dict[str, Any]:
    run_id = last["run_id"] if last is not None else None
    return {
        "kind": "task",
        "what": translate("cli.task_needs_you"),
        "since": last["ended_at"] if last is not None else None,
        "where": task_id,
        "why": problem,
        "remedy": f"tsk logs {run_id}" if run_id is not None else f"tsk show {task_id}",
        "task_id": task_id,
        "problem": problem,
        "run_id": run_id,
    }


def _report(
    session: Session,
    read: _Reading,
    faults: list[dict[str, Any]],
    *,
    verdict: tuple[str, ExitCode],
) -> ExitCode:
    """Print what was found."""
    word, code = verdict
    count, problems = read.counts["total_tasks"], len(read.problems)
    sentence = verdict_sentence(word, read.holder, count, problems, faults)
    next_due = soonest(read.tasks)
    if session.is_json:
        config = session.scheduler.config.path
        places = {
            "database": str(session.scheduler.files.database),
            "config": None if config is None else str(config),
        }
        head = {"verdict": word, "sentence": sentence, "holder": read.holder, **read.counts}
        tail = {"next": next_due, **places, "measures": _measures(session, read.holder)}
        session.document("status", {**head, "problems": [*faults, *read.problems], **tail})
        return code
    is_fine = code is ExitCode.FINE
    session.put(session.paint(f"{'✓' if is_fine else '✕'} {sentence}", _style(is_fine=is_fine)))
    _put_faults(session, faults)
    if read.is_read:
        moments = session.moments()
        figures = _figures(session, read.holder, read.counts, next_due, moments=moments)
        session.pairs(figures, indent="  ")
        _put_problems(session, read.problems, read.tasks, read.last_of)
        say_declared(session, read.tasks)
    return code


def _measures(session: Session, holder: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return the figures of a scheduler that runs."""
    is_running = holder is not None and holder["state"] == "running"
    return session.scheduler.measures() if is_running else None


def _put_faults(session: Session, faults: list[dict[str, Any]]) -> None:
    """Write what keeps the scheduler from its work, and what to do about it."""
    moments = session.moments()
    for fault in faults:
        since = fault["since"]
        when = translate("cli.fault_since", since=moments.full(since)) if since else ""
        head = f"{fault['where']}  {when}".rstrip()
        session.put(f"  {showable(head)}\n    {showable(fault['why'])}")
        session.put(f"    {showable(fault['remedy'])}")


def _style(*, is_fine: bool) -> str:
    return "green" if is_fine else "red"


def _waiting(session: Session) -> dict[str, int]:
    """Return how many runs wait, for whatever it is, and how many of them for their next try."""
    waiting = session.view.runs(state="waiting", limit=_COUNTED)
    retrying = sum(run["waiting_for"] == "retry" for run in waiting)
    return {"waiting": len(waiting) - retrying, "retrying": retrying}


def _figures(
    session: Session,
    holder: Mapping[str, Any] | None,
    counts: Mapping[str, int],
    next_due: Mapping[str, str] | None,
    *,
    moments: Moments,
) -> list[tuple[str, str]]:
    holder_text = NOTHING
    if holder is not None:
        since = moments.full(holder["started_at"])
        holder_text = translate(
            "cli.holder_text", pid=holder["pid"], version=holder["version"], since=since
        )
    next_text = NOTHING
    if next_due is not None:
        next_text = f"{moments.due(next_due['at'])} {next_due['task_id']}"
    facts = {
        "scheduler": holder_text,
        "tasks": translate(
            "cli.counts_text",
            count=counts["total_tasks"],
            running=counts["running_tasks"],
            **_waiting(session),
        ),
        "next": next_text,
        "ledger": str(session.scheduler.files.database),
        "config": session.shown_config(),
        "zone": moments.zone_name(),
    }
    return [(translate(f"cli.fact_{name}"), showable(text)) for name, text in facts.items()]


def _put_problems(
    session: Session,
    problems: list[dict[str, Any]],
    tasks: Mapping[str, Mapping[str, Any]],
    last_of: Mapping[str, Mapping[str, Any]],
) -> None:
    """Write the tasks that need somebody, and what to type about the first."""
    if not problems:
        return
    session.put(f"\n{translate('cli.needs_you')}")
    rows = []
    for item in problems[:_SHOWN]:
        task, last = tasks[item["task_id"]], last_of.get(item["task_id"])
        took = duration_text(last["duration_seconds"]) if last is not None else NOTHING
        run = f"#{last['run_id']}" if last is not None else NOTHING
        cells = (mark_of(task, last), Cell(item["task_id"], "bold"), run, took, item["problem"])
        rows.append(Row(cells))
    columns = [
        Column(""),
        Column("", narrowest=16),
        Column(""),
        Column("", is_right=True),
        Column("", narrowest=20),
    ]
    session.table(columns, rows)
    if len(problems) > _SHOWN:
        session.put(translate("cli.and_more", count=len(problems) - _SHOWN))
    run_id = problems[0]["run_id"]
    if run_id is None:
        return
    if has_output(session.view.run(run_id), session.scheduler.files.runs):
        session.hint(translate("cli.next_logs"), f"tsk logs {run_id}")
    else:
        session.hint(translate("cli.next_show"), "tsk show", problems[0]["task_id"])
