"""Call one function in a process of its own: ``python -P .../call.py``, started by the scheduler.

Responsible for: reading what to call from one environment variable, calling it, and telling the
result by the exit code (0 succeeded, 1 failed) with the error on the last line of stderr.

Uses the standard library only and imports nothing of the package: it starts in the time that a
bare Python takes, and what the function imports is the function's affair. `function.py` calls by
the same few functions in a thread.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import traceback
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator, Mapping, Sequence
from types import ModuleType
from typing import Any

__all__ = ["PAYLOAD_VARIABLE", "call", "load_function", "main", "resolved"]

PAYLOAD_VARIABLE = "TASK_SCHEDULER_CALL"
"""A JSON object: function, args, kwargs, path (the `sys.path` to find it by), and the sentences."""


def load_function(reference: str) -> Callable[..., Any]:
    """Import ``module:qualname`` and return what it names.

    Raises ValueError for another form, what the import raises, AttributeError, and TypeError if
    it cannot be called.
    """
    module_name, separator, qualname = reference.partition(":")
    if not separator or not module_name or not qualname:
        raise ValueError(f"{reference!r} is not of the form 'module:function'")
    found: Any = importlib.import_module(module_name)
    for name in qualname.split("."):
        found = getattr(found, name)
        if isinstance(found, ModuleType):
            # What a module has imported is not its own: `farm:os.system` is no function of a farm.
            raise ValueError(f"{reference!r} leads into {found.__name__}")  # noqa: TRY004
    if not callable(found):
        raise TypeError(f"{reference!r} is a {type(found).__name__}, not callable")
    function: Callable[..., Any] = found
    return function


def call(
    function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]
) -> str | None:
    """Call a function, sync or async; return None if it succeeded, else the name of the reason.

    ``false``: it returned False. ``generator``: its body has not run at all. Anything else that
    it returns is a success; what it raises comes through.
    """
    result = resolved(function(*args, **kwargs))
    if result is None or result is True:
        return None
    if result is False:
        return "false"
    if isinstance(result, Generator | AsyncGenerator):
        return "generator"
    return None


def resolved(result: Any) -> Any:
    """Return a result, or what it comes to in an event loop of its own if it is a coroutine."""
    if result is None or isinstance(result, bool) or not isinstance(result, Coroutine):
        # What functions usually return is told in no time.
        return result
    import asyncio  # heavy, and most functions are not async

    return asyncio.run(result)


def main() -> int:
    """Call what the environment names and return the exit code."""
    # Popped, so that a program that the function starts does not inherit it.
    payload = json.loads(os.environ.pop(PAYLOAD_VARIABLE))
    sys.path[:] = payload["path"]
    try:
        function = load_function(payload["function"])
        reason = call(function, payload["args"], payload["kwargs"])
    except SystemExit:
        raise
    except BaseException as error:  # fence: attempt
        _tell(error)
        return 1
    if reason is None:
        return 0
    sys.stdout.flush()
    sys.stderr.write(payload["sentences"][reason] + "\n")
    return 1


def _tell(error: BaseException) -> None:
    """Print the traceback, and make sure that the last line alone says what happened."""
    sys.stdout.flush()
    lines = "".join(traceback.format_exception(error)).splitlines()
    try:
        message = " ".join(str(error).split())
    except Exception:  # fence: attempt
        message = ""
    last = f"{type(error).__name__}: {message}" if message else type(error).__name__
    if lines[-1] != last:
        lines.append(last)
    sys.stderr.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    sys.exit(main())
