"""Forks and the end of a program: what its runtimes do then.

Responsible for: knowing the runtimes of this process, and calling them before a fork, in the child
and at exit. What they do is theirs.

SQLite keeps account of its file locks in the process: a connection that is open while the program
forks makes the child believe in locks that only the parent has. So nothing that can be closed is
open then.
"""

from __future__ import annotations

import atexit
import os
import weakref
from typing import Any, Protocol

from task_scheduler.errors import TaskSchedulerError

__all__ = ["Forkable", "watch"]


class Forkable(Protocol):
    """What must know that its process forks or ends."""

    def before_fork(self) -> None:
        """Close what need not be open."""
        ...

    def after_fork_in_child(self) -> Any:
        """Hold nothing; return what was inherited and must be neither used nor closed."""
        ...

    def leave(self) -> None:
        """Let go at once, at the end of the program."""
        ...


_watched: weakref.WeakSet[Forkable] = weakref.WeakSet()
_inherited: list[Any] = []
"""What is the parent's: kept, so that nobody closes it."""


def watch(part: Forkable) -> None:
    """Tell `part` of forks and of the end, for as long as it lives."""
    _watched.add(part)


def _before() -> None:
    for part in list(_watched):
        part.before_fork()


def _after_in_child() -> None:
    _inherited.extend(part.after_fork_in_child() for part in list(_watched))


def _at_exit() -> None:
    for part in list(_watched):
        try:
            part.leave()
        except TaskSchedulerError:
            continue


os.register_at_fork(before=_before, after_in_child=_after_in_child)
atexit.register(_at_exit)
