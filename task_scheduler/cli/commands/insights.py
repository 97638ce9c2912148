"""`tsk insights`: what would go better otherwise, with the figure and the setting that mends it."""

from __future__ import annotations

from task_scheduler.cli.command import command as cli_command
from task_scheduler.cli.exit_codes import ExitCode
from task_scheduler.cli.session import Session
from task_scheduler.cli.tables import Cell, Column, Row
from task_scheduler.i18n import translate


@cli_command("insights", examples=("tsk insights", "tsk insights --json"))
def command(session: Session) -> ExitCode:
    """Print what was found; nothing of it is a fault, so the exit code tells nothing."""
    found = session.scheduler.insights()
    if session.is_json:
        session.document("insights", {"insights": [insight.plain() for insight in found]})
    elif not found:
        session.say(translate("cli.no_insights"))
    else:
        session.table(
            [Column(""), Column("", narrowest=30)],
            [Row((Cell("!", "yellow"), of.told()), notes=(Cell(of.advice()),)) for of in found],
        )
    return ExitCode.FINE
