"""The pages that lie over the live view: its keys, and everything about one task.

Responsible for: their lines, to a width.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from task_scheduler.cli.display_width import showable
from task_scheduler.cli.moments import NOTHING, Moments, duration_text
from task_scheduler.cli.standing import problem_of, result_cell, schedule_text
from task_scheduler.cli.tables import pairs
from task_scheduler.cli.top.keys import GO, KEYS
from task_scheduler.i18n import translate

__all__ = ["help_lines", "task_lines"]


def help_lines(width: int) -> list[str]:
    """Return the keys and what they do."""
    items = [(key.shown, translate(f"top.key_{key.action}_long")) for key in (*KEYS, *GO)]
    lines = pairs(items, width=width, paint=_plain)
    return [*lines, "", translate("top.leave_page")]


def task_lines(
    task: Mapping[str, Any], last: Mapping[str, Any] | None, moments: Moments, width: int
) -> list[str]:
    """Return everything about a task that fits on a page."""
    rate = task["success_rate"]
    runs = translate(
        "cli.runs_text",
        count=task["run_count"],
        succeeded=task["success_count"],
        failed=task["failure_count"],
        skipped=task["skip_count"],
        rate=NOTHING if rate is None else f"{rate:.1%}",
    )
    definition = "  ".join(
        f"{name}={value}"
        for name, value in (task["definition"] or {}).items()
        if value not in (None, "", [], {})
    )
    facts = {
        "task": task["task_id"],
        "name": task["name"],
        "description": task["description"],
        "kind": translate("cli.kind_text", kind=task["kind"], origin=task["origin"]),
        "status": translate(f"cli.status_{task['status']}"),
        "problem": problem_of(task, last),
        "paused": moments.full(task["paused_at"]) if task["paused_at"] else "",
        "schedule": schedule_text(task),
        "next": moments.full(task["next_run_time"]),
        "last": f"{moments.full(task['last_run_time'])}  {result_cell(last).text}",
        "runs": runs,
        "usual": duration_text(task["average_duration_seconds"]),
        "definition": definition,
    }
    items = [
        (translate("top.fact_usual" if name == "usual" else f"cli.fact_{name}"), showable(text))
        for name, text in facts.items()
        if text
    ]
    return [*pairs(items, width=width, paint=_plain), "", translate("top.leave_page")]


def _plain(text: str, _: str) -> str:
    return text
