"""`ScriptTask`: a script file, run in a process of its own.

Responsible for: which program runs the file, and whether the file can be run. Does not start it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from task_scheduler.errors import DefinitionError
from task_scheduler.i18n import translate
from task_scheduler.tasks.direct_run import find_program
from task_scheduler.tasks.process import ProcessTask, absolute_path, check_text, texts_of
from task_scheduler.tasks.python_wish import python_wish_of

__all__ = ["ScriptTask"]


class ScriptTask(ProcessTask):
    """Run a script with `args`; a ``.py`` by this Python, any other executable by its first line.

    `script_path` is made absolute against the current folder at once, whatever `working_dir` is.
    `interpreter` names another program to run it; `python`, ``{"warm": True, "preload":
    ["requests"]}``, how one of Python's is started (`docs/warm.md`). `sha256` pins its content:
    another is never started. A file that is missing or cannot be run is a warning when the task is
    added and a failed run, never an error here.
    """

    kind: ClassVar[str] = "script"
    more_options: ClassVar[tuple[str, ...]] = ("sha256",)
    executor: str = "process"

    def __init__(
        self,
        task_id: str,
        name: str | None = None,
        script_path: str | os.PathLike[str] = "",
        args: Sequence[str | float] | None = None,
        working_dir: str | os.PathLike[str] | None = None,
        *,
        env: Mapping[str, Any] | None = None,
        interpreter: str | os.PathLike[str] | None = None,
        python: Mapping[str, Any] | None = None,
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
        self.script_path = absolute_path(task_id, "script_path", script_path)
        if isinstance(args, str | bytes):
            raise DefinitionError("tasks.args_is_text", task_id=task_id, value=args)
        if args is not None and not isinstance(args, Sequence):
            raise DefinitionError("tasks.bad_args", task_id=task_id, value=args)
        self.args = texts_of(task_id, "args", args or ())
        self.interpreter = None if interpreter is None else _program(task_id, interpreter)
        self.python = python_wish_of(task_id, python)

    def argv(self) -> list[str]:
        """Return the interpreter where one is needed, the script and its arguments."""
        if self.interpreter is not None:
            return [self.interpreter, self.script_path, *self.args]
        if self._is_python():
            return [sys.executable, self.script_path, *self.args]
        return [self.script_path, *self.args]

    def _program_obstacle(self) -> str | None:
        """Say what is wrong with the file or its interpreter; None if it can be run."""
        path = Path(self.script_path)
        if path.is_dir():
            return translate("tasks.script_is_folder", path=self.script_path)
        if not path.is_file():
            return translate("tasks.script_missing", path=self.script_path)
        if self.interpreter is not None:
            if find_program(self.interpreter, self.working_dir, self.env) is None:
                return translate("tasks.no_program", program=self.interpreter)
        elif not self._is_python() and not os.access(path, os.X_OK):
            return translate("tasks.script_not_executable", path=self.script_path)
        if not os.access(path, os.R_OK) and (self.interpreter or self._is_python()):
            return translate("tasks.script_unreadable", path=self.script_path)
        return None

    def definition(self) -> dict[str, Any] | None:
        """Return the script, its arguments and where it runs."""
        if self.kind == "custom":
            return None
        return {
            "script_path": self.script_path,
            "args": self.args,
            "working_dir": self.working_dir,
            "env": self.env,
            "interpreter": self.interpreter,
            **({"python": self.python} if self.python else {}),
            **self.confinement,
        }

    def _script(self) -> dict[str, Any]:
        place = int(self.interpreter is not None or self._is_python())
        is_python = self._is_run_by_python()
        return {"script": {"path": self.script_path, "place": place, "is_python": is_python}}

    def _python(self) -> dict[str, Any] | None:
        return self.python if self._is_run_by_python() else None

    def _is_run_by_python(self) -> bool:
        interpreter = os.path.basename(self.interpreter or "python")  # noqa: PTH119
        return self._is_python() and interpreter.startswith("python")

    def _is_python(self) -> bool:
        return self.script_path.lower().endswith(".py")


def _program(task_id: str, interpreter: object) -> str:
    """Return a program: a bare name is looked up in PATH at each start, a path made absolute."""
    text = check_text(task_id, "interpreter", interpreter)
    is_name = os.sep not in text and not text.startswith("~")
    return text if is_name and text else absolute_path(task_id, "interpreter", text)
