"""`tsk pause`: plan nothing of these tasks until they are resumed."""

from __future__ import annotations

import click

from task_scheduler.cli.command import command as cli_command
from task_scheduler.cli.session import Session
from task_scheduler.cli.task_choice import chosen_ids
from task_scheduler.i18n import translate


@cli_command("pause", examples=("tsk pause data_upload --reason 'server moves'",))
@click.argument("tasks", nargs=-1, required=True, metavar="TASK...")
@click.option("--reason", metavar="TEXT")
def command(session: Session, tasks: tuple[str, ...], reason: str | None) -> None:
    """Pause the tasks that were named."""
    ids = chosen_ids(session.view, tasks)
    for task_id in ids:
        session.scheduler.pause_task(task_id, reason=reason)
        session.say(translate("cli.paused", task_id=task_id))
    if session.is_json:
        session.document("pause", {"task_ids": ids, "reason": reason})
    else:
        session.hint(translate("cli.next_resume"), f"tsk resume {ids[0]}")
