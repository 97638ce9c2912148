"""`tsk check`: is this configuration right? All problems at once, each with its place."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from task_scheduler.cli.command import command as cli_command
from task_scheduler.cli.display_width import showable, width_of
from task_scheduler.cli.exit_codes import ExitCode
from task_scheduler.cli.session import Session
from task_scheduler.cli.tables import Cell, Column, Row
from task_scheduler.cli.talk import talk_lines
from task_scheduler.errors import ConfigError
from task_scheduler.i18n import set_language, translate
from task_scheduler.schedules.rule import describe
from task_scheduler.stores.sqlite import MEMORY
from task_scheduler.tasks.registry import warnings_of

if TYPE_CHECKING:
    from task_scheduler.config.settings import Settings


@cli_command("check", examples=("tsk check", "tsk check farm/scheduler_config.json"))
@click.argument("file", required=False, metavar="[FILE]")
def command(session: Session, file: str | None) -> ExitCode:
    """Load the configuration with its declared tasks, and change nothing."""
    from task_scheduler.config import Config
    from task_scheduler.launch_guard import LaunchGuard

    source = file or session.config_path
    try:
        config = Config.load(source)
        if session.language is None and config.settings.scheduler.language:
            set_language(config.settings.scheduler.language)
        declared = config.declared()
    except ConfigError as error:
        return _refuse(session, error, source)
    path = None if config.path is None else str(config.path)
    guard = LaunchGuard(config.settings.security.rules())
    warnings = [
        sentence
        for item in declared
        for sentence in (*warnings_of(item.task), *guard.warnings_of(item.task))
    ]
    warnings += _place_warnings(config.settings)
    if session.is_json:
        ids = [item.task.task_id for item in declared]
        values: dict[str, Any] = {"file": path, "is_valid": True, "code": None, "problems": []}
        values["warnings"] = warnings
        session.document("check", {**values, "task_ids": ids})
        return ExitCode.FINE
    session.put(translate("cli.check_fine", file=path or translate("cli.no_config")))
    rows = [
        Row(
            (
                Cell(item.task.task_id, "bold"),
                item.task.kind,
                translate("cli.and").join(
                    describe(rule, task_id=item.task.task_id) for rule in item.rules
                )
                or translate("cli.no_schedule"),
                "" if item.is_enabled else translate("cli.disabled"),
            )
        )
        for item in declared
    ]
    columns = [Column("", narrowest=16), Column(""), Column("", narrowest=16), Column("")]
    session.table(columns, rows)
    for sentence in warnings:
        session.say(translate("cli.warning", sentence=showable(sentence)))
    return ExitCode.FINE


def _place_warnings(settings: Settings) -> list[str]:
    """Return which of the places that a start writes to cannot be written by this user."""
    places = {"logs": Path(settings.logging.log_dir)}
    if settings.storage.path != MEMORY:
        places["ledger"] = Path(settings.storage.path).parent
    return [
        translate(f"cli.check_shut_{name}", path=folder)
        for name, folder in places.items()
        if not _can_be_written(folder)
    ]


def _can_be_written(folder: Path) -> bool:
    """Whether a folder, or the one in which it would be made, takes new files."""
    there = next((path for path in (folder, *folder.parents) if os.access(path, os.F_OK)), folder)
    return there.is_dir() and os.access(there, os.W_OK | os.X_OK)


def _refuse(session: Session, error: ConfigError, source: str | None) -> ExitCode:
    """Show every problem with its line."""
    problems = _problems_of(error)
    if session.is_json:
        values: dict[str, Any] = {"file": source, "is_valid": False, "code": error.code}
        values["problems"] = problems
        session.document("check", {**values, "warnings": [], "task_ids": []})
        return ExitCode.INVALID
    for problem in problems:
        place = ":".join(
            str(problem[name]) for name in ("file", "line", "column") if problem[name] is not None
        )
        head = f"{place}: " if place else ""
        lines = talk_lines(f"{head}{_shown(problem['message'])}", session.width)
        # A place that is wider than the terminal stands on a line of its own.
        whole = head if lines[0].startswith(head) else ""
        session.put(f"{session.paint(whole, 'bold')}{lines[0][len(whole) :]}")
        for line in lines[1:]:
            session.put(line)
        for line in _excerpt(problem):
            session.put(line)
    head = translate("cli.error", code=error.code)
    print(f"{head}{translate('cli.check_failed', count=len(problems))}", file=sys.stderr)
    return ExitCode.INVALID


def _shown(sentence: str) -> str:
    return "\n".join(showable(line) for line in sentence.splitlines())


def _problems_of(error: ConfigError) -> list[dict[str, Any]]:
    """Return the problems of an error: those it lists, or itself as the only one."""
    listed = error.values.get("problems")
    if listed:
        return [dict(problem) for problem in listed]
    place = {name: error.values.get(name) for name in ("file", "line", "column")}
    # Where the place is known it is shown before the sentence: only the reason is left to tell.
    message = error.values.get("reason") if place["line"] is not None else None
    return [{**place, "key": None, "message": message or str(error)}]


def _excerpt(problem: dict[str, Any]) -> list[str]:
    """Return the line that is meant, with a mark under the place."""
    if problem["file"] is None or problem["line"] is None:
        return []
    try:
        lines = Path(problem["file"]).read_text(encoding="utf-8").splitlines()
        text = lines[problem["line"] - 1]
    except (OSError, UnicodeDecodeError, IndexError):
        return []
    label = f"{problem['line']:>5} | "
    shown = showable(text)
    column = problem["column"] or 1
    if column > 100 or len(shown) > 160:
        # The one line of a file without line breaks: what stands around the place.
        start = max(0, column - 41)
        shown, column = shown[start : start + 100], column - start
    before = width_of(shown[: column - 1])
    return [f"{label}{shown}", " " * (len(label) - 2) + "| " + " " * before + "^"]
