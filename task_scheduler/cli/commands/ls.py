"""`tsk ls`: the tasks, each with its last result and its next run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from task_scheduler.cli.command import command as cli_command
from task_scheduler.cli.holders import say_declared, say_if_nobody_runs, say_no_tasks
from task_scheduler.cli.moments import Moments
from task_scheduler.cli.parameters import Choice
from task_scheduler.cli.session import Session
from task_scheduler.cli.standing import (
    is_failing,
    mark_of,
    problem_of,
    result_cell,
    schedule_text,
)
from task_scheduler.cli.tables import Cell, Column, Row
from task_scheduler.cli.task_choice import chosen_tasks
from task_scheduler.i18n import translate

_WAITING = 1_000
_STATUSES = ("idle", "running", "paused", "finished", "unresolved")


@cli_command("ls", examples=("tsk ls", "tsk ls 'sensor_*' --failed", "tsk ls --json"))
@click.argument("tasks", nargs=-1, metavar="[TASK]...")
@click.option("--failed", "is_failed_only", is_flag=True)
@click.option("--status", type=Choice(_STATUSES), metavar="STATUS")
def command(
    session: Session, tasks: tuple[str, ...], is_failed_only: bool, status: str | None
) -> None:
    """Print the tasks that fit."""
    found = chosen_tasks(session.view, tasks)
    last_of = session.view.last_runs([task["task_id"] for task in found])
    chosen = [
        task
        for task in found
        if (status is None or task["status"] == status)
        and (not is_failed_only or is_failing(last_of.get(task["task_id"])))
    ]
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
    _summary(session, chosen, last_of, moments, hidden=len(found) - len(chosen))
    if found and not tasks:
        say_declared(session, [task["task_id"] for task in found])


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
