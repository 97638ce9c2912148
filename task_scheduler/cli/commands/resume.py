"""`tsk resume`: plan paused tasks again."""

from __future__ import annotations

import click

from task_scheduler.cli.command import command as cli_command
from task_scheduler.cli.session import Session
from task_scheduler.cli.task_choice import chosen_ids
from task_scheduler.i18n import translate


@cli_command("resume", examples=("tsk resume data_upload", "tsk resume '*'"))
@click.argument("tasks", nargs=-1, required=True, metavar="TASK...")
@click.option("--from", "resume_from", metavar="MOMENT")
def command(session: Session, tasks: tuple[str, ...], resume_from: str | None) -> None:
    """Resume the tasks that were named."""
    ids = chosen_ids(session.view, tasks)
    for task_id in ids:
        session.scheduler.resume_task(task_id, resume_from=resume_from)
    moments = session.moments()
    for task in session.view.tasks(ids, with_quantiles=False):
        following = moments.full(task["next_run_time"])
        session.say(translate("cli.resumed", task_id=task["task_id"], next=following))
    if session.is_json:
        session.document("resume", {"task_ids": ids})
