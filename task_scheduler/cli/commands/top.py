"""`tsk top`: what runs, what is next, every task and what it writes, live in the terminal."""

from __future__ import annotations

import importlib.util
import os
import shlex
import sys

import click

from task_scheduler.cli.command import command as cli_command
from task_scheduler.cli.exit_codes import ExitCode
from task_scheduler.cli.failures import CliError
from task_scheduler.cli.session import Session
from task_scheduler.i18n import translate


@cli_command("top", examples=("tsk top", "tsk top --search sensor", "tsk top --lang ja"))
@click.option("--search", metavar="TEXT", default="")
def command(session: Session, search: str) -> ExitCode:
    """Open the view; ``q`` leaves it."""
    if session.is_json or session.is_jsonl or not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise CliError(
            translate("top.no_terminal"),
            ExitCode.USAGE,
            hint=translate("top.next_instead"),
            command="tsk status",
            error="E1011",
        )
    if importlib.util.find_spec("textual") is None:
        raise CliError(
            translate("top.no_textual"),
            ExitCode.PROBLEM,
            hint=translate("top.next_install"),
            command=f"{shlex.quote(sys.executable)} -m pip install 'task-scheduler[tui]'",
            error="E1012",
        )
    # Whatever is wrong with the configuration or the zone is told before the screen is taken.
    session.moments()
    _ = session.scheduler
    if session.is_colourless:
        os.environ["NO_COLOR"] = "1"
    from task_scheduler.cli.top.app import TopApp  # textual takes its time

    app = TopApp(session, search=search)
    app.run()
    return ExitCode.PROBLEM if app.return_code else ExitCode.FINE
