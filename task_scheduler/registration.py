"""Registration: from tasks and rules to entries, for one task or a hundred thousand.

Responsible for: the entries of tasks that are about to be added, what is warned of, and adding
very many in parts, so that what is due meanwhile still starts on time. What is wrong is found
before the first of them is added. What tasks have in common (a rule object, a function, the
same policies) is worked out once.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from task_scheduler.core.additions import refuse_other_kinds, refuse_unknown_pools
from task_scheduler.core.chains import refuse_circles
from task_scheduler.core.model import Entry
from task_scheduler.errors import DefinitionError
from task_scheduler.launch_guard import LaunchGuard
from task_scheduler.ledger_view import USER_RULE
from task_scheduler.schedules.calendars.registry import Calendars
from task_scheduler.schedules.rule import ScheduleRule, occurrences_of
from task_scheduler.task_rules import Rules, plain_of, rules_of
from task_scheduler.tasks.registry import EntryMaker
from task_scheduler.tasks.task import BaseTask

__all__ = ["Pair", "Registration", "pairs_of", "parts_of", "without_collecting"]

Pair = tuple[BaseTask, Sequence[ScheduleRule]]
"""A task and its rules."""

_WHOLE = 10_000
"""Entries up to which a call is one commit."""
_PART = 2_000
"""Entries of one commit where there are more: its tick takes a few hundredths of a second."""

_PROGRAMS = ("script", "command")

_Plain = tuple[tuple[Mapping[str, Any], ...], bool]


def pairs_of(given: Iterable[tuple[BaseTask, Rules]]) -> list[Pair]:
    """Return tasks with their rules, as `add_tasks` takes them.

    Raises DefinitionError for what is no pair, and ScheduleError for what is no rule.
    """
    pairs: list[Pair] = []
    # A rule that many tasks share is one value for all of them.
    shared: dict[int, Sequence[ScheduleRule]] = {}
    for item in given:
        pair: object = item
        if not isinstance(pair, tuple | list) or len(pair) != 2:
            raise DefinitionError("runtime.not_a_pair", value=item)
        task, rule = pair
        rules = shared.get(id(rule))
        if rules is None or rules[0] is not rule:
            rules = rules_of(rule)
            if isinstance(rule, ScheduleRule):
                shared[id(rule)] = rules
        pairs.append((task, rules))
    return pairs


class Registration:
    """The entries of one call of `add_task` or `add_tasks`.

    `entries` is in the order of the tasks, `warnings` are sentences.
    """

    def __init__(
        self, pairs: Sequence[Pair], *, maker: EntryMaker, guard: LaunchGuard, calendars: Calendars
    ) -> None:
        self._calendars = calendars
        # By their identity: all of them live as long as the pairs do.
        known: dict[tuple[int, ...], _Plain] = {}
        self.entries: list[Entry] = []
        self.warnings: list[str] = []
        for task, rules in pairs:
            key = (id(rules[0]),) if len(rules) == 1 else tuple(map(id, rules))
            found = known.get(key)
            if found is None:
                found = known[key] = self._plain_of(rules, getattr(task, "task_id", None))
            entry = maker.entry_of(task, found[0], has_user_rule=found[1])
            self.entries.append(entry)
            if entry.kind != "custom":
                self.warnings += task.warnings()
                if entry.kind in _PROGRAMS:
                    self.warnings += guard.warnings_of(task)

    def _plain_of(self, rules: Sequence[ScheduleRule], task_id: str | None) -> _Plain:
        for rule in rules:
            # Refused here, where the traceback shows who named a calendar that is not there.
            occurrences_of(rule, self._calendars, task_id=task_id)
        plain = tuple(plain_of(rule) for rule in rules)
        return plain, any(one["type"] == USER_RULE for one in plain)


@contextmanager
def without_collecting(count: int) -> Iterator[None]:
    """Let the search for cyclic garbage rest while very many objects are made, all of them to stay.

    It would walk over all of them again and again, which takes as long as making them.
    """
    is_paused = count > _WHOLE // 10 and gc.isenabled()
    if is_paused:
        gc.disable()
    try:
        yield
    finally:
        if is_paused:
            gc.enable()


def parts_of(
    entries: Sequence[Entry], *, fetch: Callable[..., Any], pools: Mapping[str, int]
) -> Iterator[Sequence[Entry]]:
    """Give the entries in parts, each to be added in a commit of its own; few of them are one.

    Raises DefinitionError before the first where one of them cannot be added.
    """
    latest: Sequence[Entry] = list({entry.task_id: entry for entry in entries}.values())
    if len(latest) <= _WHOLE:
        yield latest
        return
    if fetch("has_entries"):
        for begin in range(0, len(latest), _PART):
            refuse_other_kinds(latest[begin : begin + _PART], fetch)
    refuse_unknown_pools(latest, pools)
    refuse_circles(latest, fetch)
    for begin in range(0, len(latest), _PART):
        yield latest[begin : begin + _PART]
