"""The rules of warm starts: which scripts are forked from a template, and with which modules.

Responsible for: what section `python` and a task's own wish come to, and for keeping warm starts
from loading code, with the scheduler's rights, that a confined task could have chosen.
"""

from __future__ import annotations

import dataclasses
import os
import sys
from dataclasses import dataclass, field

from task_scheduler.core.model import LaunchSpec
from task_scheduler.executors.warm_starts import WarmLimits

__all__ = ["WarmRules"]

_LEADS_TO_CODE = frozenset(
    {
        "LD_LIBRARY_PATH", "LD_PRELOAD", "PYTHONHOME", "PYTHONPATH", "PYTHONPLATLIBDIR",
        "PYTHONUSERBASE",
    }
)  # fmt: skip
"""Variables by which other code is loaded: in a template that happens before any confinement."""


def _holds_secret(spec: LaunchSpec) -> bool:
    values = [os.fsencode(value) for value in spec.env.values()]
    return bool(spec.confinement.get("files")) or any(
        mask in value for mask in spec.masks for value in values
    )


@dataclass(frozen=True, slots=True)
class WarmRules:
    """The section `python` as the scheduler uses it."""

    is_warm: bool = False
    preload: tuple[str, ...] = ()
    limits: WarmLimits = field(default_factory=WarmLimits)

    def choose(self, spec: LaunchSpec) -> LaunchSpec:
        """Return the command of a guarded start with `python` as it is carried out."""
        wish = spec.python
        if wish is None:
            return spec
        is_warm = wish.get("warm", self.is_warm) and sys.platform.startswith("linux")
        if is_warm and spec.confinement and _LEADS_TO_CODE & spec.env.keys():
            is_warm = False
        if is_warm and _holds_secret(spec):
            # What a template has once read may be found in the memory of every later script.
            is_warm = False
        preload = tuple(wish.get("preload", self.preload))
        return dataclasses.replace(spec, python={"preload": preload} if is_warm else None)
