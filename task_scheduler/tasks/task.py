"""`BaseTask`: what every task is, and what users derive their own tasks from.

Responsible for: id, name, description, the policy options as given, `last_error`, and the small
surface by which the scheduler learns where a task runs and how it is stored. Does not know when it
runs, nor what becomes of its result.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from typing import Any, ClassVar

from task_scheduler.core.model import Isolation, LaunchSpec, Policies
from task_scheduler.core.policies import policies_from
from task_scheduler.core.tags import checked_tags
from task_scheduler.errors import DefinitionError, PolicyError
from task_scheduler.tasks.context import RunContext, active_context

__all__ = ["BaseTask", "check_name", "check_tags", "check_task_id"]

_ID_LIMIT = 200
_NAME_LIMIT = 500
_UNSHOWABLE = frozenset({"Cc", "Cs", "Zl", "Zp"})
"""Unicode categories that would tear a line or a table, or cannot be written as UTF-8."""

_DEFAULTS = Policies()


class BaseTask:
    """What is run: derive from it, override `execute`, call ``super().__init__(task_id, name)``.

    Policies (`timeout`, `max_retries`, `overlap` ...) are keywords; those not given come from the
    config's `tasks` section. `tags` are words by which tasks are found together. Raises
    DefinitionError for an impossible id, name or tag, and PolicyError for an unknown or impossible
    policy.
    """

    kind: ClassVar[str] = "custom"
    """How the task is stored; a subclass that overrides `execute` is always ``custom``."""
    executor: str = "thread"
    """Where it runs unless its policies move it: ``thread`` or ``process``."""

    # Class attributes, so that a subclass that forgot super().__init__() still gets clear errors.
    task_id: str = ""
    name: str = ""
    description: str = ""
    tags: tuple[str, ...] = ()
    policy_options: dict[str, Any] = {}  # noqa: RUF012  replaced in __init__, never changed
    _last_error: Any = None

    def __init_subclass__(cls, **options: Any) -> None:
        """Make a class custom whose `execute` is not the one that its kind stands for."""
        super().__init_subclass__(**options)
        owner = next(parent for parent in cls.__mro__ if "kind" in parent.__dict__)
        if getattr(cls, "execute", None) is not getattr(owner, "execute", None):
            cls.kind = "custom"
            cls.executor = "thread"

    def __init__(
        self,
        task_id: str,
        name: str | None = None,
        *,
        description: str = "",
        tags: Iterable[str] = (),
        **policy_options: Any,
    ) -> None:
        check_task_id(task_id)
        self.task_id = task_id
        self.name = check_name(task_id, task_id if name is None else name)
        if not isinstance(description, str):
            raise DefinitionError("tasks.bad_description", task_id=task_id, value=description)
        self.description = description
        self.tags = check_tags(task_id, tags)
        self.policy_options = dict(policy_options)
        self._check_policies()
        self._check_isolation()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.task_id!r}>"

    def execute(self) -> bool:
        """Do the work: return True if it succeeded, False if it failed; it may raise.

        Override this. Set `self.last_error` to say why it failed.
        """
        raise DefinitionError(
            "tasks.no_execute", task_id=self.task_id, class_name=type(self).__name__
        )

    @property
    def last_error(self) -> Any:
        """Why the last attempt failed: what `execute` set here, None before the first.

        Inside an attempt this is what that attempt set: attempts of one task object that overlap
        do not mix their errors.
        """
        context = active_context()
        if context is not None and context.task_id == self.task_id and context.error is not None:
            return context.error
        return self._last_error

    @last_error.setter
    def last_error(self, error: Any) -> None:
        self._last_error = error
        context = active_context()
        if context is not None and context.task_id == self.task_id:
            context.error = error

    def definition(self) -> dict[str, Any] | None:
        """Return the task as JSON data from which it can be made again; None if it cannot.

        None means code-bound: after a restart the task waits until a process adds it again.
        """
        return None

    def warnings(self) -> list[str]:
        """Return what will probably fail when the task runs, as sentences for the user."""
        return []

    def launch_spec(self, context: RunContext, policies: Policies) -> LaunchSpec:
        """Return the command of one attempt; only of tasks that run in a process.

        Raises DefinitionError where the attempt cannot start: that attempt has failed.
        """
        isolation = str(policies.isolation)
        raise DefinitionError(
            "tasks.no_process", task_id=context.task_id, kind=self.kind, isolation=isolation
        )

    def _check_policies(self) -> None:
        """Refuse wrong policies now, where the traceback shows who gave them."""
        try:
            policies_from(self.policy_options, _DEFAULTS)
        except PolicyError as error:
            problems = error.values["problems"]
            raise PolicyError(
                "tasks.bad_policies", task_id=self.task_id, problems=problems
            ) from None

    def _check_isolation(self) -> None:
        """Refuse a place where this kind of task cannot run: only functions have the choice."""
        wanted = self.policy_options.get("isolation")
        if wanted == Isolation.THREAD and self.executor == "process":
            raise PolicyError("tasks.never_in_thread", task_id=self.task_id, kind=self.kind)
        if wanted == Isolation.PROCESS and self.executor == "thread" and self.kind != "function":
            raise PolicyError("tasks.never_in_process", task_id=self.task_id, kind=self.kind)


def check_task_id(task_id: object) -> None:
    """Raise DefinitionError unless this is a str of 1 to 200 characters that can be shown."""
    if not isinstance(task_id, str) or not task_id.strip():
        raise DefinitionError("tasks.bad_id", value=task_id)
    if len(task_id) > _ID_LIMIT:
        raise DefinitionError(
            "tasks.long_id", value=task_id[:40], length=len(task_id), limit=_ID_LIMIT
        )
    if not _is_showable(task_id):
        raise DefinitionError("tasks.unshowable_id", value=task_id)


def check_name(task_id: str, name: object) -> str:
    """Return the name; raises DefinitionError unless it is 1 to 500 characters in one line."""
    if not isinstance(name, str) or not name.strip():
        raise DefinitionError("tasks.bad_name", task_id=task_id, value=name)
    if len(name) > _NAME_LIMIT or not _is_showable(name):
        raise DefinitionError(
            "tasks.unshowable_name", task_id=task_id, value=name[:80], limit=_NAME_LIMIT
        )
    return name


def check_tags(task_id: str, tags: object) -> tuple[str, ...]:
    """Return tags sorted and each once; raises DefinitionError where one may be none."""
    checked = checked_tags(tags)
    if checked is None:
        raise DefinitionError("tasks.bad_tags", task_id=task_id, value=tags)
    return checked


def _is_showable(text: str) -> bool:
    return text.isprintable() or all(
        unicodedata.category(character) not in _UNSHOWABLE for character in text
    )
