"""The unit of an installation, as the command line installs it and takes it away.

Responsible for: the places that are filled in, what is refused, and keeping what somebody edited.
"""

from __future__ import annotations

import grp
import os
import pwd
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from task_scheduler.cli.exit_codes import ExitCode
from task_scheduler.cli.failures import CliError
from task_scheduler.i18n import translate
from task_scheduler.service.systemd import Answer, Systemd
from task_scheduler.service.unit import UnitPlaces, is_name, is_unedited

if TYPE_CHECKING:
    from task_scheduler.cli.session import Session

__all__ = [
    "carry_out",
    "check_name",
    "check_unedited",
    "needs_rights",
    "needs_systemd",
    "places_of",
    "program_words",
    "read_unit",
    "set_aside",
    "typed",
    "unit_document",
]

_WITH_SUBGROUPS = 254
"""The version of systemd from which on it knows ``DelegateSubgroup=``."""
_SPARE_SECONDS = 120.0
"""How long `systemctl` may take beyond what the scheduler itself takes to stop."""


def check_name(name: str) -> None:
    """Raise UsageError where no service can be called so."""
    if not is_name(name):
        raise click.UsageError(translate("service.bad_name", name=name))


def program_words() -> tuple[str, ...]:
    """Return how this very installation is called, by its whole path."""
    script = Path(sys.executable).parent / "tsk"
    return (str(script),) if script.is_file() else (sys.executable, "-m", "task_scheduler")


def typed(session: Session, *words: str, is_root: bool = False) -> str:
    """Return a call of this installation that works in any folder, and as root too."""
    config = session.scheduler.config.path
    named = ("-c", str(config)) if config is not None else ()
    return shlex.join([*(("sudo",) if is_root else ()), *program_words(), *named, *words])


def places_of(session: Session, systemd: Systemd, name: str) -> UnitPlaces:
    """Return the places of the installation; raises CliError for a folder that there is not."""
    config = session.scheduler.config
    settings = config.settings
    folder = config.folder.absolute()
    files = session.scheduler.files
    writable = [files.database.parent.absolute(), Path(settings.logging.log_dir).absolute()]
    for path in [folder, *(path for path in writable if not path.is_relative_to(folder))]:
        if not path.is_dir():
            raise CliError(
                translate("service.no_folder", path=path), ExitCode.NOT_FOUND, error="E9003"
            )
    status = folder.stat()
    return UnitPlaces(
        name=name,
        program=program_words(),
        config=config.path,
        folder=folder,
        writable=writable,
        readable=[Path(name).resolve() for name in (__file__, sys.prefix, sys.base_prefix)],
        user=_user_name(status.st_uid),
        group=_group_name(status.st_gid),
        is_of_user=systemd.is_of_user,
        stop_seconds=float(settings.scheduler.stop_timeout_seconds),
        stall_seconds=float(settings.scheduler.stall_exit_seconds),
        has_subgroups=systemd.version >= _WITH_SUBGROUPS,
    )


def needs_systemd(session: Session, systemd: Systemd) -> None:
    """Raise CliError with the way by hand, where the machine is not run by systemd."""
    if systemd.is_running:
        return
    folder = shlex.quote(str(session.scheduler.config.folder.absolute()))
    raise CliError(
        translate("service.no_systemd", by_hand=f"cd {folder} && exec {typed(session, 'up')}"),
        ExitCode.PROBLEM,
        hint=translate("service.see_unit"),
        command="tsk install-service --print",
        error="E8006",
    )


def needs_rights(session: Session, systemd: Systemd, *words: str) -> None:
    """Raise CliError where this user may not change the units of the machine."""
    if systemd.is_of_user or os.access(systemd.folder, os.W_OK):
        return
    raise CliError(
        translate("service.not_allowed", path=systemd.folder),
        ExitCode.NOT_ALLOWED,
        hint=translate("service.as_root"),
        command=typed(session, *words, is_root=True),
        error="E9004",
    )


def read_unit(path: Path) -> str | None:
    """Return the text of a unit; None where there is none."""
    try:
        return path.read_text(encoding="utf-8", errors="surrogateescape")
    except FileNotFoundError:
        return None


def check_unedited(path: Path, text: str, *, is_forced: bool) -> None:
    """Raise CliError where somebody edited a unit, unless it is to go all the same."""
    if is_forced or is_unedited(text):
        return
    raise CliError(
        translate("service.edited", path=path),
        ExitCode.CONFLICT,
        hint=translate("service.see_difference"),
        command=f"tsk install-service --print | diff {shlex.quote(str(path))} -",
        error="E8007",
    )


def set_aside(path: Path, text: str) -> Path | None:
    """Keep a unit that somebody edited beside its place, and return where; None for others."""
    if is_unedited(text):
        return None
    aside = path.with_name(f"{path.name}.before")
    # A copy: whatever comes next, the unit is never missing.
    aside.write_text(text, encoding="utf-8", errors="surrogateescape")
    return aside


def unit_document(
    path: Path,
    action: str,
    text: str,
    *,
    kept: Path | None = None,
    commands: Sequence[str] = (),
) -> dict[str, Any]:
    """Return what was done with a unit, as JSON values."""
    return {
        "path": str(path),
        "action": action,
        "unit": text,
        "kept": None if kept is None else str(kept),
        "commands": list(commands),
    }


def carry_out(systemd: Systemd, session: Session, name: str, *steps: tuple[str, ...]) -> list[str]:
    """Call `systemctl` step by step and return what was called; raises CliError at a failure."""
    seconds = session.scheduler.stop_seconds + _SPARE_SECONDS
    done: list[str] = []
    for step in steps:
        answer = systemd.call(*step, seconds=seconds)
        if answer.code:
            raise _failure(answer, systemd, name)
        done.append(answer.command)
    return done


def _failure(answer: Answer, systemd: Systemd, name: str) -> CliError:
    mode = "--user " if systemd.is_of_user else ""
    return CliError(
        translate("service.step_failed", command=answer.command, reason=answer.text),
        ExitCode.PROBLEM,
        hint=translate("service.see_journal"),
        command=f"journalctl {mode}-u {name} -n 30",
        error="E8008",
    )


def _user_name(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def _group_name(number: int) -> str:
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)
