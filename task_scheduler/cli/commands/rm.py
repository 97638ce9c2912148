"""`tsk rm`: remove tasks; their history stays."""

from __future__ import annotations

import shlex

import click

from task_scheduler.cli.command import command as cli_command
from task_scheduler.cli.exit_codes import ExitCode
from task_scheduler.cli.failures import CliError
from task_scheduler.cli.holders import refuse_mute
from task_scheduler.cli.session import Session
from task_scheduler.cli.task_choice import chosen_tasks
from task_scheduler.i18n import translate


@cli_command("rm", examples=("tsk rm old_report", "tsk rm 'test_*' --yes"))
@click.argument("tasks", nargs=-1, required=True, metavar="TASK...")
@click.option("-y", "--yes", "is_sure", is_flag=True)
def command(session: Session, tasks: tuple[str, ...], is_sure: bool) -> ExitCode:
    """Remove the tasks that were named, after asking."""
    found = chosen_tasks(session.view, tasks)
    ids = [task["task_id"] for task in found]
    if not is_sure:
        if not session.can_ask():
            raise CliError(
                translate("cli.rm_unsure", count=len(ids)),
                ExitCode.USAGE,
                hint=translate("cli.next_yes"),
                command=f"tsk rm {shlex.join(tasks)} --yes",
                error="E1008",
            )
        if not click.confirm(translate("cli.rm_ask", ids=", ".join(ids)), err=True):
            return ExitCode.FINE
    refuse_mute(session)
    for task in found:
        session.scheduler.remove_task(task["task_id"])
        session.say(translate("cli.removed", task_id=task["task_id"]))
        if task["origin"] == "config":
            session.say(translate("cli.rm_declared", task_id=task["task_id"]))
    if session.is_json:
        session.document("rm", {"task_ids": ids})
    return ExitCode.FINE
