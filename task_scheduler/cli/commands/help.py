"""`tsk help`: the page of a command, of a topic such as the exit codes, or of an error's code."""

from __future__ import annotations

import click

from task_scheduler.cli.command import command as cli_command
from task_scheduler.cli.error_pages import list_items, page_items
from task_scheduler.cli.exit_codes import ExitCode
from task_scheduler.cli.failures import CliError
from task_scheduler.cli.parameters import did_you_mean
from task_scheduler.cli.session import Session
from task_scheduler.error_codes import CODES
from task_scheduler.i18n import translate

_EXIT_CODES = "exit-codes"
_ERRORS = "errors"


@cli_command(
    "help", examples=("tsk help logs", "tsk help exit-codes", "tsk help errors", "tsk help E2101")
)
@click.argument("topic", required=False, metavar="[COMMAND|exit-codes|errors|CODE]")
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
    if topic == _ERRORS:
        _put_codes(session)
        return
    if topic.upper() in CODES:
        _put_code(session, topic.upper())
        return
    found = group.get_command(program, topic)
    if found is None:
        known = [*group.list_commands(program), _EXIT_CODES, _ERRORS, *CODES]
        raise CliError(
            translate("cli.no_such_topic", name=topic, hint=did_you_mean(topic, known)),
            ExitCode.USAGE,
            hint=translate("cli.next_help"),
            command="tsk help",
            error="E1009",
        )
    session.put(found.get_help(click.Context(found, info_name=topic, parent=program)))


def _put_exit_codes(session: Session) -> None:
    meanings = [(str(int(code)), translate(f"cli.exit_{int(code)}")) for code in ExitCode]
    if session.is_json:
        session.document("exit-codes", {"exit_codes": dict(meanings)})
    else:
        session.pairs(meanings)


def _put_code(session: Session, code: str) -> None:
    """Print what one code means."""
    items = page_items(code)
    if session.is_json:
        values = dict(zip(("meaning", "cause", "next"), (text for _, text in items), strict=True))
        session.document("error_code", {"code": code, **values})
    else:
        session.pairs(items)


def _put_codes(session: Session) -> None:
    """Print all codes, by their areas."""
    areas = list_items()
    if session.is_json:
        session.document("error_codes", {"codes": dict(item for _, each in areas for item in each)})
        return
    for index, (title, items) in enumerate(areas):
        if index:
            session.put()
        session.put(title)
        session.pairs(items, indent="  ")
    session.hint(translate("codes.look_up"), "tsk help CODE")
