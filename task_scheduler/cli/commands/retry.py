"""`tsk retry`: do runs again that failed or were lost, each as a new run that names the old one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import click

from task_scheduler.cli.backup_text import say_if_held
from task_scheduler.cli.command import command as cli_command
from task_scheduler.cli.exit_codes import ExitCode
from task_scheduler.cli.failures import CliError
from task_scheduler.cli.holders import holder_of, needs_scheduler, refuse_mute
from task_scheduler.cli.parameters import Duration
from task_scheduler.cli.run_stay import stay
from task_scheduler.cli.session import Session
from task_scheduler.cli.standing import is_failing
from task_scheduler.cli.task_choice import chosen_tasks
from task_scheduler.errors import DefinitionError
from task_scheduler.i18n import translate
from task_scheduler.task_rules import moment_of

_DAY = 86_400.0


@cli_command(
    "retry",
    examples=(
        "tsk retry 118",
        "tsk retry data_upload --watch",
        "tsk retry --failed --since 12h",
        "tsk retry 'sensor_*' --failed --dry-run",
    ),
)
@click.argument("which", nargs=-1, metavar="[RUN_ID|TASK]...")
@click.option("--failed", "is_all", is_flag=True)
@click.option("--since", "seconds", type=Duration(), metavar="TIME")
@click.option("--wait", "is_waiting", is_flag=True)
@click.option("--watch", "is_watching", is_flag=True)
@click.option("--timeout", type=Duration(), metavar="TIME")
@click.option("--dry-run", "is_dry_run", is_flag=True)
@click.option("-y", "--yes", "is_sure", is_flag=True)
def command(
    session: Session,
    which: tuple[str, ...],
    *,
    is_all: bool,
    seconds: float | None,
    is_waiting: bool,
    is_watching: bool,
    timeout: float | None,
    is_dry_run: bool,
    is_sure: bool,
) -> int:
    """Ask for the runs again and print the new ids."""
    if not which and not is_all:
        raise click.UsageError(translate("manual.retry_what"))
    if seconds is not None and not is_all:
        raise click.UsageError(translate("manual.since_alone"))
    is_staying = is_waiting or is_watching or timeout is not None
    old = _failed(session, which, seconds or _DAY) if is_all else _named(session, which)
    if is_staying and len(old) > 1:
        raise click.UsageError(translate("manual.watch_one"))
    if is_dry_run or not old:
        return _tell_plan(session, old)
    if is_all and not is_sure and not _is_agreed(session, old, which):
        return ExitCode.FINE
    if is_staying:
        needs_scheduler(session)
    refuse_mute(session)
    new = [(_again(session, run["run_id"]), run) for run in old]
    say_if_held(session)
    if is_staying:
        run_id, run = new[0]
        task_id = run["task_id"]
        return stay(session, task_id, run_id, timeout_seconds=timeout, is_watching=is_watching)
    return _tell(session, new)


def _again(session: Session, run_id: int) -> int:
    try:
        return session.scheduler.retry_run(run_id)
    except DefinitionError as error:
        if error.key not in ("manual.retry_living", "manual.retry_succeeded"):
            raise
        raise CliError(str(error), ExitCode.CONFLICT, error="E3015") from error


def _named(session: Session, which: Sequence[str]) -> list[dict[str, Any]]:
    """Return the runs that were named, of a task its newest one that has ended."""
    found: dict[int, dict[str, Any]] = {}
    for word in which:
        is_number = word.isascii() and word.isdigit()
        if is_number and not session.view.tasks([word], with_quantiles=False):
            run = session.view.run(int(word))
            found[run["run_id"]] = run
            continue
        for task in chosen_tasks(session.view, [word]):
            run = _last(session, task["task_id"])
            found[run["run_id"]] = run
    return list(found.values())


def _last(session: Session, task_id: str) -> dict[str, Any]:
    last = session.view.last_runs([task_id]).get(task_id)
    if last is None:
        raise CliError(
            translate("cli.never_ran_yet", task_id=task_id),
            ExitCode.NOT_FOUND,
            hint=translate("cli.next_run_it"),
            command=f"tsk run {task_id}",
            error="E3006",
        )
    return last


def _failed(session: Session, patterns: Sequence[str], seconds: float) -> list[dict[str, Any]]:
    """Return the last run of each of these tasks that failed, and ended not longer ago."""
    tasks = chosen_tasks(session.view, patterns)
    last_of = session.view.last_runs([task["task_id"] for task in tasks])
    begin = session.clock.now() - round(seconds * 1_000_000)
    return [
        run for run in last_of.values() if is_failing(run) and moment_of(run["ended_at"]) >= begin
    ]


def _is_agreed(session: Session, old: Sequence[Mapping[str, Any]], which: Sequence[str]) -> bool:
    if len(old) == 1:
        return True
    names = ", ".join(f"#{run['run_id']} {run['task_id']}" for run in old[:10])
    names += " …" if len(old) > 10 else ""
    if not session.can_ask():
        raise CliError(
            translate("manual.retry_unsure", count=len(old)),
            ExitCode.USAGE,
            hint=translate("cli.next_yes"),
            command=" ".join(["tsk retry --failed", *which, "--yes"]),
            error="E1008",
        )
    return click.confirm(translate("manual.retry_ask", count=len(old), names=names), err=True)


def _tell_plan(session: Session, old: Sequence[Mapping[str, Any]]) -> ExitCode:
    """Tell what would be done again."""
    if session.is_json:
        runs = [{"run_id": None, "retry_of": r["run_id"], "task_id": r["task_id"]} for r in old]
        session.document("retry", {"runs": runs, "is_scheduler_up": None})
        return ExitCode.FINE
    for run in old:
        state = translate(f"cli.state_{run['state']}")
        session.put(f"#{run['run_id']}  {run['task_id']}  {state}  {run['error'] or ''}".rstrip())
    session.say(translate("manual.retry_plan" if old else "manual.retry_none", count=len(old)))
    return ExitCode.FINE


def _tell(session: Session, new: Sequence[tuple[int, Mapping[str, Any]]]) -> ExitCode:
    """Print the new ids, and what becomes of those runs."""
    holder = holder_of(session)
    is_up = holder is not None and holder["state"] in ("running", "mute")
    skipped = [run_id for run_id, _ in new if session.view.run(run_id)["state"] == "skipped"]
    code = ExitCode.CONFLICT if skipped else ExitCode.FINE
    if session.is_json:
        runs = [{"run_id": n, "retry_of": r["run_id"], "task_id": r["task_id"]} for n, r in new]
        session.document("retry", {"runs": runs, "is_scheduler_up": is_up})
        return code
    for run_id, run in new:
        session.put(str(run_id))
        values = {"run_id": run_id, "task_id": run["task_id"], "old": run["run_id"]}
        session.say(translate("manual.retried", **values))
        if run_id in skipped:
            reason = translate(f"cli.reason_{session.view.run(run_id)['reason']}")
            session.say(translate("cli.run_skipped", run_id=run_id, reason=reason))
    if not is_up:
        session.say(translate("cli.nothing_starts"))
        session.hint(translate("cli.next_start"), "tsk up")
    elif not skipped:
        session.hint(translate("cli.next_follow"), f"tsk logs {new[0][0]} -f")
    return code
