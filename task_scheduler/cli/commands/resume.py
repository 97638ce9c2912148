"""`tsk resume`: plan paused tasks again."""

from __future__ import annotations

import click

from task_scheduler.cli.command import command as cli_command
from task_scheduler.cli.holders import refuse_mute
from task_scheduler.cli.session import Session
from task_scheduler.cli.task_choice import chosen_tasks
from task_scheduler.i18n import translate


@cli_command("resume", examples=("tsk resume data_upload", "tsk resume '*'", "tsk resume tag:pond"))
@click.argument("tasks", nargs=-1, required=True, metavar="TASK...")
@click.option("--from", "resume_from", metavar="MOMENT")
def command(session: Session, tasks: tuple[str, ...], resume_from: str | None) -> None:
    """Resume the tasks that were named."""
    found = chosen_tasks(session.view, tasks)
    ids = [task["task_id"] for task in found if task["paused_at"] is not None]
    refuse_mute(session)
    for task_id in ids:
        session.scheduler.resume_task(task_id, resume_from=resume_from)
    is_named = len(found) == len(tasks)
    for task in found:
        # Of a glob the others are not spoken of, unless there are no others.
        if task["paused_at"] is None and (is_named or not ids):
            session.say(translate("cli.not_paused", task_id=task["task_id"]))
    moments = session.moments()
    for task in session.view.tasks(ids, with_quantiles=False) if ids else []:
        following = moments.full(task["next_run_time"])
        session.say(translate("cli.resumed", task_id=task["task_id"], next=following))
    if session.is_json:
        session.document("resume", {"task_ids": ids})
