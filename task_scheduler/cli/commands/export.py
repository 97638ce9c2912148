"""`tsk export`: tasks as entries of a configuration, or as a crontab."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from task_scheduler.cli.command import command as cli_command
from task_scheduler.cli.exit_codes import ExitCode
from task_scheduler.cli.exported_entries import NotExportedError, crontab_line, entry_of
from task_scheduler.cli.failures import CliError
from task_scheduler.cli.parameters import Choice
from task_scheduler.cli.session import Session
from task_scheduler.cli.task_choice import chosen_tasks
from task_scheduler.config.written import KINDS, document_text
from task_scheduler.i18n import translate

_FORMS = (*KINDS, "crontab")


@cli_command(
    "export",
    examples=(
        "tsk export --output entries.json",
        "tsk export --as toml",
        "tsk export 'sensor_*' --as crontab",
    ),
)
@click.argument("tasks", nargs=-1, metavar="[TASK...]")
@click.option("--as", "form", type=Choice(_FORMS), default="json", metavar="|".join(_FORMS))
@click.option("--output", "output", metavar="FILE")
def command(session: Session, tasks: tuple[str, ...], *, form: str, output: str | None) -> ExitCode:
    """Write the tasks that were named, or all."""
    found = chosen_tasks(session.view, tasks)
    if form == "crontab":
        text, count = _crontab(session, found)
    else:
        text, count = _entries(session, found, form)
    if output is None:
        # As it is: a program reads it, or a file takes it.
        click.echo(text, nl=False)
    else:
        path = Path(output)
        try:
            with path.open("x", encoding="utf-8") as file:
                file.write(text)
        except FileExistsError as error:
            sentence = translate("imports.file_exists", path=path)
            raise CliError(sentence, ExitCode.CONFLICT, error="E6003") from error
        session.say(translate("imports.exported", count=count, path=path))
    return ExitCode.FINE if count == len(found) else ExitCode.PROBLEM


def _entries(session: Session, tasks: Sequence[Mapping[str, Any]], kind: str) -> tuple[str, int]:
    entries: dict[str, Any] = {}
    for task in tasks:
        try:
            entries[task["task_id"]] = entry_of(task)
        except NotExportedError as error:
            session.say(translate(f"imports.{error.key}", **error.values))
    return document_text({"entries": entries}, kind), len(entries)


def _crontab(session: Session, tasks: Sequence[Mapping[str, Any]]) -> tuple[str, int]:
    lines: list[str] = []
    zone, count = "", 0
    pairs = []
    for task in tasks:
        try:
            pairs.append((*crontab_line(task), task))
        except NotExportedError as error:
            reason = translate(f"imports.{error.key}", times=_times(task))
            task_id = task["task_id"]
            session.say(translate("imports.export_not_cron", task_id=task_id, reason=reason))
    # Those of the machine's own zone first: for cron a zone holds from its line on.
    for own_zone, line, task in sorted(pairs, key=lambda pair: pair[0]):
        if own_zone != zone:
            zone = own_zone
            lines.append(f"CRON_TZ={zone}")
        lines += [f"# {' '.join(task['name'].split())}", line]
        count += 1
    return "".join(line + "\n" for line in lines), count


def _times(task: Mapping[str, Any]) -> str:
    return "; ".join(task["schedule"]) or translate("imports.no_times")
