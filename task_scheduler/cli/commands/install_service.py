"""`tsk install-service`: have systemd run the scheduler, from now on and after every boot."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import Any

import click

from task_scheduler.cli.command import command as cli_command
from task_scheduler.cli.exit_codes import ExitCode
from task_scheduler.cli.service_unit import (
    carry_out,
    check_name,
    check_unedited,
    needs_rights,
    needs_systemd,
    places_of,
    read_unit,
    set_aside,
    unit_document,
)
from task_scheduler.cli.session import Session
from task_scheduler.i18n import translate
from task_scheduler.service.systemd import Systemd
from task_scheduler.service.unit import DEFAULT_NAME, signed, unit_text

_LINGER = Path("/var/lib/systemd/linger")
"""A file for each user whose services run also while they are not logged in."""


@cli_command(
    "install-service",
    examples=(
        "tsk install-service --print",
        "sudo .venv/bin/tsk -c /srv/farm/scheduler_config.json install-service",
        "tsk install-service --user",
    ),
)
@click.option("--user", "is_of_user", is_flag=True)
@click.option("--print", "is_shown_only", is_flag=True)
@click.option("--name", default=DEFAULT_NAME, metavar="NAME")
@click.option("--force", "is_forced", is_flag=True)
def command(session: Session, name: str, *, is_of_user: bool, **options: Any) -> ExitCode:
    """Write the unit, have it started now and at boot, and say what was done."""
    check_name(name)
    # What systemd starts is to be right: a wrong configuration ends it here.
    session.is_config_needed = True
    systemd = Systemd(is_of_user)
    path = systemd.unit_path(name)
    text = signed(unit_text(places_of(session, systemd, name)))
    if options["is_shown_only"]:
        _show(session, path, text)
        return ExitCode.FINE
    needs_systemd(session, systemd)
    needs_rights(session, systemd, "install-service", "--name", name)
    word, aside = _write(path, text, is_forced=options["is_forced"])
    steps = (("daemon-reload",), ("enable", "--now", path.name))
    done = carry_out(systemd, session, name, *steps)
    if session.is_json:
        session.document("service", unit_document(path, word, text, kept=aside, commands=done))
        return ExitCode.FINE
    session.put(translate(f"service.{word}", path=path))
    if aside is not None:
        session.put(translate("service.kept", path=aside))
    for line in done:
        session.put(f"  {line}")
    _say_what_is_left(session, systemd, name, word=word)
    return ExitCode.FINE


def _show(session: Session, path: Path, text: str) -> None:
    if session.is_json:
        session.document("service", unit_document(path, "shown", text))
    else:
        session.put(text.removesuffix("\n"))


def _write(path: Path, text: str, *, is_forced: bool) -> tuple[str, Path | None]:
    """Put the unit in its place; return what that was, and where an edited one is kept."""
    known = read_unit(path)
    if known == text:
        return "unchanged", None
    aside = None
    if known is not None:
        check_unedited(path, known, is_forced=is_forced)
        aside = set_aside(path, known)
    path.parent.mkdir(parents=True, exist_ok=True)
    # As a whole or not at all: systemd may read it at any moment.
    fresh = path.with_name(f".{path.name}.new")
    fresh.write_text(text, encoding="utf-8", errors="surrogateescape")
    fresh.chmod(0o644)
    fresh.replace(path)
    return ("written" if known is None else "replaced"), aside


def _say_what_is_left(session: Session, systemd: Systemd, name: str, *, word: str) -> None:
    """Tell what only the user can decide."""
    mode = "--user " if systemd.is_of_user else ""
    if word == "replaced":
        session.hint(translate("service.restart"), f"systemctl {mode}restart {name}")
    if systemd.is_of_user and not (_LINGER / getpass.getuser()).exists():
        session.hint(translate("service.linger"), "loginctl enable-linger")
    owner = session.scheduler.config.folder.stat().st_uid
    if not systemd.is_of_user and owner == 0:
        sentence = translate("service.runs_as_root", path=session.scheduler.config.folder)
        session.say(translate("cli.warning", sentence=sentence))
    session.hint(translate("service.see_status"), f"systemctl {mode}status {name}")
