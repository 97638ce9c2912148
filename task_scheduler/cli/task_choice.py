"""Which tasks were meant: ids and globs against what the ledger holds.

Responsible for: finding them, and for an error with the nearest id where there is none.
"""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from task_scheduler.cli.exit_codes import ExitCode
from task_scheduler.cli.failures import CliError
from task_scheduler.i18n import translate

if TYPE_CHECKING:
    from task_scheduler.ledger_view import LedgerView

__all__ = ["chosen_ids", "chosen_tasks"]

_GLOB = frozenset("*?[")


def chosen_tasks(view: LedgerView, patterns: Sequence[str]) -> list[dict[str, Any]]:
    """Return the status of the tasks that were named; of all where none was.

    Raises TaskNotFoundError for an unknown id, CliError for a glob that matches nothing.
    """
    if not patterns:
        return view.tasks(with_quantiles=False)
    is_plain = not any(_GLOB & set(pattern) for pattern in patterns)
    tasks = view.tasks(list(patterns) if is_plain else None, with_quantiles=False)
    found = {task["task_id"]: task for task in tasks}
    chosen: set[str] = set()
    for pattern in patterns:
        matching = {pattern} if pattern in found else _matching(pattern, found)
        if not matching and _GLOB & set(pattern):
            raise CliError(
                translate("cli.no_match", pattern=pattern),
                ExitCode.NOT_FOUND,
                hint=translate("cli.next_list"),
                command="tsk ls",
            )
        if not matching:
            view.task(pattern)
        chosen |= matching
    return [found[task_id] for task_id in sorted(chosen)]


def chosen_ids(view: LedgerView, patterns: Sequence[str]) -> list[str]:
    """Return the ids of the tasks that were named."""
    return [task["task_id"] for task in chosen_tasks(view, patterns)]


def _matching(pattern: str, ids: dict[str, Any]) -> set[str]:
    return {task_id for task_id in ids if fnmatchcase(task_id, pattern)}
