"""`CommandTask`: any program with its arguments, run in a process of its own.

Responsible for: the argument list, which is never a shell's. Does not start it.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from task_scheduler.errors import DefinitionError
from task_scheduler.i18n import translate
from task_scheduler.tasks.direct_run import find_program
from task_scheduler.tasks.process import ProcessTask, texts_of

__all__ = ["CommandTask"]


class CommandTask(ProcessTask):
    """Run a program: `command` is the list of program and arguments, never a shell string.

    A program without a slash is looked up in PATH at each start, one with a slash is seen from
    `working_dir`. Raises DefinitionError for a str, an empty list, or items that are not text,
    numbers or paths.
    """

    kind: ClassVar[str] = "command"
    executor: str = "process"

    def __init__(
        self,
        task_id: str,
        name: str | None = None,
        command: Sequence[str | float | os.PathLike[str]] = (),
        *,
        working_dir: str | os.PathLike[str] | None = None,
        env: Mapping[str, Any] | None = None,
        description: str = "",
        **policies: Any,
    ) -> None:
        super().__init__(
            task_id,
            name,
            working_dir=working_dir,
            env=env,
            description=description,
            **policies,
        )
        if isinstance(command, str):
            raise DefinitionError(
                "tasks.shell_string", task_id=task_id, value=command, remedy=_split(command)
            )
        self.command = _checked_command(task_id, command)

    def argv(self) -> list[str]:
        """Return the program and its arguments."""
        return list(self.command)

    def _program_obstacle(self) -> str | None:
        """Say that the program is missing or not executable; None if it can be run."""
        if find_program(self.command[0], self.working_dir, self.env) is None:
            return translate("tasks.no_program", program=self.command[0])
        return None

    def definition(self) -> dict[str, Any] | None:
        """Return the command and where it runs."""
        if self.kind == "custom":
            return None
        return {
            "command": self.command,
            "working_dir": self.working_dir,
            "env": self.env,
            **self.confinement,
        }


def _checked_command(task_id: str, command: object) -> list[str]:
    """Return the list as text; raises DefinitionError where there is no program in it."""
    items: list[str] = []
    if isinstance(command, Sequence) and not isinstance(command, bytes):
        items = texts_of(task_id, "command", command)
    if not items or not items[0].strip():
        raise DefinitionError("tasks.bad_command", task_id=task_id, value=command)
    return items


def _split(command: str) -> str:
    """Return the list that the user probably meant, as it would be written."""
    try:
        return repr(shlex.split(command) or ["program", "argument"])
    except ValueError:  # an open quote
        return repr(command.split())
