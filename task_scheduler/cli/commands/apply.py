"""`tsk apply`: take the configuration up, after showing what that changes."""

from __future__ import annotations

import shlex

import click

from task_scheduler.cli.command import command as cli_command
from task_scheduler.cli.declared_plan import (
    counts_of,
    is_run_elsewhere,
    plan_for,
    put_plan,
    use_file,
)
from task_scheduler.cli.exit_codes import ExitCode
from task_scheduler.cli.failures import CliError
from task_scheduler.cli.holders import refuse_mute, say_if_nobody_runs
from task_scheduler.cli.session import Session
from task_scheduler.i18n import translate


@cli_command("apply", examples=("tsk apply", "tsk apply farm.toml --yes", "tsk apply --dry-run"))
@click.argument("file", required=False, metavar="[FILE]")
@click.option("-y", "--yes", "is_sure", is_flag=True)
@click.option("--dry-run", "is_dry_run", is_flag=True)
@click.option("--keep-edits", "is_keeping", is_flag=True)
def command(
    session: Session, file: str | None, *, is_sure: bool, is_dry_run: bool, is_keeping: bool
) -> ExitCode:
    """Show the plan, ask, and have it done as one change."""
    use_file(session, file)
    refuse_mute(session)
    plan = plan_for(session)
    if not session.is_json:
        put_plan(session, plan)
    if is_dry_run or not plan["changes"]:
        _put_document(session, plan, None)
        return ExitCode.PROBLEM if plan["changes"] else ExitCode.FINE
    if not is_sure and not _is_agreed(session, file):
        session.say(translate("declaring.nothing_done"))
        return ExitCode.FINE
    how = {"overwrite": not is_keeping, "fingerprint": plan["fingerprint"]}
    if is_run_elsewhere(session):
        done = session.scheduler.ask_reload(**how)
    else:
        try:
            done = session.scheduler.reload(**how)
        finally:
            # What was opened to write alone: the ledger is free for whoever starts next.
            session.scheduler.stop(0)
    _put_document(session, plan, done)
    session.say(translate("declaring.done", **done))
    say_if_nobody_runs(session)
    return ExitCode.FINE


def _is_agreed(session: Session, file: str | None) -> bool:
    if not session.can_ask():
        words = shlex.join(["tsk", "apply", *([] if file is None else [file]), "--yes"])
        raise CliError(
            translate("declaring.unsure"),
            ExitCode.USAGE,
            hint=translate("cli.next_yes"),
            command=words,
            error="E1008",
        )
    return click.confirm(translate("declaring.ask"), err=True)


def _put_document(session: Session, plan: dict[str, object], done: dict[str, int] | None) -> None:
    if session.is_json:
        counts = counts_of(plan["changes"])  # type: ignore[arg-type]
        session.document("apply", {**plan, "counts": counts, "done": done})
