"""What a script of Python asks for of its start: warm or not, and with which modules.

Responsible for: the keyword `python` of ScriptTask in one checked, plain form, which is stored with
the task. What becomes of it is decided by `warm_rules`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from task_scheduler.errors import DefinitionError

__all__ = ["python_wish_of"]

_MODULE = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")
_MOST_MODULES = 100


def python_wish_of(task_id: str, wish: object) -> dict[str, Any]:
    """Return ``{"warm": bool, "preload": [modules]}``, each where it was given.

    Raises DefinitionError, which says what it may be.
    """
    if wish is None:
        return {}
    if not isinstance(wish, Mapping) or not set(wish) <= {"warm", "preload"}:
        raise DefinitionError("tasks.bad_python", task_id=task_id, value=wish)
    found = {name: value for name, value in wish.items() if value is not None}
    modules = found.get("preload", ())
    is_list = isinstance(modules, list | tuple) and len(modules) <= _MOST_MODULES
    is_sound = is_list and all(isinstance(m, str) and _MODULE.fullmatch(m) for m in modules)
    if not is_sound or not isinstance(found.get("warm", True), bool):
        raise DefinitionError("tasks.bad_python", task_id=task_id, value=wish)
    if "preload" in found:
        found["preload"] = list(dict.fromkeys(modules))
    return found
