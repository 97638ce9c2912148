"""`tsk down`: ask the running scheduler to end, and wait until it has."""

from __future__ import annotations

import click

from task_scheduler.cli.command import command as cli_command
from task_scheduler.cli.exit_codes import ExitCode
from task_scheduler.cli.failures import CliError
from task_scheduler.cli.holders import needs_scheduler, wait_until_gone
from task_scheduler.cli.parameters import Duration
from task_scheduler.cli.session import Session
from task_scheduler.i18n import translate
from task_scheduler.service.systemd import unit_led_by

_BEYOND_SECONDS = 15.0
"""Waited beyond the scheduler's own deadline for its tasks: killing what is left takes a moment."""


@cli_command("down", examples=("tsk down", "tsk down --timeout 2m"))
@click.option("--timeout", type=Duration(), metavar="TIME")
@click.option("--no-wait", is_flag=True)
def command(session: Session, timeout: float | None, no_wait: bool) -> ExitCode:
    """End the scheduler of this ledger."""
    holder = needs_scheduler(session)
    pid = holder["pid"]
    # While the process is there to be asked.
    unit = unit_led_by(pid)
    if not session.scheduler.request_stop():
        needs_scheduler(session)
    has_ended = None
    if not no_wait:
        stop_seconds = session.scheduler.config.settings.scheduler.stop_timeout_seconds
        limit = timeout if timeout is not None else stop_seconds + _BEYOND_SECONDS
        has_ended = wait_until_gone(session, pid, timeout_seconds=limit)
        if not has_ended:
            raise CliError(
                translate("cli.down_late", pid=pid, seconds=limit),
                ExitCode.TIMED_OUT,
                hint=translate("cli.next_status"),
                command="tsk status",
                error="E4007",
            )
    if session.is_json:
        session.document("down", {"pid": pid, "has_ended": has_ended})
    else:
        session.say(translate("cli.down_done" if has_ended else "cli.down_asked", pid=pid))
        if unit is not None:
            stop = f"{unit.systemctl} stop {unit.name}"
            session.hint(translate("service.starts_again", unit=unit.name), stop)
    return ExitCode.FINE
