"""`tsk diff`: what the configuration would change, and what was edited since it was taken up."""

from __future__ import annotations

import click

from task_scheduler.cli.command import command as cli_command
from task_scheduler.cli.declared_plan import counts_of, plan_for, put_plan, use_file
from task_scheduler.cli.exit_codes import ExitCode
from task_scheduler.cli.session import Session
from task_scheduler.i18n import translate


@cli_command("diff", examples=("tsk diff", "tsk diff farm.toml", "tsk diff --patch | patch -p1"))
@click.argument("file", required=False, metavar="[FILE]")
@click.option("--patch", "is_patch", is_flag=True)
def command(session: Session, file: str | None, is_patch: bool) -> ExitCode:
    """Print the plan; answer 1 where there is anything in it."""
    use_file(session, file)
    plan = plan_for(session)
    if is_patch:
        return _put_patch(session, plan)
    if session.is_json:
        session.document("diff", {**plan, "counts": counts_of(plan["changes"])})
    else:
        put_plan(session, plan)
        if plan["changes"]:
            words = [] if file is None else [file]
            session.hint(translate("declaring.next_apply"), "tsk apply", *words)
        if any(change["edited"] for change in plan["changes"]):
            session.hint(translate("declaring.next_patch"), "tsk diff --patch")
    return ExitCode.PROBLEM if plan["changes"] else ExitCode.FINE


def _put_patch(session: Session, plan: dict[str, list[dict[str, object]]]) -> ExitCode:
    """Print what makes the files declare what was edited; nothing where nothing was."""
    from task_scheduler.cli.drift_patch import patch_of

    config = session.scheduler.config
    patch = patch_of(config.again().files.paths, plan["changes"])
    # As it is: `patch` reads it.
    click.echo(patch.text, nl=False)
    for task_id in patch.left_out:
        session.say(translate("declaring.not_in_patch", task_id=task_id))
    if not patch.text and not patch.left_out:
        session.say(translate("declaring.no_edits"))
    return ExitCode.PROBLEM if patch.text or patch.left_out else ExitCode.FINE
