"""`tsk edit`: change a task, by options or in an editor; the difference is shown before."""

from __future__ import annotations

import os
import shlex
import tempfile
from collections.abc import Mapping
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
    stored_form,
    text_of,
)
from task_scheduler.cli.entry_options import changed, entry_options, given
from task_scheduler.cli.exit_codes import ExitCode
from task_scheduler.cli.failures import CliError
from task_scheduler.cli.session import Session
from task_scheduler.errors import ConfigError
from task_scheduler.i18n import translate

if TYPE_CHECKING:
    from task_scheduler.config.entries import Declared

_HEAD = "// "


@cli_command(
    "edit",
    examples=(
        "tsk edit data_upload",
        "tsk edit data_upload --every 10m --timeout 60s",
        "tsk edit report --set env.REGION=north --unset pool --dry-run",
        "tsk edit hello -- echo 'good morning'",
    ),
)
@click.argument("task", metavar="TASK")
@click.argument("words", nargs=-1, metavar="[-- COMMAND...]")
@entry_options
@click.option("--unset", multiple=True, metavar="KEY")
@click.option("--dry-run", "is_dry_run", is_flag=True)
@click.option("-y", "--yes", "is_sure", is_flag=True)
def command(
    session: Session,
    task: str,
    words: tuple[str, ...],
    *,
    unset: tuple[str, ...],
    is_dry_run: bool,
    is_sure: bool,
    **options: Any,
) -> ExitCode:
    """Show the difference and save it."""
    said = given(words, options, unset=unset)
    known = session.view.task(task)
    before = stored_form(session, known)
    is_typed = bool(said.values or said.words or said.unset or said.kind)
    if is_typed:
        declared = _declared(session, task, changed(before, said))
    else:
        edited = _edited(session, task, before, is_sure=is_sure)
        if edited is None:
            return _nothing(session, task, before)
        declared = edited
    after = declared_form(session.scheduler.config, declared)
    if after == before:
        return _nothing(session, task, before)
    if not session.is_json:
        put_difference(session, before, after)
    if is_dry_run:
        session.say(translate("manual.nothing_saved"))
        _document(session, task, before, after, is_saved=False)
        return ExitCode.FINE
    say_warnings(session, declared)
    if not (is_typed or is_sure) and not click.confirm(translate("manual.ask_save"), err=True):
        return _nothing(session, task, before)
    _refuse_changed(session, task, before)
    save(session, declared, known)
    _document(session, task, before, after, is_saved=True)
    if not session.is_json:
        say_saved(session, session.view.task(task), "manual.edited")
    return ExitCode.FINE


def _declared(session: Session, task_id: str, entry: Mapping[str, Any]) -> Declared:
    from task_scheduler.config.single_entry import declare_entry

    source = translate("manual.command_line")
    return declare_entry(session.scheduler.config, task_id, entry, source=source)


def _edited(
    session: Session, task_id: str, before: Mapping[str, Any], *, is_sure: bool
) -> Declared | None:
    """Let the entry be edited until it is right; None where it was left as it is.

    Of one that is wrong and given up the text is kept.
    """
    if not (session.can_ask() or is_sure):
        raise CliError(
            translate("manual.nobody_edits", task_id=task_id),
            ExitCode.USAGE,
            hint=translate("cli.next_help"),
            command="tsk edit --help",
            error="E1011",
        )
    head = "".join(f"{_HEAD}{line}\n" for line in translate("manual.editor_head").splitlines())
    text = head.replace("TASK", task_id) + text_of(before)
    while True:
        found = click.edit(text, extension=".json")
        if found is None or found == text or not found.strip():
            return None
        text = found
        try:
            return _from_text(session, task_id, text)
        except ConfigError as error:
            session.say(str(error))
            if session.can_ask() and click.confirm(translate("manual.ask_again"), True, err=True):
                continue
            session.say(translate("manual.kept_text", path=_keep(task_id, text)))
            raise


def _from_text(session: Session, task_id: str, text: str) -> Declared:
    from task_scheduler.config.single_entry import declare_entry, entry_from_text

    entry, place = entry_from_text(text, task_id)
    config = session.scheduler.config
    return declare_entry(config, task_id, entry, source=task_id, place=place)


def _keep(task_id: str, text: str) -> str:
    """Write a text that somebody typed where he finds it again."""
    shown = "".join(mark if mark.isalnum() else "_" for mark in task_id)[:40]
    descriptor, path = tempfile.mkstemp(prefix=f"tsk-edit-{shown}-", suffix=".json")
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    return path


def _refuse_changed(session: Session, task_id: str, before: Mapping[str, Any]) -> None:
    """Raise CliError where somebody else changed the task meanwhile."""
    if stored_form(session, session.view.task(task_id)) != before:
        raise CliError(
            translate("manual.changed_meanwhile", task_id=task_id),
            ExitCode.CONFLICT,
            hint=translate("manual.next_edit"),
            command=shlex.join(["tsk", "edit", task_id]),
            error="E3016",
        )


def _nothing(session: Session, task_id: str, entry: Mapping[str, Any]) -> ExitCode:
    session.say(translate("manual.nothing_changed", task_id=task_id))
    _document(session, task_id, entry, entry, is_saved=False)
    return ExitCode.FINE


def _document(
    session: Session,
    task_id: str,
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    *,
    is_saved: bool,
) -> None:
    """Write what was changed, where JSON was asked for."""
    if not session.is_json:
        return
    keys = [key for key in {**before, **after} if before.get(key) != after.get(key)]
    changes = [{"key": k, "before": before.get(k), "after": after.get(k)} for k in keys]
    values = {"task_id": task_id, "is_saved": is_saved, "changes": changes, "entry": dict(after)}
    session.document("edit", {**values, "next": coming(session, task_id)})
