"""The bounds of an attempt: by what its supervisor knows that they held, or which one ended it.

Responsible for: one attempt, from before its start to the end of its tree. What bounds each process
is told by how it ends; what bounds the tree as a whole is counted in its control group.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from task_scheduler.confinement.attempt_group import AttemptGroup
from task_scheduler.confinement.limit_reached import limit_reached

__all__ = ["Bounds"]

_FORMAT = b"1"


class Bounds:
    """The limits of a plan (`confinement.plan`); `note` is the file that names its group."""

    def __init__(self, plan: Mapping[str, Any], note: bytes) -> None:
        self._limits: Mapping[str, int] = plan.get("limits") or {}
        self._group = None
        self._reached: str | None = None
        self._held_back_seconds = 0.0
        if group := plan.get("group"):
            self._group = AttemptGroup(group["folder"], group["limits"])
            # Before anybody is in it: whoever finds the attempt without its supervisor must know.
            _write(note, _FORMAT + b" " + os.fsencode(self._group.folder))

    def end(self) -> bool:
        """Whether nobody is left in the group, once the tree is gone; then the group goes too.

        Who is in it all the same descends from somebody else, and is killed.
        """
        if self._group is None:
            return True
        if not self._group.is_empty():
            self._group.kill()
            return False
        self._reached = self._reached or self._group.reached()
        self._held_back_seconds = max(self._held_back_seconds, self._group.held_back_seconds())
        # Where the kernel keeps it the next scheduler that starts removes it.
        self._group.remove()
        return True

    def reached(self, number: int | None, last_line: str, cpu_seconds: float) -> str | None:
        """Return the limit that ended the task, after the `end`; as `limit_reached`."""
        return self._reached or limit_reached(self._limits, number, last_line, cpu_seconds)

    def held_back(self) -> str:
        """Return for how many seconds the limit on CPU had the tree wait, after the `end`."""
        return f"{self._held_back_seconds:.1f}"


def _write(path: bytes, content: bytes) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | getattr(os, "O_NOFOLLOW", 0)
    descriptor = os.open(path, flags, 0o600)
    try:
        os.write(descriptor, content)
    finally:
        os.close(descriptor)
