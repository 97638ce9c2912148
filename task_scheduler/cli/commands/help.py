"""`tsk help`: the page of a command, or of a topic such as the exit codes."""

from __future__ import annotations

import click

from task_scheduler.cli.command import command as cli_command
from task_scheduler.cli.exit_codes import ExitCode
from task_scheduler.cli.failures import CliError
from task_scheduler.cli.parameters import did_you_mean
from task_scheduler.cli.session import Session
from task_scheduler.i18n import translate

_EXIT_CODES = "exit-codes"


@cli_command("help", examples=("tsk help exit-codes", "tsk help logs"))
@click.argument("topic", required=False, metavar="[COMMAND|exit-codes]")
@click.pass_context
def command(ctx: click.Context, session: Session, topic: str | None) -> None:
    """Print a page."""
    program = ctx.find_root()
    group = program.command
    assert isinstance(group, click.Group)
    if topic is None:
        session.put(group.get_help(program))
        return
    if topic == _EXIT_CODES:
        _put_exit_codes(session)
        return
    found = group.get_command(program, topic)
    if found is None:
        known = [*group.list_commands(program), _EXIT_CODES]
        raise CliError(
            translate("cli.no_such_topic", name=topic, hint=did_you_mean(topic, known)),
            ExitCode.USAGE,
            hint=translate("cli.next_help"),
            command="tsk help",
        )
    session.put(found.get_help(click.Context(found, info_name=topic, parent=program)))


def _put_exit_codes(session: Session) -> None:
    meanings = [(str(int(code)), translate(f"cli.exit_{int(code)}")) for code in ExitCode]
    if session.is_json:
        session.document("exit-codes", {"exit_codes": dict(meanings)})
    else:
        session.pairs(meanings)
