"""Bindings: where the code of entries is found in this process.

Responsible for: task objects bound by id (closures, custom tasks, user rules), tasks restored from
their stored definitions, and the rules of both. Nothing is imported from the ledger other than the
functions that an entry names.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence

from task_scheduler.core.model import Entry
from task_scheduler.errors import DefinitionError, TaskSchedulerError
from task_scheduler.schedules.calendars.registry import BUILT_IN, Calendars
from task_scheduler.schedules.occurrences import Occurrences, union
from task_scheduler.schedules.rule import ScheduleRule, from_plain, occurrences_of
from task_scheduler.tasks.function import FunctionTask, MissingFunction, home_of
from task_scheduler.tasks.registry import KINDS, resolve_function, restore_task
from task_scheduler.tasks.task import BaseTask

__all__ = ["Bindings"]

_RESTORED_LIMIT = 10_000


_Bound = tuple[Entry, BaseTask, Sequence[ScheduleRule]]
"""A task that a live process added, with its rules; a plain tuple, for there may be a million."""


class Bindings:
    """The catalog of the engine and of the workers."""

    def __init__(
        self,
        calendars: Callable[[], Calendars] = lambda: BUILT_IN,
        allows_function: Callable[[str], bool] = lambda _: True,
    ) -> None:
        self._calendars = calendars
        self._allows_function = allows_function
        self._guard = threading.Lock()
        self._bound: dict[str, _Bound] = {}
        self._restored: dict[str, tuple[Entry, BaseTask]] = {}
        self._references: set[str] = set()
        """Functions that this process handed over itself: whether they are allowed is not asked."""

    def bind(self, entry: Entry, task: BaseTask, rules: Sequence[ScheduleRule]) -> None:
        """Bind a task object to its id; the definition it came with decides when it is stale."""
        self.bind_all([entry], [task], [rules])

    def bind_all(
        self,
        entries: Sequence[Entry],
        tasks: Sequence[BaseTask],
        rules: Sequence[Sequence[ScheduleRule]],
    ) -> Callable[[], None]:
        """Bind task objects, with their rules, to the ids of their entries; return what undoes it.

        To be undone where the change is refused: what was bound before is bound again.
        """
        values = zip(entries, tasks, rules, strict=True)
        ids = [entry.task_id for entry in entries]
        bound: dict[str, _Bound] = dict(zip(ids, values, strict=True))
        # Of tasks that share a definition, once.
        named = {id(e.definition): e for e in entries if e.kind == "function"}.values()
        with self._guard:
            before = {task_id: self._bound[task_id] for task_id in ids if task_id in self._bound}
            self._bound.update(bound)
            for task_id in ids if self._restored else ():
                self._restored.pop(task_id, None)
            self._references.update(str(entry.definition.get("function")) for entry in named)

        def undo() -> None:
            with self._guard:
                for task_id in bound:
                    self._bound.pop(task_id, None)
                self._bound.update(before)

        return undo

    def unbind(self, task_id: str) -> None:
        """Forget a task that was removed."""
        with self._guard:
            self._bound.pop(task_id, None)
            self._restored.pop(task_id, None)

    def bound(self) -> list[Entry]:
        """Return the entries that this process added."""
        with self._guard:
            return [entry for entry, _, _ in self._bound.values()]

    def is_bound(self, task_id: str) -> bool:
        """Whether this process has bound code to an id."""
        with self._guard:
            return task_id in self._bound

    def occurrences_of(self, entry: Entry) -> Occurrences:
        """Return the occurrences of an entry's rules; raises what they raise."""
        with self._guard:
            bound = self._bound.get(entry.task_id)
        rules: Iterable[ScheduleRule]
        if bound is not None and list(bound[0].rules) == list(entry.rules):
            rules = bound[2]
        else:
            rules = [from_plain(plain) for plain in entry.rules]
        calendars = self._calendars()
        return union([occurrences_of(rule, calendars, task_id=entry.task_id) for rule in rules])

    def task_of(self, entry: Entry) -> BaseTask:
        """Return the task of an entry; raises DefinitionError where its code is gone."""
        # Without the guard: every start passes here, and a worker that waits for a lock beside a
        # function that computes all the time gets the interpreter back only milliseconds later.
        bound = self._bound.get(entry.task_id)
        if bound is not None and (entry.is_code_bound or _same(bound[0], entry)):
            return bound[1]
        restored = self._restored.get(entry.task_id)
        if restored is not None and restored[0] is entry:
            return restored[1]
        if entry.is_code_bound:
            raise DefinitionError("errors.task_unresolved", task_id=entry.task_id)
        reference = str(entry.definition.get("function"))
        if entry.kind == "function" and not self._may_import(reference):
            raise DefinitionError("tasks.function_not_allowed", reference=reference)
        task = restore_task(entry)
        if isinstance(task, FunctionTask) and not self._may_call(reference, task.func):
            raise DefinitionError("tasks.function_not_allowed", reference=reference)
        if task.executor != entry.executor:
            # A program in a thread would be started without its confinement.
            kind, known = f"{entry.kind}/{entry.executor}", ", ".join(KINDS)
            raise DefinitionError(
                "tasks.unknown_kind", task_id=entry.task_id, kind=kind, known=known
            )
        with self._guard:
            if len(self._restored) >= _RESTORED_LIMIT:
                self._restored.clear()
            self._restored[entry.task_id] = (entry, task)
        return task

    def _may_import(self, reference: str) -> bool:
        return reference in self._references or self._allows_function(reference)

    def _may_call(self, reference: str, function: Callable[..., object]) -> bool:
        """Whether what a reference led to is itself of a module that is allowed.

        An allowed module may have imported `os`, or `run` of `subprocess`.
        """
        if reference in self._references or isinstance(function, MissingFunction):
            return True
        home = home_of(function)
        name = reference.partition(":")[2]
        return home is None or self._allows_function(f"{home}:{name}")

    def missing_functions(self, references: Iterable[str]) -> list[str]:
        """Return those of the functions, as ``module:name``, that must or can not be imported."""
        missing = []
        for reference in references:
            if not self._may_import(reference):
                missing.append(reference)
                continue
            try:
                function = resolve_function(reference)
            except TaskSchedulerError:
                missing.append(reference)
                continue
            if not self._may_call(reference, function):
                missing.append(reference)
        return missing


def _same(one: Entry, other: Entry) -> bool:
    return one.kind == other.kind and dict(one.definition) == dict(other.definition)
