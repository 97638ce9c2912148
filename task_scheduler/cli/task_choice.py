"""Which tasks were meant: ids, globs and tags against what the ledger holds.

Responsible for: finding them, and for an error with the nearest id where there is none.
"""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from task_scheduler.cli.exit_codes import ExitCode
from task_scheduler.cli.failures import CliError
from task_scheduler.cli.parameters import did_you_mean
from task_scheduler.core.tags import tag_of
from task_scheduler.i18n import translate

if TYPE_CHECKING:
    from task_scheduler.ledger_view import LedgerView

__all__ = ["check_tags", "chosen_ids", "chosen_tasks", "ids_with_tag"]

_GLOB = frozenset("*?[")


def chosen_tasks(view: LedgerView, patterns: Sequence[str]) -> list[dict[str, Any]]:
    """Return the status of the tasks that were named; of all where none was.

    Raises TaskNotFoundError for an unknown id, CliError for a glob or a tag that matches nothing.
    """
    if not patterns:
        return view.tasks(with_quantiles=False)
    tagged = {p: ids_with_tag(view, tag) for p in patterns if (tag := tag_of(p)) is not None}
    if tagged:
        named = [pattern for pattern in patterns if pattern not in tagged]
        ids = {*(task_id for found in tagged.values() for task_id in found)}
        ids |= {task["task_id"] for task in chosen_tasks(view, named)} if named else set()
        return view.tasks(sorted(ids), with_quantiles=False)
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
                error="E3002",
            )
        if not matching:
            view.task(pattern)
        chosen |= matching
    return [found[task_id] for task_id in sorted(chosen)]


def chosen_ids(view: LedgerView, patterns: Sequence[str]) -> list[str]:
    """Return the ids of the tasks that were named."""
    return [task["task_id"] for task in chosen_tasks(view, patterns)]


def ids_with_tag(view: LedgerView, tag: str) -> list[str]:
    """Return the ids of the tasks that have a tag; raises CliError where none has."""
    check_tags(view, [tag])
    return [task["task_id"] for task in view.tasks(tags=[tag], with_quantiles=False)]


def check_tags(view: LedgerView, tags: Sequence[str]) -> None:
    """Raise CliError, with the likeliest, for a tag that no task has."""
    known = view.tags() if tags else {}
    for tag in tags:
        if tag not in known:
            raise CliError(
                translate("cli.no_tag", tag=tag, hint=did_you_mean(tag, list(known))),
                ExitCode.NOT_FOUND,
                hint=translate("cli.next_list"),
                command="tsk ls",
                error="E3002",
            )


def _matching(pattern: str, ids: dict[str, Any]) -> set[str]:
    return {task_id for task_id in ids if fnmatchcase(task_id, pattern)}
