"""`tsk run`: start a task now; `--wait` and `--watch` stay until it has ended."""

from __future__ import annotations

import click

from task_scheduler.cli.backup_text import say_if_held
from task_scheduler.cli.command import command as cli_command
from task_scheduler.cli.exit_codes import ExitCode
from task_scheduler.cli.holders import holder_of, needs_scheduler, refuse_mute
from task_scheduler.cli.parameters import Duration
from task_scheduler.cli.run_stay import stay
from task_scheduler.cli.session import Session
from task_scheduler.cli.tagged_runs import run_tagged
from task_scheduler.core.tags import tag_of
from task_scheduler.i18n import translate


@cli_command(
    "run",
    examples=(
        "tsk run data_upload",
        "tsk run data_upload --watch",
        "tsk run x --wait",
        "tsk run tag:pond",
    ),
)
@click.argument("task", metavar="TASK")
@click.option("--wait", "is_waiting", is_flag=True)
@click.option("--watch", "is_watching", is_flag=True)
@click.option("--timeout", type=Duration(), metavar="TIME")
@click.option("--request-id", metavar="TEXT")
@click.option("--exit-status", "is_code_passed", is_flag=True)
def command(
    session: Session,
    task: str,
    *,
    is_waiting: bool,
    is_watching: bool,
    timeout: float | None,
    request_id: str | None,
    is_code_passed: bool,
) -> int:
    """Request a run and print its id."""
    is_staying = is_waiting or is_watching or is_code_passed or timeout is not None
    tag = tag_of(task)
    if tag is not None:
        if is_staying or request_id is not None:
            raise click.UsageError(translate("cli.run_one"))
        return run_tagged(session, tag)
    session.view.task(task)
    if is_staying:
        needs_scheduler(session)
    refuse_mute(session)
    run_id = session.scheduler.run_task(task, request_id=request_id)
    say_if_held(session)
    if not is_staying:
        return _tell(session, task, run_id)
    return stay(
        session,
        task,
        run_id,
        timeout_seconds=timeout,
        is_watching=is_watching,
        is_code_passed=is_code_passed,
    )


def _tell(session: Session, task: str, run_id: int) -> ExitCode:
    """Print the id, and what becomes of the run."""
    holder = holder_of(session)
    # One that does not answer has it all the same: it was acknowledged.
    is_up = holder is not None and holder["state"] in ("running", "mute")
    run = session.view.run(run_id)
    is_skipped = run["state"] == "skipped"
    code = ExitCode.CONFLICT if is_skipped else ExitCode.FINE
    if session.is_json:
        session.document("run", {"run_id": run_id, "is_scheduler_up": is_up, "run": run})
        return code
    session.put(str(run_id))
    if is_skipped:
        reason = translate(f"cli.reason_{run['reason']}")
        session.say(translate("cli.run_skipped", run_id=run_id, reason=reason))
        session.hint(translate("cli.next_runs"), "tsk runs", task)
    elif is_up:
        session.hint(translate("cli.next_follow"), f"tsk logs {run_id} -f")
    else:
        session.say(translate("cli.run_waits", task_id=task, run_id=run_id))
        session.hint(translate("cli.next_start"), "tsk up")
    return code
