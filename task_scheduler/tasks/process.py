"""`ProcessTask`: what script and command tasks share.

Responsible for: working folder, environment and arguments, the launch of one attempt, and
`execute()` for those who call it themselves. Its subclasses say what the command is and what stands
in its way.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, ClassVar

from task_scheduler.core.model import LaunchSpec, Policies
from task_scheduler.core.policies import policies_from
from task_scheduler.errors import DefinitionError
from task_scheduler.i18n import translate
from task_scheduler.tasks.confinement import confinement_of, names_secret, take_options
from task_scheduler.tasks.context import RunContext, active_context, environment
from task_scheduler.tasks.task import BaseTask

__all__ = ["ProcessTask", "absolute_path", "check_text", "texts_of"]


class ProcessTask(BaseTask):
    """A task that is a program: it succeeds with exit code 0.

    `working_dir` is where it runs, by default the current folder at the moment the task is made;
    `env` is added to the scheduler's own environment. It runs with its input closed. How it is
    confined is said by `user`, `group`, `umask`, `nice`, `limits`, `network` and
    `no_new_privileges`: see `docs/security.md`.
    """

    kind: ClassVar[str] = "custom"
    executor: str = "process"
    confinement: dict[str, Any] = {}  # noqa: RUF012  replaced in __init__, never changed
    more_options: ClassVar[tuple[str, ...]] = ()
    """Options of a confinement that only some kinds have."""

    def __init__(
        self,
        task_id: str,
        name: str | None = None,
        *,
        working_dir: str | os.PathLike[str] | None = None,
        env: Mapping[str, Any] | None = None,
        description: str = "",
        **policies: Any,
    ) -> None:
        options = take_options(policies, more=self.more_options)
        super().__init__(task_id, name, description=description, **policies)
        self.confinement = confinement_of(task_id, options)
        self.working_dir = absolute_path(
            task_id, "working_dir", "." if working_dir is None else working_dir
        )
        self.env = _environment_of(task_id, env)

    def argv(self) -> list[str]:
        """Return the program and its arguments."""
        raise DefinitionError(
            "tasks.no_execute", task_id=self.task_id, class_name=type(self).__name__
        )

    def obstacle(self) -> str | None:
        """Say what would keep the program from starting now; None if nothing does."""
        if not Path(self.working_dir).is_dir():
            return translate("tasks.no_working_dir", path=self.working_dir)
        return self._program_obstacle()

    def warnings(self) -> list[str]:
        """Return what would keep the program from starting now; it may be there when it is due."""
        obstacle = self.obstacle()
        if obstacle is None:
            return []
        return [translate("tasks.will_fail", task_id=self.task_id, obstacle=obstacle)]

    def launch_spec(self, context: RunContext, policies: Policies) -> LaunchSpec:
        """Return the command of one attempt; raises DefinitionError if it cannot start."""
        obstacle = self.obstacle()
        if obstacle is not None:
            raise DefinitionError("tasks.cannot_start", obstacle=obstacle)
        return self._spec(environment(context), policies)

    def execute(self) -> bool:
        """Run the program here, wait for its end, and return whether it succeeded.

        Its timeout holds; `last_error` then tells why it failed. The scheduler itself does not
        call this: it starts the program under supervision.
        """
        from task_scheduler.tasks.direct_run import run_here  # subprocess is not needed to schedule

        obstacle = self.obstacle()
        if self.confinement:
            obstacle = translate("confinement.only_supervised", task_id=self.task_id)
        if obstacle is not None:
            self.last_error = obstacle
            return False
        context = active_context()
        variables = environment(context) if context is not None else {}
        policies = policies_from(self.policy_options, Policies())
        error = run_here(
            self._spec(variables, policies),
            lambda: context is not None and context.cancelled,
        )
        if error is not None:
            self.last_error = error
        return error is None

    def _spec(self, variables: Mapping[str, str], policies: Policies) -> LaunchSpec:
        # Unbuffered: what a Python program prints can be read while it runs, and after a kill.
        return LaunchSpec(
            argv=tuple(self.argv()),
            working_dir=self.working_dir,
            env={"PYTHONUNBUFFERED": "1", **self.env, **variables},
            timeout_seconds=policies.timeout_seconds,
            kill_grace_seconds=policies.kill_grace_seconds,
            confinement={**self.confinement, **self._script()},
            python=self._python(),
        )

    def _script(self) -> dict[str, Any]:
        """Return where in the arguments a script stands that may have to be checked."""
        return {}

    def _python(self) -> dict[str, Any] | None:
        """Return what a script of Python asks for; None where it is none."""
        return None

    def _program_obstacle(self) -> str | None:
        """Say what is wrong with the program itself."""
        return None


def absolute_path(task_id: str, what: str, path: object) -> str:
    """Return a path made absolute against the current folder; ``~`` is the user's home.

    Raises DefinitionError for anything that cannot be a path.
    """
    text = os.fspath(path) if isinstance(path, os.PathLike) else path
    if not isinstance(text, str) or not text.strip() or not _is_argument(text):
        raise DefinitionError("tasks.bad_path", task_id=task_id, what=what, value=path)
    return os.path.abspath(os.path.expanduser(text))  # noqa: PTH100, PTH111  Path keeps `..`


def texts_of(task_id: str, what: str, items: Iterable[object]) -> list[str]:
    """Return arguments as text; numbers and paths are welcome, anything else DefinitionError."""
    texts = [check_text(task_id, what, item) for item in items]
    for text in texts:
        if names_secret(text):
            raise DefinitionError("confinement.secret_in_argument", task_id=task_id, value=text)
    return texts


def check_text(task_id: str, what: str, item: object) -> str:
    """Return one argument as text; raises DefinitionError if it cannot be one."""
    is_number = isinstance(item, int | float) and not isinstance(item, bool)
    text = os.fspath(item) if isinstance(item, os.PathLike) else item
    if is_number:
        return str(item)
    if not isinstance(text, str) or not _is_argument(text):
        raise DefinitionError("tasks.bad_argument", task_id=task_id, what=what, value=item)
    return str(text)


def _environment_of(task_id: str, env: object) -> dict[str, str]:
    if env is None:
        return {}
    if not isinstance(env, Mapping):
        raise DefinitionError("tasks.bad_env", task_id=task_id, value=env)
    for key in env:
        if not isinstance(key, str) or not key or "=" in key or not _is_argument(key):
            raise DefinitionError("tasks.bad_env_name", task_id=task_id, value=key)
    return {key: check_text(task_id, f"env[{key!r}]", value) for key, value in env.items()}


def _is_argument(text: str) -> bool:
    """Whether the system takes a text as argument: no NUL, and UTF-8 can hold it."""
    return "\0" not in text and not any("\ud800" <= character <= "\udfff" for character in text)
