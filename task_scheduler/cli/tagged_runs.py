"""`tsk run tag:NAME`: a run of every task that has a tag.

Responsible for: asking for them and saying which there are; each goes its own way from there.
"""

from __future__ import annotations

from typing import Any

from task_scheduler.cli.backup_text import say_if_held
from task_scheduler.cli.exit_codes import ExitCode
from task_scheduler.cli.holders import refuse_mute
from task_scheduler.cli.session import Session
from task_scheduler.cli.tables import Cell, Column, Row
from task_scheduler.cli.task_choice import check_tags
from task_scheduler.i18n import translate

__all__ = ["run_tagged"]


def run_tagged(session: Session, tag: str) -> ExitCode:
    """Ask for a run of each task that has the tag; one without its code is left out, and named."""
    check_tags(session.view, [tag])
    tasks = session.view.tasks(tags=[tag], with_quantiles=False)
    refuse_mute(session)
    runs: list[dict[str, Any]] = []
    left_out = []
    for task in tasks:
        task_id = task["task_id"]
        if task["status"] == "unresolved":
            left_out.append(task_id)
        else:
            runs.append({"task_id": task_id, "run_id": session.scheduler.run_task(task_id)})
    say_if_held(session)
    if session.is_json:
        session.document("run_tagged", {"tag": tag, "runs": runs, "unresolved": left_out})
    else:
        columns = [Column(translate("cli.column_run")), Column(translate("cli.column_task"))]
        rows = [Row((str(run["run_id"]), Cell(run["task_id"], "bold"))) for run in runs]
        if rows:
            session.table(columns, rows)
        for task_id in left_out:
            session.say(translate("cli.run_unresolved", task_id=task_id))
        session.hint(translate("cli.next_runs"), "tsk runs --tag", tag)
    return ExitCode.PROBLEM if left_out else ExitCode.FINE
