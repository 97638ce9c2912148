"""Is all well? The worst that is true of a scheduler and its tasks, in one word.

Responsible for: that word, the same in `status` and in the live view, and what is next of all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from task_scheduler.cli.exit_codes import ExitCode
from task_scheduler.i18n import translate

__all__ = ["soonest", "verdict_of", "verdict_sentence"]


def verdict_of(
    holder: Mapping[str, Any] | None,
    tasks: int | None,
    problems: int,
    faults: Sequence[Mapping[str, Any]],
) -> tuple[str, ExitCode]:
    """Return the worst that is true, and its exit code."""
    if holder is None:
        return "silent", ExitCode.UNREACHABLE
    if holder["state"] == "mute":
        return "mute", ExitCode.UNREACHABLE
    if faults:
        is_store = faults[0]["kind"].startswith("store_")
        return ("store" if is_store else "faults"), ExitCode.PROBLEM
    if holder["state"] != "running":
        return "passive", ExitCode.UNREACHABLE
    if problems:
        return "problems", ExitCode.PROBLEM
    return ("fine" if tasks else "empty"), ExitCode.FINE


def verdict_sentence(
    word: str,
    holder: Mapping[str, Any] | None,
    tasks: int | None,
    problems: int,
    faults: Sequence[Mapping[str, Any]],
) -> str:
    """Return the verdict as a sentence."""
    first = faults[0] if faults else {"what": "", "why": ""}
    return translate(
        f"cli.verdict_{word}",
        count=tasks,
        problems=problems,
        what=first["what"],
        why=first["why"],
        pid=holder["pid"] if holder is not None else None,
    )


def soonest(tasks: Mapping[str, Mapping[str, Any]]) -> dict[str, str] | None:
    """Return the next start of all tasks."""
    coming = [
        (task["next_run_time"], task_id)
        for task_id, task in tasks.items()
        if task["next_run_time"] is not None and task["status"] in ("idle", "running")
    ]
    if not coming:
        return None
    at, task_id = min(coming, key=lambda item: datetime.fromisoformat(item[0]))
    return {"at": at, "task_id": task_id}
