"""`tsk runs`: the newest runs; with `--skips` what got no attempt, and why."""

from __future__ import annotations

import click

from task_scheduler.cli.command import command as cli_command
from task_scheduler.cli.parameters import Choice, Number
from task_scheduler.cli.run_tables import put_runs, put_skips
from task_scheduler.cli.session import Session
from task_scheduler.cli.task_choice import check_tags
from task_scheduler.i18n import translate

_STATES = (
    "waiting",
    "running",
    "succeeded",
    "failed",
    "timed_out",
    "cancelled",
    "lost",
    "skipped",
)


@cli_command(
    "runs",
    examples=(
        "tsk runs data_upload -n 5",
        "tsk runs --state failed --before 9000",
        "tsk runs --tag pond",
        "tsk runs --skips",
    ),
)
@click.argument("task", required=False, metavar="[TASK]")
@click.option("--state", type=Choice(_STATES), metavar="STATE")
@click.option("--tag", "tags", multiple=True, metavar="TAG")
@click.option("-n", "--last", "--limit", "count", type=Number(), default=20, metavar="N")
@click.option("--before", type=Number(), metavar="RUN")
@click.option("--skips", "is_skips", is_flag=True)
def command(
    session: Session,
    task: str | None,
    *,
    state: str | None,
    tags: tuple[str, ...],
    count: int,
    before: int | None,
    is_skips: bool,
) -> None:
    """Print runs, newest first."""
    if task is not None and tags:
        raise click.UsageError(translate("cli.task_and_tag"))
    if task is not None and session.view.archived_at(task) is None:
        session.view.task(task)
    check_tags(session.view, tags)
    # What was asked for and skipped is a run of its own, with the reason; the rest are ranges.
    skips = session.view.skips(task, tags=tags, limit=count) if is_skips and before is None else []
    wanted = "skipped" if is_skips else state
    runs = session.view.runs(task, state=wanted, tags=tags, before=before, limit=count)
    if session.is_jsonl:
        for skip in skips:
            session.record("skip", skip)
        for run in runs:
            session.record("run_state", run)
        return
    if session.is_json:
        both = {"skips": skips, "runs": runs}
        session.document("skips", both) if is_skips else session.document("runs", {"runs": runs})
        return
    if not skips and not runs:
        session.say(translate("cli.no_skips" if is_skips else "cli.no_runs"))
    if skips:
        put_skips(session, skips, session.moments(), with_task=task is None)
    if skips and runs:
        session.put()
    if runs:
        put_runs(session, runs, session.moments(), with_task=task is None)
    if before is not None and len(runs) == count:
        # Asked for a page, somebody probably wants the next one.
        words = [*([task] if task else []), *(["--state", state] if state else [])]
        words += [word for tag in tags for word in ("--tag", tag)]
        words += ["-n", str(count), "--before", str(runs[-1]["run_id"])]
        session.hint(translate("cli.next_page"), "tsk runs", *words)
