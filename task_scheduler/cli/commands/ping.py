"""`tsk ping`: something that runs elsewhere says how it is."""

from __future__ import annotations

import click

from task_scheduler.cli.command import command as cli_command
from task_scheduler.cli.exit_codes import ExitCode
from task_scheduler.cli.holders import refuse_mute
from task_scheduler.cli.session import Session
from task_scheduler.i18n import translate


@cli_command("ping", examples=("tsk ping nas_backup --start", "tsk ping nas_backup"))
@click.argument("check_id", metavar="ID")
@click.option("--start", "is_start", is_flag=True)
@click.option("--fail", "is_failure", is_flag=True)
@click.option("--log", "is_log", is_flag=True)
@click.option("-m", "--message", metavar="TEXT")
def command(
    session: Session,
    check_id: str,
    *,
    is_start: bool,
    is_failure: bool,
    is_log: bool,
    message: str | None,
) -> ExitCode:
    """Take one sign of life."""
    kinds = {"start": is_start, "fail": is_failure, "log": is_log}
    asked = [kind for kind, is_asked in kinds.items() if is_asked]
    if len(asked) > 1:
        raise click.UsageError(translate("cli.ping_one"))
    [kind] = asked or ["success"]
    refuse_mute(session)
    session.scheduler.ping(check_id, kind, message)
    if session.is_json:
        session.document("ping", {"check_id": check_id, "kind": kind})
    else:
        session.say(translate(f"cli.ping_{kind}", check_id=check_id))
    return ExitCode.FINE
