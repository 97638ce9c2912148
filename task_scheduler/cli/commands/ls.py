"""`tsk ls`: the tasks, each with its last result and its next run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import click

from task_scheduler.cli.command import command as cli_command
from task_scheduler.cli.holders import say_declared, say_if_nobody_runs, say_no_tasks
from task_scheduler.cli.moments import Moments
from task_scheduler.cli.parameters import Choice, Number
from task_scheduler.cli.session import Session
from task_scheduler.cli.standing import (
    is_failing,
    mark_of,
    problem_of,
    result_cell,
    schedule_text,
)
from task_scheduler.cli.tables import Cell, Column, Row
from task_scheduler.cli.task_choice import check_tags, chosen_tasks
from task_scheduler.i18n import translate

_WAITING = 1_000
_PAGE = 1_000
_STATUSES = ("idle", "running", "paused", "finished", "unresolved")
_Tasks = list[dict[str, Any]]
_Runs = dict[str, dict[str, Any]]


@cli_command(
    "ls",
    examples=(
        "tsk ls",
        "tsk ls 'sensor_*' --failed",
        "tsk ls --search pump --limit 50",
        "tsk ls --tag pond",
        "tsk ls --json",
    ),
)
@click.argument("tasks", nargs=-1, metavar="[TASK]...")
@click.option("--failed", "is_failed_only", is_flag=True)
@click.option("--status", type=Choice(_STATUSES), metavar="STATUS")
@click.option("--search", metavar="TEXT")
@click.option("--tag", "tags", multiple=True, metavar="TAG")
@click.option("--limit", type=Number(), metavar="N")
@click.option("--after", metavar="TASK", default="")
def command(
    session: Session,
    tasks: tuple[str, ...],
    *,
    is_failed_only: bool,
    status: str | None,
    search: str | None,
    tags: tuple[str, ...],
    limit: int | None,
    after: str,
) -> None:
    """Print the tasks that fit."""
    check_tags(session.view, tags)

    def fits(task: Mapping[str, Any], last: Mapping[str, Any] | None) -> bool:
        is_wanted = status is None or task["status"] == status
        return is_wanted and (not is_failed_only or is_failing(last))

    chosen: _Tasks = []
    last_of: _Runs = {}
    seen: list[str] = []
    is_more = False
    for page in _pages(session, tasks, search, tags, after=after):
        ids = [task["task_id"] for task in page]
        last_runs = session.view.last_runs(ids)
        found = [task for task in page if fits(task, last_runs.get(task["task_id"]))]
        seen += ids
        last_of |= last_runs
        room = len(found) if limit is None else limit - len(chosen)
        chosen += found[:room]
        is_more = len(found) > room
        if is_more:
            break
    if session.is_json:
        shown = [{**task, "last_run": last_of.get(task["task_id"])} for task in chosen]
        session.document("ls", {"tasks": shown})
        return
    moments = session.moments()
    waiting = session.view.runs(state="waiting", limit=_WAITING)
    retries = {run["task_id"]: run for run in waiting if run["waiting_for"] == "retry"}
    if chosen:
        session.table(
            _columns(),
            [
                _row(task, last_of.get(task["task_id"]), retries.get(task["task_id"]), moments)
                for task in chosen
            ],
        )
    if is_more:
        session.say(translate("cli.ls_page", count=len(chosen)))
        words = [*tasks, *(["--failed"] if is_failed_only else [])]
        words += ["--status", status] if status else []
        words += ["--search", search] if search else []
        words += [word for tag in tags for word in ("--tag", tag)]
        words += ["--limit", str(limit), "--after", chosen[-1]["task_id"]]
        session.hint(translate("cli.next_page"), "tsk ls", *words)
        return
    _summary(session, chosen, last_of, moments, hidden=len(seen) - len(chosen))
    if seen and not (tasks or search or tags or after):
        say_declared(session, seen)


def _pages(
    session: Session,
    patterns: tuple[str, ...],
    search: str | None,
    tags: tuple[str, ...],
    *,
    after: str,
) -> Iterator[_Tasks]:
    """Give the tasks that were named, or all of them a page at a time: there may be a million."""
    if patterns:
        chosen = chosen_tasks(session.view, patterns)
        yield [
            task for task in chosen if task["task_id"] > after and set(tags) <= set(task["tags"])
        ]
        return
    view = session.view
    while page := view.tasks(
        after=after, limit=_PAGE, search=search, tags=tags, with_quantiles=False
    ):
        yield page
        after = page[-1]["task_id"]


def _columns() -> list[Column]:
    return [
        Column(""),
        Column(translate("cli.column_task"), narrowest=16),
        Column(translate("cli.column_schedule"), narrowest=12, is_first_to_wrap=True),
        Column(translate("cli.column_last"), narrowest=7),
        Column(translate("cli.column_result"), narrowest=9),
        Column(translate("cli.column_next"), narrowest=7),
        Column(translate("cli.column_runs"), is_right=True),
    ]


def _row(
    task: Mapping[str, Any],
    last: Mapping[str, Any] | None,
    retry: Mapping[str, Any] | None,
    moments: Moments,
) -> Row:
    return Row(
        (
            mark_of(task, last) if retry is None else Cell("↻", "yellow"),
            Cell(task["task_id"], "bold"),
            schedule_text(task),
            moments.short(task["last_run_time"]),
            result_cell(last) if retry is None else Cell(translate("cli.retrying"), "yellow"),
            _next_text(task, moments),
            str(task["run_count"]),
        ),
        notes=_notes(task, last) if retry is None else _retry_notes(task, retry),
    )


def _next_text(task: Mapping[str, Any], moments: Moments) -> str:
    if task["status"] in ("paused", "finished", "unresolved"):
        return translate(f"cli.status_{task['status']}")
    return moments.coming(task["next_run_time"])


def _retry_notes(task: Mapping[str, Any], retry: Mapping[str, Any]) -> tuple[Cell, ...]:
    error = retry["error"] or task["last_error"] or ""
    text = translate("cli.attempt_error", attempt=retry["attempt"], error=error)
    return (Cell(text, "yellow"),)


def _notes(task: Mapping[str, Any], last: Mapping[str, Any] | None) -> tuple[Cell, ...]:
    problem = problem_of(task, last)
    if problem:
        return (Cell(problem, "red"),)
    if task["pause_reason"]:
        return (Cell(translate("cli.paused_because", reason=task["pause_reason"]), "yellow"),)
    return ()


def _summary(
    session: Session,
    chosen: list[dict[str, Any]],
    last_of: Mapping[str, Mapping[str, Any]],
    moments: Moments,
    *,
    hidden: int,
) -> None:
    """Say how many there are, in which zone the times are, and what to look at."""
    if not chosen and not hidden:
        say_no_tasks(session)
        return
    failing = [task["task_id"] for task in chosen if is_failing(last_of.get(task["task_id"]))]
    session.say(
        translate(
            "cli.ls_summary", count=len(chosen), failed=len(failing), zone=moments.zone_name()
        )
    )
    if hidden:
        session.say(translate("cli.hidden_tasks", count=hidden))
    if failing:
        session.hint(translate("cli.next_show"), "tsk show", failing[0])
    say_if_nobody_runs(session)
