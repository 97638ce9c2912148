"""How a task stands: its glyph, the word of its last result, and whether that needs somebody.

Responsible for: one reading of a status and its last run, the same in `ls`, `show` and `status`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from task_scheduler.cli.moments import NOTHING, duration_text
from task_scheduler.cli.tables import Cell
from task_scheduler.i18n import translate

__all__ = ["is_failing", "mark_of", "problem_of", "result_cell", "schedule_text"]

_FAILURES = frozenset({"failed", "timed_out", "lost"})
_MARKS = {
    "running": Cell("●", "blue"),
    "paused": Cell("=", "yellow"),
    "unresolved": Cell("?", "yellow"),
    "finished": Cell("■", "dim"),
}


def is_failing(last: Mapping[str, Any] | None) -> bool:
    """Whether the last run that ended did not do what it should."""
    return last is not None and last["state"] in _FAILURES


def mark_of(task: Mapping[str, Any], last: Mapping[str, Any] | None) -> Cell:
    """Return the one character that leads a task's row: what needs somebody comes first."""
    if is_failing(last) or task["rule_error"]:
        return Cell("✕", "red")
    known = _MARKS.get(task["status"])
    if known is not None:
        return known
    return Cell("✓", "green") if last is not None else Cell(" ")


def result_cell(last: Mapping[str, Any] | None) -> Cell:
    """Return how the last run ended, and how long it took where it succeeded."""
    if last is None:
        return Cell(NOTHING, "dim")
    if last["state"] == "succeeded":
        return Cell(translate("cli.result_ok", duration=duration_text(last["duration_seconds"])))
    style = "red" if is_failing(last) else "yellow"
    return Cell(translate(f"cli.state_{last['state']}"), style)


def problem_of(task: Mapping[str, Any], last: Mapping[str, Any] | None) -> str:
    """Return why a task needs somebody; empty where it does not."""
    if task["rule_error"]:
        return str(task["rule_error"])
    if is_failing(last) and last is not None:
        return str(last["error"] or translate(f"cli.state_{last['state']}"))
    if task["status"] == "unresolved":
        return translate("cli.unresolved_task")
    return ""


def schedule_text(task: Mapping[str, Any]) -> str:
    """Return the sentences of a task's rules as one text."""
    return translate("cli.and").join(task["schedule"]) or translate("cli.no_schedule")
