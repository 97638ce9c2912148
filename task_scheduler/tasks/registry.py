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
from task_scheduler.tasks.log_cleanup import LogCleanupTask
from task_scheduler.tasks.script import ScriptTask
from task_scheduler.tasks.task import BaseTask, check_name, check_task_id

__all__ = ["KINDS", "entry_of", "kind_of", "resolve_function", "restore_task", "warnings_of"]

KINDS: Mapping[str, type[BaseTask]] = {
    "function": FunctionTask,
    "script": ScriptTask,
    "command": CommandTask,
    "log_cleanup": LogCleanupTask,
}
"""The kinds that can be stored; ``custom`` lives in the process that added it alone."""


def entry_of(
    task: BaseTask,
    rules_plain: Iterable[Mapping[str, Any]],
    defaults: Policies,
    *,
    has_user_rule: bool,
    origin: str = "api",
) -> Entry:
    """Return the entry of a task: its rules in plain form, its policies over the defaults.

    It is code-bound if the task cannot be made again from JSON or a rule is the user's own code.
    Raises DefinitionError where this is no task, or cannot be isolated as its policies ask.
    """
    _check_is_task(task)
    policies = policies_from(task.policy_options, defaults)
    kind = kind_of(task)
    executor = "thread"
    definition: dict[str, Any] | None = None
    # Of a custom task only what every task has is read: its other attributes are the user's.
    if kind != "custom":
        executor = task.executor
        definition = task.definition()
    if isinstance(task, FunctionTask) and kind == "function":
        if policies.isolation is Isolation.PROCESS:
            # Asked for by the defaults too: never a thread where a process was promised.
            task.require_isolable()
            executor = "process"
        else:
            executor = "thread"
    stored: dict[str, Any] = dict(definition or {})
    if task.description:
        stored["description"] = task.description
    return Entry(
        task_id=task.task_id,
        name=task.name,
        kind=kind,
        executor=executor,
        definition=stored,
        rules=tuple(rules_plain),
        policies=policies,
        is_code_bound=definition is None or has_user_rule,
        origin=origin,
    )


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
    common = {"description": options.pop("description", ""), **to_plain(entry.policies)}
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


def _restore_log_cleanup(entry: Entry, options: _Options, common: _Options) -> BaseTask:
    del common["isolation"]
    return LogCleanupTask(entry.task_id, entry.name, **options, **common)


_RESTORERS: Mapping[str, Callable[[Entry, _Options, _Options], BaseTask]] = {
    "function": _restore_function,
    "script": _restore_script,
    "command": _restore_command,
    "log_cleanup": _restore_log_cleanup,
}


def _unresolved(entry: Entry, reason: str) -> DefinitionError:
    return DefinitionError("tasks.unresolved", task_id=entry.task_id, reason=reason)


def _check_is_task(task: object) -> None:
    if isinstance(task, type) and issubclass(task, BaseTask):
        raise DefinitionError("tasks.class_not_instance", class_name=task.__name__)
    if not isinstance(task, BaseTask):
        raise DefinitionError("tasks.not_a_task", value=task)
    # Again, as at its making: a subclass may have forgotten super().__init__(task_id, name).
    if not task.task_id:
        raise DefinitionError("tasks.no_super_init", class_name=type(task).__name__)
    check_task_id(task.task_id)
    check_name(task.task_id, task.name)
