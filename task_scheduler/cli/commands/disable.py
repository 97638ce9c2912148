"""`tsk disable`: let nothing of these tasks start by itself until they are enabled again."""

from __future__ import annotations

import click

from task_scheduler.cli.command import command as cli_command
from task_scheduler.cli.holders import refuse_mute
from task_scheduler.cli.session import Session
from task_scheduler.cli.task_choice import chosen_ids
from task_scheduler.i18n import translate


@cli_command("disable", examples=("tsk disable data_upload", "tsk disable 'test_*'"))
@click.argument("tasks", nargs=-1, required=True, metavar="TASK...")
@click.option("--reason", metavar="TEXT")
def command(session: Session, tasks: tuple[str, ...], reason: str | None) -> None:
    """Disable the tasks that were named: a pause without an end, whatever is restarted."""
    ids = chosen_ids(session.view, tasks)
    refuse_mute(session)
    why = reason or translate("manual.disabled_reason")
    for task_id in ids:
        session.scheduler.pause_task(task_id, reason=why)
        session.say(translate("manual.disabled", task_id=task_id))
    if session.is_json:
        session.document("disable", {"task_ids": ids, "reason": why})
    else:
        session.hint(translate("manual.next_enable"), "tsk enable", ids[0])
