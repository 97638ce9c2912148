"""A template as a program: ``python .../warm_start.py OPTIONS ROOM``, by the scripts' interpreter.

Responsible for: having no frame of Python's below what it runs. An error that nobody catches is
shown by `sys.excepthook`, called by C when all frames are gone and nothing has been torn down yet;
there the template lives, in a chain of calls of C. `ROOM` is what is long enough to be written over
with the arguments of a script.
"""

from __future__ import annotations

import functools
import json
import operator
import os
import sys
from types import ModuleType


class _Begin(Exception):  # noqa: N818  it is none
    """Ends the last frame."""


def main() -> None:
    """Leave, by way of an error."""
    folder = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    # By itself: what `sys.path` leads to is the user's, and may be another release of ours.
    package = ModuleType("task_scheduler")
    package.__path__ = [folder]
    sys.modules["task_scheduler"] = package
    from task_scheduler.supervision.template import program

    sys.excepthook = functools.partial(
        set().union, map(operator.call, program(json.loads(sys.argv[1])))
    )
    raise _Begin


if __name__ == "__main__":
    main()
