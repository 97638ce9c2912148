"""One attempt: run a task's `execute` and turn whatever happens into (ok, error).

Responsible for: the fence around users' code, and the text that a failure is remembered by. Does
not know what becomes of the result, nor how long the attempt may take.
"""

from __future__ import annotations

import os
from pathlib import Path
from types import TracebackType

from task_scheduler.i18n import translate
from task_scheduler.tasks.call import resolved
from task_scheduler.tasks.context import RunContext
from task_scheduler.tasks.task import BaseTask

__all__ = ["describe", "perform"]

_ERROR_LIMIT = 4_000
"""Characters kept of an error."""

_OWN_FOLDER = str(Path(__file__).parent) + os.sep
_LIBRARY_FOLDER = str(Path(os.__file__).parent) + os.sep
_SITE_FOLDERS = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}")


def perform(task: BaseTask, context: RunContext) -> tuple[bool, str | None]:
    """Run one attempt of the very object that was added; never raises.

    Returns whether it succeeded, and if not, why: at most 4,000 characters.
    """
    activation = context.activate()
    # A thread that the task starts has no context: what it sets is told by the change.
    error_before = _kept_error(task)
    try:
        result: object = resolved(task.execute())
    except BaseException as error:  # fence: attempt
        if isinstance(error, SystemExit) and (error.code is None or error.code == 0):
            return True, None
        # The whole traceback is for those who look for it; the error's line is for everybody.
        context.logger.debug("traceback", exc_info=error)
        return False, describe(error)
    finally:
        context.deactivate(activation)
    if result is True:
        return True, None
    if result is not False:
        return False, translate("tasks.not_a_bool", value=_shortened(result))
    error_set = context.error
    if error_set is None:
        error_after = _kept_error(task)
        error_set = error_after if error_after is not error_before else None
    if error_set is None:
        return False, translate("tasks.returned_false")
    return False, describe(error_set)


def _kept_error(task: BaseTask) -> object:
    """Return the error in the object itself, also of a class with a `last_error` of its own."""
    kept = vars(task)
    return kept.get("_last_error", kept.get("last_error"))


def describe(error: object) -> str:
    """Return an error as one bounded text: type, message, and the line of user code it came from.

    Anything but an exception is shown as it is.
    """
    if not isinstance(error, BaseException):
        return _bounded(_text_of(error))
    name, message = type(error).__name__, _text_of(error)
    text = f"{name}: {message}" if message else name
    place = _place_of(error.__traceback__)
    if not place:
        return _bounded(text)
    suffix = f" ({place})"
    return _bounded(text, _ERROR_LIMIT - len(suffix)) + suffix


def _place_of(traceback: TracebackType | None) -> str:
    """Return ``file:line`` of the innermost frame of user code, else of the innermost at all."""
    innermost = place = ""
    while traceback is not None:
        path = traceback.tb_frame.f_code.co_filename
        innermost = f"{path}:{traceback.tb_lineno}"
        if _is_user_code(path):
            place = innermost
        traceback = traceback.tb_next
    return (place or innermost)[-_ERROR_LIMIT // 4 :]


def _is_user_code(path: str) -> bool:
    is_library = path.startswith((_OWN_FOLDER, _LIBRARY_FOLDER, "<frozen"))
    return not is_library and not any(folder in path for folder in _SITE_FOLDERS)


def _text_of(error: object) -> str:
    """Return what an object says of itself, or that it cannot."""
    try:
        return str(error)
    except Exception as failure:  # fence: attempt
        return translate(
            "tasks.unprintable", type=type(error).__name__, failure=type(failure).__name__
        )


def _shortened(value: object) -> str:
    try:
        return repr(value)[:200]
    except Exception:  # fence: attempt
        return f"<{type(value).__name__}>"


def _bounded(text: str, limit: int = _ERROR_LIMIT) -> str:
    """Return the text short enough, and writable to any database: no NUL, no lone surrogate."""
    if len(text) > limit:
        text = text[: limit - 1] + "…"
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode()
