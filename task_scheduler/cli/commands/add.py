"""`tsk add`: declare a task from the shell; it lives in the ledger."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from task_scheduler.cli.command import command as cli_command
from task_scheduler.cli.entry_change import (
    coming,
    declared_form,
    put_difference,
    save,
    say_saved,
    say_warnings,
)
from task_scheduler.cli.entry_options import changed, entry_options, given
from task_scheduler.cli.exit_codes import ExitCode
from task_scheduler.cli.failures import CliError
from task_scheduler.cli.session import Session
from task_scheduler.i18n import translate

if TYPE_CHECKING:
    from task_scheduler.config.entries import Declared


@cli_command(
    "add",
    examples=(
        "tsk add hello --every 10s -- echo 'hello pond'",
        "tsk add report --daily 08:00 --script report.py --run-now",
        "tsk add sync --cron '*/5 * * * *' --url https://example.org/sync --method POST",
        "tsk add feed --function farm.feeding:feed --every 4h --set kwargs.pond=3",
    ),
)
@click.argument("task", metavar="TASK")
@click.argument("words", nargs=-1, metavar="[-- COMMAND...]")
@entry_options
@click.option("--paused", "is_paused", is_flag=True)
@click.option("--run-now", "is_run_now", is_flag=True)
@click.option("--replace", "is_replacing", is_flag=True)
@click.option("--dry-run", "is_dry_run", is_flag=True)
def command(
    session: Session,
    task: str,
    words: tuple[str, ...],
    *,
    is_paused: bool,
    is_run_now: bool,
    is_replacing: bool,
    is_dry_run: bool,
    **options: Any,
) -> ExitCode:
    """Add a task, and tell when it is due."""
    from task_scheduler.config.single_entry import declare_entry

    said = given(words, options)
    if said.kind is None and not words and "type" not in said.values:
        raise click.UsageError(translate("manual.no_kind"))
    start: dict[str, Any] = {"type": said.kind or said.values.get("type", "command")}
    if start["type"] in ("script", "command"):
        start["working_dir"] = str(Path.cwd())
    entry = changed(start, said)
    if not _is_timed(entry):
        entry["schedule"] = []
    config = session.scheduler.config
    declared = declare_entry(config, task, entry, source=translate("manual.command_line"))
    known = next(iter(session.view.tasks([task], with_quantiles=False)), None)
    if known is not None and not is_replacing:
        raise CliError(
            translate("manual.is_there", task_id=task),
            ExitCode.CONFLICT,
            hint=translate("manual.next_edit"),
            command=shlex.join(["tsk", "edit", task]),
            error="E6003",
        )
    form = declared_form(config, declared)
    if is_dry_run:
        if session.is_json:
            _document(session, task, form, [], run_id=None, is_added=False)
        else:
            put_difference(session, {}, form)
            session.say(translate("manual.nothing_saved"))
        return ExitCode.FINE
    say_warnings(session, declared)
    run_id = _add(session, declared, known, is_paused=is_paused, is_run_now=is_run_now)
    if session.is_json:
        moments = coming(session, task)
        _document(session, task, form, moments, run_id=run_id, is_added=True)
        return ExitCode.FINE
    say_saved(session, session.view.task(task), "manual.added")
    if run_id is not None:
        session.put(str(run_id))
        session.hint(translate("cli.next_follow"), f"tsk logs {run_id} -f")
    return ExitCode.FINE


def _is_timed(entry: dict[str, Any]) -> bool:
    from task_scheduler.config.entry_times import TIMES

    return bool(entry.get("after")) or any(name in entry for name in TIMES)


def _add(
    session: Session,
    declared: Declared,
    known: Mapping[str, Any] | None,
    *,
    is_paused: bool,
    is_run_now: bool,
) -> int | None:
    """Add a task, perhaps paused; return the run that was asked for with it."""
    scheduler, task_id = session.scheduler, declared.task.task_id
    if is_paused:
        # First without times: nothing is due between the moments in which it is added and paused.
        if known is None:
            save(session, dataclasses.replace(declared, rules=()))
        scheduler.pause_task(task_id, reason=translate("manual.added_paused"))
    save(session, declared, known)
    return scheduler.run_task(task_id) if is_run_now else None


def _document(
    session: Session,
    task_id: str,
    entry: dict[str, Any],
    moments: list[str],
    *,
    run_id: int | None,
    is_added: bool,
) -> None:
    values = {"task_id": task_id, "is_added": is_added, "entry": entry}
    session.document("add", {**values, "next": moments, "run_id": run_id})
