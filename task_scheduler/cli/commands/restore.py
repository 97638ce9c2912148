"""`tsk restore`: put a backup in the place of the ledger, and let a held ledger go on."""

from __future__ import annotations

import time
from datetime import datetime
from glob import escape
from pathlib import Path
from typing import Any

import click

from task_scheduler.cli.backup_text import put_contents, put_hold
from task_scheduler.cli.command import command as cli_command
from task_scheduler.cli.exit_codes import ExitCode
from task_scheduler.cli.failures import CliError
from task_scheduler.cli.holders import refuse_mute, say_if_nobody_runs
from task_scheduler.cli.progress import progress, share_of_file
from task_scheduler.cli.session import Session
from task_scheduler.errors import StoreUnavailableError
from task_scheduler.i18n import translate

_PATIENCE = 2_000_000
"""Microseconds that a process which only writes may take to let the ledger go."""
_POLL_SECONDS = 0.1


@cli_command(
    "restore",
    examples=(
        "tsk restore farm.backup",
        "tsk restore",
        "tsk restore --resume-from now",
        "tsk restore --resume-from '2026-11-24 18:00' --keep-waiting",
    ),
)
@click.argument("file", required=False, metavar="[FILE]")
@click.option("--resume-from", "point", metavar="now|MOMENT|backup")
@click.option("--keep-waiting", "keep_waiting", is_flag=True)
@click.option("--despite-living", "despite_living", is_flag=True)
@click.option("-y", "--yes", "is_sure", is_flag=True)
def command(
    session: Session,
    file: str | None,
    *,
    point: str | None,
    keep_waiting: bool,
    despite_living: bool,
    is_sure: bool,
) -> ExitCode:
    """Restore, show the hold, or end it."""
    since = None if point is None else _point(session, point)
    values: dict[str, Any] = {"restored": None, "aside": None, "released": None}
    if file is not None:
        path = Path(file).absolute()
        if not is_sure and not _is_confirmed(session, path, point):
            return ExitCode.FINE
        ledger = session.scheduler.files.database.resolve()
        measure = share_of_file(ledger.parent, f"{escape(ledger.name)}.restoring", _size_of(path))
        with progress(session, translate("cli.progress_restore"), measure):
            aside = _restore(session, path)
        values |= {"restored": str(path), "aside": None if aside is None else str(aside)}
        session.say(translate("cli.restored", path=path))
        if aside is not None:
            session.say(translate("cli.restored_aside", path=aside))
    if point is not None:
        refuse_mute(session)
        counts = session.scheduler.release_hold(
            since, keep_waiting=keep_waiting, despite_living=despite_living
        )
        values["released"] = counts
        session.say(translate("cli.released", **counts))
    hold = session.scheduler.hold()
    if session.is_json:
        session.document("restore", {**values, "hold": hold})
    elif hold is not None:
        put_hold(session, hold)
    elif file is None and point is None:
        session.put_sentence(translate("cli.hold_none"))
    if point is not None:
        say_if_nobody_runs(session)
    return ExitCode.FINE


def _size_of(path: Path) -> int:
    """Return the size of a file; 0 where there is none: whoever reads it says so better."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _point(session: Session, text: str) -> datetime | str | None:
    """Return the point as the facade takes it; a naive moment is in the zone that is shown."""
    if text == "now":
        return text
    if text == "backup":
        return None
    try:
        named = datetime.fromisoformat(text)
    except ValueError:
        named = None
    if named is None:
        raise CliError(translate("cli.bad_point", value=text), ExitCode.USAGE, error="E1010")
    return named if named.tzinfo is not None else named.replace(tzinfo=session.moments().zone)


def _is_confirmed(session: Session, path: Path, point: str | None) -> bool:
    """Show what is in the backup and ask; raises CliError where nobody can be asked."""
    from task_scheduler.restoring import contents_plain
    from task_scheduler.stores.backup import read_contents

    found = contents_plain(read_contents(path))
    if not session.can_ask():
        words = ["tsk restore", str(path), *(["--resume-from", point] if point else []), "--yes"]
        raise CliError(
            translate("cli.restore_unsure"),
            ExitCode.USAGE,
            hint=translate("cli.next_yes"),
            command=" ".join(words),
            error="E1008",
        )
    put_contents(session, found)
    ledger = session.scheduler.files.database
    return click.confirm(translate("cli.restore_ask", path=ledger), err=True)


def _restore(session: Session, path: Path) -> Path | None:
    """Put the backup in place; wait a moment for a process that only wrote something."""
    from task_scheduler.restoring import restore_ledger

    scheduler = session.scheduler
    until = session.clock.boottime() + _PATIENCE
    while True:
        try:
            return restore_ledger(scheduler.files, path, now=session.clock.now())
        except StoreUnavailableError as error:
            if error.key != "errors.ledger_in_use":
                raise
            holder = scheduler.holder()
            is_passing = holder is None or holder["state"] != "running"
            if is_passing and session.clock.boottime() < until:
                time.sleep(_POLL_SECONDS)
                continue
            pid = "?" if holder is None else holder["pid"]
            raise CliError(
                translate("cli.restore_held", path=scheduler.files.database, pid=pid),
                ExitCode.CONFLICT,
                hint=translate("cli.next_down"),
                command="tsk down",
                error="E5013",
            ) from error
