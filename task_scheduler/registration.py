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
from typing import Any, NamedTuple

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

__all__ = ["Registration", "Wanted", "without_collecting"]

_WHOLE = 10_000
"""Entries up to which a call is one commit."""
_PART = 5000
"""Entries of one commit where there are more: its tick takes a few hundredths of a second."""

_PROGRAMS = ("script", "command")

_Plain = tuple[tuple[Mapping[str, Any], ...], bool]


class Wanted(NamedTuple):
    """Tasks that are to be added, each with its rules: two lists, for there may be a million."""

    tasks: list[BaseTask]
    rules: list[Sequence[ScheduleRule]]

    @classmethod
    def of(cls, pairs: Iterable[tuple[BaseTask, Rules]]) -> Wanted:
        """Return tasks with their rules, as `add_tasks` takes them.

        Raises DefinitionError for what is no pair, and ScheduleError for what is no rule.
        """
        wanted = cls([], [])
        # A rule that many tasks share is one value for all of them.
        shared: dict[int, Sequence[ScheduleRule]] = {}
        for item in pairs:
            pair: object = item
            if not isinstance(pair, tuple | list) or len(pair) != 2:
                raise DefinitionError("runtime.not_a_pair", value=item)
            task, rule = pair
            rules = shared.get(id(rule))
            if rules is None or rules[0] is not rule:
                rules = rules_of(rule)
                if isinstance(rule, ScheduleRule):
                    shared[id(rule)] = rules
            wanted.tasks.append(task)
            wanted.rules.append(rules)
        return wanted


class Registration:
    """The entries of one call of `add_task` or `add_tasks`: the last one of each id.

    `entries`, `tasks` and `rules` go along with each other; `warnings` are sentences.
    """

    def __init__(
        self, wanted: Wanted, *, maker: EntryMaker, guard: LaunchGuard, calendars: Calendars
    ) -> None:
        self._calendars = calendars
        self.tasks, self.rules = wanted
        self.entries: list[Entry] = []
        self.warnings: list[str] = []
        # By their identity: all of them live as long as the lists do.
        known: dict[int, _Plain] = {}
        make, add = maker.entry_of, self.entries.append
        for task, rules in zip(*wanted, strict=True):
            found = known.get(id(rules))
            if found is None:
                found = known[id(rules)] = self._plain_of(rules, getattr(task, "task_id", None))
            entry = make(task, found[0], has_user_rule=found[1])
            add(entry)
            if entry.kind != "custom" and (warnings := task.warnings()):
                self.warnings += warnings
            if entry.kind in _PROGRAMS:
                self.warnings += guard.warnings_of(task)
        self._leave_out_repeated()

    def parts(self, fetch: Callable[..., Any], pools: Mapping[str, int]) -> Iterator[slice]:
        """Give the parts that are added in a commit each: up to some thousands are one.

        Raises DefinitionError before the first where something cannot be added.
        """
        entries = self.entries
        if len(entries) <= _WHOLE:
            yield slice(0, len(entries))
            return
        parts = [slice(begin, begin + _PART) for begin in range(0, len(entries), _PART)]
        if fetch("has_entries"):
            for part in parts:
                refuse_other_kinds(entries[part], fetch)
        refuse_unknown_pools(entries, pools)
        refuse_circles(entries, fetch)
        yield from parts

    def _leave_out_repeated(self) -> None:
        """Keep the last of each id alone."""
        last = {entry.task_id: index for index, entry in enumerate(self.entries)}
        if len(last) < len(self.entries):
            kept = list(last.values())
            self.entries = [self.entries[index] for index in kept]
            self.tasks = [self.tasks[index] for index in kept]
            self.rules = [self.rules[index] for index in kept]

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
