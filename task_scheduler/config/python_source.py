"""A configuration written in Python: a file that leaves its sections in a variable ``config``.

Responsible for: running the file and finding that mapping. It is run anew at every reading, as a
module of the file's name; modules that it imports stay as they were imported first. Functions of
tasks may stand in it as themselves: they become the names by which they are imported.
"""

from __future__ import annotations

import runpy
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from task_scheduler.config.document import DEPTH_LIMIT, Document
from task_scheduler.config.layers import plain_copy
from task_scheduler.config.problems import shown
from task_scheduler.errors import ConfigError
from task_scheduler.i18n import translate

__all__ = ["VARIABLE", "read_python"]

VARIABLE = "config"


def read_python(text: str, path: Path) -> Document:
    """Run a file and return the mapping that it leaves; raises ConfigError with place and line."""
    document = Document(text, str(path))
    if str(path.parent) not in sys.path:
        # Last, so that it hides nothing: as for the functions of tasks.
        sys.path.append(str(path.parent))
    try:
        left = runpy.run_path(str(path), run_name=path.stem)
    except SyntaxError as error:
        is_here = error.filename == str(path)
        offset = document.offset_at(error.lineno or 1, error.offset or 1) if is_here else 0
        document.fail(offset, f"{type(error).__name__}: {error.msg}")
    except (Exception, SystemExit) as error:  # fence: request
        offset = document.offset_at(_line_of(error, path), 1)
        document.fail(offset, f"{type(error).__name__}: {error}")
    found = left.get(VARIABLE)
    if not isinstance(found, Mapping):
        raise ConfigError(
            "config.python_without_config", path=str(path), name=VARIABLE, value=shown(found)
        )
    try:
        document.value = plain_copy(_named(found, path))
    except RecursionError:
        document.fail(0, translate("config.too_deep", limit=DEPTH_LIMIT))
    return document


def _line_of(error: BaseException, path: Path) -> int:
    """Return the line of the file from which an error came."""
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if frame.filename == str(path)]
    return lines[-1] or 1 if lines else 1


def _named(value: Any, path: Path) -> Any:
    """Return a value with functions as ``module:name``, and the rest as it is."""
    if isinstance(value, Mapping):
        return {str(key): _named(item, path) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_named(item, path) for item in value]
    name = getattr(value, "__qualname__", None)
    if callable(value) and isinstance(name, str):
        return f"{getattr(value, '__module__', path.stem)}:{name}"
    return value
