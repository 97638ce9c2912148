"""`tsk uninstall-service`: end the service and take its unit away; the ledger stays."""

from __future__ import annotations

import click

from task_scheduler.cli.command import command as cli_command
from task_scheduler.cli.exit_codes import ExitCode
from task_scheduler.cli.failures import CliError
from task_scheduler.cli.service_unit import (
    carry_out,
    check_name,
    check_unedited,
    needs_rights,
    needs_systemd,
    read_unit,
    set_aside,
    unit_document,
)
from task_scheduler.cli.session import Session
from task_scheduler.i18n import translate
from task_scheduler.service.systemd import Systemd
from task_scheduler.service.unit import DEFAULT_NAME


@cli_command(
    "uninstall-service", examples=("tsk uninstall-service", "tsk uninstall-service --user")
)
@click.option("--user", "is_of_user", is_flag=True)
@click.option("--name", default=DEFAULT_NAME, metavar="NAME")
@click.option("--force", "is_forced", is_flag=True)
def command(session: Session, name: str, *, is_of_user: bool, is_forced: bool) -> ExitCode:
    """Have running tasks end as at any stop, then remove the unit."""
    check_name(name)
    systemd = Systemd(is_of_user)
    path = systemd.unit_path(name)
    text = read_unit(path)
    if text is None:
        raise CliError(
            translate("service.not_installed", path=path), ExitCode.NOT_FOUND, error="E8009"
        )
    needs_systemd(session, systemd)
    needs_rights(session, systemd, "uninstall-service", "--name", name)
    check_unedited(path, text, is_forced=is_forced)
    # While the unit is still there: it names what it was wanted by.
    done = carry_out(systemd, session, name, ("disable", "--now", path.name))
    aside = set_aside(path, text)
    path.unlink(missing_ok=True)
    done += carry_out(systemd, session, name, ("daemon-reload",))
    if session.is_json:
        session.document("service", unit_document(path, "removed", text, kept=aside, commands=done))
        return ExitCode.FINE
    session.put(translate("service.removed", path=path))
    if aside is not None:
        session.put(translate("service.kept", path=aside))
    for line in done:
        session.put(f"  {line}")
    session.say(translate("service.ledger_stays", path=session.scheduler.files.database))
    return ExitCode.FINE
