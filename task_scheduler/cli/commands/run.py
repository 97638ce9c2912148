"""`tsk run`: start a task now; `--wait` and `--watch` stay until it has ended."""

from __future__ import annotations

import sys
from typing import Any

import click

from task_scheduler.cli.backup_text import say_if_held
from task_scheduler.cli.command import command as cli_command
from task_scheduler.cli.exit_codes import ExitCode
from task_scheduler.cli.failures import CliError
from task_scheduler.cli.holders import holder_of, needs_scheduler, refuse_mute
from task_scheduler.cli.moments import duration_text
from task_scheduler.cli.parameters import Duration
from task_scheduler.cli.run_output import Neutraliser, has_output
from task_scheduler.cli.run_watch import follow_output, wait_for_end
from task_scheduler.cli.session import Session
from task_scheduler.i18n import translate


@cli_command(
    "run", examples=("tsk run data_upload", "tsk run data_upload --watch", "tsk run x --wait")
)
@click.argument("task", metavar="TASK")
@click.option("--wait", "is_waiting", is_flag=True)
@click.option("--watch", "is_watching", is_flag=True)
@click.option("--timeout", type=Duration(), metavar="TIME")
@click.option("--request-id", metavar="TEXT")
def command(
    session: Session,
    task: str,
    *,
    is_waiting: bool,
    is_watching: bool,
    timeout: float | None,
    request_id: str | None,
) -> ExitCode:
    """Request a run and print its id."""
    session.view.task(task)
    is_staying = is_waiting or is_watching or timeout is not None
    if is_staying:
        needs_scheduler(session)
    refuse_mute(session)
    run_id = session.scheduler.run_task(task, request_id=request_id)
    say_if_held(session)
    if not is_staying:
        return _tell(session, task, run_id)
    try:
        if not session.is_json and not is_watching:
            session.put(str(run_id))
            sys.stdout.flush()
        run = _stay(session, run_id, timeout, is_watching=is_watching)
    except KeyboardInterrupt:
        session.hint(translate("cli.run_goes_on", run_id=run_id), f"tsk kill {run_id}")
        raise
    if run is None:
        raise CliError(
            translate("cli.wait_over", run_id=run_id, seconds=timeout),
            ExitCode.TIMED_OUT,
            hint=translate("cli.next_logs"),
            command=f"tsk logs {run_id} -f",
        )
    return _verdict(session, run)


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


def _stay(
    session: Session, run_id: int, timeout: float | None, *, is_watching: bool
) -> dict[str, Any] | None:
    if not is_watching or session.is_json:
        return wait_for_end(session, run_id, timeout_seconds=timeout)
    session.say(translate("cli.watching", run_id=run_id))
    plain: dict[int, Neutraliser] = {}

    def show(attempt: int, data: bytes) -> None:
        if attempt not in plain:
            plain[attempt] = Neutraliser()
            if attempt > 1:
                session.say(translate("cli.attempt_begins", attempt=attempt))
        sys.stdout.write(plain[attempt].feed(data))
        sys.stdout.flush()

    run = follow_output(session, run_id, show, timeout_seconds=timeout)
    for neutraliser in plain.values():
        sys.stdout.write(neutraliser.feed(b"", is_last=True))
    sys.stdout.flush()
    return run


def _verdict(session: Session, run: dict[str, Any]) -> ExitCode:
    """Tell how the run ended; the exit code tells it too."""
    state = run["state"]
    code = {"succeeded": ExitCode.FINE, "skipped": ExitCode.CONFLICT}.get(
        state, ExitCode.RUN_FAILED
    )
    if session.is_json:
        session.document("run", {"run_id": run["run_id"], "is_scheduler_up": True, "run": run})
        return code
    word = translate(f"cli.state_{state}")
    reason = translate(f"cli.reason_{run['reason']}") if run["reason"] else run["error"]
    session.say(
        translate(
            "cli.run_ended" if code is ExitCode.FINE else "cli.run_ended_badly",
            run_id=run["run_id"],
            state=word,
            duration=duration_text(run["duration_seconds"]),
            reason=reason or word,
        )
    )
    if code is ExitCode.RUN_FAILED and has_output(run, session.scheduler.files.runs):
        session.hint(translate("cli.next_logs"), f"tsk logs {run['run_id']}")
    return code
