"""`tsk enable`: plan tasks again that were disabled, here or in the configuration."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import click

from task_scheduler.cli.command import command as cli_command
from task_scheduler.cli.holders import refuse_mute, say_if_nobody_runs
from task_scheduler.cli.session import Session
from task_scheduler.cli.task_choice import chosen_tasks
from task_scheduler.i18n import translate

if TYPE_CHECKING:
    from task_scheduler.config.entries import Declared


@cli_command("enable", examples=("tsk enable data_upload", "tsk enable 'test_*'"))
@click.argument("tasks", nargs=-1, required=True, metavar="TASK...")
def command(session: Session, tasks: tuple[str, ...]) -> None:
    """Enable the tasks that were named."""
    found = chosen_tasks(session.view, tasks)
    off = _switched_off(session)
    sleeping = {task["task_id"] for task in found if task["task_id"] in off and not task["rules"]}
    wanted = [t for t in found if t["paused_at"] is not None or t["task_id"] in sleeping]
    ids = [task["task_id"] for task in wanted]
    refuse_mute(session)
    for task in wanted:
        task_id = task["task_id"]
        if task_id in sleeping:
            session.scheduler.put_declared(replace(off[task_id], is_enabled=True), origin="config")
            session.say(translate("manual.off_in_config", task_id=task_id))
        if task["paused_at"] is not None:
            session.scheduler.resume_task(task_id)
    for task in found:
        if task["task_id"] not in ids:
            session.say(translate("manual.was_enabled", task_id=task["task_id"]))
    moments = session.moments()
    for task in session.view.tasks(ids, with_quantiles=False) if ids else []:
        following = moments.full(task["next_run_time"])
        session.say(translate("manual.enabled", task_id=task["task_id"], next=following))
    if session.is_json:
        session.document("enable", {"task_ids": ids})
    else:
        say_if_nobody_runs(session)


def _switched_off(session: Session) -> dict[str, Declared]:
    """Return the tasks that the configuration declares and does not want planned."""
    entries = session.scheduler.config.settings.entries
    if all(entry.enabled for entry in entries.values()):
        return {}
    declared = session.scheduler.config.declared(is_code_needed=False)
    return {one.task.task_id: one for one in declared if not one.is_enabled}
