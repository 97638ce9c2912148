"""From a task to its stored entry, and back after a restart.

Responsible for: which class a kind stands for, making `Entry` values, and restoring tasks from
them. Imports the function that an entry names, and nothing else. Does not know the ledger.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from task_scheduler.core.model import Entry, Isolation, Policies
from task_scheduler.core.policies import policies_from, to_plain
from task_scheduler.errors import DefinitionError
from task_scheduler.tasks.command import CommandTask
from task_scheduler.tasks.function import FunctionTask, resolve_function
from task_scheduler.tasks.http_task import HttpTask
from task_scheduler.tasks.log_cleanup import LogCleanupTask
from task_scheduler.tasks.script import ScriptTask
from task_scheduler.tasks.task import BaseTask, check_name, check_tags, check_task_id

__all__ = [
    "KINDS",
    "EntryMaker",
    "entry_of",
    "kind_of",
    "resolve_function",
    "restore_task",
    "warnings_of",
]

KINDS: Mapping[str, type[BaseTask]] = {
    "function": FunctionTask,
    "script": ScriptTask,
    "command": CommandTask,
    "http": HttpTask,
    "log_cleanup": LogCleanupTask,
}
"""The kinds that can be stored; ``custom`` lives in the process that added it alone."""


_SHORT = 100
"""Characters up to which an id or a name that can be printed is surely fit."""


class EntryMaker:
    """Makes the entries of many tasks: what they have in common is worked out once."""

    def __init__(self, defaults: Policies, *, origin: str = "api") -> None:
        self._defaults = defaults
        self._origin = origin
        self._kinds: dict[type, str] = {}
        self._policies: dict[tuple[tuple[str, type, Any], ...], Policies] = {}
        self._definitions: dict[str, dict[str, Any]] = {}

    def kind_of(self, task: BaseTask) -> str:
        """Return the kind of a task; raises DefinitionError where this is none."""
        kind = self._kinds.get(type(task))
        if kind is None:
            _check_is_task(task)
            kind = self._kinds[type(task)] = kind_of(task)
        return kind

    def entry_of(
        self, task: BaseTask, rules: tuple[Mapping[str, Any], ...], *, has_user_rule: bool
    ) -> Entry:
        """Return the entry of a task: its rules in plain form, its policies over the defaults.

        It is code-bound if the task cannot be made again from JSON or a rule is the user's own
        code. Raises DefinitionError where this is no task, or cannot be isolated as its policies
        ask.
        """
        kind = self._kinds.get(type(task)) or self.kind_of(task)
        task_id, name = task.task_id, task.name
        if not (
            type(task_id) is type(name) is str
            and 0 < len(task_id) <= _SHORT
            and 0 < len(name) <= _SHORT
            and task_id.isprintable()
            and name.isprintable()
            and not task_id.isspace()
            and not name.isspace()
        ):
            _check_identity(task)
        policies = self._policies_of(task) if task.policy_options else self._defaults
        executor = "thread"
        definition: dict[str, Any] | None = None
        # Of a custom task only what every task has is read: its other attributes are the user's.
        if kind == "function" and isinstance(task, FunctionTask):
            definition = self._definition_of(task)
            if policies.isolation is Isolation.PROCESS:
                # Asked for by the defaults too: never a thread where a process was promised.
                task.require_isolable()
                executor = "process"
        elif kind != "custom":
            executor = task.executor
            definition = task.definition()
        stored = {} if definition is None else definition
        if task.description:
            stored = {**stored, "description": task.description}
        if task.tags:
            stored = {**stored, "tags": list(check_tags(task_id, task.tags))}
        return Entry(
            task_id=task_id,
            name=name,
            kind=kind,
            executor=executor,
            definition=stored,
            rules=rules,
            policies=policies,
            is_code_bound=definition is None or has_user_rule,
            origin=self._origin,
        )

    def _policies_of(self, task: BaseTask) -> Policies:
        try:
            # With their types: True is no number of retries, and yet equals 1.
            key = tuple((name, type(v), v) for name, v in task.policy_options.items())
            found = self._policies.get(key)
        except TypeError:  # a list, as `after` takes it
            return policies_from(task.policy_options, self._defaults)
        if found is None:
            found = self._policies[key] = policies_from(task.policy_options, self._defaults)
        return found

    def _definition_of(self, task: FunctionTask) -> dict[str, Any] | None:
        reference = task.bare_reference
        if reference is None:
            return task.definition()
        known = self._definitions.get(reference)
        if known is None:
            found = task.definition()
            if found is None:
                return None
            known = self._definitions[reference] = found
        return known


def entry_of(
    task: BaseTask,
    rules_plain: Iterable[Mapping[str, Any]],
    defaults: Policies,
    *,
    has_user_rule: bool,
    origin: str = "api",
) -> Entry:
    """Return the entry of one task, as `EntryMaker` makes it."""
    maker = EntryMaker(defaults, origin=origin)
    return maker.entry_of(task, tuple(rules_plain), has_user_rule=has_user_rule)


def warnings_of(task: BaseTask) -> list[str]:
    """Return what will probably fail when a task runs; nothing is known of a custom one."""
    return [] if kind_of(task) == "custom" else task.warnings()


def kind_of(task: BaseTask) -> str:
    """Return the kind by which a task can be stored; ``custom`` if its `execute` is its own.

    By what it runs and not by its attributes, whose names a user may have taken for other things.
    """
    for kind, kind_class in KINDS.items():
        if isinstance(task, kind_class) and type(task).execute is kind_class.execute:
            return kind
    return "custom"


def restore_task(entry: Entry) -> BaseTask:
    """Make the task of a stored entry again.

    Raises DefinitionError ("tasks.unresolved") where its function cannot be imported, its kind is
    unknown here, or its definition is not one.
    """
    restore = _RESTORERS.get(entry.kind)
    if restore is None:
        known = ", ".join(KINDS)
        raise DefinitionError(
            "tasks.unknown_kind", task_id=entry.task_id, kind=entry.kind, known=known
        )
    options = dict(entry.definition)
    common = {
        "description": options.pop("description", ""),
        "tags": options.pop("tags", ()),
        **to_plain(entry.policies),
    }
    try:
        return restore(entry, options, common)
    except DefinitionError as error:
        raise _unresolved(entry, str(error)) from error
    except (KeyError, TypeError) as error:
        raise _unresolved(entry, f"{type(error).__name__}: {error}") from error


_Options = dict[str, Any]


def _restore_function(entry: Entry, options: _Options, common: _Options) -> BaseTask:
    function, args, kwargs = (options.pop(name) for name in ("function", "args", "kwargs"))
    return FunctionTask(entry.task_id, entry.name, function, args, kwargs, **{**options, **common})


def _restore_script(entry: Entry, options: _Options, common: _Options) -> BaseTask:
    del common["isolation"]  # of functions alone
    return ScriptTask(entry.task_id, entry.name, **options, **common)


def _restore_command(entry: Entry, options: _Options, common: _Options) -> BaseTask:
    del common["isolation"]
    return CommandTask(entry.task_id, entry.name, **options, **common)


def _restore_http(entry: Entry, options: _Options, common: _Options) -> BaseTask:
    del common["isolation"]
    return HttpTask(entry.task_id, entry.name, **options, **common)


def _restore_log_cleanup(entry: Entry, options: _Options, common: _Options) -> BaseTask:
    del common["isolation"]
    return LogCleanupTask(entry.task_id, entry.name, **options, **common)


_RESTORERS: Mapping[str, Callable[[Entry, _Options, _Options], BaseTask]] = {
    "function": _restore_function,
    "script": _restore_script,
    "command": _restore_command,
    "http": _restore_http,
    "log_cleanup": _restore_log_cleanup,
}


def _unresolved(entry: Entry, reason: str) -> DefinitionError:
    return DefinitionError("tasks.unresolved", task_id=entry.task_id, reason=reason)


def _check_is_task(task: object) -> None:
    if isinstance(task, type) and issubclass(task, BaseTask):
        raise DefinitionError("tasks.class_not_instance", class_name=task.__name__)
    if not isinstance(task, BaseTask):
        raise DefinitionError("tasks.not_a_task", value=task)


def _check_identity(task: BaseTask) -> None:
    # Again, as at its making: a subclass may have forgotten super().__init__(task_id, name).
    if not task.task_id:
        raise DefinitionError("tasks.no_super_init", class_name=type(task).__name__)
    check_task_id(task.task_id)
    check_name(task.task_id, task.name)
