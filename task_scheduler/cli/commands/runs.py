"""`tsk runs`: the newest runs; with `--skips` what got no attempt, and why."""

from __future__ import annotations

import click

from task_scheduler.cli.command import command as cli_command
from task_scheduler.cli.parameters import Choice, Number
from task_scheduler.cli.run_tables import put_runs, put_skips
from task_scheduler.cli.session import Session
from task_scheduler.i18n import translate

_STATES = (
    "waiting",
    "running",
    "succeeded",
    "failed",
    "timed_out",
    "cancelled",
    "lost",
    "skipped",
)


@cli_command(
    "runs", examples=("tsk runs data_upload -n 5", "tsk runs --state failed", "tsk runs --skips")
)
@click.argument("task", required=False, metavar="[TASK]")
@click.option("--state", type=Choice(_STATES), metavar="STATE")
@click.option("-n", "--last", "count", type=Number(), default=20, metavar="N")
@click.option("--skips", "is_skips", is_flag=True)
def command(
    session: Session, task: str | None, state: str | None, count: int, is_skips: bool
) -> None:
    """Print runs, newest first."""
    if task is not None:
        session.view.task(task)
    rows = (
        session.view.skips(task, limit=count)
        if is_skips
        else session.view.runs(task, state=state, limit=count)
    )
    if session.is_jsonl:
        for row in rows:
            session.record("skip" if is_skips else "run", row)
    elif session.is_json:
        name = "skips" if is_skips else "runs"
        session.document(name, {name: rows})
    elif not rows:
        session.say(translate("cli.no_skips" if is_skips else "cli.no_runs"))
    elif is_skips:
        put_skips(session, rows, session.moments(), with_task=task is None)
    else:
        put_runs(session, rows, session.moments(), with_task=task is None)
