"""`tsk pause`: plan nothing of these tasks until they are resumed."""

from __future__ import annotations

import click

from task_scheduler.cli.command import command as cli_command
from task_scheduler.cli.holders import refuse_mute
from task_scheduler.cli.parameters import Duration
from task_scheduler.cli.session import Session
from task_scheduler.cli.task_choice import chosen_ids
from task_scheduler.core.model import SECOND
from task_scheduler.i18n import translate
from task_scheduler.ledger_view import iso
from task_scheduler.task_rules import moment_of


@cli_command(
    "pause",
    examples=(
        "tsk pause data_upload --reason 'server moves'",
        "tsk pause '*' --for 2h",
        "tsk pause tag:pond",
    ),
)
@click.argument("tasks", nargs=-1, required=True, metavar="TASK...")
@click.option("--for", "seconds", type=Duration(), metavar="TIME")
@click.option("--until", metavar="MOMENT")
@click.option("--reason", metavar="TEXT")
def command(
    session: Session,
    tasks: tuple[str, ...],
    seconds: float | None,
    until: str | None,
    reason: str | None,
) -> None:
    """Pause the tasks that were named."""
    if seconds is not None and until is not None:
        raise click.UsageError(translate("cli.for_and_until"))
    moments = session.moments()
    end = None
    if until is not None:
        end = iso(moment_of(until))
    elif seconds is not None:
        end = iso(moments.now + round(seconds * SECOND))
    ids = chosen_ids(session.view, tasks)
    refuse_mute(session)
    for task_id in ids:
        session.scheduler.pause_task(task_id, reason=reason, until=end)
        if end is None:
            session.say(translate("cli.paused", task_id=task_id))
        else:
            session.say(translate("cli.paused_until", task_id=task_id, until=moments.full(end)))
    if session.is_json:
        session.document("pause", {"task_ids": ids, "reason": reason, "until": end})
    else:
        session.hint(translate("cli.next_resume"), "tsk resume", ids[0])
