"""`tsk backup`: copy the ledger into one file, whoever runs it meanwhile."""

from __future__ import annotations

from collections.abc import Mapping
from glob import escape
from pathlib import Path
from typing import Any

import click

from task_scheduler.cli.backup_text import put_contents
from task_scheduler.cli.command import command as cli_command
from task_scheduler.cli.exit_codes import ExitCode
from task_scheduler.cli.failures import CliError
from task_scheduler.cli.holders import refuse_mute
from task_scheduler.cli.progress import progress, share_of_file
from task_scheduler.cli.session import Session
from task_scheduler.i18n import translate


@cli_command(
    "backup",
    examples=(
        "tsk backup",
        "tsk backup /media/stick/farm.backup",
        "tsk backup farm.backup --check",
    ),
)
@click.argument("file", required=False, metavar="[FILE]")
@click.option("-o", "--output", metavar="FILE")
@click.option("--check", "is_check", is_flag=True)
@click.option("--force", "is_forced", is_flag=True)
def command(
    session: Session, file: str | None, *, output: str | None, is_check: bool, is_forced: bool
) -> None:
    """Make a backup, or look at one."""
    if file is not None and output is not None:
        raise CliError(translate("cli.backup_two_files"), ExitCode.USAGE, error="E1007")
    named = file if file is not None else output
    if is_check:
        _check(session, named)
        return
    ledger = session.scheduler.files.database
    if not ledger.exists():
        raise CliError(
            translate("cli.backup_nothing", path=ledger), ExitCode.NOT_FOUND, error="E6002"
        )
    refuse_mute(session)
    path = _place(session, named)
    began = session.clock.boottime()
    measure = share_of_file(path.parent, f".{escape(path.name)}.*.part", ledger.stat().st_size)
    try:
        with progress(session, translate("cli.progress_backup"), measure):
            found = session.scheduler.backup(path, overwrite=is_forced)
    except FileExistsError as error:
        raise CliError(
            translate("cli.backup_exists", path=error.filename),
            ExitCode.CONFLICT,
            error="E6003",
        ) from error
    seconds = (session.clock.boottime() - began) / 1_000_000
    if session.is_json:
        session.document("backup", _plain(found, round(seconds, 3)))
        return
    put_contents(session, found, seconds)
    session.say(translate("cli.backup_without"))
    session.hint(translate("cli.next_restore"), "tsk restore", found["path"])


def _check(session: Session, named: str | None) -> None:
    from task_scheduler.restoring import contents_plain
    from task_scheduler.stores.backup import read_contents

    if named is None:
        raise CliError(translate("cli.backup_unnamed"), ExitCode.USAGE, error="E1007")
    found = contents_plain(read_contents(Path(named).absolute()))
    if session.is_json:
        session.document("backup", _plain(found, None))
    else:
        put_contents(session, found)


def _plain(found: Mapping[str, Any], seconds: float | None) -> dict[str, Any]:
    """Return the document; `schema` is that of the document, as in every other one."""
    values = dict(found)
    return {"ledger_schema": values.pop("schema"), **values, "seconds": seconds}


def _place(session: Session, named: str | None) -> Path:
    """Return where the backup goes: a folder, and no name at all, get one with the moment."""
    from task_scheduler.restoring import stamped

    stem = session.scheduler.files.database.stem
    path = Path.cwd() if named is None else Path(named).absolute()
    return stamped(path / stem, session.clock.now(), ".backup") if path.is_dir() else path
