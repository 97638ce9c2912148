"""`tsk backfill`: run what a task missed in a range of the past."""

from __future__ import annotations

import click

from task_scheduler.cli.command import command as cli_command
from task_scheduler.cli.holders import refuse_mute, say_if_nobody_runs
from task_scheduler.cli.parameters import Number
from task_scheduler.cli.progress import progress
from task_scheduler.cli.session import Session
from task_scheduler.i18n import translate

_LIMIT = 10_000


@cli_command(
    "backfill",
    examples=("tsk backfill data_upload --from 2026-11-23T00:00 --to 2026-11-24T00:00 --dry-run",),
)
@click.argument("task", metavar="TASK")
@click.option("--from", "start", required=True, metavar="MOMENT")
@click.option("--to", "end", required=True, metavar="MOMENT")
@click.option("--limit", type=Number(), default=_LIMIT, metavar="N")
@click.option("--dry-run", "is_dry_run", is_flag=True)
def command(
    session: Session, task: str, *, start: str, end: str, limit: int, is_dry_run: bool
) -> None:
    """Plan the occurrences of a range that never ran."""
    refuse_mute(session)
    # One step for the ledger: nobody can tell how far it has come, only that it goes on.
    with progress(session, translate("cli.progress_backfill"), lambda: None):
        counts = session.scheduler.backfill(task, start, end, limit=limit, dry_run=is_dry_run)
    if session.is_json:
        session.document("backfill", {"task_id": task, "dry_run": is_dry_run, **counts})
        return
    sentence = "cli.backfill_would" if is_dry_run else "cli.backfilled"
    session.put(translate(sentence, task_id=task, **counts))
    if counts["planned"] and not is_dry_run:
        say_if_nobody_runs(session)
        session.hint(translate("cli.next_runs"), "tsk runs", task)
