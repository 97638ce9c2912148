"""`FunctionTask`: a Python function, in a worker thread or in a process of its own.

Responsible for: calling it, telling its result, and finding the ``module:function`` by which it
can be stored. Does not know threads, processes or the ledger.
"""

from __future__ import annotations

import functools
import inspect
import json
import sys
import weakref
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MethodType, ModuleType
from typing import Any, ClassVar

from task_scheduler.core.model import Isolation, LaunchSpec, Policies
from task_scheduler.errors import DefinitionError, TaskSchedulerError
from task_scheduler.i18n import translate
from task_scheduler.tasks import call
from task_scheduler.tasks.confinement import confinement_of, take_options
from task_scheduler.tasks.context import RunContext, active_context, environment
from task_scheduler.tasks.json_values import is_json
from task_scheduler.tasks.task import BaseTask

__all__ = ["FunctionTask", "MissingFunction", "home_of", "reference_of", "resolve_function"]

_CALLS_KEPT = 100
_PAYLOAD_LIMIT = 100_000
"""Bytes. Linux takes no environment variable above 128 KiB."""


class MissingFunction:
    """Stands for a function that cannot be imported now: its task can be stored, but not run."""

    def __init__(self, reference: str, error: TaskSchedulerError) -> None:
        self.reference = reference
        self.error = error

    def __call__(self, *_: Any, **__: Any) -> Any:
        """Raise what its import raised."""
        raise self.error


class FunctionTask(BaseTask):
    """Call `func` with `args` and `kwargs`; only a returned False or an exception is a failure.

    `func` is a callable, sync or ``async def``, or its reference ``"module:function"``.
    `isolation="process"` runs it in a process that a timeout can kill; that needs an importable
    function and arguments that are JSON, and allows to confine it as a script. Raises
    DefinitionError where the function or its arguments cannot be what they are given as; a call
    that does not fit the signature is a warning and a failed run instead.
    """

    kind: ClassVar[str] = "function"

    def __init__(
        self,
        task_id: str,
        name: str | None = None,
        func: Callable[..., Any] | str | None = None,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        *,
        description: str = "",
        **policies: Any,
    ) -> None:
        self.confinement = confinement_of(task_id, take_options(policies))
        super().__init__(task_id, name, description=description, **policies)
        if self.confinement and self.policy_options.get("isolation") != Isolation.PROCESS:
            names = ", ".join(self.confinement)
            raise DefinitionError("confinement.needs_process", task_id=task_id, names=names)
        reference = func if isinstance(func, str) else None
        if isinstance(func, MissingFunction):
            reference = func.reference
        if isinstance(func, str):
            func = resolve_function(func)
        if not callable(func):
            raise DefinitionError("tasks.not_callable", task_id=task_id, value=func)
        if isinstance(args, str | bytes) or not isinstance(args, Sequence):
            raise DefinitionError("tasks.bad_args", task_id=task_id, value=args)
        if kwargs is not None and not _is_keywords(kwargs):
            raise DefinitionError("tasks.bad_kwargs", task_id=task_id, value=kwargs)
        self.func: Callable[..., Any] = func
        # Kept where given: it may name a partial or a lambda, which no longer knows its name.
        self._reference = reference or reference_of(func)
        self.args = tuple(args)
        self.kwargs = dict(kwargs or {})
        if self.policy_options.get("isolation") == Isolation.PROCESS:
            self.require_isolable()
            self.executor = "process"

    def execute(self) -> bool:
        """Call the function here and now; what it raises comes through."""
        error_before = self._error_here()
        reason = call.call(self.func, self.args, self.kwargs)
        if reason is None:
            return True
        if self._error_here() is error_before:
            self.last_error = _sentences(self.func)[reason]
        return False

    def definition(self) -> dict[str, Any] | None:
        """Return reference and arguments; None for a closure or arguments that are not JSON."""
        if self.kind == "custom":
            return None
        if self._reference is None or not self._has_json_arguments():
            return None
        return {
            "function": self._reference,
            "args": list(self.args),
            "kwargs": self.kwargs,
            **self.confinement,
        }

    @property
    def bare_reference(self) -> str | None:
        """The function's reference where nothing else makes up the definition; else None."""
        is_bare = not (self.args or self.kwargs or self.confinement)
        if is_bare and type(self).definition is FunctionTask.definition:
            return self._reference
        return None

    def warnings(self) -> list[str]:
        """Warn of a call that does not fit the signature, and of one that would run nothing."""
        if isinstance(self.func, MissingFunction):
            reason = str(self.func.error)
            return [translate("tasks.missing_function", task_id=self.task_id, reason=reason)]
        names = tuple(self.kwargs) if self.kwargs else ()
        misfit, is_generator = _call_of(self.func, len(self.args), names)
        if misfit is None and not is_generator:
            return []
        found = []
        name = _name_of(self.func)
        if misfit is not None:
            found.append(
                translate("tasks.misfit", task_id=self.task_id, function=name, reason=misfit)
            )
        if is_generator:
            found.append(translate("tasks.returned_generator", function=name))
        return found

    def require_isolable(self) -> None:
        """Raise DefinitionError, with the remedy, unless a new process can make the same call."""
        name = _name_of(self.func)
        if self._reference is None:
            raise DefinitionError("tasks.not_importable", task_id=self.task_id, function=name)
        if not self._has_json_arguments():
            raise DefinitionError("tasks.arguments_not_json", task_id=self.task_id, function=name)
        size = len(self._payload())
        if size > _PAYLOAD_LIMIT:
            raise DefinitionError(
                "tasks.arguments_too_long", task_id=self.task_id, size=size, limit=_PAYLOAD_LIMIT
            )

    def launch_spec(self, context: RunContext, policies: Policies) -> LaunchSpec:
        """Return the command that calls the function in a process; raises as require_isolable."""
        self.require_isolable()
        return LaunchSpec(
            # -P: the folder of call.py must not hide modules of the user with the same names.
            argv=(sys.executable, "-P", call.__file__),
            working_dir=str(Path.cwd()),
            env={
                "PYTHONUNBUFFERED": "1",
                **environment(context),
                call.PAYLOAD_VARIABLE: self._payload(),
            },
            timeout_seconds=policies.timeout_seconds,
            kill_grace_seconds=policies.kill_grace_seconds,
            confinement=self.confinement,
        )

    def _payload(self) -> str:
        """Return the call as `call.main` reads it: all ASCII, so characters are bytes."""
        here = str(Path.cwd())
        return json.dumps(
            {
                "function": self._reference,
                "args": list(self.args),
                "kwargs": self.kwargs,
                "path": [entry or here for entry in sys.path],
                "sentences": _sentences(self.func),
            }
        )

    def _has_json_arguments(self) -> bool:
        if not self.args and not self.kwargs:
            return True
        return is_json(list(self.args)) and is_json(self.kwargs)

    def _error_here(self) -> Any:
        """Return the error set in this attempt, or in this object outside one."""
        context = active_context()
        return self._last_error if context is None else context.error


def reference_of(function: Callable[..., Any]) -> str | None:
    """Return the ``module:qualname`` that leads to this very object; None if nothing does.

    Closures, lambdas, partials, bound methods of an instance, and whatever lives in the program's
    own file (`__main__` means another file after a restart) have none.
    """
    module_name = getattr(function, "__module__", None)
    qualname = getattr(function, "__qualname__", None)
    if not isinstance(module_name, str) or not isinstance(qualname, str):
        return None
    found: Any = sys.modules.get(module_name)
    if found is None or module_name == "__main__" or "<" in qualname:
        return None
    for name in qualname.split("."):
        found = getattr(found, name, None)
    # A class method is bound anew at each access: equal to itself, yet never the same object.
    is_same = found is function or (isinstance(found, MethodType) and found == function)
    return f"{module_name}:{qualname}" if is_same else None


def home_of(function: Callable[..., Any]) -> str | None:
    """Return the module that a callable is from; None for a partial, which its maker vouches for.

    A method of an object is from where the object's class is.
    """
    if isinstance(function, functools.partial):
        return None
    owner = getattr(function, "__self__", None)
    if isinstance(owner, ModuleType):
        owner = None
    if owner is not None:
        return (owner if isinstance(owner, type) else type(owner)).__module__
    if not isinstance(getattr(function, "__module__", None), str):
        return type(function).__module__
    return function.__module__


def resolve_function(reference: str) -> Callable[..., Any]:
    """Import and return the function of a ``module:function`` reference.

    Raises DefinitionError whatever goes wrong: the import runs code of the user.
    """
    try:
        return call.load_function(reference)
    except (Exception, SystemExit) as error:  # fence: attempt
        raise DefinitionError(
            "tasks.unresolved_function",
            reference=reference,
            reason=f"{type(error).__name__}: {error}",
        ) from error


def _is_keywords(kwargs: object) -> bool:
    return isinstance(kwargs, Mapping) and all(isinstance(key, str) for key in kwargs)


def _sentences(function: Callable[..., Any]) -> dict[str, str]:
    """Return why a call may have failed without an exception, in the user's language."""
    name = _name_of(function)
    return {
        "false": translate("tasks.function_false", function=name),
        "generator": translate("tasks.returned_generator", function=name),
    }


def _name_of(function: Callable[..., Any]) -> str:
    if isinstance(function, functools.partial):
        return _name_of(function.func)
    return getattr(function, "__qualname__", None) or type(function).__qualname__


_Call = tuple[str | None, bool]
"""Why a call does not fit, and whether it would only make a generator."""
_calls: weakref.WeakKeyDictionary[Callable[..., Any], dict[tuple[int, tuple[str, ...]], _Call]] = (
    weakref.WeakKeyDictionary()
)
"""What was found out of functions: a program may add one with a hundred thousand arguments."""


def _call_of(function: Callable[..., Any], count: int, names: tuple[str, ...]) -> _Call:
    """Return what comes of a call with so many arguments, and keywords of these names."""
    try:
        known = _calls.get(function)
        if known is None:
            known = _calls[function] = {}
    except TypeError:  # neither hashed nor weakly held
        return _looked_at(function, count, names)
    call = known.get((count, names))
    if call is None:
        if len(known) >= _CALLS_KEPT:
            known.clear()
        call = known[count, names] = _looked_at(function, count, names)
    return call


def _looked_at(function: Callable[..., Any], count: int, names: tuple[str, ...]) -> _Call:
    misfit = None
    try:
        inspect.signature(function).bind(*[None] * count, **dict.fromkeys(names))
    except TypeError as error:
        misfit = str(error)
    except ValueError:
        pass  # some functions written in C do not tell their signature
    is_generator = inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function)
    return misfit, is_generator
