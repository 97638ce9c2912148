"""`tsk kill`: end a run that waits or runs."""

from __future__ import annotations

import shlex

import click

from task_scheduler.cli.command import command as cli_command
from task_scheduler.cli.exit_codes import ExitCode
from task_scheduler.cli.failures import CliError
from task_scheduler.cli.holders import refuse_mute
from task_scheduler.cli.parameters import Number
from task_scheduler.cli.run_watch import wait_for_end
from task_scheduler.cli.session import Session
from task_scheduler.i18n import translate

_BEYOND_SECONDS = 20.0


@cli_command("kill", examples=("tsk kill 118", "tsk kill 118 --reason 'wrong file' --wait"))
@click.argument("run_id", type=Number(), metavar="RUN_ID")
@click.option("--reason", metavar="TEXT")
@click.option("--wait", "is_waiting", is_flag=True)
def command(session: Session, run_id: int, reason: str | None, is_waiting: bool) -> ExitCode:
    """Cancel one run; `--wait` returns when it is gone."""
    run = session.view.run(run_id)
    refuse_mute(session)
    if not session.scheduler.cancel_run(run_id, reason=reason):
        state = translate(f"cli.state_{run['state']}")
        raise CliError(
            translate("cli.kill_over", run_id=run_id, state=state),
            ExitCode.CONFLICT,
            hint=translate("cli.next_show"),
            command=f"tsk runs {shlex.quote(run['task_id'])}",
            error="E3007",
        )
    if is_waiting and wait_for_end(session, run_id, timeout_seconds=_BEYOND_SECONDS) is None:
        raise CliError(
            translate("cli.wait_over", run_id=run_id, seconds=_BEYOND_SECONDS),
            ExitCode.TIMED_OUT,
            error="E3008",
        )
    if session.is_json:
        session.document("kill", {"run_id": run_id, "run": session.view.run(run_id)})
    else:
        session.say(translate("cli.killed", run_id=run_id, task_id=run["task_id"]))
    return ExitCode.FINE
